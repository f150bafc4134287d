"""Files of a training run: plan, weights, log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ccmusic.errors import DataError, reason_of
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.backbones import Backbone, build
from ccmusic.workshop.data import read_table


@dataclass(frozen=True)
class Plan:
    """All options of a training run; stored with its weights."""

    backbone: str
    transform: TransformName
    classes: tuple[str, ...]
    n_soft: int
    taught: bool
    """Another classifier's verdicts are learnt as well."""
    epochs: int
    """Passes over everything in crops."""
    crop_width: int
    """Extent of a crop along time, pixels."""
    final_epochs: int
    """Passes over the labels in whole pictures."""
    batch_size: int
    learning_rate: float
    bf16: bool
    seed: int
    patience: int = 0
    """Epochs without a better accuracy on ``valid`` after which the run ends; 0: never."""
    teacher_share: float = 0.3
    """Weight of the other classifier's verdict beside a label."""
    init_from: str = ""
    """Name and hash of the file with the first weights; empty: they were random."""
    width_divisor: int = 1
    """Divides the number of channels of every layer."""
    feature_teacher: str = ""
    """Name and hash of the weights whose features were learnt as well; empty: none."""


def load_weights(path: Path) -> tuple[Backbone, Plan]:
    """Read the weights of a run; nothing in the file is executed.

    Raises
    ------
    DataError
        If the file is missing, damaged, or something else.
    """
    with reading(path):
        saved = torch.load(path, map_location="cpu", weights_only=True)
        plan = plan_of(saved["plan"])
        network = build(
            plan.backbone, n_classes=len(plan.classes), width_divisor=plan.width_divisor
        )
        network.load_state_dict(saved["network"])
    return network.eval(), plan


def read_log(out: Path) -> tuple[float, ...]:
    """Accuracy on the clips of ``valid`` after each epoch of a run; empty without a log."""
    path = out / "log.csv"
    if not path.exists():
        return ()
    return tuple(float(row["valid_accuracy"]) for row in read_table(path, {"valid_accuracy"}))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of a damaged file into a :class:`DataError`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # damaged files fail in many ways inside torch
        raise DataError(f"{path}: not a file of ccmusic train ({reason_of(error)})") from None


def stored(plan: Plan) -> dict[str, Any]:
    """Content of a plan for a file; :func:`plan_of` reads it."""
    return {**asdict(plan), "classes": list(plan.classes)}


def plan_of(saved: dict[str, Any]) -> Plan:
    """Read a plan; options of other versions are ignored."""
    known = {field.name: saved[field.name] for field in fields(Plan) if field.name in saved}
    return Plan(**{**known, "classes": tuple(saved["classes"])})
