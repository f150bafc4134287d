"""The ten networks of ``references/make.py``, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ccmusic.spectrogram import TransformName

TRANSFORMS: tuple[TransformName, ...] = ("cqt", "mel")


@dataclass(frozen=True)
class Training:
    """Width and length of a training."""

    epochs: int = 25
    began_as: str = "random weights"
    """Before version 0.1, where the weights come from with which it begins."""
    learning_rate: float = 1e-3
    width_divisor: int = 1
    bf16: bool = False
    """Whether bfloat16 is faster, on processors with AMX."""


NETWORKS = {
    "mobilenet_v3_large": Training(30, began_as="EfficientNet-Lite0"),
    "efficientnet_b0": Training(30, began_as="EfficientNet-Lite0"),
    "vgg19_bn": Training(width_divisor=4, bf16=True),
    "resnet50": Training(learning_rate=1.5e-3, width_divisor=4, bf16=True),
    "densenet121": Training(learning_rate=1.5e-3, width_divisor=2, bf16=True),
}
"""In the order in which they are trained."""


def names(transform: TransformName | None = None) -> list[str]:
    """Names of the checkpoints of one transform or of both, in the order of their training."""
    chosen = [transform] if transform else TRANSFORMS
    return [f"{backbone}_{each}" for backbone in NETWORKS for each in chosen]


def views(material: Path) -> list[list[Path]]:
    """What the teacher looks at, see ``references/teach.py``."""
    return [[material / "tags.csv"], [material / "musicnn.npz", material / "yamnet.npz"]]


def options(work: Path, name: str) -> dict[str, Any]:
    """Values of :class:`ccmusic.options.TrainOptions`."""
    backbone, _, transform = name.rpartition("_")
    training = NETWORKS[backbone]
    return {
        "backbone": backbone,
        "transform": transform,
        "init_from": Path(name),
        "width_divisor": training.width_divisor,
        "soft_targets": work / "material" / "soft.csv",
        "label_teacher": work / "material" / "verdicts.csv",
        "teacher_share": 0.6,
        "epochs": training.epochs,
        "final_epochs": 2,
        "learning_rate": training.learning_rate,
        "bf16": training.bf16 and torch.cpu.get_capabilities().get("amx_tile", False),
    }
