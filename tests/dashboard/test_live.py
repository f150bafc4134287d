"""What the server makes of the sound that the microphone sends."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("streamlit")

import streamlit as st

from ccmusic import audio, zoo
from ccmusic.dashboard import live
from ccmusic.dashboard.player import wav
from ccmusic.genres import genre_name
from ccmusic.texts import LANGUAGES, Language, translate
from small_models import make_checkpoint
from sounds import noise


@pytest.fixture(autouse=True)
def _two_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for transform, genre in (("cqt", "jazz"), ("mel", "rock")):
        make_checkpoint(tmp_path, f"resnet50_{transform}", transform=transform, favourite=genre)
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    yield
    st.cache_resource.clear()


def sent(samples: np.ndarray, rate: int = 22_050) -> dict[str, object]:
    """As ``live.js`` sends it."""
    content = (32767 * samples).astype("<i2").tobytes()
    return {"number": 1, "rate": rate, "samples": base64.b64encode(content).decode()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_transform_has_one_voice(language: Language) -> None:
    sound = sent(noise(4, 22_050))
    assert re.findall(r"<h4>(.*?)</h4>", live._judge(sound, "mel", language)) == ["ResNet50"]
    said = live._judge(sound, "both", language)
    assert re.findall(r"<h4>(.*?)</h4>", said) == ["ResNet50 · CQT", "ResNet50 · Mel"]
    assert genre_name("jazz", language) in said
    assert genre_name("rock", language) in said
    assert said.count("<li>") == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_silence_and_scraps_are_no_music(language: Language) -> None:
    silence = live._judge(sent(np.zeros(5 * 22_050, np.float32)), "cqt", language)
    assert translate(language, "judged.silent") in silence
    assert "<li>" not in silence
    assert live._judge(sent(noise(0.05, 22_050)), "cqt", language).startswith("<p>")


def test_the_last_ten_seconds_become_a_recording() -> None:
    samples, rate = live._samples(sent(noise(12, 48_000), 48_000))
    clip = audio.load(wav(samples, rate))
    assert (clip.info.sample_rate, clip.info.channels) == (48_000, 1)
    assert clip.info.duration == pytest.approx(10)
    assert clip.original == pytest.approx(noise(12, 48_000)[2 * 48_000 :], abs=1e-4)
