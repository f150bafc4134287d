"""Axes of pictures: orientation, ticks and names of notes, and drawing with Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ccmusic.errors import MissingExtraError
from ccmusic.texts import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Axis = npt.NDArray[np.float64]
Orientation = Literal["pitch_along_x", "time_along_x"]
"""``pitch_along_x``: low notes left, time downwards. ``time_along_x``: low notes at the bottom,
time to the right."""
RANGE_DB = 80.0
"""Levels that pictures show, from the loudest cell down."""
ORANGE = (255, 140, 0)
"""Red, green and blue of what supports a genre."""

_Cell = TypeVar("_Cell", bound=np.generic)
_NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_ROUND = np.array([200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0])  # hertz; lower would touch


class TimeAndPitch(Protocol):
    """Anything with the axes of a spectrogram."""

    @property
    def transform(self) -> str:
        """Name of the transform."""

    @property
    def times(self) -> Axis:
        """Seconds, at the centre of each frame."""

    @property
    def frequencies(self) -> Axis:
        """Hertz, at the centre of each bin."""


class PitchTick(NamedTuple):
    """A mark on the axis of pitch."""

    place: float
    """Counted in bins from the first one's centre."""
    label: str
    """``C4`` over ``262 Hz``, ``500``, or ``C♯``."""


def orient(values: npt.NDArray[_Cell], orientation: Orientation) -> npt.NDArray[_Cell]:
    """Turn [n_bins, n_frames] into a picture, [height, width], or a picture back."""
    return values.T if orientation == "pitch_along_x" else values[::-1]


def note_name(frequency: float) -> str:
    """Name the nearest note of the equal-tempered scale, A4 = 440 Hz.

    >>> note_name(440.0), note_name(446.0)
    ('A4', 'A4 +23¢')

    A frequency of 0 Hz has no note and gives an empty string.
    """
    if frequency <= 0:
        return ""
    midi = 69 + 12 * np.log2(frequency / 440.0)
    nearest = round(midi)
    cents = round(100 * (midi - nearest))
    name = f"{_NOTES[nearest % 12]}{nearest // 12 - 1}"
    return f"{name} {number(cents, '+d')}¢" if cents else name


def pitch_ticks(spectrogram: TimeAndPitch) -> list[PitchTick]:
    """Where to mark the axis of pitch: every C of a CQT, every class, else round frequencies."""
    frequencies = spectrogram.frequencies
    classes = [note_name(frequency).rstrip("0123456789") for frequency in frequencies]
    if spectrogram.transform == "chroma":
        return [PitchTick(float(i), name) for i, name in enumerate(classes)]
    if spectrogram.transform == "cqt":
        return [
            PitchTick(float(i), f"{note_name(f)}\n{f:.0f} Hz")
            for i, f in enumerate(frequencies.tolist())
            if classes[i] == "C"
        ]
    marked = _ROUND[(frequencies[0] <= _ROUND) & (frequencies[-1] >= _ROUND)]
    if len(marked) < 2:
        marked = frequencies[[0, -1]]
    places = np.interp(marked, frequencies, np.arange(len(frequencies)))
    return [
        PitchTick(place, f"{f:.0f}")
        for place, f in zip(places.tolist(), marked.tolist(), strict=True)
    ]


def pitch_title(spectrogram: TimeAndPitch) -> str:
    """Key in the catalogues of the title of the axis of pitch."""
    known = spectrogram.transform in ("cqt", "chroma")
    return f"figure.pitch_{spectrogram.transform if known else 'mel'}"


def axes_or_current(ax: Axes | None) -> Axes:
    """Return the axis that was given; by default that of pyplot, loaded only then.

    Raises
    ------
    MissingExtraError
        If none was given and Matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingExtraError("plotting with Matplotlib", "plot") from None
    return pyplot.gca()


def show(
    ax: Axes,
    values: npt.NDArray[Any],
    spectrogram: TimeAndPitch,
    *,
    orientation: Orientation,
    start: float,
    **look: Any,
) -> AxesImage:
    """Show a value for every cell of a spectrogram on a Matplotlib axis, with time and pitch.

    Parameters
    ----------
    values
        [n_bins, n_frames], low frequencies first.
    start
        Seconds of the piece at which the spectrogram begins.
    **look
        For Matplotlib's ``imshow``.
    """
    begin, end = start + float(spectrogram.times[0]), start + float(spectrogram.times[-1])
    bins = (0.0, float(len(spectrogram.frequencies)))
    pitch_first = orientation == "pitch_along_x"
    image = ax.imshow(
        orient(values, orientation),
        aspect="auto",
        interpolation="nearest",
        extent=(*bins, end, begin) if pitch_first else (begin, end, *bins),
        **look,
    )
    pitch_axis, time_axis = (ax.xaxis, ax.yaxis) if pitch_first else (ax.yaxis, ax.xaxis)
    time_axis.set_label_text("time, s")
    ticks = pitch_ticks(spectrogram)
    pitch_axis.set_ticks([tick.place + 0.5 for tick in ticks], [tick.label for tick in ticks])
    musical = spectrogram.transform in ("cqt", "chroma")
    pitch_axis.set_label_text("pitch" if musical else "frequency, Hz")
    return image
