"""Fit linear classifiers on what taggers say of recordings; write their verdicts as a CSV file.

    python references/teach.py clips.csv verdicts.csv --view tags.csv --view musicnn.npz+yamnet.npz
    ccmusic train --label-teacher verdicts.csv ...

A linear classifier on the features of a network that was trained on much music knows genres better
than a network trained on a few hundred labels. ``ccmusic train --label-teacher`` learns from its
verdicts, beside the labels and on unlabelled recordings. Every view has a classifier of its own;
their verdicts are averaged geometrically.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from ccmusic.errors import DataError
from ccmusic.workshop.data import classes_of, read_manifest, read_soft_targets
from shared import parser_of, write_table

Floats = npt.NDArray[np.float32]
Chosen = npt.NDArray[np.bool_]

LABEL_SMOOTHING = 0.05
FOLDS = 5
_FAINT = 1e-4  # scores below are alike
_LEAST = -13.8  # logarithm of a millionth
Fit = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], nn.Module]
"""From inputs [n, width], targets [n, n_classes] and weights [n] a classifier that gives logits."""


class Views:
    """What the taggers say of the recordings of a manifest, and what is known of these.

    Parameters
    ----------
    views
        For each, one or several files whose columns stand side by side: an NPZ of ``path`` [n],
        ``features`` [n, width] and perhaps ``scores`` [n, classes] in 0..1, or a CSV of ``path``
        and columns in 0..1. Scores are taken as logarithms, columns as log-odds.

    Raises
    ------
    DataError
        If a file cannot be read, or has nothing of a labelled training recording.
    """

    def __init__(self, manifest: Path, views: Sequence[Sequence[Path]]) -> None:
        recordings = read_manifest(manifest)
        self.classes = classes_of(recordings)
        known = [[_read_view(path) for path in paths] for paths in views]
        everywhere = set[str].intersection(*(set(file) for file in chain.from_iterable(known)))
        self.recordings = [r for r in recordings if r.key in everywhere]
        self.labels = np.array(
            [
                self.classes.index(r.genre) if r.genre in self.classes else -1
                for r in self.recordings
            ]
        )
        self.weights = np.array([r.weight for r in self.recordings])
        self.sources = np.array([r.source for r in self.recordings])
        self.valid = np.array([r.split == "valid" for r in self.recordings], bool)
        train = np.array([r.split == "train" for r in self.recordings], bool)
        self.labelled: Chosen = train & (self.labels >= 0)
        if not self.labelled.any():
            names = ", ".join(str(path) for path in chain.from_iterable(views))
            raise DataError(f"{names}: no features for any labelled training recording")
        self._inputs = [
            np.concatenate([np.stack([file[r.key] for r in self.recordings]) for file in files], 1)
            for files in known
        ]

    def judge(self, learnt: Chosen, *, fit: Fit | None = None, rarity: float = 0.5) -> Floats:
        """Probabilities of all recordings from classifiers that learnt the chosen ones.

        Parameters
        ----------
        learnt
            Labelled recordings to learn; features are standardised by these and the unlabelled.
        fit
            :func:`linear` by default.
        rarity
            A genre's clips of total weight n weigh n to the power of minus this.

        Returns
        -------
        float32 [n, n_classes]
        """
        seen = learnt | (self.labels < 0)
        of_genre = np.bincount(self.labels[learnt], self.weights[learnt], len(self.classes))
        weights = self.weights[learnt] * of_genre[self.labels[learnt]] ** -rarity
        targets = F.one_hot(torch.from_numpy(self.labels[learnt]), len(self.classes)).float()
        logarithms = []
        for inputs in self._inputs:
            x = _standardised(inputs, seen)
            known = torch.from_numpy((weights / weights.mean()).astype(np.float32))
            classifier = (fit or linear)(x[learnt], targets, known).eval()
            with torch.inference_mode():
                logarithms.append(classifier(x).log_softmax(dim=1).clamp(min=_LEAST).numpy())
        shares = np.exp(np.mean(logarithms, axis=0))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def judge_unseen(self, chosen: Chosen, *, folds: int = FOLDS, **how: Any) -> Floats:
        """Probabilities of the chosen labelled recordings without their groups: [n, n_classes].

        Those of the others are zeros.
        """
        groups = {group: i for i, group in enumerate(sorted({r.group for r in self.recordings}))}
        order = np.random.default_rng(0).permutation(len(groups))
        fold = np.array([order[groups[r.group]] % folds for r in self.recordings])
        shares = np.zeros((len(self.recordings), len(self.classes)), np.float32)
        for number in range(folds):
            held_out = chosen & (fold == number)
            shares[held_out] = self.judge(self.labelled & (fold != number), **how)[held_out]
        return shares


def teach(manifest: Path, out: Path, views: Sequence[Sequence[Path]]) -> Path:
    """Fit linear classifiers on the labels of ``train`` and classify every recording.

    A training recording is classified by a model that has not seen its group, so that the verdicts
    are as uncertain as those on unlabelled recordings. ``valid`` is never trained on.

    Parameters
    ----------
    views
        As in :class:`Views`.
    out
        CSV to write: ``path`` and one column of probabilities per genre.

    Raises
    ------
    DataError
        If the files do not fit together.
    """
    known = Views(manifest, views)
    verdicts = known.judge(known.labelled)
    verdicts[known.labelled] = known.judge_unseen(known.labelled)[known.labelled]
    rows = (
        [recording.key, *(f"{share:.5f}" for share in verdict)]
        for recording, verdict in zip(known.recordings, verdicts, strict=True)
    )
    write_table(out, ["path", *known.classes], rows)
    return out


def _read_view(path: Path) -> dict[str, Floats]:
    """Numbers of each recording, float32 [width] by path."""
    if path.suffix == ".csv":
        targets, _ = read_soft_targets(path)
        return {key: _log_odds(values) for key, values in targets.items()}
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = [file["features"].astype(np.float32)]
            if "scores" in file:
                parts.append(np.log(file["scores"].astype(np.float32) + _FAINT))
            return dict(zip(file["path"].tolist(), np.concatenate(parts, axis=1), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as features ({error})") from None


def _log_odds(values: Floats) -> Floats:
    clipped = np.clip(values, _FAINT, 1 - _FAINT)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _standardised(inputs: Floats, seen: Chosen) -> torch.Tensor:
    values = (inputs - inputs[seen].mean(axis=0)) / (inputs[seen].std(axis=0) + 1e-2)
    return torch.from_numpy(values.astype(np.float32))


def linear(
    inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, decay: float = 0.03
) -> nn.Module:
    """Fit a linear classifier; ``decay`` draws its weights towards zero."""
    layer = nn.Linear(inputs.shape[1], targets.shape[1])
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        each = F.cross_entropy(
            layer(inputs), targets, reduction="none", label_smoothing=LABEL_SMOOTHING
        )
        loss = (each * weights).mean() + decay * layer.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return layer


def _view(text: str) -> list[Path]:
    return [Path(part) for part in text.split("+")]


if __name__ == "__main__":
    parser = parser_of(__doc__, "manifest")
    parser.add_argument("out", type=Path, help="CSV of verdicts")
    parser.add_argument("--view", type=_view, action="append", required=True, dest="views")
    teach(**vars(parser.parse_args()))
