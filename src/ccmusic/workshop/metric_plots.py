"""PNGs of measurements: confusion and calibration."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccmusic.card import Metrics
from ccmusic.genres import genre_name


def confusion(metrics: Metrics) -> bytes:
    """Draw genres against first choices; every row is normalised by the recordings of its genre."""
    genres = list(metrics.recall)
    chosen = {choice for row in metrics.confusion.values() for choice in row}
    choices = genres + sorted(chosen - set(genres))
    counts = np.array([[metrics.confusion[g].get(c, 0) for c in choices] for g in genres])
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure, axes = _canvas(0.5 * len(choices) + 3, 0.45 * len(genres) + 2)
    drawn = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = shares[row, column] < 0.5
        axes.text(column, row, counts[row, column], ha="center", va="center", color="wk"[not dark])
    axes.set_xticks(range(len(choices)), [genre_name(c, "en") for c in choices], rotation=45)
    axes.set_yticks(
        range(len(genres)), [f"{genre_name(g, 'en')} ({metrics.support[g]})" for g in genres]
    )
    axes.set_xlabel("first choice")
    axes.set_ylabel("genre (recordings)")
    figure.colorbar(drawn, label="share of the genre's recordings")
    return _png(figure)


def calibration(metrics: Metrics) -> bytes:
    """Draw accuracy against confidence; the diagonal is perfect calibration."""
    figure, axes = _canvas(5, 5)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--")
    bins = metrics.calibration
    axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], color="#0072B2")
    axes.scatter(
        [b.confidence for b in bins],
        [b.accuracy for b in bins],
        s=[12 + 4 * b.recordings for b in bins],
        color="#0072B2",
    )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="probability of the first choice, mean of the bin",
        ylabel="share that was right",
        title=f"expected calibration error {metrics.calibration_error:.3f}; area: recordings",
    )
    return _png(figure)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    # pyplot would look for a window system; a plain Figure does not.
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _png(figure: Figure) -> bytes:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=150)
    return memory.getvalue()
