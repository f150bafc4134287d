"""PNGs with axes and scale: spectrograms, attention maps, measurements."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ccmusic.attention import Attention
from ccmusic.card import Metrics
from ccmusic.genres import genre_name
from ccmusic.picture import Picture, Preprocessing
from ccmusic.spectrogram import Spectrogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RANGE_DB = 80.0
_STRETCHES = 1_000  # of a waveform: more than a plot has pixels across


def levels(spectrogram: Spectrogram, preprocessing: Preprocessing, *, start: float = 0) -> bytes:
    """Draw levels in dB in the orientation of the preprocessing.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    """
    figure, axes = _canvas(7, 6)
    drawn = spectrogram.plot(axes, start=start, pitch_along_x=_sideways(preprocessing))
    _label_by_units(axes, preprocessing)
    figure.colorbar(drawn, label="dB")
    return _png(figure)


def picture(seen: Picture, *, start: float = 0) -> bytes:
    """Draw the pixels that a network sees, with the axes of their spectrogram."""
    figure, axes = _canvas(7, 6)
    drawn = seen.spectrogram.draw(
        axes,
        seen.pixels,
        start=start,
        pitch_along_x=_sideways(seen.preprocessing),
        cmap="gray",
        vmin=0,
        vmax=255,
    )
    _label_by_units(axes, seen.preprocessing)
    size = seen.preprocessing.size
    figure.colorbar(drawn, label=f"0–255, {size} × {size} px")
    return _png(figure)


def attention(looked: Attention, *, strongest: float) -> bytes:
    """Draw the spectrogram in grey, and over it in orange the regions that support the genre.

    Parameters
    ----------
    strongest
        Weight of the brightest orange, so that several maps share a scale.
    """
    figure, axes = _canvas(4, 3.4)
    looked.plot(axes, strongest=strongest)
    _label_by_units(axes, looked.picture.preprocessing)
    return _png(figure)


def _sideways(preprocessing: Preprocessing) -> bool:
    return preprocessing.orientation == "pitch_along_x"


def _label_by_units(axes: Axes, preprocessing: Preprocessing) -> None:
    """Units are the same in every language, and the font may lack Chinese."""
    labels = ("Hz", "s") if _sideways(preprocessing) else ("s", "Hz")
    axes.set(xlabel=labels[0], ylabel=labels[1])


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    # pyplot would look for a window system; a plain Figure does not.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


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


def _png(figure: Figure) -> bytes:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=150)
    return memory.getvalue()
