import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from ccmusic import audio, report
from ccmusic.axes import note_name, pitch_ticks
from ccmusic.errors import CCMusicError, ParameterError
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare
from ccmusic.schema import AnalysisDocument
from ccmusic.spectrogram import Chroma, Cqt, Mel, Spectrogram, Transform
from ccmusic.zoo import find
from small_models import make_checkpoint

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
        {"n_bins": 73},  # far below the Nyquist frequency
        {"n_bins": 88, "fmin": 27.5},  # a piano: the lowest octave has four bins
        {"n_bins": 84, "sr": 44_100},
        {"n_bins": 72, "filter_scale": 0.5},
        {"filter_scale": 2.0},
        {"window": "hamming"},
        {"window": "blackman"},
        {"window": "boxcar"},
        {"pad_mode": "reflect"},
    ],
    ids=str,
)
def test_cqt_with_other_parameters_is_librosas(options: dict[str, Any]) -> None:
    ours, theirs = _both(Cqt, librosa.cqt, options)
    assert 20 * _differ(ours, np.abs(theirs), quiet=1e-3) < 0.05


@pytest.mark.parametrize(
    "options",
    [
        {"fmin": 50.0, "fmax": 8000.0},
        {"htk": True},
        {"norm": None},
        {"window": "hamming"},
        {"window": "blackman"},
        {"window": "boxcar"},
        {"win_length": 1024},
        {"win_length": 1101},
        {"center": False},
        {"pad_mode": "reflect"},
        {"power": 1.0},
        {"n_fft": 1000, "hop_length": 333},
        {"sr": 44_100, "n_fft": 4096, "n_mels": 96},
        {"fmin": 1200.0, "fmax": 5000.0, "htk": True, "norm": None, "power": 1.5},
    ],
    ids=str,
)
def test_mel_with_other_parameters_is_librosas(options: dict[str, Any]) -> None:
    ours, theirs = _both(Mel, librosa.feature.melspectrogram, options)
    assert 10 * _differ(ours, theirs, quiet=1e-4) < 0.01


def _both(
    ours: type[Cqt | Mel], theirs: Callable[..., np.ndarray], options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """A sweep and noise, transformed by ours and by librosa."""
    rate = options.get("sr", RATE)
    sweep = librosa.chirp(sr=rate, fmin=30, fmax=0.4 * rate, length=5 * rate)
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * rate)
    sound = (sweep + noise).astype(np.float32)
    ours_ = ours(**{{"sr": "sample_rate"}.get(name, name): v for name, v in options.items()})
    return ours_(sound).values, theirs(y=sound, **{"sr": rate, **options})


def test_frames_that_are_not_centred_say_so() -> None:
    sound = np.zeros(N, np.float32)
    sound[22_050] = 1
    for transform in (Mel(), Mel(center=False)):
        spectrogram = transform(sound)
        assert spectrogram.times[spectrogram.values.sum(axis=0).argmax()] == pytest.approx(
            1, abs=0.012
        )
    short = Mel(center=False)(np.ones(100, np.float32))
    assert short.values.shape == (128, 1)
    assert short.times == pytest.approx([1024 / RATE])


@pytest.mark.parametrize(("power", "per_decade"), [(1, 20), (2, 10)])
def test_decibels_of_a_mel_do_not_depend_on_its_power(power: float, per_decade: float) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE) * np.linspace(0.1, 1, RATE)
    spectrogram = Mel(power=power)(tone)
    assert spectrogram.decibels_per_decade == per_decade
    loudest = spectrogram.values.sum(axis=1).argmax()
    assert spectrogram.decibels()[loudest, 4] == pytest.approx(-14.5, abs=0.3)


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
    levels = Spectrogram("cqt", np.array([[1.0, 0.1, 0]], np.float32), np.arange(3.0), np.ones(1))
    np.testing.assert_allclose(levels.decibels(), [[0, -20, -120]], atol=1e-4)
    powers = replace(levels, power=2)
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
    [(440, "A4"), (32.703, "C1"), (446, "A4 +23¢"), (27.5, "A0"), (0, ""), (427.5, "A4 −50¢")],
)
def test_note_names(frequency: float, name: str) -> None:
    assert note_name(frequency) == name


