"""Pictures with axes: what is drawn where, as PNG and as SVG."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ccmusic import plot
from ccmusic.attention import Attention
from ccmusic.picture import Picture, Preprocessing, magma
from ccmusic.spectrogram import Spectrogram, TransformName
from ccmusic.texts import LANGUAGES, Language, translate


def _spectrogram(transform: TransformName, n_frames: int = 100) -> Spectrogram:
    """All quiet but for one loud cell: the fourth pitch of the second frame."""
    bins = {"cqt": 84, "mel": 128, "chroma": 12}[transform]
    values = np.full((bins, n_frames), 1e-9, np.float32)
    values[3, min(1, n_frames - 1)] = 1
    frequencies = 32.703 * 2 ** (np.arange(bins) / 12)
    return Spectrogram(transform, values, np.arange(n_frames) / 10, frequencies)


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


@pytest.mark.parametrize(
    ("transform", "x", "y"),
    [("cqt", 3.5 / 84, 1.5 / 100), ("mel", 1.5 / 100, 1 - 3.5 / 128)],
)
def test_a_loud_cell_is_bright_where_it_belongs(transform: TransformName, x: float, y: float):
    drawn = plot.levels(_spectrogram(transform), Preprocessing.default(transform))
    pixels = np.asarray(drawn.image)
    place = int(y * pixels.shape[0]), int(x * pixels.shape[1])
    assert (pixels[place] == magma()[255]).all()
    bright = (pixels == magma()[255]).all(axis=2)
    assert bright.mean() == pytest.approx(1 / _spectrogram(transform).values.size, rel=0.2)
    with Image.open(io.BytesIO(drawn.png())) as page:
        assert page.format == "PNG"
        shown = np.asarray(page.convert("RGB"))
    assert (shown[[0, -1, 0, -1], [0, 0, -1, -1]] == 255).all()  # a white margin
    assert (shown == magma()[255]).all(axis=2).sum() >= bright.sum()


@pytest.mark.parametrize("frames", [1, 100, 2000])
def test_an_svg_holds_a_pixel_for_each_cell_and_no_more_than_it_covers(frames: int) -> None:
    drawn = plot.levels(_spectrogram("mel", frames), Preprocessing.default("mel"))
    image, bar = ElementTree.fromstring(drawn.svg("en", "")).iter("image")
    for element in (image, bar):
        content = base64.b64decode(element.get("href", "").partition(",")[2])
        with Image.open(io.BytesIO(content)) as embedded:
            expected = (min(frames, 864), 128) if element is image else (1, 256)
            assert embedded.size == expected
    assert (image.get("width"), image.get("height")) == ("864", "864")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("transform", ["cqt", "mel", "chroma"])
def test_svg_names_axes_and_scale(transform: TransformName, language: Language) -> None:
    drawn = plot.levels(_spectrogram(transform), Preprocessing.default(transform), start=60)
    svg = drawn.svg(language, 'a "title" & more')
    assert ElementTree.fromstring(svg).get("aria-label") == 'a "title" & more'
    texts = _texts(svg)
    pitch = translate(language, f"figure.pitch_{transform}")
    assert {translate(language, "figure.time"), pitch[:1].upper() + pitch[1:]} < set(texts)
    assert {"60", "62", "64", "66", "68", "dB", "−80", "0"} < set(texts)
    assert {"cqt": "C4", "mel": "1000", "chroma": "C♯"}[transform] in texts
    assert ("262 Hz" in texts) == (transform == "cqt")


def test_pixels_of_a_network_keep_their_colours() -> None:
    spectrogram = _spectrogram("mel")
    grey = plot.picture(Picture.from_spectrogram(spectrogram, Preprocessing.default("mel")))
    assert np.ptp(np.asarray(grey.image), axis=2).max() == 0
    assert "0–255, 224 × 224 px" in _texts(grey.svg("en", ""))
    coloured = plot.picture(Picture.from_spectrogram(spectrogram, Preprocessing.ccmusic("mel")))
    assert coloured.scale
    assert (coloured.scale.colours == magma()).all()
    assert np.ptp(np.asarray(coloured.image), axis=2).max() > 0


def test_attention_is_orange_over_grey() -> None:
    seen = Picture.from_spectrogram(_spectrogram("mel"), Preprocessing.default("mel"))
    coarse = np.zeros((4, 4), np.float32)
    coarse[0, 3] = 2  # low and late
    pixels = np.asarray(plot.attention(Attention("jazz", coarse, seen), strongest=2).image)
    red, green, blue = pixels[-1, -1].astype(int)
    assert red > green > blue
    assert np.ptp(pixels[0, 0]) == 0


@pytest.mark.parametrize("n_frames", [1, 2, 5000])
def test_any_number_of_frames_is_drawn(n_frames: int) -> None:
    drawn = plot.levels(_spectrogram("cqt", n_frames), Preprocessing.default("cqt"), start=1.5)
    assert drawn.png()
    assert drawn.svg("zh", "")
