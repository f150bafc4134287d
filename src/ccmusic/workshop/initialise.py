"""First weights of a network.

A network may start from

- ``weights.pt`` of ``ccmusic train`` for the same backbone; kernels trained on pictures of the
  other orientation are turned, a narrower network is widened (T. Chen et al., "Net2Net:
  accelerating learning via knowledge transfer", 2016);
- a checkpoint, shipped or of the user, of the same backbone, by its name or its ONNX file;
- a file of torchvision for the same network; its classifier is ignored. ``references/donors.py``
  makes such files of other networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ccmusic.card import ModelCard
from ccmusic.errors import DataError
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.backbones import Backbone
from ccmusic.workshop.mapping import map_features
from ccmusic.workshop.weights import Tensors, read_weights
from ccmusic.zoo import Checkpoint, scan

Pictures = Callable[[], torch.Tensor]
_NORM = ("weight", "bias", "running_mean", "running_var")


def locate(weights: Path) -> Path:
    """Path of a file with weights; a checkpoint may be given by its name."""
    known = {checkpoint.card.name: checkpoint.path for checkpoint in scan()[0]}
    return weights if weights.exists() else known.get(str(weights), weights)


def describe_file(path: Path) -> str:
    """Name of a file and the beginning of its SHA-256.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return f"{path.name} {digest[:12]}"


@torch.no_grad()
def initialise(
    path: Path,
    network: Backbone,
    *,
    backbone: str,
    transform: TransformName,
    classes: tuple[str, ...],
    noise: float = 0,
    pictures: Pictures | None = None,
) -> None:
    """Fill a network with its first weights; nothing in the file is executed.

    Parameters
    ----------
    path
        ``.pt``, ``.pth``, ``.safetensors``, or ``.onnx`` with its card.
    network
        Network to fill. Tensors that the file does not have stay as they are: the heads, unless
        the file is ours and has the same classes.
    backbone, transform, classes
        What the network is and will learn.
    noise
        Relative noise on widened kernels: identical copies of a channel would learn the same
        for ever.
    pictures
        Gives a few pictures, float32 [n, channels, size, size]; needed for ``.onnx``.

    Raises
    ------
    DataError
        If the file cannot be read or has no weights for this backbone.
    """
    try:
        biases: Tensors | None = None
        if path.suffix == ".onnx":
            card = ModelCard.read(path.with_suffix(".json"))
            Checkpoint(card, path).verify()
            tensors, biases = _read_onnx(path)
            theirs, before, known = card.backbone, card.preprocessing.orientation, card.classes
        else:
            state = read_weights(path, allow_run=True)
            if state.plan is None:
                features = map_features(path, state, backbone)
                network.features.load_state_dict(features.state_dict())
                return
            tensors, theirs, known = state.tensors, state.plan["backbone"], state.plan["classes"]
            before = Preprocessing.default(state.plan["transform"]).orientation
        if theirs != backbone:
            raise DataError(f"these weights are of {theirs}")
        if before != Preprocessing.default(transform).orientation:
            tensors = {name: turn(tensor, orientation=before) for name, tensor in tensors.items()}
        heads, values = tuple(known) == classes, network.state_dict()
        tensors = {
            name: widen(tensor, values[name].shape, noise)
            for name, tensor in tensors.items()
            if name.startswith(_parts(heads)) and name in values
        }
        if biases is None:
            taken = {name: tensors[name] for name in values if name.startswith(_parts(heads))}
            network.load_state_dict({**values, **taken})
        else:
            assert pictures is not None
            biases = {name: widen(bias, values[name].shape[:1]) for name, bias in biases.items()}
            unfold(network, tensors, biases, pictures(), heads=heads)
    except Exception as error:  # other kinds of files fail in many ways
        raise DataError(
            f"{path}: {backbone} cannot be initialised from it ({reason_of_weights(error)}); "
            f"expected {backbone} from ccmusic train or torchvision"
        ) from None


def reason_of_weights(error: Exception) -> str:
    """What is wrong with a file of weights, in a line, from whatever its reading raised."""
    text = " ".join(str(error).split()) or type(error).__name__
    reason = f"it lacks {text}" if isinstance(error, KeyError) else text.split(": ", 1)[-1]
    return reason[:200]


def _parts(heads: bool) -> tuple[str, ...]:
    """What the names of the tensors to take begin with."""
    return ("features.", "head.") if heads else ("features.",)


