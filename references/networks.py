"""The ten networks of ``references/make.py``, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccmusic.spectrogram import TransformName

TRANSFORMS: tuple[TransformName, ...] = ("cqt", "mel")


@dataclass(frozen=True)
class Training:
    """Width and length of a training; all ten fit into two hours on two cores."""

    epochs: int
    began_as: str = "random weights"
    """Before version 0.1, where the weights come from with which it begins."""
    learning_rate: float = 1e-3
    width_divisor: int = 1
    bf16: bool = False


NETWORKS = {
    "mobilenet_v3_large": Training(11, began_as="EfficientNet-Lite0"),
    "resnet50": Training(10, learning_rate=1.5e-3, width_divisor=4, bf16=True),
    "vgg19_bn": Training(8, width_divisor=4, bf16=True),
    "densenet121": Training(6, learning_rate=1.5e-3, width_divisor=2, bf16=True),
    "efficientnet_b0": Training(5, began_as="EfficientNet-Lite0"),
}


def names(transform: TransformName | None = None) -> list[str]:
    """Names of the checkpoints of one transform or of both."""
    chosen = [transform] if transform else TRANSFORMS
    return [f"{backbone}_{each}" for each in chosen for backbone in NETWORKS]


def views(material: Path, *, yamnet: bool = True) -> list[list[Path]]:
    """What the teacher looks at, see ``references/teach.py``."""
    features = [material / "musicnn.npz", *([material / "yamnet.npz"] if yamnet else [])]
    return [[material / "tags.csv"], features]


def options(work: Path, name: str) -> dict[str, Any]:
    """Values of :class:`ccmusic.options.TrainOptions`."""
    backbone, _, transform = name.rpartition("_")
    training = NETWORKS[backbone]
    return {
        "backbone": backbone,
        "transform": transform,
        "init_from": work / "earlier" / f"{name}.pt",
        "width_divisor": training.width_divisor,
        "soft_targets": work / "material" / "soft.csv",
        "label_teacher": work / "material" / "verdicts.csv",
        "teacher_share": 0.6,
        "epochs": training.epochs,
        "final_epochs": 1,
        "learning_rate": training.learning_rate,
        "bf16": training.bf16,
    }
