"""Pictures with axes and a scale, as a PNG or as SVG: spectrogram, network's pixels, attention."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ccmusic.attention import Attention
from ccmusic.axes import ORANGE, RANGE_DB, orient, pitch_ticks, pitch_title
from ccmusic.picture import Picture, Pixels, Preprocessing, magma
from ccmusic.spectrogram import Spectrogram
from ccmusic.texts import Language, capitalized, number, translate

_AREA = 864  # pixels in each direction that an image covers
_FONT = 28  # pixels; large, for pages show these pictures at a third of their size
_LEFT, _TOP = 130, 56  # of the image; "2093 Hz" must fit beside it
_TICK, _GAP = 8, 16  # length of a tick; from an edge to its labels
_BAR, _MARGIN = 30, 4
_GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
_LATIN = str.maketrans("–−×♯", "--x#")  # Pillow's own font has no more than ASCII


class Axis(NamedTuple):
    """An edge of the image."""

    title: str
    """Key of the catalogue."""
    ticks: list[tuple[float, str]]
    """Share of the way from the left or from the top, and label; a label may have two lines."""


class Scale(NamedTuple):
    """What the colours mean."""

    unit: str
    colours: Pixels
    """uint8 [256, 3], lowest first."""
    ticks: list[tuple[float, str]]
    """Share of the way from the bottom, and label."""


@dataclass(frozen=True)
class Plot:
    """An image with two axes and, unless it is None, the scale of its colours."""

    image: Image.Image
    """A pixel for each cell, which becomes a block with sharp edges."""
    x: Axis
    y: Axis
    scale: Scale | None = None

    def png(self) -> bytes:
        """Draw in pixels, black on white, in English: the font has no Chinese."""
        canvas = _Raster(*self._size)
        self._draw(canvas, "en")
        return png(canvas.page)

    def svg(self, language: Language, title: str) -> str:
        """Draw an ``<svg>`` element for an HTML page, in the page's font and colour of text.

        Parameters
        ----------
        title
            What the picture shows, for those who do not see it.
        """
        canvas = _Vector()
        self._draw(canvas, language)
        width, height = self._size
        return (
            f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
            f'font-size="{_FONT}" fill="currentColor" stroke-width="2">'
            f"{''.join(canvas.parts)}</svg>"
        )

    @property
    def _size(self) -> tuple[int, int]:
        beside = _BAR + 4 * _FONT if self.scale else 2 * _FONT
        lines = max((label.count("\n") + 1 for _, label in self.x.ticks), default=0)
        below = _GAP + (lines + 2) * _FONT
        return _LEFT + _AREA + beside, _TOP + _AREA + below

    def _draw(self, canvas: _Raster | _Vector, language: Language) -> None:
        left, top, width, height = _LEFT, _TOP, _AREA, _AREA
        right, bottom = left + width, top + height
        canvas.image(left, top, self.image, width, height)
        # Above its axis, not beside it: upright text is easier to read, Chinese above all.
        canvas.text(_MARGIN, _FONT, _title(self.y, language), "start")
        for share, label in self.y.ticks:
            y = top + share * height
            canvas.line(left - _TICK, y, left, y)
            _lines(canvas, left - _GAP, y + 0.35 * _FONT, label, "end")
        for share, label in self.x.ticks:
            x = left + share * width
            canvas.line(x, bottom, x, bottom + _TICK)
            _lines(canvas, x, bottom + _GAP + _FONT, label, "middle")
        end = self._size[1] - 0.5 * _FONT
        canvas.text(left + width / 2, end, _title(self.x, language), "middle")
        if self.scale:
            colours = Image.fromarray(self.scale.colours[::-1, None])
            canvas.image(right + _FONT, top, colours, _BAR, height)
            canvas.text(self._size[0] - _MARGIN, _FONT, self.scale.unit, "end")
            for share, label in self.scale.ticks:
                x, y = right + _FONT + _BAR, bottom - share * height
                canvas.line(x, y, x + _TICK, y)
                canvas.text(x + _GAP, y + 0.35 * _FONT, label, "start")


def _title(axis: Axis, language: Language) -> str:
    return capitalized(translate(language, axis.title))


def _lines(canvas: _Raster | _Vector, x: float, y: float, text: str, anchor: str) -> None:
    for line in text.split("\n"):
        canvas.text(x, y, line, anchor)
        y += _FONT


class _Raster:
    """A page of pixels, origin at the top left; text stands on ``y`` as on a line."""

    def __init__(self, width: int, height: int) -> None:
        self.page = Image.new("RGB", (width, height), "white")
        self.pen = ImageDraw.Draw(self.page)
        self.font = ImageFont.load_default(_FONT)

    def image(self, x: int, y: int, image: Image.Image, width: int, height: int) -> None:
        self.page.paste(image.resize((width, height), Image.Resampling.BOX), (x, y))

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.pen.line((x0, y0, x1, y1), "black", 2)

    def text(self, x: float, y: float, text: str, anchor: str) -> None:
        place = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]
        self.pen.text((x, y), text.translate(_LATIN), "black", self.font, anchor=place)


class _Vector:
    """The same as SVG elements."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def image(self, x: int, y: int, image: Image.Image, width: int, height: int) -> None:
        data = base64.b64encode(png(image)).decode()
        self.parts.append(
            f'<image x="{x}" y="{y}" width="{width}" height="{height}" '
            f'preserveAspectRatio="none" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{data}"/>'
        )

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.parts.append(f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" stroke="currentColor"/>')

    def text(self, x: float, y: float, text: str, anchor: str) -> None:
        self.parts.append(
            f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
        )


def levels(spectrogram: Spectrogram, preprocessing: Preprocessing, *, start: float = 0) -> Plot:
    """Draw levels in dB in the orientation of the preprocessing.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    """
    image = magma()[_brightness(spectrogram, preprocessing)]
    scale = Scale("dB", magma(), _round_ticks(-RANGE_DB, 0))
    return _plot(image, spectrogram, preprocessing, start, scale)


def picture(seen: Picture, *, start: float = 0) -> Plot:
    """Draw the pixels that a network sees, with the axes of their spectrogram."""
    height, width = seen.pixels.shape[:2]
    colours = magma() if seen.preprocessing.colours == "magma" else _GREYS
    scale = Scale(f"0–255, {width} × {height} px", colours, _round_ticks(0, 255))
    return _plot(seen.pixels, seen.spectrogram, seen.preprocessing, start, scale)


def attention(evidence: Attention, *, strongest: float) -> Plot:
    """Draw the spectrogram in grey, and over it in orange the regions that support the genre.

    Parameters
    ----------
    strongest
        Weight of the brightest orange, so that several maps share a scale.
    """
    spectrogram, preprocessing = evidence.picture.spectrogram, evidence.picture.preprocessing
    shares = np.clip(evidence.values / max(strongest, 1e-6), 0, 1)
    opacity = 0.8 * orient(shares, preprocessing.orientation)[..., None]
    grey = _brightness(spectrogram, preprocessing)[..., None]
    mixed = (1 - opacity) * grey + opacity * np.array(ORANGE, np.float32)
    return _plot(mixed.round().astype(np.uint8), spectrogram, preprocessing, evidence.start)


def _brightness(spectrogram: Spectrogram, preprocessing: Preprocessing) -> Pixels:
    """Levels from the quietest that is shown to the loudest, uint8 [height, width], oriented."""
    shares = np.clip(spectrogram.decibels() / RANGE_DB + 1, 0, 1)
    return orient((255 * shares).round().astype(np.uint8), preprocessing.orientation)


def _plot(
    pixels: Pixels,
    spectrogram: Spectrogram,
    preprocessing: Preprocessing,
    start: float,
    scale: Scale | None = None,
) -> Plot:
    image = Image.fromarray(pixels).convert("RGB")
    # Where there are more cells than pixels, means of cells.
    image = image.resize([min(side, _AREA) for side in image.size], Image.Resampling.BOX)
    time = _round_ticks(start + spectrogram.times[0], start + spectrogram.times[-1])
    bins = len(spectrogram.frequencies)
    pitch = [((tick.place + 0.5) / bins, tick.label) for tick in pitch_ticks(spectrogram)]
    title = pitch_title(spectrogram)
    if preprocessing.orientation == "pitch_along_x":
        return Plot(image, Axis(title, pitch), Axis("figure.time", time), scale)
    upwards = [(1 - share, label) for share, label in pitch]
    return Plot(image, Axis("figure.time", time), Axis(title, upwards), scale)


def _round_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two to six round values between two ends, each with its share of the way."""
    span = (high - low) or 1.0
    power = 10.0 ** np.floor(np.log10(span))
    step = next(s for s in power * np.array([0.2, 0.5, 1, 2]) if span <= 6 * s)
    values = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    return [(float(value - low) / span, number(float(value) + 0, "g")) for value in values]


def png(image: Image.Image) -> bytes:
    """Content of a PNG file."""
    memory = io.BytesIO()
    # Of spectrograms 6, the default, makes larger files in more than twice the time.
    image.save(memory, "PNG", compress_level=3)
    return memory.getvalue()
