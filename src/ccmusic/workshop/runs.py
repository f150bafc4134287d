"""Files of a training run: plan, weights, log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import ConfigDict

from ccmusic.errors import DataError, reason_of
from ccmusic.options import TrainSettings
from ccmusic.workshop.backbones import Backbone, build
from ccmusic.workshop.data import read_table


class Plan(TrainSettings):
    """What decides a training run; stored with its weights. Options of others are ignored."""

    model_config = ConfigDict(extra="ignore")

    classes: tuple[str, ...]
    n_soft: int
    taught: bool
    """Another classifier's verdicts are learnt as well."""
    init_from: str = ""
    """Name and hash of the file with the first weights; empty: they were random."""
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
        plan = Plan(**saved["plan"])
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
