from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soxr

from ccmusic import audio, speech
from ccmusic.audio import SAMPLE_RATE
from ccmusic.texts import LANGUAGES

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.ogg"))
VOWELS = ((700, 1200, 2600), (300, 2200, 2900), (500, 1900, 2500), (350, 800, 2300))  # hertz
TEXTS = {
    "cmn": "明天早上九点我们在车站门口见面，请不要忘记带上护照和两张照片。如果下雨，就改在图书馆。",
    "en-us": "We will meet at nine tomorrow morning in front of the station. Do not forget your "
    "passport and two photographs. If it rains, come to the library instead of the square.",
    "de": "Morgen früh um neun treffen wir uns vor dem Bahnhof. Vergessen Sie bitte Ihren Ausweis "
    "und zwei Fotos nicht. Wenn es regnet, kommen Sie in die Bibliothek.",
}


def voice(pitch: np.ndarray, vowels: np.ndarray) -> np.ndarray:
    """Sound of vocal folds at a pitch over time, in hertz, through the formants of vowels."""
    phase = np.cumsum(pitch) / SAMPLE_RATE
    formants = np.array(VOWELS, np.float64)[vowels]
    sound = np.zeros(len(pitch))
    for k in range(1, 40):
        distance = (k * pitch[:, None] - formants) / (80 + 0.06 * formants)
        level = (1 / (1 + distance**2)).sum(axis=1) / k**0.5
        sound += level * (k * pitch < 5_000) * np.sin(2 * np.pi * k * phase)
    return sound


@cache
def spoken() -> np.ndarray:
    """Ten seconds of syllables: gliding pitch, a consonant before each vowel, phrases, pauses."""
    rng = np.random.default_rng(3)
    syllables: list[np.ndarray] = []
    phrase = 0
    while sum(len(each) for each in syllables) < 10 * SAMPLE_RATE:
        n = int(rng.uniform(0.1, 0.22) * SAMPLE_RATE)
        time = np.linspace(0, 1, n)
        start, end = 130 - 5 * phrase + rng.uniform(-20, 25, 2)
        vowel = voice(start + (end - start) * time, np.full(n, rng.integers(len(VOWELS))))
        hiss = np.diff(rng.standard_normal(int(rng.uniform(0.03, 0.09) * SAMPLE_RATE) + 1))
        syllables += [0.1 * hiss * np.hanning(len(hiss)), vowel * np.sin(np.pi * time) ** 0.5]
        phrase += 1
        if phrase == 9:
            syllables.append(np.zeros(int(rng.uniform(0.3, 0.6) * SAMPLE_RATE)))
            phrase = 0
    sound = np.concatenate(syllables)[: 10 * SAMPLE_RATE]
    sound += 0.003 * rng.standard_normal(len(sound))
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


@cache
def sung() -> np.ndarray:
    """Ten seconds of a melody on vowels: steady pitches with vibrato, a breath after a phrase."""
    notes = np.repeat([57, 59, 60, 64, 62, 60, 59, 57, 55, 57], SAMPLE_RATE)
    time = np.arange(len(notes)) / SAMPLE_RATE
    pitch = 440 * np.exp2((notes - 69 + 0.4 * np.sin(2 * np.pi * 5.5 * time)) / 12)
    sound = voice(pitch, np.arange(len(notes)) // SAMPLE_RATE % len(VOWELS))
    sound[(time % 5) > 4.6] *= 0.01
    sound += 0.003 * np.random.default_rng(4).standard_normal(len(sound))
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


def codes(clip: audio.Clip) -> list[str]:
    return [warning.code for warning in clip.warnings]


def test_speech_is_told_from_song() -> None:
    assert speech.is_speech(spoken(), SAMPLE_RATE)
    assert not speech.is_speech(sung(), SAMPLE_RATE)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_music(path: Path) -> None:
    for start in (0.0, 5.0, 10.0, "center"):
        assert "speech" not in codes(audio.load(path, crop=start))


@pytest.mark.parametrize("gain", [1e-3, 3.0])
def test_loudness_does_not_matter(gain: float) -> None:
    expected = speech.log_odds(spoken(), SAMPLE_RATE)
    assert speech.log_odds(spoken() * np.float32(gain), SAMPLE_RATE) == pytest.approx(
        expected, abs=0.01
    )


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(10 * SAMPLE_RATE),
        np.ones(10 * SAMPLE_RATE),
        np.sin(np.arange(10 * SAMPLE_RATE) / 8),
        np.eye(1, 10 * SAMPLE_RATE)[0],
        np.random.default_rng(5).standard_normal(10 * SAMPLE_RATE),
    ],
    ids=["silence", "offset", "tone", "click", "noise"],
)
def test_plain_signals_are_no_speech(samples: np.ndarray) -> None:
    assert not speech.is_speech(samples.astype(np.float32), SAMPLE_RATE)


def test_too_little_sound_is_no_speech() -> None:
    assert not speech.is_speech(spoken()[:SAMPLE_RATE], SAMPLE_RATE)


def test_a_long_piece_is_judged_by_most_of_it() -> None:
    talk, song = spoken(), sung()
    assert speech.is_speech(np.concatenate([talk, song, talk]), SAMPLE_RATE)
    assert not speech.is_speech(np.concatenate([song, talk, song]), SAMPLE_RATE)


def test_warning_of_a_recording(write_sound) -> None:
    clip = audio.load(write_sound("talk.wav", spoken(), SAMPLE_RATE))
    assert codes(clip) == ["speech"]
    for language in LANGUAGES:
        assert clip.warnings[0].message(language)
    assert "speech" not in codes(audio.load(write_sound("song.wav", sung(), SAMPLE_RATE)))


def test_what_ships_is_what_was_measured() -> None:
    found = json.loads((ROOT / "references" / "results" / "speech.json").read_text())
    coefficients = {name: list(values) for name, values in speech._MODEL.items()}
    assert found["model"] == {
        "coefficients": coefficients,
        "intercept": speech._INTERCEPT,
        "threshold": speech._THRESHOLD,
    }
    assert list(speech.measures(spoken(), SAMPLE_RATE) or {}) == list(speech._MODEL)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("variant", ["m2", "m7", "f2", "f4", "Alicia", "Michael"])
def test_voices_of_espeak(language: str, variant: str) -> None:
    command = ["espeak-ng", "-v", f"{language}+{variant}", "-s", "160", "--stdout"]
    text = TEXTS[language] * 2
    wave = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    samples = np.frombuffer(wave[44 : len(wave) // 2 * 2], np.int16).astype(np.float32) / 32768
    samples = soxr.resample(samples, 22_050, SAMPLE_RATE)
    assert len(samples) > 10 * SAMPLE_RATE
    assert speech.is_speech(samples[: 10 * SAMPLE_RATE], SAMPLE_RATE)
