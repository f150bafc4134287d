"""First weights of a network.

A network may start from

- ``weights.pt`` of ``ccmusic train`` for the same backbone; kernels trained on pictures of the
  other orientation are turned, a narrower network is widened (T. Chen et al., "Net2Net:
  accelerating learning via knowledge transfer", 2016);
- a file of torchvision for the same network; its classifier is ignored. ``references/donors.py``
  makes such files of other networks.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from ccmusic.errors import DataError
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.backbones import Backbone
from ccmusic.workshop.mapping import map_features
from ccmusic.workshop.weights import is_own, make_plain, read_content


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
) -> None:
    """Fill a network with its first weights; nothing in the file is executed.

    Parameters
    ----------
    path
        ``.pt``, ``.pth`` or ``.safetensors``.
    network
        Network to fill. Tensors that the file does not have stay as they are: the heads, unless
        the file is ours and has the same classes.
    backbone, transform, classes
        What the network is and will learn.
    noise
        Relative noise on widened kernels: identical copies of a channel would learn the same
        for ever.

    Raises
    ------
    DataError
        If the file cannot be read or has no weights for this backbone.
    """
    try:
        content = read_content(path)
        if is_own(content):
            _take_own(content, network, backbone, transform, classes, noise)
            return
        features = map_features(path, make_plain(path, content), backbone)
        network.features.load_state_dict(features.state_dict())
    except Exception as error:  # other kinds of files fail in many ways
        text = " ".join(str(error).split()) or type(error).__name__
        reason = f"it lacks {text}" if isinstance(error, KeyError) else text.split(": ", 1)[-1]
        raise DataError(
            f"{path}: {backbone} cannot be initialised from it ({reason[:200]}); expected "
            f"{backbone} from ccmusic train or torchvision"
        ) from None


def _take_own(
    content: Any,
    network: Backbone,
    backbone: str,
    transform: TransformName,
    classes: tuple[str, ...],
    noise: float,
) -> None:
    plan, tensors = content["plan"], content["network"]
    if plan["backbone"] != backbone:
        raise DataError(f"these weights are of {plan['backbone']}")
    before, now = (
        Preprocessing.default(name).orientation for name in (plan["transform"], transform)
    )
    if before != now:
        tensors = {name: turn(tensor, upright=before) for name, tensor in tensors.items()}
    for name in ("features", "head") if tuple(plan["classes"]) == classes else ("features",):
        module = network.get_submodule(name)
        own = module.state_dict()
        for key, target in own.items():
            tensor = tensors[f"{name}.{key}"]
            own[key] = widen(tensor, target.shape)
            if tensor.ndim == 4 and len(own[key]) > len(tensor):
                own[key] *= 1 + noise * torch.randn_like(own[key])
        module.load_state_dict(own)


def widen(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Repeat channels so that a network of wider layers does what the narrow one did.

    Copies lie next to their channel, so that concatenated channels of several layers keep the order
    that the next layer expects. Weights that read a
    repeated channel are divided by the number of copies.
    """
    for axis, size in enumerate(shape[:2]):
        times = size // tensor.shape[axis]
        tensor = tensor.repeat_interleave(times, axis)
        if axis == 1:
            tensor = tensor / times
    return tensor


def turn(tensor: torch.Tensor, *, upright: str) -> torch.Tensor:
    """Turn a kernel with its picture, from one orientation of :class:`Preprocessing` to the other.

    Parameters
    ----------
    tensor
        float32 [outputs, inputs, height, width]; anything but a kernel is left as it is.
    upright
        Orientation of the pictures for which it was learnt.
    """
    if tensor.ndim != 4:
        return tensor
    if upright == "pitch_along_x":  # low notes go from the left to the bottom
        return tensor.transpose(2, 3).flip(2).contiguous()
    return tensor.flip(2).transpose(2, 3).contiguous()
