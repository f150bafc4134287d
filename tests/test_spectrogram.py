import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ccmusic import audio
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare
from ccmusic.spectrogram import Chroma, Cqt, Mel, Spectrogram, Transform, note_name

RATE = audio.SAMPLE_RATE
N = int(audio.CLIP_SECONDS * RATE)
EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.ogg"))


def _synthetic(name: str) -> np.ndarray:
    if name == "sweep":
        return librosa.chirp(sr=RATE, fmin=30, fmax=8000, length=N).astype(np.float32)
    if name == "clicks":
        clicks = np.zeros(N, np.float32)
        clicks[[0, 5000, 100_000, 100_300, N - 1]] = 1
        return clicks
    return np.random.default_rng(0).normal(0, 0.1, N).astype(np.float32)


@pytest.fixture(params=["sweep", "clicks", "noise", *EXAMPLES], ids=lambda p: getattr(p, "stem", p))
def sound(request: pytest.FixtureRequest) -> np.ndarray:
    if isinstance(request.param, Path):
        return audio.load(request.param).samples
    return _synthetic(request.param)


def _differ(ours: np.ndarray, theirs: np.ndarray, quiet: float) -> float:
    """Largest ratio, as a decadic logarithm, where either is not quiet; quiet together is alike."""
    floor = theirs.max() * quiet
    heard = (ours > floor) | (theirs > floor)
    tiny = np.finfo(np.float32).tiny
    return float(np.abs(np.log10(np.maximum(ours[heard], tiny) / theirs[heard].clip(tiny))).max())


def test_cqt_is_librosas(sound: np.ndarray) -> None:
    ours = Cqt()(sound).values
    theirs = np.abs(librosa.cqt(sound, sr=RATE))
    assert ours.shape == theirs.shape == (84, 431)
    assert 20 * _differ(ours, theirs, quiet=10 ** (-60 / 20)) < 0.05


def test_mel_is_librosas(sound: np.ndarray) -> None:
    ours = Mel()(sound).values
    theirs = librosa.feature.melspectrogram(y=sound, sr=RATE)
    assert ours.shape == theirs.shape == (128, 431)
    assert 10 * _differ(ours, theirs, quiet=10 ** (-100 / 10)) < 0.05


@pytest.mark.parametrize(
    "options",
    [
        {"n_bins": 36, "fmin": 523.25},
        {"n_bins": 5, "fmin": 4000.0},
        {"n_bins": 168, "bins_per_octave": 24, "hop_length": 256},
    ],
    ids=str,
)
def test_cqt_with_other_parameters_is_librosas(options: dict[str, float]) -> None:
    sound = _synthetic("sweep")
    ours = Cqt.model_validate(options)(sound).values
    theirs = np.abs(librosa.cqt(sound, sr=RATE, **options))
    assert 20 * _differ(ours, theirs, quiet=1e-3) < 0.1


def test_mel_bands_lie_where_librosa_puts_them() -> None:
    theirs = librosa.mel_frequencies(n_mels=130, fmax=RATE / 2)[1:-1]
    np.testing.assert_allclose(Mel().frequencies, theirs, rtol=1e-6)


def test_a_tone_stands_at_its_note_and_time() -> None:
    seconds = np.arange(N) / RATE
    sound = (np.sin(2 * np.pi * 440 * seconds) * (seconds > 4)).astype(np.float32)
    for transform in (Cqt(), Mel()):
        spectrogram = transform(sound)
        strongest = spectrogram.values[:, 300].argmax()
        assert spectrogram.frequencies[strongest] == pytest.approx(440, rel=0.04)
        loudness = spectrogram.values[strongest]
        starts = spectrogram.times[np.argmax(loudness > loudness.max() / 2)]
        assert starts == pytest.approx(4, abs=0.06)
    assert Cqt()(sound).notes()[Cqt()(sound).values[:, 300].argmax()] == "A4"


def test_axes_belong_to_the_result() -> None:
    spectrogram = Cqt()(_synthetic("noise"))
    assert spectrogram.times[1] == pytest.approx(512 / 22_050)
    assert spectrogram.frequencies[0] == pytest.approx(32.703, abs=1e-3)
    assert spectrogram.notes()[0] == "C1"
    assert spectrogram.notes()[-1] == "B7"


