"""The card to share: its size, its colour, and what it does without a font for Chinese."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

pytest.importorskip("streamlit")

from PIL import Image

from ccmusic import analyze, zoo
from ccmusic.analysis import Analysis
from ccmusic.audio import SAMPLE_RATE, Clip
from ccmusic.dashboard import share
from ccmusic.genres import genre_colour
from ccmusic.texts import LANGUAGES, Language
from small_models import make_checkpoint


@pytest.fixture
def analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    make_checkpoint(tmp_path, "resnet50_cqt", favourite="jazz")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * SAMPLE_RATE).astype(np.float32)
    return analyze(Clip.from_samples(noise, SAMPLE_RATE), transform="cqt")


def card(title: str, analysis: Analysis, language: Language) -> bytes:
    (spectrogram,) = analysis.spectrograms.values()
    return share.share_card(title, analysis, spectrogram, language)


def drawn(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        assert image.size == share.SIZE
        return np.asarray(image)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("title", ["Song", "很长的标题" * 30, "A long title " * 30, "W" * 90])
def test_a_card_keeps_within_its_edges(analysis: Analysis, title: str, language: Language) -> None:
    pixels = drawn(card(title, analysis, language))
    colour = [int(genre_colour("jazz")[i : i + 2], 16) for i in (1, 3, 5)]
    assert (pixels[0, 0] == colour).all()
    paper = pixels[20, 0]
    for edge in (pixels[20:, -20:], pixels[-20:]):
        assert (edge == paper).all()
    assert (pixels[80:400, 560:] != paper).any()


def test_without_a_chinese_font_a_card_is_in_english(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "chinese_font", lambda: None)
    cards = [card("歌 Song", analysis, language) for language in LANGUAGES]
    assert cards[0] == cards[1] == card("Song", analysis, "en")


def test_lines_break_between_words_and_chinese_characters() -> None:
    font = ImageFont.load_default(20)
    text = "one two three 四五 six"
    lines = share._lines(text, font, font.getlength("one two "))
    assert "".join(lines) == text
    assert lines[0] == "one two "
    assert share._lines("四五六", font, font.getlength("四五")) == ["四五", "六"]
