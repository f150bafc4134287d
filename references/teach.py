"""Fit a linear classifier on the features of a music tagger; write its verdicts as a CSV file.

    python references/teach.py clips.csv features.npz verdicts.csv
    ccmusic train --label-teacher verdicts.csv ...

A linear classifier on the features of a network that was trained on much music recognises genres
better than a network trained on a few hundred labels. ``ccmusic train --label-teacher`` learns from
its verdicts on unlabelled recordings.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from ccmusic.errors import DataError
from ccmusic.files import replacing
from ccmusic.workshop.data import Recording, classes_of, read_manifest

_DECAY = 1e-3
_FOLDS = 5


def _read_features(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read an NPZ of ``path`` [n] and ``features`` [n, width]: float32 [width] by path.

    Raises
    ------
    DataError
        If it cannot be read as such.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            features = file["features"].astype(np.float32)
            return dict(zip(file["path"].tolist(), features, strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as features ({error})") from None


def teach(manifest: Path, features: Path, out: Path) -> Path:
    """Fit a linear classifier on the labels of ``train`` and classify every recording.

    A training recording is classified by a model that has not seen its group, so that the verdicts
    are as uncertain as those on unlabelled recordings. ``valid`` is never trained on.

    Parameters
    ----------
    features
        NPZ with ``path`` [n] and ``features`` [n, width].
    out
        CSV to write: ``path`` and one column of probabilities per genre.

    Raises
    ------
    DataError
        If the files do not fit together.
    """
    recordings = read_manifest(manifest)
    classes = classes_of(recordings)
    known = _read_features(features)
    judged = [r for r in recordings if r.key in known]
    if not any(r.split == "train" and r.genre for r in judged):
        raise DataError(f"{features}: has no features for any labelled training recording")
    inputs = torch.from_numpy(np.stack([known[r.key] for r in judged]))
    seen = inputs[[r.split != "valid" for r in judged]]
    inputs = (inputs - seen.mean(dim=0)) / (seen.std(dim=0) + 1e-3)
    labels = np.array([classes.index(r.genre) if r.genre in classes else -1 for r in judged])
    labelled = np.array([r.split == "train" and r.genre != "" for r in judged])
    folds = _folds(judged)
    verdicts = _fit_and_judge(inputs, labels, labelled, len(classes))
    for fold in range(_FOLDS):
        held_out = labelled & (folds == fold)
        others = _fit_and_judge(inputs, labels, labelled & ~held_out, len(classes))
        verdicts[held_out] = others[held_out]
    with replacing(out) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *classes])
        for recording, verdict in zip(judged, verdicts, strict=True):
            writer.writerow([recording.key, *(f"{share:.5f}" for share in verdict)])
    return out


def _folds(recordings: Sequence[Recording]) -> npt.NDArray[np.int64]:
    groups = {group: i for i, group in enumerate(sorted({r.group for r in recordings}))}
    order = np.random.default_rng(0).permutation(len(groups))
    return np.array([order[groups[r.group]] % _FOLDS for r in recordings])


def _fit_and_judge(
    inputs: torch.Tensor,
    labels: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.bool_],
    n_classes: int,
) -> npt.NDArray[np.float32]:
    """Probabilities of all rows from a classifier that learnt the chosen ones: [n, n_classes]."""
    x, y = inputs[chosen], torch.from_numpy(labels[chosen])
    counts = torch.bincount(y, minlength=n_classes).clamp(min=1)
    weights = (len(y) / counts).sqrt()
    linear = nn.Linear(inputs.shape[1], n_classes)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(linear(x), y, weight=weights)
        loss = loss + _DECAY * linear.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        return np.asarray(linear(inputs).softmax(dim=1).numpy(), np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in ("manifest", "features", "out"):
        parser.add_argument(name, type=Path)
    teach(**vars(parser.parse_args()))