def test_decibels_are_relative_to_the_maximum() -> None:
    levels = Spectrogram("cqt", np.array([[1.0, 0.1, 0]], np.float32), np.arange(3), np.ones(1))
    np.testing.assert_allclose(levels.decibels(), [[0, -20, -120]], atol=1e-4)
    powers = Spectrogram("mel", np.array([[1.0, 0.1, 0]], np.float32), np.arange(3), np.ones(1))
    np.testing.assert_allclose(powers.decibels(), [[0, -10, -120]], atol=1e-4)


def test_silence_gives_zeros() -> None:
    for transform in (Cqt(), Mel()):
        silence = transform(np.zeros(N, np.float32))
        assert not silence.values.any()
        assert silence.decibels() == pytest.approx(-120)


@given(st.integers(1, 3000))
@settings(max_examples=25, deadline=None)
def test_short_signals_have_one_frame_per_hop(n: int) -> None:
    sound = np.ones(n, np.float32)
    for transform in (Cqt(), Mel()):
        values = transform(sound).values
        assert values.shape[1] == 1 + n // 512
        assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("frequency", "name"),
    [(440, "A4"), (32.703, "C1"), (446, "A4 +23¢"), (27.5, "A0"), (0, ""), (427.5, "A4 -50¢")],
)
def test_note_names(frequency: float, name: str) -> None:
    assert note_name(frequency) == name


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of 64"):
        Cqt(hop_length=500)
    with pytest.raises(ValidationError, match="beyond half the rate"):
        Cqt(n_bins=108)
    with pytest.raises(ValidationError, match="extra"):
        Mel.model_validate({"n_mels": 64, "power": 1})


def test_nothing_is_compiled_on_the_first_call() -> None:
    code = (
        "import sys, numpy\n"
        "from ccmusic.spectrogram import Cqt, Mel\n"
        "sound = numpy.ones(22_050, numpy.float32)\n"
        "Cqt()(sound), Mel()(sound)\n"
        "assert not {'numba', 'librosa', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_preprocessing_of_another_rate_shows_a_tone_where_it_is(
    write_sound: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    song = write_sound("song.wav", tone(1000, 12))
    upright = {"orientation": "time_along_x"}
    for rate in (8_000, 16_000, 22_050):
        for transform in (Cqt(sample_rate=rate, n_bins=72), Mel(sample_rate=rate, n_mels=64)):
            for slices in ({}, {"slice_seconds": 5.0}):
                preprocessing = Preprocessing(transform=transform, **upright, **slices)
                picture = prepare(song, [preprocessing]).pictures[preprocessing][0]
                spectrogram = picture.spectrogram
                loudest = spectrogram.frequencies[spectrogram.values.sum(axis=1).argmax()]
                assert loudest == pytest.approx(1000, rel=0.05)
                length = spectrogram.times[-1] - spectrogram.times[0]
                assert length == pytest.approx(slices.get("slice_seconds", 10), abs=0.1)
    # Sound is decoded at 22,050 Hz: at a higher rate half of the picture would be missing.
    with pytest.raises(ValidationError, match="less than or equal to 22050"):
        Mel(sample_rate=44_100)


def test_ticks_lie_within_the_axis() -> None:
    for transform in (Mel(), Mel(sample_rate=8_000), Chroma(), Cqt()):
        spectrogram = transform(np.ones(22_050, np.float32))
        bins, frequencies = spectrogram.pitch_ticks()
        assert len(bins) == len(frequencies) > 2
        assert spectrogram.frequencies[0] <= min(frequencies)
        assert max(frequencies) <= spectrogram.frequencies[-1]
        for place, frequency in zip(bins, frequencies, strict=True):
            assert np.interp(place, np.arange(len(spectrogram.frequencies)),
                             spectrogram.frequencies) == pytest.approx(frequency)  # fmt: skip
    assert Chroma()(np.ones(22_050, np.float32)).pitch_ticks()[0] == list(range(12))


@pytest.mark.parametrize("transform", [Cqt(), Mel(), Chroma()], ids=lambda t: t.name)
def test_floats_of_any_width_are_samples(transform: Transform) -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, 40_000).astype(np.float32)
    expected = transform(samples)
    assert transform(samples.astype(np.float64)) == expected
    assert expected.values.dtype == np.float32
    for wrong in (np.zeros(40_000, np.int16), np.zeros((2, 40_000))):
        with pytest.raises(ValueError, match=r"takes mono samples.*from_samples"):
            transform(wrong)
