"""What the server makes of the sound that the microphone sends."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("streamlit")

from ccmusic import audio, zoo
from ccmusic.dashboard import compute, live
from ccmusic.dashboard.player import wav
from ccmusic.genres import genre_name
from ccmusic.spectrogram import TransformChoice, TransformName
from ccmusic.texts import LANGUAGES, Language, translate
from small_models import make_checkpoint
from sounds import noise


@pytest.fixture(autouse=True)
def _two_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    genres: dict[TransformName, str] = {"cqt": "jazz", "mel": "rock"}
    for transform, genre in genres.items():
        make_checkpoint(tmp_path, f"resnet50_{transform}", transform=transform, favourite=genre)
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    yield
    compute.forget_all()


def judged(sound: object, transform: TransformChoice, language: Language) -> str:
    received = live._samples(sound)
    assert received
    return live._judge(*received, transform, language, ())[0]


def sent(samples: np.ndarray, rate: int = 22_050) -> dict[str, object]:
    """As ``live.js`` sends it."""
    content = (32767 * samples).astype("<i2").tobytes()
    return {"number": 1, "rate": rate, "samples": base64.b64encode(content).decode()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_models_have_a_voice(language: Language) -> None:
    sound = sent(noise(4, 22_050))
    (said,) = re.findall('<ol class="models.*?</ol>', judged(sound, "mel", language))
    assert re.findall('class="name">(.*?)<', said) == ["ResNet50"]
    (said,) = re.findall('<ol class="models.*?</ol>', judged(sound, "both", language))
    assert re.findall('class="name">(.*?)<', said)[:2] == ["ResNet50 · CQT", "ResNet50 · Mel"]
    for genre in ("jazz", "rock"):
        assert genre_name(genre, language) in said


def test_bars_race_from_where_they_were() -> None:
    received = live._samples(sent(noise(4, 22_050)))
    assert received
    said, leading = live._judge(*received, "cqt", "en", ())
    assert leading[0][0] == "jazz"
    assert len(leading) == 5
    assert f"--since:0.0%;width:{leading[0][1]:.1%}" in said
    before = [("rock", 0.6), ("jazz", 0.3)]
    said, _ = live._judge(*received, "cqt", "en", before)
    (first,) = re.findall('<ol class="race"><li style="--rise:(.*?)"', said)
    assert first == "1"  # from the second place to the first
    assert f"--since:30.0%;width:{leading[0][1]:.1%}" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_silence_and_scraps_are_no_music(language: Language) -> None:
    silence = judged(sent(np.zeros(5 * 22_050, np.float32)), "cqt", language)
    assert translate(language, "judged.silent")[1:] in silence
    assert "<li" not in silence
    assert judged(sent(noise(0.05, 22_050)), "cqt", language).startswith("<p>")


def test_the_last_ten_seconds_become_a_recording() -> None:
    received = live._samples(sent(noise(12, 48_000), 48_000))
    assert received
    samples, rate = received
    clip = audio.load(wav(samples, rate))
    assert (clip.info.sample_rate, clip.info.channels) == (48_000, 1)
    assert clip.info.duration == pytest.approx(10)
    np.testing.assert_allclose(clip.original, noise(12, 48_000)[2 * 48_000 :], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "sound",
    [
        None, 7, "sound", [], {}, {"rate": 22_050}, {"samples": "AAAA"},
        {"rate": "22050", "samples": "AAAA"}, {"rate": float("nan"), "samples": "AAAA"},
        {"rate": float("inf"), "samples": "AAAA"}, {"rate": -1, "samples": "AAAA"},
        {"rate": 0, "samples": "AAAA"}, {"rate": 10**30, "samples": "AAAA"},
        {"rate": 22_050, "samples": 7}, {"rate": 22_050, "samples": "AAA"},
        {"rate": 22_050, "samples": "§"}, {"rate": 22_050, "samples": "AA=="},
    ],
)  # fmt: skip
def test_what_is_no_sound_is_passed_over(sound: object) -> None:
    assert live._samples(sound) is None