def test_impossible_parameters_are_refused() -> None:
    for wrong, told in (
        (lambda: Cqt(hop_length=500), "hop_length must be a multiple of 64, not 500"),
        (lambda: Cqt(n_bins=108), "16488 Hz is beyond 11025 Hz"),
        (lambda: Cqt(bins_per_octave=96, n_bins=96, fmin=5), "96 bins per octave need filters"),
        (
            lambda: Mel(sample_rate=44_100, hop_length=32),
            "1378 frames per second; at most 700",
        ),
        (lambda: Mel(sample_rate=96_000), "sample_rate cannot be 96000; it must be int (>= 4000"),
        (lambda: Mel(fmin=-3), "Mel: fmin cannot be -3; it must be float (>= 0)"),
        (lambda: Mel(n_mels="many"), "n_mels cannot be 'many'; it must be int (> 0, <= 1024)"),
        (lambda: Mel(window="kaiser"), "it must be 'hann' | 'hamming' | 'blackman' | 'boxcar'"),
        (lambda: Mel(norm="l2"), "norm cannot be 'l2'; it must be 'slaney' | None"),
        (lambda: Mel(power=float("nan")), "power cannot be nan; it must be float (> 0, <= 4)"),
        (lambda: Mel(**{"odd": 1}), "Mel has no parameter odd; it has sample_rate, hop_length"),
        (lambda: Mel(fmax=12_000), "12000 Hz is beyond 11025 Hz, half the sample rate"),
        (lambda: Mel(fmin=900, fmax=800), "fmin = 900 Hz is not below fmax = 800 Hz"),
        (lambda: Mel(win_length=4096), "win_length = 4096 is more than n_fft = 2048"),
        (lambda: Mel(center=False, pad_mode="reflect"), "pad_mode has no effect with center=False"),
    ):
        with pytest.raises(ParameterError, match=re.escape(told)) as raised:
            wrong()
        assert isinstance(raised.value, CCMusicError)
        assert isinstance(raised.value, ValueError)
        assert "\n" not in str(raised.value)
        assert raised.value.message("zh") != str(raised.value)


def test_what_is_written_of_a_transform_is_what_cards_have() -> None:
    """Keys of caches and cards must not change with every new parameter."""
    assert Mel().model_dump_json() == (
        '{"sample_rate":22050,"hop_length":512,"name":"mel","n_fft":2048,"n_mels":128}'
    )
    assert Cqt().model_dump_json() == (
        '{"sample_rate":22050,"hop_length":512,"name":"cqt","n_bins":84,"bins_per_octave":12,'
        '"fmin":32.70319566257483}'
    )
    changed = Mel(fmin=20, power=1, center=False)
    assert changed.model_dump().items() >= {"fmin": 20, "power": 1, "center": False}.items()
    for transform in (Mel(), changed, Cqt(filter_scale=0.5)):
        assert type(transform).model_validate_json(transform.model_dump_json()) == transform


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
    for rate in (8_000, 16_000, 22_050, 32_000, 44_100):
        for transform in (Cqt(sample_rate=rate, n_bins=72), Mel(sample_rate=rate, n_mels=64)):
            for slices in ({}, {"slice_seconds": 5.0}):
                preprocessing = Preprocessing(
                    transform=transform, orientation="time_along_x", **slices
                )
                picture = prepare(song, [preprocessing]).pictures[preprocessing][0]
                spectrogram = picture.spectrogram
                loudest = spectrogram.frequencies[spectrogram.values.sum(axis=1).argmax()]
                assert loudest == pytest.approx(1000, rel=0.05)
                length = spectrogram.times[-1] - spectrogram.times[0]
                assert length == pytest.approx(slices.get("slice_seconds", 10), abs=0.1)


def test_ticks_lie_within_the_axis() -> None:
    for transform in (Mel(), Mel(sample_rate=8_000), Mel(fmin=600, fmax=900), Chroma(), Cqt()):
        spectrogram = transform(np.ones(22_050, np.float32))
        ticks = pitch_ticks(spectrogram)
        assert len(ticks) > 1
        bins = np.arange(len(spectrogram.frequencies))
        for tick in ticks:
            assert 0 <= tick.place <= bins[-1]
            if told := re.search(r"(\d+)( Hz)?$", tick.label):
                frequency = np.interp(tick.place, bins, spectrogram.frequencies)
                assert frequency == pytest.approx(float(told[1]), abs=0.5)
    chroma = pitch_ticks(Chroma()(np.ones(22_050, np.float32)))
    assert [tick.place for tick in chroma] == list(range(12))
    assert [tick.label for tick in chroma][:3] == ["C", "C♯", "D"]
    assert pitch_ticks(Cqt()(np.ones(22_050, np.float32)))[3].label == "C4\n262 Hz"


