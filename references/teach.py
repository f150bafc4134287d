"""Fit linear classifiers on what taggers say of recordings; write their verdicts as a CSV file.

    python references/teach.py clips.csv verdicts.csv --view tags.csv --view musicnn.npz+yamnet.npz
    ccmusic train --label-teacher verdicts.csv ...

A linear classifier on the features of a network that was trained on much music knows genres better
than a network trained on a few hundred labels. ``ccmusic train --label-teacher`` learns from its
verdicts on unlabelled recordings. Every view has a classifier of its own; their verdicts are
averaged geometrically.

With ``--measure`` nothing is taught: for each of several sets of sources, the classifiers learn
without these sources and are measured on them, as on the music of strangers.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from ccmusic.errors import DataError
from ccmusic.files import replacing, write
from ccmusic.workshop.data import Recording, classes_of, read_manifest, read_soft_targets

Floats = npt.NDArray[np.float32]
Chosen = npt.NDArray[np.bool_]

_DECAY = 0.03
_LABEL_SMOOTHING = 0.05
_FOLDS = 5
_FAINT = 1e-4  # scores below are alike
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "recorded": (
        *("emotify", "homburg8k", "short-video-maker", "bensound", "openmusic", "piast", "dejavu"),
        *("essentia-audio", "phonograph-mcl", "tannerhelland", "opensurge", "ultrastar"),
        "fretsonfire-songs-muldjord",
    ),
    "generated": (
        *("acestep1", "acestep15", "yue", "diffrhythm", "noise2music", "mustango", "stable-audio"),
        *("t2m2t2m", "immich", "musicgen-style"),
    ),
    "GTZAN": ("gtzan30", "gtzan3", "gtzanmel"),
}
"""Sources that have something in common besides their genres."""


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

    def judge(self, learnt: Chosen, seen: Chosen | None = None) -> Floats:
        """Probabilities of all recordings from classifiers that learnt the chosen ones.

        Parameters
        ----------
        learnt
            Labelled recordings to learn.
        seen
            Recordings whose features may be standardised by; all but ``valid`` by default.

        Returns
        -------
        float32 [n, n_classes]
        """
        seen = ~self.valid if seen is None else seen
        logarithms = [
            np.log(
                _fit_and_judge(_standardised(x, seen), self.labels, learnt, self._weights(learnt))
            )
            for x in self._inputs
        ]
        shares = np.exp(np.mean(logarithms, axis=0))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def _weights(self, learnt: Chosen) -> Floats:
        """Of many recordings of one source and genre each counts less, and of frequent genres."""
        pairs = list(zip(self.sources[learnt], self.labels[learnt], strict=True))
        of_pair = Counter(pairs)
        weights = np.array([of_pair[pair] ** -0.5 for pair in pairs])
        genres = self.labels[learnt]
        of_genre = np.bincount(genres, weights, minlength=len(self.classes))
        weights /= np.sqrt(of_genre[genres])
        return np.asarray(weights / weights.mean(), np.float32)


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
    folds = _folds(known.recordings)
    verdicts = known.judge(known.labelled)
    for fold in range(_FOLDS):
        held_out = known.labelled & (folds == fold)
        verdicts[held_out] = known.judge(known.labelled & ~held_out)[held_out]
    with replacing(out) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *known.classes])
        for recording, verdict in zip(known.recordings, verdicts, strict=True):
            writer.writerow([recording.key, *(f"{share:.5f}" for share in verdict)])
    return out


def measure(
    manifest: Path, views: Sequence[Sequence[Path]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy and mean recall on sources that were left out, for all views and each alone.

    ``valid`` is measured as well, with all sources of ``train`` known: it flatters.
    """
    combined = {" + ".join(_name(view) for view in views): views}
    alone = {_name(view): [view] for view in views} if len(views) > 1 else {}
    return {
        name: _measure(Views(manifest, chosen)) for name, chosen in {**combined, **alone}.items()
    }


def _measure(known: Views) -> dict[str, dict[str, float]]:
    found = {}
    for name, sources in {**LEFT_OUT, "valid": ()}.items():
        left_out = np.isin(known.sources, sources)
        judged = (left_out if sources else known.valid) & (known.labels >= 0)
        if not judged.any():
            continue
        seen = ~known.valid & ~left_out
        right = known.judge(known.labelled & ~left_out, seen).argmax(axis=1) == known.labels
        genres = np.unique(known.labels[judged])
        recalls = [right[judged & (known.labels == genre)].mean() for genre in genres]
        found[name] = {
            "recordings": int(judged.sum()),
            "accuracy": round(float(right[judged].mean()), 3),
            "mean_recall": round(float(np.mean(recalls)), 3),
        }
    return found


def _name(view: Sequence[Path]) -> str:
    return " with ".join(path.stem for path in view)


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


def _folds(recordings: Sequence[Recording]) -> npt.NDArray[np.int64]:
    groups = {group: i for i, group in enumerate(sorted({r.group for r in recordings}))}
    order = np.random.default_rng(0).permutation(len(groups))
    return np.array([order[groups[r.group]] % _FOLDS for r in recordings])


def _fit_and_judge(
    inputs: torch.Tensor, labels: npt.NDArray[np.int64], learnt: Chosen, weights: Floats
) -> Floats:
    """Probabilities of all rows from a classifier that learnt some of them: [n, n_classes]."""
    x, y = inputs[learnt], torch.from_numpy(labels[learnt])
    linear = nn.Linear(inputs.shape[1], int(labels.max()) + 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        each = F.cross_entropy(linear(x), y, reduction="none", label_smoothing=_LABEL_SMOOTHING)
        loss = (each * torch.from_numpy(weights)).mean() + _DECAY * linear.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        return np.asarray(linear(inputs).softmax(dim=1).clamp(min=1e-6).numpy(), np.float32)


def _view(text: str) -> list[Path]:
    return [Path(part) for part in text.split("+")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path, help="CSV of verdicts; with --measure, JSON of figures")
    parser.add_argument("--view", type=_view, action="append", required=True, dest="views")
    parser.add_argument("--measure", action="store_true")
    options = vars(parser.parse_args())
    if options.pop("measure"):
        out = options.pop("out")
        write(out, (json.dumps(measure(**options), indent=2) + "\n").encode())
    else:
        teach(**options)
