"""A verdict and its picture in, the regions that support a genre out, in seconds and hertz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ccmusic.axes import ORANGE, axes_or_current, orient, show
from ccmusic.card import Faithfulness, MapKind, ModelCard
from ccmusic.picture import Picture
from ccmusic.texts import Language, translate
from ccmusic.values import Value
from ccmusic.verdict import Verdict, softmax

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Floats = npt.NDArray[np.float32]

_STRONG = 0.5  # share of the maximum that belongs to the strongest region
_MOST = 0.6  # share of the picture above which a region is no particular place


@dataclass(frozen=True)
class Region:
    """A rectangle of the spectrogram.

    >>> Region(start=2.0, end=4.5, lowest=60.0, highest=250.0).message("en")
    '2.0–4.5 s, 60–250 Hz'
    """

    start: float
    """Seconds from the beginning of the piece."""
    end: float
    lowest: float
    """Hertz."""
    highest: float

    def message(self, language: Language = "en") -> str:
        """Time and frequency range: ``0–2 s, 60–250 Hz``."""
        return translate(language, "attention.region", **vars(self))


@dataclass(frozen=True, eq=False, repr=False)
class Attention(Value):
    """How strongly each place of the picture supports a genre, according to one model.

    >>> from ccmusic import Panel
    >>> with Panel.open("mel", ["mobilenet_v3_large_mel"]) as panel:
    ...     attention = panel.analyze("examples/rain.ogg").attention("mobilenet_v3_large_mel")
    >>> attention.genre, attention.coarse.shape, attention.values.shape
    ('environment', (7, 7), (128, 431))
    >>> 0 <= attention.region.start < attention.region.end <= 12
    True
    """

    kind: ClassVar[MapKind] = "activation"

    genre: str
    coarse: Floats
    """float32 [rows, columns], as coarse as the network sees, low frequencies first, time to the
    right. In calibrated logits against the other genres, each weighted by its probability, so
    models can be compared: values above 0 support the genre, values below 0 speak against it."""
    picture: Picture
    start: float = 0.0
    """Seconds of the piece at which the times of the spectrogram begin."""
    length: float = math.inf
    """Seconds of the piece that the picture shows before it repeats them, or ends."""

    @property
    def values(self) -> Floats:
        """The same for every cell of the spectrogram, float32 [n_bins, n_frames], smoothed."""
        n_bins, n_frames = self.picture.spectrogram.values.shape
        image = Image.fromarray(self.coarse).resize((n_frames, n_bins), Image.Resampling.BILINEAR)
        return np.asarray(image, np.float32)

    def plot(self, ax: Axes | None = None, *, strongest: float | None = None) -> AxesImage:
        """Draw the map over its spectrogram on a Matplotlib axis, the current one by default.

        Parameters
        ----------
        strongest
            Weight of the fullest orange, so that several maps share a scale; by default the
            largest of this map.

        Returns
        -------
        The image of the map, of weights: Matplotlib's ``colorbar`` takes it.
        """
        axes = axes_or_current(ax)
        from matplotlib.colors import LinearSegmentedColormap

        if strongest is None:
            strongest = float(self.coarse.max())
        spectrogram, where = self.picture.spectrogram, self.picture.preprocessing.orientation
        spectrogram.plot(axes, start=self.start, orientation=where).set_cmap("gray")
        orange = [share / 255 for share in ORANGE]
        colours = LinearSegmentedColormap.from_list("orange", [(*orange, 0.0), (*orange, 0.8)])
        look = {"cmap": colours, "vmin": 0, "vmax": max(strongest, 1e-6)}
        values = self.values
        return show(axes, values, spectrogram, orientation=where, start=self.start, **look)

    def worth(self, card: ModelCard) -> Faithfulness | None:
        """How much the regions matter that such maps of a model name; None: not measured."""
        return card.faithfulness.get(self.kind)

    @property
    def everywhere(self) -> bool:
        """Whether the strongest region covers most of the picture: no place in particular."""
        box = self.box
        if box is None:
            return False
        rows, columns = ((last - first + 1) for first, last in box)
        return rows * columns > _MOST * self.coarse.size

    @cached_property
    def box(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """:attr:`region` in cells of :attr:`coarse`: first and last row, first and last column."""
        peak = self._peak
        if self.coarse[peak] <= 0:
            return None
        return _connected(self.coarse >= _STRONG * self.coarse[peak], peak)

    @property
    def _peak(self) -> tuple[np.intp, ...]:
        return np.unravel_index(int(self.coarse.argmax()), self.coarse.shape)

    @property
    def region(self) -> Region | None:
        """The strongest place and its neighbours; None if no region supports the genre.

        For a recording that was looped, in seconds of the recording itself: the part of the region
        that lies in the same repetition as its strongest cell.
        """
        box = self.box
        if box is None:
            return None
        rows, columns = box
        spectrogram = self.picture.spectrogram
        n_rows, n_columns = self.coarse.shape
        hop = spectrogram.times[1] - spectrogram.times[0] if len(spectrogram.times) > 1 else 0.0
        first = float(spectrogram.times[0])
        width = float(len(spectrogram.times) * hop) / n_columns
        middle = first + width * (int(self._peak[1]) + 0.5)
        # What was played before the repetition in which the strongest cell lies.
        before = middle // self.length * self.length if self.length < math.inf else 0.0
        return Region(
            self.start + max(first + width * columns[0] - before, 0.0),
            self.start + min(first + width * (columns[1] + 1) - before, self.length),
            _frequency(spectrogram.frequencies, rows[0] / n_rows),
            _frequency(spectrogram.frequencies, (rows[1] + 1) / n_rows),
        )


def attend(
    verdict: Verdict,
    picture: Picture,
    genre: str | None = None,
    *,
    start: float = 0.0,
    length: float = math.inf,
) -> Attention | None:
    """Find the regions of a picture that support a genre.

    Parameters
    ----------
    picture
        The picture that the model saw; of several slices, the middle one.
    genre
        One of the model's classes; its first choice by default.
    start
        Seconds of the piece at which the times of the picture's spectrogram begin.
    length
        Seconds of the piece that the picture shows before it repeats them, or ends.

    Returns
    -------
    None if the model failed, has no maps, or does not know the genre.
    """
    card = verdict.card
    if verdict.maps is None or (genre is not None and genre not in card.classes):
        return None
    genre = genre or verdict.top(1)[0][0]
    index = card.classes.index(genre)
    against = verdict.maps[index] - np.tensordot(_rivals(verdict, index), verdict.maps, 1)
    return Attention(genre, upright(against / card.temperature, card), picture, start, length)


def upright(values: npt.NDArray[np.floating[Any]], card: ModelCard) -> Floats:
    """Turn a map from how the model sees its picture, [h, w], to that of ``coarse``."""
    return np.ascontiguousarray(orient(values, card.preprocessing.orientation), np.float32)


def _rivals(verdict: Verdict, index: int) -> npt.NDArray[np.float64]:
    """Share of each class in what is left to the others than one, float64 [n_classes].

    The derivatives of :func:`log_odds`: what likely rivals have in common with a genre at a place
    is no evidence for it.
    """
    assert verdict.logits is not None
    others = verdict.logits.astype(np.float64) / verdict.card.temperature
    others[index] = -np.inf
    return softmax(others)


def log_odds(logits: npt.NDArray[np.floating[Any]], index: int) -> npt.NDArray[np.float64]:
    """Logarithm of the odds of a class against all others.

    It grows by the logit of the class, and falls by those of the others, each in its share of what
    is left to them.

    Parameters
    ----------
    logits
        [..., n_classes], divided by the temperature.

    Returns
    -------
    float64 [...].
    """
    wide = logits.astype(np.float64)
    others = np.delete(wide, index, axis=-1)
    most = others.max(axis=-1, keepdims=True)
    rest = np.log(np.exp(others - most).sum(axis=-1)) + most[..., 0]
    return np.asarray(wide[..., index] - rest)


def _connected(
    strong: npt.NDArray[np.bool_], start: tuple[np.intp, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column of the region connected with a place."""
    image = Image.fromarray(strong.astype(np.uint8)).copy()  # that can be drawn on
    ImageDraw.floodfill(image, (int(start[1]), int(start[0])), 2)
    places = np.argwhere(np.asarray(image) == 2)
    (top, left), (bottom, right) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    return (top, bottom), (left, right)


def _frequency(frequencies: npt.NDArray[np.float64], share: float) -> float:
    """Frequency at a share of the height of a spectrogram, whose bins have equal height."""
    edges = np.arange(len(frequencies)) + 0.5
    return float(np.exp(np.interp(share * len(frequencies), edges, np.log(frequencies))))
