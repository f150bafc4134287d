"""Names that other libraries and habits give to the tensors of torchvision's networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from torch import nn

from ccmusic.workshop.backbones import family_of, skeleton

# Layers of a block: expansion, depthwise convolution, gate, projection.
_BLOCKS = {
    "timm": "conv_pw bn1 conv_dw bn2 se.conv_reduce se.conv_expand conv_pwl bn3",
    "timm, bare": "conv_dw bn1 se.conv_reduce se.conv_expand conv_pw bn2",
    "transformers": "expansion.expand_conv expansion.expand_bn"
    " depthwise_conv.depthwise_conv depthwise_conv.depthwise_norm"
    " squeeze_excite.reduce squeeze_excite.expand"
    " projection.project_conv projection.project_bn",
}
# Its features are called as in torchvision.
_TIMM_VGG = {
    "pre_logits.fc1": "classifier.0",
    "pre_logits.fc2": "classifier.3",
    "head.fc": "classifier.6",
}


@dataclass(frozen=True)
class Naming:
    """How the tensors of one network are named, and what else differs from torchvision."""

    names: Mapping[str, str]
    """torchvision's name of each tensor of the backbone, and the name here."""
    heads: Mapping[str, str] = field(default_factory=dict)
    """Path of a part of the classifier here, and torchvision's."""
    library: str = ""
    """``timm`` or ``transformers``."""
    eps: float | None = None
    """Of the BatchNorms; None for torchvision's."""
    pads_the_end: bool = False
    """Layers of stride 2 pad more at the end of a side than at its start, as TensorFlow does."""

    def adapt(self, network: nn.Module) -> None:
        """Give a network what its values were learnt with."""
        for module in list(network.modules()):
            if isinstance(module, nn.BatchNorm2d) and self.eps is not None:
                module.eps = self.eps
            for name, child in module.named_children():
                if self.pads_the_end and isinstance(child, nn.Conv2d) and child.stride == (2, 2):
                    more = child.kernel_size[0] - 2
                    start, end = more // 2, more - more // 2
                    child.padding = (0, 0)
                    padded = nn.Sequential(nn.ZeroPad2d((start, end, start, end)), child)
                    setattr(module, name, padded)


@cache
def template(name: str) -> Any:
    """A network without values, to look at; building one takes a tenth of a second."""
    return skeleton(name)


@cache
def namings(name: str) -> tuple[Naming, ...]:
    """All known namings of a torchvision network, torchvision's first."""
    network, family = template(name), family_of(name)
    keys = [
        key
        for key in network.state_dict()
        if not key.startswith((f"{family.classifier}.", "AuxLogits."))
    ]
    found = [Naming({key: key for key in keys}, _TIMM_VGG if name.startswith("vgg") else {})]
    if family.features is None:
        return tuple(found)
    # nn.Sequential(*network.children()), whole or cut.
    numbers = _numbers(network)
    heads = {numbers[family.classifier]: family.classifier}
    found.append(Naming({key: _renumbered(key, numbers) for key in keys}, heads))
    if all(key.startswith("features.") for key in keys):
        bare = {key: key.removeprefix("features.") for key in keys}
        found.append(Naming(bare))
        if not isinstance(network.features[0], nn.Sequential):  # children with names
            numbers = _numbers(network.features)
            found.append(Naming({key: _renumbered(part, numbers) for key, part in bare.items()}))
    return (*found, *(make(network, keys) for make in _LIBRARIES.get(name, ())))


def _numbers(network: nn.Module) -> dict[str, str]:
    return {child: str(number) for number, (child, _) in enumerate(network.named_children())}


def _renumbered(key: str, numbers: Mapping[str, str]) -> str:
    child, dot, rest = key.partition(".")
    return f"{numbers[child]}{dot}{rest}"


def _named(keys: list[str], path_of: Callable[[str], str]) -> dict[str, str]:
    """Names of tensors from those of their layers."""
    return {
        key: f"{path_of(path)}.{kind}" for key in keys for path, _, kind in [key.rpartition(".")]
    }


def _of_blocks(
    network: Any,
    keys: list[str],
    *,
    library: str,
    blocks: Iterable[str],
    ends: Iterable[str],
    **differences: Any,
) -> Naming:
    """Naming of EfficientNet or MobileNetV3.

    Parameters
    ----------
    blocks
        Names of the blocks.
    ends
        Names of convolution and BatchNorm before the blocks, and after them.
    """
    last = len(network.features) - 1
    ours = (f"features.{place}.{number}" for place in (0, last) for number in (0, 1))
    paths = dict(zip(ours, ends, strict=True))
    found = {p: m.block for p, m in network.features.named_modules() if hasattr(m, "block")}
    for (path, block), name in zip(found.items(), blocks, strict=True):
        layers = list(dict.fromkeys(key.rpartition(".")[0] for key in block.state_dict()))
        gated = any(layer.endswith(".fc1") for layer in layers)
        bare = len(layers) - 2 * gated < 6  # its first layers are missing
        theirs = _BLOCKS["timm, bare" if bare and library == "timm" else library].split()
        theirs = [each for each in theirs if gated or not each.startswith("s")]
        for layer, their in zip(layers, theirs[-len(layers) :], strict=True):
            paths[f"features.{path}.block.{layer}"] = f"{name}.{their}"
    return Naming(_named(keys, paths.__getitem__), library=library, **differences)


def _staged(*depths: int) -> list[str]:
    """Names of timm's blocks."""
    return [f"blocks.{stage}.{n}" for stage, depth in enumerate(depths) for n in range(depth)]


def _transformers_resnet(network: Any, keys: list[str]) -> Naming:
    kinds = {"conv": "convolution", "bn": "normalization"}

    def path_of(path: str) -> str:
        inner = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.(\d))", path)
        if inner is None:
            kind = kinds[path.rstrip("1")]  # conv1 and bn1
            return f"embedder.embedder.{kind}"
        stage, block, kind, number, shortcut = inner.groups()
        before = f"encoder.stages.{int(stage) - 1}.layers.{block}"
        if shortcut is not None:
            return f"{before}.shortcut.{tuple(kinds.values())[int(shortcut)]}"
        return f"{before}.layer.{int(number) - 1}.{kinds[kind]}"

    return Naming(_named(keys, path_of), library="transformers")


_LIBRARIES: dict[str, tuple[Callable[[Any, list[str]], Naming], ...]] = {
    "resnet50": (_transformers_resnet,),
    "efficientnet_b0": (
        partial(
            _of_blocks,
            library="timm",
            blocks=_staged(1, 2, 2, 3, 3, 4, 1),
            ends=("conv_stem", "bn1", "conv_head", "bn2"),
            eps=1e-5,
        ),
        partial(
            _of_blocks,
            library="transformers",
            blocks=[f"encoder.blocks.{number}" for number in range(16)],
            ends=(
                *("embeddings.convolution", "embeddings.batchnorm"),
                *("encoder.top_conv", "encoder.top_bn"),
            ),
            eps=1e-3,
            pads_the_end=True,
        ),
    ),
    "mobilenet_v3_large": (
        partial(
            _of_blocks,
            library="timm",
            blocks=_staged(1, 2, 3, 4, 2, 3),
            ends=("conv_stem", "bn1", "blocks.6.0.conv", "blocks.6.0.bn1"),
            heads={"conv_head": "classifier.0", "classifier": "classifier.3"},
            eps=1e-5,
        ),
    ),
}
