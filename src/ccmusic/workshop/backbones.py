"""A name in, a network out: torchvision's five backbones with a head that explains itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ccmusic.errors import DataError


@cache
def _torchvision_models() -> ModuleType:
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
    """Features, one score per genre at every place, and their mean.

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
        """Judge pictures.

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
        maps = self.head(self.dropout(self.features(pictures)))
        return maps.mean(dim=(2, 3)), maps

    def with_soft_targets(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits as :meth:`forward`, and logits of the auxiliary head, [n, n_soft]."""
        features = self.dropout(self.features(pictures))
        if self.soft_head is None:
            raise DataError("this network was built without soft targets")
        return self.head(features).mean(dim=(2, 3)), self.soft_head(features.mean(dim=(2, 3)))


def _vgg19_bn(models: ModuleType) -> tuple[nn.Module, int]:
    return models.vgg19_bn().features, 512


def _resnet50(models: ModuleType) -> tuple[nn.Module, int]:
    return nn.Sequential(*list(models.resnet50().children())[:-2]), 2048


def _densenet121(models: ModuleType) -> tuple[nn.Module, int]:
    return nn.Sequential(models.densenet121().features, nn.ReLU(inplace=True)), 1024


def _efficientnet_b0(models: ModuleType) -> tuple[nn.Module, int]:
    return models.efficientnet_b0().features, 1280


def _mobilenet_v3_large(models: ModuleType) -> tuple[nn.Module, int]:
    return models.mobilenet_v3_large().features, 960


_BUILDERS: dict[str, Callable[[ModuleType], tuple[nn.Module, int]]] = {
    "vgg19_bn": _vgg19_bn,
    "resnet50": _resnet50,
    "densenet121": _densenet121,
    "efficientnet_b0": _efficientnet_b0,
    "mobilenet_v3_large": _mobilenet_v3_large,
}
BACKBONES = tuple(_BUILDERS)


def build(name: str, *, n_classes: int, n_soft: int = 0) -> Backbone:
    """Build a network with random weights.

    Parameters
    ----------
    name
        One of :data:`BACKBONES`.
    n_classes
        Genres to tell apart.
    n_soft
        Width of an auxiliary head that learns soft targets during training; 0 for none.
    """
    if name not in _BUILDERS:
        raise DataError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    features, width = _BUILDERS[name](_torchvision_models())
    for module in features.modules():
        if isinstance(module, nn.BatchNorm2d):
            # torchvision gives MobileNet and EfficientNet 0.01: in a short training the running
            # statistics never catch up, and evaluation collapses.
            module.momentum = 0.1
    return Backbone(features, width, n_classes, n_soft)
