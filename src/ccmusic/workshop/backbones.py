"""Networks by torchvision's names; those of the panel have a head that gives attention maps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ccmusic.errors import DataError


@cache
def torchvision_models() -> ModuleType:
    """Import ``torchvision.models`` without torchvision's compiled operators.

    The wheels on PyPI are built against the CUDA build of PyTorch; beside a CPU build their
    operators do not load, and ``import torchvision`` stops at "operator torchvision::nms does not
    exist". The model definitions are pure Python, so naming the two missing operators is enough.
    """
    try:
        import torchvision.models as models
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            schema = f"{operator}(Tensor dets, Tensor scores, float threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
        _keep_alive.append(library)
        import torchvision.models as models
    module: ModuleType = models
    return module


_keep_alive: list[Any] = []  # operators vanish with the library that defined them


class Backbone(nn.Module):
    """A feature extractor and a head with one score per genre at every place.

    The head is global average pooling and a linear layer, in the other order: a linear layer
    commutes with the mean, so a 1x1 convolution followed by the mean gives the same logits, and
    its output is the class-activation map (B. Zhou et al., "Learning deep features for
    discriminative localization", 2016).
    """

    def __init__(self, features: nn.Module, width: int, n_classes: int, n_soft: int = 0) -> None:
        super().__init__()
        self.features = features
        self.dropout = nn.Dropout2d(0.2)
        self.head = nn.Conv2d(width, n_classes, 1)
        self.soft_head = nn.Linear(width, n_soft) if n_soft else None

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict from pictures.

        Parameters
        ----------
        pictures
            float32 [n, 3, height, width].

        Returns
        -------
        logits
            float32 [n, n_classes].
        maps
            float32 [n, n_classes, h, w]; ``logits`` is their mean over h and w.
        """
        logits, maps, _ = self.predict(self.features(pictures))
        return logits, maps

    def predict(
        self, features: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Logits and maps of features, and logits of the auxiliary head, [n, n_soft], if any."""
        features = self.dropout(features)
        maps = self.head(features)
        soft = self.soft_head(features.mean(dim=(2, 3))) if self.soft_head else None
        return maps.mean(dim=(2, 3)), maps, soft


@dataclass(frozen=True)
class Family:
    """A family of networks in torchvision."""

    names: str
    """Pattern of their names."""
    mark: str
    """A tensor that all of them have, and none of the others."""
    classifier: str
    """Attribute of the classifier."""
    features: Callable[[Any], nn.Module] | None
    """Part of a network before the pooling, pictures to [n, c, h, w]; None if the last features
    have no positions."""
    pool: int = 1
    """Positions per side that the classifier sees."""
    size: int = 224
    """Side of the pictures, pixels."""


FAMILIES = (
    Family(r"vgg\d+(_bn)?", "features.0.weight", "classifier", lambda m: m.features, pool=7),
    Family(
        r"(wide_)?resne(x)?t\d+(_\w+)?",
        "layer1.0.conv1.weight",
        "fc",
        lambda m: nn.Sequential(*list(m.children())[:-2]),
    ),
    Family(
        r"densenet\d+",
        "features.conv0.weight",
        "classifier",
        lambda m: nn.Sequential(m.features, nn.ReLU(inplace=True)),
    ),
    Family(
        r"efficientnet_(b\d|v2_\w)",
        "features.1.0.block.0.0.weight",
        "classifier",
        lambda m: m.features,
    ),
    Family(r"mobilenet_v3_\w+", "features.1.block.0.0.weight", "classifier", lambda m: m.features),
    Family("mobilenet_v2", "features.1.conv.0.0.weight", "classifier", lambda m: m.features),
    Family(r"convnext_\w+", "features.1.0.layer_scale", "classifier", lambda m: m.features),
    Family(
        r"swin_(v2_)?\w",
        "features.1.0.norm1.weight",
        "head",
        lambda m: nn.Sequential(m.features, m.norm, m.permute),
    ),
    Family(
        "inception_v3",
        "Conv2d_1a_3x3.conv.weight",
        "fc",
        lambda m: nn.Sequential(
            *(child for name, child in list(m.named_children())[:-3] if name != "AuxLogits")
        ),
        size=299,
    ),
    Family(r"vit_\w_\d+", "conv_proj.weight", "heads", None),
)
"""Importable families: those of the panel, and those that CCMusic published."""


def family_of(name: str) -> Family:
    """Family of a torchvision network; :class:`DataError` if it has none here."""
    for family in FAMILIES:
        if re.fullmatch(family.names, name):
            return family
    raise DataError(f"unknown backbone {name!r}; known: {', '.join(importable())}")


@cache
def importable() -> tuple[str, ...]:
    """Names of all torchvision networks of the families."""
    models = torchvision_models()
    names = models.list_models(module=models)
    return tuple(n for n in names if any(re.fullmatch(f.names, n) for f in FAMILIES))


def skeleton(name: str) -> Any:
    """Build a torchvision network without values, on the device ``meta``."""
    options = {"init_weights": False} if name.startswith(("vgg", "inception")) else {}
    with torch.device("meta"):
        return getattr(torchvision_models(), name)(**options)


# The panel's five, with the channels of their features.
_WIDTHS = {
    "vgg19_bn": 512,
    "resnet50": 2048,
    "densenet121": 1024,
    "efficientnet_b0": 1280,
    "mobilenet_v3_large": 960,
}
BACKBONES = tuple(_WIDTHS)


def build(name: str, *, n_classes: int, n_soft: int = 0, width_divisor: int = 1) -> Backbone:
    """Build a network with random weights.

    Parameters
    ----------
    name
        One of :data:`BACKBONES`.
    n_classes
        Genres to tell apart.
    n_soft
        Width of an auxiliary head that learns soft targets during training; 0 for none.
    width_divisor
        Divides the number of channels of every layer.

    Raises
    ------
    DataError
        If there is no such backbone, or its channels cannot be divided by that number.
    """
    if name not in _WIDTHS:
        raise DataError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    family = family_of(name)
    assert family.features is not None
    features, width = family.features(getattr(torchvision_models(), name)()), _WIDTHS[name]
    if width_divisor > 1:
        for module in features.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                _divide_width(name, module, width_divisor)
    for module in features.modules():
        if isinstance(module, nn.BatchNorm2d):
            # torchvision gives MobileNet and EfficientNet 0.01: in a short training the running
            # statistics never catch up, and evaluation collapses.
            module.momentum = 0.1
    return Backbone(features, width // width_divisor, n_classes, n_soft)


def _divide_width(backbone: str, module: nn.Conv2d | nn.BatchNorm2d, width_divisor: int) -> None:
    """Divide the channels of a layer and give it new random weights; errors as :func:`build`.

    The three inputs of the picture stay; a depthwise convolution has one input per output.
    """
    for name, tensor in module.state_dict(keep_vars=True).items():
        if any(n % width_divisor for n in tensor.shape[:2] if n not in (1, 3)):
            raise DataError(
                f"{backbone}: the channels of a layer cannot be divided by {width_divisor}"
            )
        kept = tuple(slice(n if n in (1, 3) else n // width_divisor) for n in tensor.shape[:2])
        less = tensor.detach()[kept].clone()
        setattr(module, name, nn.Parameter(less) if isinstance(tensor, nn.Parameter) else less)
    if isinstance(module, nn.BatchNorm2d):
        module.num_features //= width_divisor
        return
    module.out_channels, inputs = module.weight.shape[:2]
    module.groups = max(1, module.groups // width_divisor)
    module.in_channels = inputs * module.groups
    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