@torch.no_grad()
def unfold(
    network: Backbone, tensors: Tensors, biases: Tensors, pictures: torch.Tensor, *, heads: bool
) -> None:
    """Fill a network from a graph whose normalisations are folded into the convolutions.

    Each gets mean and variance of its convolution on the pictures, and the scale and bias that undo
    them. The network then does the same in evaluation, and nearly the same in training, where the
    statistics are those of a batch.

    Parameters
    ----------
    tensors
        Weights of the convolutions, and all values of normalisations that stand before one.
    biases
        Bias of each convolution by the name of its weights.
    pictures
        A few pictures, float32 [n, channels, size, size].
    heads
        Take the classifier too.

    Raises
    ------
    DataError
        If a convolution has a bias that this backbone has no place for.
    """
    folded: dict[nn.Module, torch.Tensor] = {}
    names = {
        module: name
        for name, module in network.named_modules()
        if f"{name}.".startswith(_parts(heads))
    }
    for conv in (module for module in names if isinstance(module, nn.Conv2d)):
        weight = tensors[f"{names[conv]}.weight"]
        conv.weight.copy_(weight)
        bias = biases.get(f"{names[conv]}.weight", torch.zeros(len(weight)))
        if conv.bias is None:
            folded[conv] = bias
        else:
            conv.bias.copy_(bias)

    def remember(conv: nn.Module, _: Any, output: Any) -> None:
        output.convolution = conv

    def settle(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        conv: Any = getattr(inputs[0], "convolution", None)
        scale, shift = torch.tensor(1.0), folded.pop(conv, torch.tensor(0.0))
        if conv is None:  # before a convolution, and so not folded
            weight, bias, mean, variance = (tensors[f"{names[norm]}.{part}"] for part in _NORM)
            scale = weight / (variance + norm.eps).sqrt()
            shift = bias - scale * mean
        mean = inputs[0].mean((0, 2, 3))
        variance = inputs[0].var((0, 2, 3), correction=0)
        deviation = (variance + norm.eps).sqrt()
        values = (scale * deviation, shift + scale * mean, mean, variance)
        for part, value in zip(_NORM, values, strict=True):
            getattr(norm, part).copy_(value)

    hooks = [
        module.register_forward_hook(remember)
        if isinstance(module, nn.Conv2d)
        else module.register_forward_pre_hook(settle)
        for module in names
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    training = network.training
    network.eval()(pictures)
    network.train(training)
    for hook in hooks:
        hook.remove()
    if any(bias.any() for bias in folded.values()):
        raise DataError("some of its convolutions have a bias, which this backbone does not have")


def _read_onnx(path: Path) -> tuple[Tensors, Tensors]:
    """Stored tensors by name, and the bias of each convolution by the name of its weights."""
    graph = onnx.load(path, load_external_data=False).graph
    tensors = {
        tensor.name.removesuffix(".half"): torch.from_numpy(
            numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in graph.initializer
    }
    convolutions = [node.input for node in graph.node if node.op_type == "Conv"]
    return tensors, {
        weight: tensors[bias] for _, weight, bias in (c for c in convolutions if len(c) > 2)
    }


def widen(tensor: torch.Tensor, shape: torch.Size, noise: float = 0) -> torch.Tensor:
    """Repeat channels so that a network of wider layers does what the narrow one did.

    Copies lie next to their channel, so that concatenated channels of several layers keep the order
    that the next layer expects. Weights that read a repeated channel are divided by the number of
    copies; those of kernels get relative noise.
    """
    noisy = tensor.ndim == 4 and shape[0] > len(tensor)
    for axis, size in enumerate(shape[:2]):
        times = size // tensor.shape[axis]
        tensor = tensor.repeat_interleave(times, axis)
        if axis == 1:
            tensor = tensor / times
    return tensor * (1 + noise * torch.randn_like(tensor)) if noisy else tensor


def turn(tensor: torch.Tensor, *, orientation: str) -> torch.Tensor:
    """Turn a kernel with its picture, from one orientation of :class:`Preprocessing` to the other.

    Parameters
    ----------
    tensor
        float32 [outputs, inputs, height, width]; anything but a kernel is left as it is.
    orientation
        Orientation of the pictures for which it was learnt.
    """
    if tensor.ndim != 4:
        return tensor
    if orientation == "pitch_along_x":  # low notes go from the left to the bottom
        return tensor.transpose(2, 3).flip(2).contiguous()
    return tensor.flip(2).transpose(2, 3).contiguous()
