"""A spectrogram, a map or a measurement in, a PNG with axes and scale out, as bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ccmusic.attention import Attention
from ccmusic.card import Metrics
from ccmusic.genres import genre_name
from ccmusic.picture import Picture, Preprocessing, orient
from ccmusic.spectrogram import Spectrogram, note_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RANGE_DB = 80.0


def levels(spectrogram: Spectrogram, preprocessing: Preprocessing, *, start: float = 0) -> bytes:
    """Draw levels in dB, turned as the preprocessing turns them.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    """
    figure, axes = _canvas(7, 6)
    drawn = _image(
        axes,
        orient(spectrogram.decibels(), preprocessing),
        spectrogram,
        preprocessing,
        start=start,
        cmap="magma",
        vmin=-_RANGE_DB,
        vmax=0,
    )
    figure.colorbar(drawn, label="dB")
    return _png(figure)


def picture(seen: Picture, *, start: float = 0) -> bytes:
    """Draw the pixels that a network sees, with the axes of the spectrogram they come from."""
    figure, axes = _canvas(7, 6)
    drawn = _image(
        axes,
        seen.pixels,
        seen.spectrogram,
        seen.preprocessing,
        start=start,
        cmap="gray",
        vmin=0,
        vmax=255,
    )
    size = seen.preprocessing.size
    figure.colorbar(drawn, label=f"0–255, {size} × {size} px")
    return _png(figure)


def attention(looked: Attention, *, strongest: float) -> bytes:
    """Draw the spectrogram in grey, and over it in orange what speaks for the genre.

    Parameters
    ----------
    strongest
        Weight of the fullest orange, so that several maps share a scale.
    """
    spectrogram, preprocessing = looked.picture.spectrogram, looked.picture.preprocessing
    weights = orient(np.clip(looked.values / max(strongest, 1e-6), 0, 1), preprocessing)
    orange = np.empty((*weights.shape, 4), np.float32)
    orange[..., :3] = (1.0, 0.55, 0.0)
    orange[..., 3] = 0.8 * weights
    figure, axes = _canvas(4, 3.4)
    grey = orient(spectrogram.decibels(), preprocessing)
    look = {"cmap": "gray", "vmin": -_RANGE_DB, "vmax": 0}
    _image(axes, grey, spectrogram, preprocessing, start=looked.start, **look)
    _image(axes, orange, spectrogram, preprocessing, start=looked.start)
    return _png(figure)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    # pyplot would look for a window system; a bare figure does not.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _image(
    axes: Axes,
    image: npt.NDArray[Any],
    spectrogram: Spectrogram,
    preprocessing: Preprocessing,
    *,
    start: float,
    **look: Any,
) -> Any:
    end = start + float(spectrogram.times[-1])
    begin = start + float(spectrogram.times[0])
    bins = (0.0, float(len(spectrogram.frequencies)))
    sideways = preprocessing.orientation == "pitch_along_x"
    drawn = axes.imshow(
        image,
        aspect="auto",
        interpolation="nearest",
        extent=(*bins, end, begin) if sideways else (begin, end, *bins),
        **look,
    )
    # Units alone, for they are the same in every language; the font may lack Chinese.
    time_axis, pitch_axis = (axes.yaxis, axes.xaxis) if sideways else (axes.xaxis, axes.yaxis)
    time_axis.set_label_text("s")
    positions, names = _pitch_ticks(spectrogram)
    pitch_axis.set_ticks(positions, names)
    pitch_axis.set_label_text("Hz")
    return drawn


def confusion(metrics: Metrics) -> bytes:
    """Draw genres against first choices, every row in shares of its genre's recordings."""
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
    """Draw how often verdicts of like confidence were right; the diagonal would be perfect."""
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


def _pitch_ticks(spectrogram: Spectrogram) -> tuple[list[float], list[str]]:
    """Positions from the lower edge of the lowest bin, and their names."""
    bins, frequencies = spectrogram.pitch_ticks()
    notes = spectrogram.transform == "cqt"
    names = [f"{note_name(f)}\n{f:.0f} Hz" if notes else f"{f:.0f}" for f in frequencies]
    return [place + 0.5 for place in bins], names
