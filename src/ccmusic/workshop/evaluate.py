"""Measurement of checkpoints on labelled recordings.

The exported file is measured, on ONNX Runtime, with the pictures that users get.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ccmusic.card import Band, Calibration, Level, Metrics, ModelCard, Pair, PanelCard
from ccmusic.errors import DataError
from ccmusic.panel import available_cores
from ccmusic.picture import Pixels, Preprocessing, normalise
from ccmusic.runtime import onnxruntime
from ccmusic.verdict import average_slices
from ccmusic.workshop.data import Recording, draw_recordings, read_manifest
from ccmusic.zoo import Checkpoint, find_one, store, user_folder

Floats = npt.NDArray[np.float64]
Hits = npt.NDArray[np.bool_]
Logits = npt.NDArray[np.floating[Any]]
_BINS = 15
_RESAMPLES = 1000
_EDGES = np.arange(1, 100) / 100
_SURE, _UNSURE = 0.85, 0.5  # accuracy from which a band is high, and up to which it is low
_FEWEST = 20  # minimum number of recordings of a band
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


def evaluate(
    checkpoints: Sequence[Checkpoint], manifest: Path, *, split: str = "valid"
) -> tuple[list[Metrics], PanelCard]:
    """Measure checkpoints on a split of a manifest; every recording is decoded once.

    Returns
    -------
    metrics
        Of each checkpoint.
    together
        Of their mean, and of all pairs of them.

    Raises
    ------
    DataError
        If the split has no recording whose genre the checkpoints know, or they have different
        classes.
    CheckpointError
        If a checkpoint cannot be opened.
    """
    cards = [checkpoint.card for checkpoint in checkpoints]
    recordings, logits = predict_split(checkpoints, manifest, split)
    metrics = [
        measure(
            each,
            recordings,
            card.classes,
            temperature=card.temperature,
            split=split,
            # A temperature that unknown sources gave was not fitted to this split.
            refit=card.unknown_sources is None,
        )
        for card, each in zip(cards, logits, strict=True)
    ]
    return metrics, measure_panel(cards, recordings, logits, split=split)


def measure_panel(
    cards: Sequence[ModelCard],
    recordings: Sequence[Recording],
    logits: Sequence[Sequence[Logits]],
    *,
    split: str,
) -> PanelCard:
    """Measure the mean of several models and all pairs, from what :func:`predict_split` gives."""
    classes = cards[0].classes
    scores = [
        (_ByRecording(each, recordings, classes), card.temperature)
        for card, each in zip(cards, logits, strict=True)
    ]
    shares = [each.of_clips(temperature) for each, temperature in scores]
    right = [each.shares(temperature).argmax(axis=1) == each.truth for each, temperature in scores]

    def measured(chosen: Sequence[int], *, refit: bool = False) -> Metrics:
        # The softmax of the logarithm of a distribution is that distribution.
        mean = list(np.log(np.mean([shares[i] for i in chosen], axis=0)))
        return measure(mean, recordings, classes, temperature=1, split=split, refit=refit)

    names = [card.name for card in cards]
    pairs = [
        Pair(
            models=(names[a], names[b]),
            accuracy=measured((a, b)).accuracy,
            either=float((right[a] | right[b]).mean()),
        )
        for a, b in combinations(range(len(names)), 2)
    ]
    return PanelCard(
        members={card.name: card.sha256 for card in cards},
        metrics=measured(range(len(names))),
        scaled_calibration_error=measured(range(len(names)), refit=True).calibration_error,
        pairs=tuple(sorted(pairs, key=lambda pair: -pair.accuracy)),
    )


def calibrate(checkpoint: Checkpoint, manifest: Path, *, split: str = "valid") -> ModelCard:
    """Fit temperature and bands to other recordings; errors as :func:`evaluate`.

    Returns
    -------
    The card with the new temperature and metrics; nothing is written.
    """
    card = checkpoint.card
    recordings, (logits,) = predict_split([checkpoint], manifest, split)
    temperature = fit_temperature(logits, recordings, card.classes)
    metrics = measure(logits, recordings, card.classes, temperature=temperature, split=split)
    return card.model_copy(
        update={"temperature": temperature, "metrics": metrics, "unknown_sources": None}
    )


def calibrate_stored(
    name: str, manifest: Path, *, store_as: str | None = None, split: str = "valid"
) -> tuple[ModelCard, Checkpoint]:
    """Fit temperature and confidence bands, and store the checkpoint with them.

    Parameters
    ----------
    name
        Checkpoint to calibrate.
    manifest, split
        As of :func:`calibrate`.
    store_as
        Name of a copy. Without it a checkpoint of the user's own is rewritten; a shipped one
        stays as it is and needs a name.

    Returns
    -------
    before
        The card as it was.
    stored
        The calibrated checkpoint.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or no copy of this name can be stored.
    DataError
        If the manifest cannot be used, or a shipped checkpoint has no new name.
    """
    checkpoint = find_one(name)
    if store_as is None and checkpoint.path.parent != user_folder():
        raise DataError(f"{name} is shipped with the program: call its copy by `store_as`")
    card = calibrate(checkpoint, manifest, split=split).renamed(store_as or name)
    return checkpoint.card, store(card, checkpoint.path.read_bytes(), user_folder())


def held_out(
    manifest: Path,
    classes: Sequence[str],
    preprocessings: Iterable[Preprocessing],
    *,
    split: str = "valid",
) -> Iterator[tuple[Recording, dict[Preprocessing, list[Pixels]]]]:
    """Recordings of a split with a known genre, and their pictures: all slices, if there are some.

    Raises
    ------
    DataError
        If there is none that can be read.
    """
    chosen = [r for r in read_manifest(manifest) if r.split == split and r.genre in classes]
    drawn = None
    for drawn in draw_recordings(chosen, preprocessings):
        yield drawn
    if drawn is None:
        raise DataError(f"{manifest}: no readable recording with a known genre in {split!r}")


def predict_split(
    checkpoints: Sequence[Checkpoint], manifest: Path, split: str
) -> tuple[list[Recording], list[list[Logits]]]:
    """Recordings of a split with a known genre; for each checkpoint the logits of all slices.

    Every recording is decoded once. Errors as :func:`evaluate`.
    """
    first = checkpoints[0].card
    for checkpoint in checkpoints:
        if checkpoint.card.classes != first.classes:
            raise DataError(f"{checkpoint.card.name}: does not have the classes of {first.name}")
    sessions = [
        (checkpoint.open(threads=available_cores()), checkpoint.card.preprocessing)
        for checkpoint in checkpoints
    ]
    recordings: list[Recording] = []
    logits: list[list[Logits]] = [[] for _ in checkpoints]
    preprocessings = [preprocessing for _, preprocessing in sessions]
    for recording, pictures in held_out(manifest, first.classes, preprocessings, split=split):
        recordings.append(recording)
        for (session, preprocessing), each in zip(sessions, logits, strict=True):
            each.append(infer(session, pictures[preprocessing], preprocessing))
    return recordings, logits


def infer(
    session: onnxruntime.InferenceSession, pictures: Sequence[Pixels], preprocessing: Preprocessing
) -> npt.NDArray[np.float32]:
    """Logits, float32 [n, n_classes]."""
    rows = [
        session.run(["logits"], {"picture": normalise(picture, preprocessing)[None]})[0][0]
        for picture in pictures
    ]
    return np.stack(rows)


def measure(
    logits: Sequence[Logits] | Logits,
    recordings: Sequence[Recording],
    classes: Sequence[str],
    *,
    temperature: float,
    split: str,
    refit: bool = True,
) -> Metrics:
    """Metrics over recordings; the clips of one ``recording`` give one verdict, their mean.

    Each clip has its logits, [n_classes], or those of its slices, [n_slices, n_classes].
    With ``refit`` the calibration error is not flattered by a temperature that was fitted on the
    same split: each half of the recordings is scaled by the temperature that fits the other half.
    """
    scores = _ByRecording(logits, recordings, classes)
    truth, sources, shares = scores.truth, scores.sources, scores.shares(temperature)
    chosen = shares.argmax(axis=1)
    right = chosen == truth
    support = Counter(classes[t] for t in truth)
    recall = {g: float(right[truth == classes.index(g)].mean()) for g in classes if support[g]}
    confusion: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for t, c in zip(truth, chosen, strict=True):
        confusion[classes[t]][classes[c]] += 1
    accuracy_interval, macro_recall_interval = _intervals(right, truth)
    crossed = shares.copy()
    if refit and len(truth) > 1:
        losses, odd = scores.losses(), np.arange(len(truth)) % 2 == 1
        for half in (odd, ~odd):
            crossed[half] = scores.shares(_best(losses[:, ~half]))[half]
    confidence, hits = crossed.max(axis=1), crossed.argmax(axis=1) == truth
    calibration = _calibration(confidence, hits)
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
        support_by_source=dict(sorted(Counter(map(str, sources)).items())),
        calibration=calibration,
        calibration_error=sum(b.recordings * abs(b.accuracy - b.confidence) for b in calibration)
        / len(truth),
        calibration_error_by_chance=_error_by_chance(confidence),
        bands=_bands(confidence, hits),
    )


def fit_temperature(
    logits: Sequence[Logits] | Logits, recordings: Sequence[Recording], classes: Sequence[str]
) -> float:
    """Temperature of the least negative log-likelihood.

    C. Guo et al., "On calibration of modern neural networks", 2017.
    """
    return _best(_ByRecording(logits, recordings, classes).losses())


class _ByRecording:
    """Logits of clips whose recordings get one verdict each, in the order of first appearance."""

    def __init__(
        self,
        logits: Sequence[Logits] | Logits,
        recordings: Sequence[Recording],
        classes: Sequence[str],
    ) -> None:
        slices = [np.atleast_2d(each) for each in logits]
        self._logits, self._slices = np.concatenate(slices), [len(each) for each in slices]
        clips: defaultdict[str, list[int]] = defaultdict(list)
        for number, recording in enumerate(recordings):
            clips[recording.piece].append(number)
        self._order, self._clips = np.concatenate([*clips.values()]), [*map(len, clips.values())]
        first = [recordings[numbers[0]] for numbers in clips.values()]
        self.truth = np.array([list(classes).index(r.genre) for r in first])
        self.sources = np.array([r.source for r in first])

    def of_clips(self, temperature: float) -> Floats:
        """Probabilities of each clip as the panel gives them, float64 [n_clips, n_classes]."""
        return average_slices(self._logits, self._slices, temperature)

    def shares(self, temperature: float) -> Floats:
        """Probabilities of each recording, the mean of its clips: [n_recordings, n_classes]."""
        starts = np.cumsum([0, *self._clips[:-1]])
        sums = np.add.reduceat(self.of_clips(temperature)[self._order], starts)
        return np.asarray(sums / np.array(self._clips)[:, None])

    def losses(self) -> Floats:
        """Negative log-likelihood of each recording at all temperatures, [n, n_recordings]."""
        each = np.arange(len(self.truth))
        likelihoods = np.stack([self.shares(t)[each, self.truth] for t in _TEMPERATURES])
        return np.asarray(-np.log(np.maximum(likelihoods, 1e-12)))


def _best(losses: Floats) -> float:
    """Temperature of the least mean loss."""
    return float(_TEMPERATURES[losses.mean(axis=1).argmin()])


def _intervals(
    right: Hits, truth: npt.NDArray[np.int64]
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


def _calibration(confidence: Floats, right: Hits) -> tuple[Calibration, ...]:
    bins = _bins(confidence)
    return tuple(
        Calibration(
            above=round(b / _BINS, 4),
            confidence=float(confidence[bins == b].mean()),
            accuracy=float(right[bins == b].mean()),
            recordings=int((bins == b).sum()),
        )
        for b in np.unique(bins)
    )


def _bins(confidence: Floats) -> npt.NDArray[np.int64]:
    return np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)


def _error_by_chance(confidence: Floats) -> float:
    right = np.random.default_rng(0).random((_RESAMPLES, len(confidence))) < confidence
    by_bin = (confidence - right) @ (_bins(confidence)[:, None] == np.arange(_BINS))
    return float(np.abs(by_bin).sum(axis=1).mean() / len(confidence))


def _bands(confidence: Floats, right: Hits) -> tuple[Band, ...]:
    """Cut the range of confidence where verdicts become good, and where they are bad.

    A band needs twenty recordings; a confidence below the lowest has no band.

    ``high`` begins at the lowest edge from which every confidence is worth 85 of 100 right
    verdicts, ``low`` ends at the highest edge below which none is worth more than 50 of 100. A band
    that too few recordings support is left to its neighbour.
    """
    worth = _isotonic(confidence, right)
    top = np.nextafter(1.0, 2.0)  # above a probability of exactly 1 as well

    def within(above: float, below: float) -> Hits:
        return (confidence >= above) & (confidence < below)

    def enough(above: float, below: float) -> bool:
        return int(within(above, below).sum()) >= _FEWEST

    edges = [*_EDGES.tolist(), top]
    high = next((e for e in edges if enough(e, top) and worth[within(e, top)].min() >= _SURE), top)
    lower = (e for e in edges[::-1] if e <= high and enough(0, e))
    low = next((e for e in lower if worth[within(0, e)].max() <= _UNSURE), 0.0)
    if low and not enough(low, high):
        low = high
    spans: dict[Level, tuple[float, float]] = {
        "low": (0.0, low), "middling": (low, high), "high": (high, top)
    }  # fmt: skip
    found = {level: right[within(*span)] for level, span in spans.items() if enough(*span)}
    return tuple(
        Band(
            level=level,
            above=spans[level][0],
            accuracy=float(hits.mean()),
            accuracy_interval=wilson(int(hits.sum()), len(hits)),
            recordings=len(hits),
        )
        for level, hits in found.items()
    )


def _isotonic(confidence: Floats, right: Hits) -> Floats:
    """Share of right verdicts at each confidence, which never falls as the confidence rises.

    Neighbours that contradict it are pooled (M. Ayer et al., 1955; for calibration B. Zadrozny,
    C. Elkan, 2002).
    """
    # Equal confidences are pooled: the right ones come first.
    order = np.lexsort((~right, confidence))
    pools: list[list[int]] = []
    for hit in right[order].tolist():
        pools.append([hit, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] >= pools[-1][0] * pools[-2][1]:
            hits, number = pools.pop()
            pools[-1] = [pools[-1][0] + hits, pools[-1][1] + number]
    worth = np.empty(len(right))
    worth[order] = np.repeat([h / n for h, n in pools], [n for _, n in pools])
    return worth


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (E. B. Wilson, 1927)."""
    z = 1.96
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, centre - reach), min(1.0, centre + reach)
