"""A result in, a card to share out: title, verdict, picture and colour as one PNG."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ccmusic.axes import RANGE_DB, orient
from ccmusic.genres import genre_colour, genre_name
from ccmusic.picture import magma
from ccmusic.plot import png
from ccmusic.result import PanelResult
from ccmusic.spectrogram import Spectrogram
from ccmusic.texts import Language, capitalized

SIZE = 1200, 630
"""Pixels, as pages that show links want it (Open Graph)."""
_PICTURE, _EDGE = 470, 48  # pixels
_LEFT = _EDGE + _PICTURE + 48  # of the text
_PAPER, _INK, _GREY = "#FBFAF7", "#22252B", "#5A5F69"
# Fonts with Chinese that systems have; Pillow looks where each keeps its fonts.
_CHINESE = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def chinese_font() -> str | None:
    """File name of a font of this system with Chinese; None if there is none at hand."""
    for name in _CHINESE:
        try:
            ImageFont.truetype(name, 10)
        except OSError:
            continue
        return name
    return None


def share_card(
    title: str, result: PanelResult, spectrogram: Spectrogram, language: Language
) -> bytes:
    """Draw a PNG of 1200 x 630 pixels.

    Where no font with Chinese is at hand, the card is in English, and what it cannot write of the
    title is left out.

    Parameters
    ----------
    title
        Of the piece.
    result
        Of ten seconds or of the whole piece, with at least one verdict.
    spectrogram
        The picture.
    """
    chinese = chinese_font()
    if chinese is None:
        language, title = "en", re.sub(r"[^\x20-\x7e]+", " ", title).strip()

    def font(size: int) -> _Font:
        return ImageFont.truetype(chinese, size) if chinese else ImageFont.load_default(size)

    genre, share = result.top(1)[0]
    colour = genre_colour(genre)
    card = Image.new("RGB", SIZE, _PAPER)
    pen = ImageDraw.Draw(card)
    pen.rectangle((0, 0, SIZE[0], 16), colour)
    picture = _picture(spectrogram)
    card.paste(picture, (_EDGE, (SIZE[1] - _PICTURE) // 2 + 8))
    message = result.message(language)
    # Text, size, colour and the most lines of each part.
    parts = (
        (title, 44, _INK, 2),
        (genre_name(genre, language), 76, colour, 2),
        (f"{share:.0%}", 44, _INK, 1),
        (capitalized(message), 30, _GREY, 3),
    )
    top = 80.0
    for text, size, ink, most in parts:
        written = font(size)
        for line in _lines(text, written, SIZE[0] - _LEFT - _EDGE)[:most]:
            pen.text((_LEFT, top), line, ink, written)
            top += 1.25 * size
        top += 14
    pen.text((_LEFT, SIZE[1] - 72), "CCMusic", _GREY, font(26))
    return png(card)


def _picture(spectrogram: Spectrogram) -> Image.Image:
    """A square, low notes at the bottom, time to the right."""
    shares = np.clip(spectrogram.decibels() / RANGE_DB + 1, 0, 1)
    levels = orient((255 * shares).round().astype(np.uint8), "time_along_x")
    return Image.fromarray(magma()[levels]).resize((_PICTURE, _PICTURE), Image.Resampling.BOX)


def _lines(text: str, font: _Font, width: float) -> list[str]:
    """Break a text between words, between Chinese characters, and in words that are too long."""
    lines = [""]
    for word in re.findall(r"[\u2e80-\uffef]\s*|[^\s\u2e80-\uffef]+\s*", text):
        for part in [word] if font.getlength(word.rstrip()) <= width else word:
            if lines[-1] and font.getlength((lines[-1] + part).rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return lines
