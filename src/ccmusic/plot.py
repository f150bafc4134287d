"""A spectrogram or a measurement in, a PNG with axes and scale out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ccmusic.card import Metrics
from ccmusic.errors import CCMusicError
from ccmusic.files import replacing
from ccmusic.genres import genre_name
from ccmusic.picture import Picture, Recipe, orient
from ccmusic.spectrogram import Spectrogram, note_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANGE_DB = 80.0
_DPI = 150
_MEL_TICKS = (100, 200, 500, 1000, 2000, 5000, 10000)


def save_levels(spectrogram: Spectrogram, recipe: Recipe, path: Path, *, start: float = 0) -> None:
    """Draw levels in dB, turned as the recipe turns them.

    Parameters
    ----------
    path
        PNG to write; replaced only when the new one is complete.
    start
        Seconds of the piece at which the spectrogram begins.
    """
    _write(_levels(spectrogram, recipe, start), path)


def levels_png(spectrogram: Spectrogram, recipe: Recipe, *, start: float = 0) -> bytes:
    """Draw what :func:`save_levels` draws; the content of the PNG."""
    content = io.BytesIO()
    _levels(spectrogram, recipe, start).savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def _levels(spectrogram: Spectrogram, recipe: Recipe, start: float) -> Figure:
    return _draw(
        orient(spectrogram.decibels(), recipe),
        spectrogram,
        recipe,
        start=start,
        label="dB relative to the maximum",
        limits=(-_RANGE_DB, 0),
        colours="magma",
    )


def save_picture(picture: Picture, path: Path, *, start: float = 0) -> None:
    """Draw the pixels that a network sees, with the axes of the spectrogram they come from."""
    drawn = _draw(
        picture.pixels,
        picture.spectrogram,
        picture.recipe,
        start=start,
        label=f"grey level, {picture.recipe.size} x {picture.recipe.size} pixels",
        limits=(0, 255),
        colours="gray",
    )
    _write(drawn, path)


def _draw(
    image: npt.NDArray[Any],
    spectrogram: Spectrogram,
    recipe: Recipe,
    *,
    start: float,
    label: str,
    limits: tuple[float, float],
    colours: str,
) -> Figure:
    # pyplot would look for a window system; a bare figure does not.
    from matplotlib.figure import Figure

    end = start + float(spectrogram.times[-1])
    bins = (0.0, float(len(spectrogram.frequencies)))
    sideways = recipe.orientation == "pitch_along_x"
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(
        image,
        aspect="auto",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(*bins, end, start) if sideways else (start, end, *bins),
    )
    time_axis, pitch_axis = (axes.yaxis, axes.xaxis) if sideways else (axes.xaxis, axes.yaxis)
    time_axis.set_label_text("time, s")
    positions, names = _pitch_ticks(spectrogram)
    pitch_axis.set_ticks(positions, names)
    pitch_axis.set_label_text("pitch" if spectrogram.transform == "cqt" else "frequency, Hz")
    figure.colorbar(drawn, label=label)
    return figure


def save_confusion(metrics: Metrics, path: Path) -> None:
    """Draw genres against first choices, every row in shares of its genre's recordings."""
    from matplotlib.figure import Figure

    genres = list(metrics.recall)
    chosen = {choice for row in metrics.confusion.values() for choice in row}
    choices = genres + sorted(chosen - set(genres))
    counts = np.array([[metrics.confusion[g].get(c, 0) for c in choices] for g in genres])
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(0.5 * len(choices) + 3, 0.45 * len(genres) + 2), layout="constrained")
    axes = figure.subplots()
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
    _write(figure, path)


def save_calibration(metrics: Metrics, path: Path) -> None:
    """Draw how often verdicts of like confidence were right; the diagonal would be perfect."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
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
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    try:
        with replacing(path) as beside:
            figure.savefig(beside, format="png", dpi=_DPI)
    except OSError as error:
        raise CCMusicError(f"{path}: cannot be written ({error.strerror})") from None


def _pitch_ticks(spectrogram: Spectrogram) -> tuple[list[float], list[str]]:
    """Positions in bins and their names: every C of a CQT, round frequencies of a Mel."""
    centres = np.arange(len(spectrogram.frequencies)) + 0.5
    if spectrogram.transform == "cqt":
        chosen = [
            i for i, name in enumerate(spectrogram.notes()) if name.rstrip("0123456789") == "C"
        ]
        return centres[chosen].tolist(), [
            f"{note_name(spectrogram.frequencies[i])}\n{spectrogram.frequencies[i]:.0f} Hz"
            for i in chosen
        ]
    positions = np.interp(_MEL_TICKS, spectrogram.frequencies, centres).tolist()
    return positions, [str(tick) for tick in _MEL_TICKS]
