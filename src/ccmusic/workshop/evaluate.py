"""A checkpoint and labelled recordings in, measured :class:`~ccmusic.card.Metrics` out.

What is measured is the file that ships, on ONNX Runtime, with the pictures that users get.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from ccmusic.card import Calibration, Metrics
from ccmusic.errors import DataError
from ccmusic.picture import Pixels, Recipe, normalise
from ccmusic.workshop.data import Recording, load_pictures, read_manifest
from ccmusic.zoo import Checkpoint

Floats = npt.NDArray[np.float64]
_BINS = 15
_RESAMPLES = 1000
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


def evaluate(checkpoint: Checkpoint, manifest: Path, *, split: str = "valid") -> Metrics:
    """Measure a checkpoint on a split of a manifest.

    Raises
    ------
    DataError
        If the split has no recording whose genre the checkpoint knows.
    CheckpointError
        If the checkpoint cannot be opened.
    """
    card = checkpoint.card
    recordings, pictures = held_out(manifest, card.classes, card.recipe, split=split)
    logits = infer(checkpoint.open(), pictures, card.recipe)
    return measure(logits, recordings, card.classes, temperature=card.temperature, split=split)


def held_out(
    manifest: Path, classes: Sequence[str], recipe: Recipe, *, split: str = "valid"
) -> tuple[list[Recording], list[Pixels]]:
    """Recordings of a split with a known genre, and their pictures."""
    chosen = [r for r in read_manifest(manifest) if r.split == split and r.genre in classes]
    recordings, pictures = load_pictures(chosen, recipe)
    if not recordings:
        raise DataError(f"{manifest}: no readable recording with a known genre in {split!r}")
    return recordings, pictures


def infer(
    session: onnxruntime.InferenceSession, pictures: Sequence[Pixels], recipe: Recipe
) -> npt.NDArray[np.float32]:
    """Logits, float32 [n, n_classes]."""
    rows = [
        session.run(["logits"], {"picture": normalise(picture, recipe)[None]})[0][0]
        for picture in pictures
    ]
    return np.stack(rows)


def measure(
    logits: npt.NDArray[np.float32],
    recordings: Sequence[Recording],
    classes: Sequence[str],
    *,
    temperature: float,
    split: str,
) -> Metrics:
    """Metrics over recordings; the clips of one ``group`` give one verdict, their mean.

    The calibration error is not flattered by a temperature that was fitted on the same split:
    each half of the groups is scaled by the temperature that fits the other half.
    """
    truth, sources, clips = _by_group(recordings, classes)
    shares = _group_shares(logits, clips, temperature)
    chosen = shares.argmax(axis=1)
    right = chosen == truth
    support = Counter(classes[t] for t in truth)
    recall = {g: float(right[truth == classes.index(g)].mean()) for g in classes if support[g]}
    confusion: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for t, c in zip(truth, chosen, strict=True):
        confusion[classes[t]][classes[c]] += 1
    accuracy_interval, macro_recall_interval = _intervals(right, truth)
    halves = np.arange(len(truth)) % 2
    crossed = np.empty_like(shares)
    for half in (0, 1):
        others = [clip for clip, h in zip(clips, halves, strict=True) if h != half]
        fitted = _fit(logits, others, truth[halves != half]) if others else temperature
        crossed[halves == half] = _group_shares(logits, clips, fitted)[halves == half]
    calibration = _calibration(crossed, truth)
    return Metrics(
        split=split,
        recordings=len(truth),
        accuracy=float(right.mean()),
        accuracy_interval=accuracy_interval,
        macro_recall=float(np.mean(list(recall.values()))),
        macro_recall_interval=macro_recall_interval,
        recall=recall,
        support={genre: support[genre] for genre in recall},
        confusion={genre: dict(confusion[genre].most_common()) for genre in recall},
        accuracy_by_source={
            source: float(right[sources == source].mean()) for source in sorted(set(sources))
        },
        calibration=calibration,
        calibration_error=sum(b.recordings * abs(b.accuracy - b.confidence) for b in calibration)
        / len(truth),
    )


def fit_temperature(
    logits: npt.NDArray[np.float32], recordings: Sequence[Recording], classes: Sequence[str]
) -> float:
    """Temperature of the least negative log-likelihood.

    C. Guo et al., "On calibration of modern neural networks", 2017.
    """
    truth, _, clips = _by_group(recordings, classes)
    return _fit(logits, clips, truth)


def _by_group(
    recordings: Sequence[Recording], classes: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.str_], list[list[int]]]:
    """Class, source and clip numbers of each group, in the order of first appearance."""
    clips: defaultdict[str, list[int]] = defaultdict(list)
    for number, recording in enumerate(recordings):
        clips[recording.group].append(number)
    first = [recordings[numbers[0]] for numbers in clips.values()]
    truth = np.array([list(classes).index(r.genre) for r in first])
    return truth, np.array([r.source for r in first]), list(clips.values())


def _group_shares(
    logits: npt.NDArray[np.float32], clips: Sequence[Sequence[int]], temperature: float
) -> Floats:
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.stack([shares[list(numbers)].mean(axis=0) for numbers in clips])


def _fit(
    logits: npt.NDArray[np.float32],
    clips: Sequence[Sequence[int]],
    truth: npt.NDArray[np.int64],
) -> float:
    def loss(temperature: float) -> float:
        shares = _group_shares(logits, clips, temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(shares, 1e-12)).mean())

    return float(min(_TEMPERATURES, key=loss))


def _intervals(
    right: npt.NDArray[np.bool_], truth: npt.NDArray[np.int64]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % bootstrap intervals of accuracy and macro recall (B. Efron, 1979)."""
    rng = np.random.default_rng(0)
    accuracies, recalls = [], []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(truth), len(truth))
        accuracies.append(right[drawn].mean())
        genres = np.unique(truth[drawn])
        recalls.append(np.mean([right[drawn][truth[drawn] == genre].mean() for genre in genres]))
    accuracy, recall = np.percentile([accuracies, recalls], [2.5, 97.5], axis=1).T.tolist()
    return tuple(accuracy), tuple(recall)


def _calibration(shares: Floats, truth: npt.NDArray[np.int64]) -> tuple[Calibration, ...]:
    confidence = shares.max(axis=1)
    right = shares.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return tuple(
        Calibration(
            above=round(b / _BINS, 4),
            confidence=float(confidence[bins == b].mean()),
            accuracy=float(right[bins == b].mean()),
            recordings=int((bins == b).sum()),
        )
        for b in np.unique(bins)
    )
