"""Names that other libraries and habits give to the tensors of torchvision's networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from torch import nn

from ccmusic.workshop.backbones import BACKBONES, family_of, skeleton

_LAYERS = {
    "timm": {
        "expand": ("conv_pw", "bn1"),
        "depthwise": ("conv_dw", "bn2"),
        "project": ("conv_pwl", "bn3"),
        "fc1": "se.conv_reduce",
        "fc2": "se.conv_expand",
    },
    # A block without expansion.
    "timm, short": {
        "depthwise": ("conv_dw", "bn1"),
        "project": ("conv_pw", "bn2"),
        "fc1": "se.conv_reduce",
        "fc2": "se.conv_expand",
    },
    "transformers": {
        "expand": ("expansion.expand_conv", "expansion.expand_bn"),
        "depthwise": ("depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm"),
        "project": ("projection.project_conv", "projection.project_bn"),
        "fc1": "squeeze_excite.reduce",
        "fc2": "squeeze_excite.expand",
    },
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
    found.append(_cut(network, keys, family.classifier))
    if all(key.startswith("features.") for key in keys):
        bare = {key: key.removeprefix("features.") for key in keys}
        found.append(Naming(bare))
        if not isinstance(network.features[0], nn.Sequential):  # children with names
            numbers = _numbers(network.features)
            cut = {key: _renumbered(part, numbers) for key, part in bare.items()}
            found.append(Naming(cut))
    if name in BACKBONES:
        found += [make(network, keys) for make in _LIBRARIES.get(name, ())]
    return tuple(found)


def _numbers(network: nn.Module) -> dict[str, int]:
    return {child: number for number, (child, _) in enumerate(network.named_children())}


def _renumbered(key: str, numbers: Mapping[str, int]) -> str:
    child, dot, rest = key.partition(".")
    return f"{numbers[child]}{dot}{rest}"


def _cut(network: nn.Module, keys: list[str], classifier: str) -> Naming:
    numbers = _numbers(network)
    return Naming(
        {key: _renumbered(key, numbers) for key in keys}, {str(numbers[classifier]): classifier}
    )


def _named(keys: list[str], path_of: Callable[[str], str]) -> dict[str, str]:
    """Names of tensors from those of their layers."""
    return {
        key: f"{path_of(path)}.{kind}" for key in keys for path, _, kind in [key.rpartition(".")]
    }


def _layers(network: Any) -> Iterator[tuple[str, str, str, int]]:
    """Layers of EfficientNet's and MobileNetV3's blocks: path, path of the block, role, number.

    The roles are those of the tables above; the number tells the convolution from its BatchNorm.
    """
    for path, module in network.features.named_modules():
        block = getattr(module, "block", None)
        if block is None:
            continue
        paths = [f"features.{path}.block.{number}" for number in range(len(block))]
        convolutions = [
            place for place, part in zip(paths, block, strict=True) if not hasattr(part, "fc1")
        ]
        roles = dict(zip(reversed(convolutions), ("project", "depthwise", "expand"), strict=False))
        for place in paths:
            if place in roles:
                for number in (0, 1):
                    yield f"{place}.{number}", path, roles[place], number
            else:
                yield f"{place}.fc1", path, "fc1", 0
                yield f"{place}.fc2", path, "fc2", 0


def _blocks(network: Any, library: str, name_of: Callable[[str], str]) -> dict[str, str]:
    """Path of each layer in a block, and its name in a library."""
    layers = list(_layers(network))
    expanded = {block for _, block, role, _ in layers if role == "expand"}
    paths = {}
    for path, block, role, number in layers:
        short = library == "timm" and block not in expanded
        part = _LAYERS["timm, short" if short else library][role]
        paths[path] = f"{name_of(block)}.{part if isinstance(part, str) else part[number]}"
    return paths


def _timm_efficientnet(network: Any, keys: list[str]) -> Naming:
    def block(path: str) -> str:  # features.1.0 is the first block of the first stage
        stage, number = path.split(".")
        return f"blocks.{int(stage) - 1}.{number}"

    paths = _blocks(network, "timm", block) | {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "features.8.0": "conv_head",
        "features.8.1": "bn2",
    }
    return Naming(_named(keys, paths.__getitem__), library="timm", eps=1e-5)


def _timm_mobilenet(network: Any, keys: list[str]) -> Naming:
    places = [(stage, number) for stage, n in enumerate((1, 2, 3, 4, 2, 3)) for number in range(n)]

    def block(path: str) -> str:
        return "blocks.{}.{}".format(*places[int(path) - 1])

    paths = _blocks(network, "timm", block) | {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "features.16.0": "blocks.6.0.conv",
        "features.16.1": "blocks.6.0.bn1",
    }
    heads = {"conv_head": "classifier.0", "classifier": "classifier.3"}
    return Naming(_named(keys, paths.__getitem__), heads, library="timm", eps=1e-5)


def _transformers_efficientnet(network: Any, keys: list[str]) -> Naming:
    blocks = list(dict.fromkeys(block for _, block, _, _ in _layers(network)))
    paths = _blocks(
        network, "transformers", lambda block: f"encoder.blocks.{blocks.index(block)}"
    ) | {
        "features.0.0": "embeddings.convolution",
        "features.0.1": "embeddings.batchnorm",
        "features.8.0": "encoder.top_conv",
        "features.8.1": "encoder.top_bn",
    }
    return Naming(
        _named(keys, paths.__getitem__), library="transformers", eps=1e-3, pads_the_end=True
    )


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
    "efficientnet_b0": (_timm_efficientnet, _transformers_efficientnet),
    "mobilenet_v3_large": (_timm_mobilenet,),
}