@pytest.mark.parametrize("transform", [Cqt(), Mel(), Chroma()], ids=lambda t: t.name)
def test_floats_of_any_width_are_samples(transform: Transform) -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, 40_000).astype(np.float32)
    expected = transform(samples)
    assert transform(samples.astype(np.float64)) == expected
    assert expected.values.dtype == np.float32
    unusable: list[Any] = [np.zeros(40_000, np.int16), np.zeros((2, 40_000))]
    for wrong in unusable:
        with pytest.raises(ValueError, match=r"takes mono samples.*from_samples"):
            transform(wrong)


@pytest.mark.parametrize("seconds", [12.0, 4.0])
def test_above_22050_hz_the_files_own_samples_are_seen(
    write_sound: Callable[..., Path], seconds: float
) -> None:
    rate = 44_100
    whistle = 0.5 * np.sin(2 * np.pi * 13_000 * np.arange(round(seconds * rate)) / rate)
    path = write_sound("whistle.wav", whistle.astype(np.float32), rate)
    mel = Mel(sample_rate=32_000, n_fft=1024, hop_length=320, n_mels=64)
    for slices in ({}, {"slice_seconds": 5.0}):
        preprocessing = Preprocessing(transform=mel, orientation="time_along_x", **slices)
        prepared = prepare(path, [preprocessing])
        assert prepared.clip.samples_at(32_000).shape == (320_000,)
        for picture in prepared.pictures[preprocessing]:
            values = picture.spectrogram.values
            loudest = picture.spectrogram.frequencies[values.mean(axis=1).argmax()]
            assert loudest == pytest.approx(13_000, rel=0.03)
            assert values.shape[1] == pytest.approx(100 * slices.get("slice_seconds", 10), abs=1)
            assert (values.max(axis=0) > 0.1 * values.max()).all()
    once = prepared.clip.samples_at(32_000, loop=False)
    assert len(once) == pytest.approx(32_000 * min(seconds, 10), abs=2)


def test_samples_at_lower_rates_are_those_of_the_clip(
    write_sound: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    clip = audio.load(write_sound("song.wav", tone(440, 3)))
    np.testing.assert_array_equal(clip.samples_at(RATE), clip.samples)
    assert len(clip.samples_at(RATE, loop=False)) == 3 * RATE
    expected = soxr.resample(clip.samples, RATE, 16_000)
    np.testing.assert_array_equal(clip.samples_at(16_000), expected)


class Loudness(Transform):
    """Two bands: below a frequency, and above it."""

    name: str = "loudness"
    border: float = 1000.0

    @property
    def frequencies(self) -> np.ndarray:
        return np.array([self.border / 2, self.border * 2])

    def __call__(self, samples: np.ndarray) -> Spectrogram:
        starts = np.arange(0, max(1, len(samples) - 1023), self.hop_length)
        frames = np.pad(samples, (0, 1024))[starts[:, None] + np.arange(1024)]
        magnitudes = np.abs(np.fft.rfft(frames * np.hanning(1024)))
        high = np.fft.rfftfreq(1024, 1 / self.sample_rate) > self.border
        values = np.stack([magnitudes[:, ~high].sum(axis=1), magnitudes[:, high].sum(axis=1)])
        times = (starts + 512) / self.sample_rate
        return Spectrogram(self.name, values.astype(np.float32), times, self.frequencies)


def test_a_transform_of_ones_own_judges_like_ours(
    home: Path, write_sound: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    own = Loudness(sample_rate=32_000, border=500.0)
    preprocessing = Preprocessing(transform=own, orientation="time_along_x")
    assert len({preprocessing, preprocessing.model_copy()}) == 1
    made = make_checkpoint(home, "own")
    card = made.model_copy(update={"preprocessing": preprocessing})
    (checkpoint,) = (c for c in find("cqt", ["own"]))
    with Panel([replace(checkpoint, card=card)]) as panel:
        analysis = panel.analyze(write_sound("song.wav", tone(440, 12)))
    verdict = analysis.verdicts["own"]
    assert verdict.error is None
    assert verdict.probabilities
    assert analysis.transform == "loudness"
    assert AnalysisDocument.model_validate(analysis.to_dict()).transform == "loudness"
    assert [row["transform"] for row in analysis.rows()][:1] == ["loudness"]
    (spectrogram,) = analysis.spectrograms.values()
    assert spectrogram.values[0].mean() > 10 * spectrogram.values[1].mean()
    assert "loudness" in report.to_html(analysis, "en")
    assert card.renamed("other").preprocessing == preprocessing
    with pytest.raises(ValueError, match="cannot be written into a file"):
        preprocessing.model_dump_json()
    with pytest.raises(CCMusicError, match=r"^the transform loudness is a class of your own"):
        card.to_json()
