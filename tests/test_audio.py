from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccmusic import audio
from ccmusic.audio import Crop
from ccmusic.errors import AudioError
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare
from ccmusic.quality import audible_seconds
from ccmusic.texts import LANGUAGES, Language, localized

# name, encoder, rate, channels, bits per second; the formats and rates that people have
CODECS = [
    ("a.wav", "pcm_s16le", 8_000, 1, None),
    ("a.wav", "pcm_s16le", 44_100, 8, None),
    ("a.wav", "pcm_s24le", 96_000, 2, None),
    ("a.wav", "pcm_f32le", 192_000, 2, None),
    ("a.flac", "flac", 44_100, 2, None),
    ("a.flac", "flac", 192_000, 1, None),
    ("a.flac", "flac", 48_000, 8, None),
    ("a.ogg", "vorbis", 44_100, 2, None),
    ("a.ogg", "vorbis", 96_000, 2, None),
    ("a.opus", "libopus", 48_000, 1, 64_000),
    ("a.opus", "libopus", 48_000, 2, 128_000),
    ("a.opus", "libopus", 48_000, 8, 512_000),
    ("a.mp3", "libmp3lame", 8_000, 1, 32_000),
    ("a.mp3", "libmp3lame", 22_050, 2, 128_000),
    ("a.mp3", "libmp3lame", 48_000, 2, 320_000),
    ("a.m4a", "aac", 8_000, 1, None),
    ("a.m4a", "aac", 44_100, 2, 192_000),
    ("a.m4a", "aac", 96_000, 6, 512_000),
    ("a.m4a", "aac", 48_000, 8, 512_000),
    ("a.m4a", "alac", 44_100, 2, None),
    ("a.aac", "aac", 44_100, 2, 192_000),
    ("a.webm", "libopus", 48_000, 2, 128_000),
]
LOSSLESS = {"pcm_s16le", "pcm_s24le", "pcm_f32le", "flac", "alac"}
KINDS = ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a"]


def codes(clip):
    return [warning.code for warning in clip.warnings]


def pitch(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * rate / len(samples)


def lag(heard, expected):
    """By how many samples ``heard`` is late."""
    n = len(heard) + len(expected)
    product = np.fft.rfft(heard, n) * np.conj(np.fft.rfft(expected, n))
    shift = int(np.argmax(np.fft.irfft(product, n)))
    return shift if shift < n // 2 else shift - n


def level(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-12)


def refusal(source, **options):
    """The error's key; its line must be fit for a user in both languages."""
    with pytest.raises(AudioError) as caught:
        audio.load(source, **options)
    assert caught.value.__cause__ is None or caught.value.__suppress_context__
    is_path = isinstance(source, str | os.PathLike)
    named = str(source if is_path else getattr(source, "name", ""))
    for language in LANGUAGES:
        line = caught.value.message(language)
        assert line
        assert "\n" not in line
        assert (named or localized("the uploaded file", language)) in line
    return caught.value.key


# --- the right ten seconds ---------------------------------------------------------------------


def _equals_a_decode_from_the_start(source, rate):
    recording = audio.Recording(source)
    whole = recording.load(crop="start", seconds=1_000, loop=False)
    for start in (11.0, 17.5):
        clip = recording.load(crop=start)
        assert clip.info.window_start == start
        first = round(start * rate)
        np.testing.assert_array_equal(clip.original, whole.original[first : first + 10 * rate])
        assert "damaged" not in codes(clip)
    return whole


@pytest.mark.parametrize(
    ("name", "encoder", "channels"),
    [
        ("a.wav", "adpcm_ms", 1),
        ("a.wav", "adpcm_ima_wav", 2),
        ("a.wav", "adpcm_yamaha", 1),
        ("a.aiff", "adpcm_ima_qt", 1),
        ("a.wma", "wmav2", 2),
        ("a.wma", "libmp3lame", 1),
    ],
)
def test_a_window_of_a_codec_that_cannot_be_sought(write_sound, noise, name, encoder, channels):
    samples = np.tile(noise(30, amplitude=0.2, below=4_000), (channels, 1))
    path = write_sound(name, samples, encoder=encoder, bit_rate=128_000)
    whole = _equals_a_decode_from_the_start(path, 44_100)
    assert whole.info.duration == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(("name", "rate"), [("a.ogg", 44_100), ("a.opus", 48_000)])
@pytest.mark.parametrize("other", ["another song", "the same again"])
def test_every_song_of_a_chained_ogg_is_there(write_sound, noise, tone, name, rate, other):
    songs = [tone(300, 14, rate) + noise(14, rate), tone(900, 16, rate) + noise(16, rate)]
    if other == "the same again":
        songs = songs[:1] * 2
    songs = [np.stack([song, song]) for song in songs]  # FFmpeg's Vorbis encoder wants two channels
    first = write_sound(name, songs[0], rate).read_bytes()
    second = first if other == "the same again" else write_sound(name, songs[1], rate).read_bytes()
    whole = _equals_a_decode_from_the_start(first + second, rate)
    length = sum(song.shape[1] for song in songs) / rate
    assert whole.info.duration == pytest.approx(length, abs=0.1)
    assert len(whole.original) / rate == pytest.approx(length, abs=0.1)
    assert "truncated" not in codes(whole)
    last = pitch(whole.original[-5 * rate :], rate)
    assert last == pytest.approx(300 if other == "the same again" else 900, abs=2)


@pytest.mark.parametrize(("name", "encoder", "rate", "channels", "bit_rate"), CODECS)
def test_window_is_where_it_says(write_sound, tone, noise, name, encoder, rate, channels, bit_rate):
    # 300 Hz before the centre's ten seconds, 600 Hz in them, 900 Hz after; the noise marks places.
    mono = np.concatenate([tone(300, 3, rate), tone(600, 10, rate), tone(900, 3, rate)])
    mono += noise(16, rate, amplitude=0.1, below=3_000)
    gains = np.linspace(1, 0.5, channels)[:, None]
    # On the grid of 16 bits, so that lossless codecs must give it back exactly.
    source = (np.round(gains * mono * 0.7 * 2**15) / 2**15).astype(np.float32)
    path = write_sound(name, source, rate, encoder=encoder, bit_rate=bit_rate)
    mixed = source.mean(axis=0)

    crops: list[tuple[Crop, int, list[int]]]
    crops = [("center", 3, [600, 600]), ("start", 0, [300, 600])]
    for crop, start, pitches in crops:
        clip = audio.load(path, crop=crop)
        info = clip.info
        assert clip.samples.shape == (220_500,)
        assert clip.samples.dtype == clip.original.dtype == np.float32
        assert (info.sample_rate, info.channels, info.looped) == (rate, channels, False)
        assert info.duration == pytest.approx(16, abs=0.1)
        assert info.window_start == pytest.approx(start, abs=0.1)
        assert info.window_end - info.window_start == pytest.approx(10, abs=0.001)
        assert not {"truncated", "damaged"} & set(codes(clip))
        assert clip.original.shape == (10 * rate,)
        assert pitch(clip.samples[:22_050], 22_050) == pytest.approx(pitches[0], abs=2)
        assert pitch(clip.samples[-22_050:], 22_050) == pytest.approx(pitches[1], abs=2)
        if encoder in LOSSLESS:
            np.testing.assert_array_equal(clip.original, mixed[start * rate : (start + 10) * rate])
        else:
            first = round(info.window_start * rate)
            expected = mixed[first : first + len(clip.original)]
            assert abs(lag(clip.original, expected)) <= 0.03 * rate
            # AAC keeps only the bass of the sixth channel.
            assert level(clip.original) == pytest.approx(
                level(expected), abs=2 if channels > 2 else 0.5
            )


@pytest.mark.parametrize("seconds", [0.1, 1.0, 9.9])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_short_pieces_are_looped(write_sound, piece, name, seconds):
    clip = audio.load(write_sound(name, piece(seconds, 22_050), 22_050))
    n = round(seconds * 22_050)
    assert clip.samples.shape == (220_500,)
    assert clip.info.looped
    assert (clip.info.window_start, clip.info.window_end) == (0, pytest.approx(seconds, abs=1e-3))
    np.testing.assert_array_equal(clip.samples, np.resize(clip.samples[:n], 220_500))


@pytest.mark.parametrize("seconds", [0.1, 1.0, 9.9])
@pytest.mark.parametrize(
    ("name", "rate"), [("a.ogg", 44_100), ("a.opus", 48_000), ("a.mp3", 44_100), ("a.m4a", 44_100)]
)
def test_short_lossy_pieces_are_looped(write_sound, piece, name, rate, seconds):
    clip = audio.load(write_sound(name, piece(seconds, rate, 2), rate, bit_rate=128_000))
    assert clip.samples.shape == (220_500,)
    assert clip.info.looped
    assert clip.info.window_end == pytest.approx(seconds, abs=0.06)
    assert np.abs(clip.samples[-1000:]).max() > 0.1


def test_window_may_have_another_length(write_sound, piece):
    clip = audio.load(write_sound("a.flac", piece(12)), seconds=4)
    assert clip.samples.shape == (4 * 22_050,)
    assert (clip.info.window_start, clip.info.window_end) == (4, 8)


def test_channels_are_averaged(write_sound, tone):
    left, right = tone(500, 10), tone(2_000, 10)
    stereo = audio.load(write_sound("a.wav", np.stack([left, right]), encoder="pcm_f32le"))
    np.testing.assert_allclose(stereo.original, (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_resampling_keeps_levels(write_sound, tone, rate):
    clip = audio.load(write_sound("a.wav", tone(1_000, 10, rate), rate, encoder="pcm_f32le"))
    inner = clip.samples[1_000:-1_000]
    assert level(inner) == pytest.approx(level(tone(1_000, 1)), abs=0.1)
    assert pitch(inner, 22_050) == pytest.approx(1_000, abs=0.2)


@pytest.mark.parametrize("frequency", [12_000, 15_000, 21_000])
def test_resampling_does_not_alias(write_sound, tone, frequency):
    source = tone(frequency, 10, 48_000)
    clip = audio.load(write_sound("a.wav", source, 48_000, encoder="pcm_f32le"))
    assert level(clip.samples[1_000:-1_000]) < level(source) - 90


# --- hours ---------------------------------------------------------------------------------------

THREE_HOURS = 3 * 3_600


def sparse_wav(folder, write_sound, tone):
    """Three hours of silence that take no room, with a tone in the middle."""
    path = folder / "long.wav"
    rate, size = 44_100, THREE_HOURS * 44_100 * 2
    head = bytearray(write_sound("a.wav", np.zeros(10), rate, bitexact="1").read_bytes())
    head = head[: head.index(b"data") + 8]
    head[4:8] = (len(head) - 8 + size).to_bytes(4, "little")
    head[-4:] = size.to_bytes(4, "little")
    middle = (tone(600, 20, rate) * 2**15).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
        file.seek(len(head) + (size - len(middle)) // 2)
        file.write(middle)
    return path


def repeated_mp3(folder, write_sound, tone):
    """The frames of ten seconds again and again; no header tells the length."""
    path = folder / "long.mp3"
    bare = {"write_xing": "0", "id3v2_version": "0"}
    ten = write_sound("a.mp3", tone(600, 10, 8_000), 8_000, bit_rate=8_000, **bare).read_bytes()
    path.write_bytes(ten * (THREE_HOURS // 10))
    return path


@pytest.mark.parametrize("make", [sparse_wav, repeated_mp3])
def test_three_hours_cost_no_memory(tmp_path, write_sound, tone, make):
    resource = pytest.importorskip("resource")
    assert resource
    path = make(tmp_path, write_sound, tone)
    # The highest mark of a process of its own: FFmpeg's memory counts too.
    script = """
        import resource, sys, time
        from ccmusic import audio

        def peak():
            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

        audio.load(sys.argv[1])
        before, began = peak(), time.process_time()
        clip = audio.load(sys.argv[2])
        print(peak() - before, time.process_time() - began, clip.info.duration)
        print(clip.info.window_start, abs(clip.original).mean())
    """
    short = write_sound("short.wav", tone(600, 12))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), short, path],
        capture_output=True,
        text=True,
        check=True,
    )
    more, took, duration, start, loudness = map(float, done.stdout.split())
    assert more < 40  # MiB; three hours in float32 are 330 at 8 kHz, 1,800 at 44.1 kHz
    assert took < 20
    assert duration == pytest.approx(THREE_HOURS, rel=0.02)
    assert start == pytest.approx((duration - 10) / 2, abs=0.01)
    assert loudness == pytest.approx(0.3 * 2 / np.pi, rel=0.1)


# --- facts and warnings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rate", "channels", "bit_rate", "codec", "told"),
    [
        ("a.wav", 44_100, 2, None, "pcm_s16le", 1_411_200),
        ("a.flac", 44_100, 2, None, "flac", None),
        ("a.ogg", 44_100, 2, None, "vorbis", None),
        ("a.opus", 48_000, 2, 128_000, "opus", None),
        ("a.mp3", 44_100, 2, 128_000, "mp3", 128_000),
        ("a.mp3", 48_000, 2, 320_000, "mp3", 320_000),
        ("a.m4a", 44_100, 2, 160_000, "aac", 160_000),
    ],
)
def test_facts_of_a_clean_piece(write_sound, piece, name, rate, channels, bit_rate, codec, told):
    clip = audio.load(write_sound(name, piece(14, rate, channels), rate, bit_rate=bit_rate))
    info = clip.info
    assert (info.codec, info.sample_rate, info.channels) == (codec, rate, channels)
    assert info.duration == pytest.approx(14, abs=0.1)
    assert info.window_start == pytest.approx(2, abs=0.05)
    assert info.bit_rate == pytest.approx(told, rel=0.15) if told else (info.bit_rate or 0) > 90_000
    assert clip.warnings == ()


def loud(seconds, rate):
    time = np.arange(seconds * rate) / rate
    return np.clip(3 * np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 7_000 * time), -1, 1)


@pytest.mark.parametrize(
    ("make", "rate", "expected"),
    [
        (lambda piece, tone: piece(12, 11_025), 11_025, ["unusual_rate"]),
        (lambda piece, tone: piece(7.5), 44_100, ["short"]),
        (lambda piece, tone: piece(8.5), 44_100, []),
        (lambda piece, tone: piece(12) * 0, 44_100, ["silence"]),
        (lambda piece, tone: piece(12) * 1e-3, 44_100, ["silence"]),
        (lambda piece, tone: piece(12) * 1e-2, 44_100, []),
        (lambda piece, tone: loud(12, 44_100), 44_100, ["clipping"]),
        (lambda piece, tone: tone(440, 12), 44_100, ["dull"]),
        # Opposite phases: nothing is left of them in mono.
        (lambda piece, tone: piece(12) * np.array([[1], [-1]]), 44_100, ["opposite_phase"]),
    ],
)
def test_poor_recordings_are_named(write_sound, piece, tone, make, rate, expected):
    clip = audio.load(write_sound("a.wav", make(piece, tone), rate))
    assert codes(clip) == expected
    assert np.isfinite(clip.samples).all()
    for warning in clip.warnings:
        assert warning.message() == warning.message("en") != warning.message("zh")


def rumble(seconds=12.0, frequency=5.0, amplitude=0.9):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * 44_100)) / 44_100)


@pytest.mark.parametrize(
    ("make", "audible"),
    [
        (lambda tone, noise: np.full(529_200, 0.27), 0),
        (lambda tone, noise: np.full(529_200, 0.012), 0),
        (lambda tone, noise: np.full((2, 529_200), [[0.2], [-0.1]]), 0),
        (lambda tone, noise: np.full(5_000, 0.27), 0),
        (lambda tone, noise: 0.27 + noise(12, amplitude=1e-4), 0),
        (lambda tone, noise: rumble(), 0),
        (lambda tone, noise: rumble(1.3), 0),
        (lambda tone, noise: rumble(0.15), 0),
        (lambda tone, noise: rumble(frequency=0.3), 0),
        (lambda tone, noise: rumble(frequency=19), 0),
        (lambda tone, noise: rumble(frequency=30, amplitude=0.1), 10),  # the lowest pipes
        (lambda tone, noise: 0.27 + tone(440, 12, amplitude=0.01), 10),
        (lambda tone, noise: rumble() + tone(440, 12, amplitude=0.01), 10),
        (lambda tone, noise: noise(12, amplitude=1e-3), 10),
        (lambda tone, noise: np.append(np.zeros(485_100), tone(440, 1)), 0),
    ],
)
def test_silence_is_what_nobody_hears(tone, noise, make, audible):
    samples = np.asarray(make(tone, noise), np.float32)
    clip = audio.load((samples, 44_100), crop="start", name="a")
    assert ("silence" in codes(clip)) is (audible == 0)
    once = clip.samples[: round(clip.info.window_end * audio.SAMPLE_RATE)]
    assert audible_seconds(once, audio.SAMPLE_RATE) == pytest.approx(audible, abs=0.2)


def test_sound_is_looked_for_once_in_a_recording(monkeypatch, tone):
    looked = []
    monkeypatch.setattr(
        audio, "audible_seconds", lambda *given: looked.append(1) or audible_seconds(*given)
    )
    prepared = prepare((tone(440, 12), 44_100), [Preprocessing.default("mel")])
    assert looked == [1]
    assert prepared.audible == prepared.clip.audible == pytest.approx(10, abs=0.2)


def test_a_pause_in_the_centre_is_named_with_a_way_out(tone):
    song = np.concatenate([np.zeros(60 * 44_100, np.float32), tone(440, 30)])
    (warning,) = audio.load((song, 44_100)).warnings
    assert warning.code == "silence"
    places: dict[Language, tuple[str, str]] = {
        "en": ("40.0 to 50.0 s", "choose that"),
        "zh": ("40.0–50.0 秒", "另选片段"),
    }
    for language, said in places.items():
        assert all(words in warning.message(language) for words in said)
    assert "silence" not in codes(audio.load((song, 44_100), crop="end"))


@pytest.mark.parametrize("offset", [0.0, 0.1])
@pytest.mark.parametrize("channels", [2, 6])
def test_opposite_channels_are_not_silence(write_sound, piece, channels, offset):
    """Nor is an offset, which does not cancel, the sound that is left of them."""
    mono = piece(12)[0]
    planes = np.stack([mono, -mono] * (channels // 2)) + np.float32(offset)
    path = write_sound("a.wav", planes, encoder="pcm_f32le")
    clip = audio.load(path, crop="start")
    assert codes(clip) == ["opposite_phase"]
    np.testing.assert_allclose(clip.original, mono[:441_000] + offset, atol=1e-6)
    wide = np.stack([mono, -0.9 * mono])  # as some effects are
    assert "opposite_phase" not in codes(audio.load((wide, 44_100)))


@pytest.mark.parametrize(
    ("bit_rate", "xing", "expected"),
    [(96_000, "1", True), (96_000, "0", True), (128_000, "1", False), (128_000, "0", False)],
)
def test_low_bit_rate(write_sound, piece, bit_rate, xing, expected):
    path = write_sound("a.mp3", piece(12), bit_rate=bit_rate, write_xing=xing)
    clip = audio.load(path)
    assert clip.info.bit_rate == bit_rate
    assert ("low_bit_rate" in codes(clip)) is expected
    assert "truncated" not in codes(clip)


def test_variable_bit_rate_without_a_header(write_sound, piece):
    # Silence at first: who believes the first frame's bit rate expects a longer piece.
    samples = np.concatenate([np.zeros(44_100 * 4), piece(16)[0]])
    variable = {"flags": "+qscale", "global_quality": "0"}
    path = write_sound("a.mp3", samples, encoder_options=variable, write_xing="0")
    with av.open(str(path)) as container:
        assert (container.duration or 0) / av.time_base > 25
    clip = audio.load(path)
    assert clip.info.duration == pytest.approx(20, abs=0.1)
    assert clip.info.window_start == pytest.approx(5, abs=0.05)
    assert clip.info.bit_rate == pytest.approx(path.stat().st_size * 8 / 20, rel=0.02)
    assert codes(clip) == ["low_bit_rate"]  # it is, on average


def test_a_webm_without_length(write_sound, piece):
    # As browsers record it.
    path = write_sound("a.webm", piece(14, 48_000), 48_000, live="1")
    clip = audio.load(path)
    assert clip.info.duration == pytest.approx(14, abs=0.1)
    assert clip.info.window_start == pytest.approx(2, abs=0.05)
    assert clip.warnings == ()


# --- damage --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(write_sound, piece):
    """Twenty seconds in each format, as bytes."""
    return {
        name: write_sound(
            name,
            piece(20, 48_000, 2),
            48_000,
            bit_rate=160_000,
            # The index of an M4A first: without it nothing is left of a truncated one.
            **({"movflags": "faststart"} if name.endswith("m4a") else {}),
        ).read_bytes()
        for name in KINDS
    }


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", KINDS)
def test_truncated_files_are_analysed(whole, name, share):
    data = whole[name]
    clip = audio.load(io.BytesIO(data[: int(share * len(data))]))
    left = clip.info.duration
    assert "truncated" in codes(clip)
    assert left == pytest.approx(20 * share, abs=1.5)
    assert clip.info.looped is (left < 10)
    assert clip.info.window_start == pytest.approx(max(0, (left - 10) / 2), abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_whole_files_are_not_called_truncated(whole, name):
    assert audio.load(io.BytesIO(whole[name])).warnings == ()


@pytest.mark.parametrize("name", KINDS)
def test_nothing_left_to_decode(whole, name):
    assert refusal(io.BytesIO(whole[name][:40])) in {
        "unknown_format",
        "no_audio_track",
    }


def test_m4a_without_its_index(write_sound, piece):
    data = write_sound("a.m4a", piece(12)).read_bytes()  # the index comes last
    assert refusal(io.BytesIO(data[: len(data) // 2])) == "unknown_format"


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a"])
@pytest.mark.parametrize("kind", ["noise", "zeros"])
def test_a_hole_in_the_middle(whole, name, kind):
    data = bytearray(whole[name])
    hole = len(data) // 8
    first = (len(data) - hole) // 2
    filling = np.random.default_rng(3).bytes(hole) if kind == "noise" else bytes(hole)
    data[first : first + hole] = filling
    clip = audio.load(io.BytesIO(bytes(data)))
    assert {"damaged", "truncated"} & set(codes(clip))
    assert len(clip.original) == pytest.approx(10 * 48_000, abs=2)  # filled from what follows
    assert 0.1 < np.abs(clip.samples).mean() < 0.3


def test_a_hole_as_wide_as_the_window(whole):
    data = bytearray(whole["a.m4a"])
    data[len(data) // 5 :] = bytes(len(data) - len(data) // 5)
    clip = audio.load(io.BytesIO(bytes(data)))
    assert "damaged" in codes(clip)
    assert 2 < clip.info.window_end < 5


# --- odd, but sound ------------------------------------------------------------------------------


def test_sources(write_sound, piece, monkeypatch):
    path = write_sound("song.flac", piece(12))
    expected = audio.load(path).samples
    stream = io.BytesIO(path.read_bytes())
    stream.seek(1_000)  # somebody has read from it before
    with path.open("rb") as file:
        for source in (str(path), stream, stream, file):
            np.testing.assert_array_equal(audio.load(source).samples, expected)
        assert not file.closed
    # A name that looks like an address is a file all the same.
    monkeypatch.chdir(path.parent)
    path.rename("pipe:song.flac")
    np.testing.assert_array_equal(audio.load("pipe:song.flac").samples, expected)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.m4a"])
@pytest.mark.parametrize(
    "tag", ["摇滚乐队".encode("gbk"), b"caf\xe9 d\xfc", b"\xff\xfe\x00\x00\xd8"]
)
def test_tags_in_other_encodings(write_sound, piece, name, tag):
    data = write_sound(name, piece(12), tags={"title": "PLACEHOLDER"}).read_bytes()
    assert b"PLACEHOLDER" in data
    clip = audio.load(io.BytesIO(data.replace(b"PLACEHOLDER", tag.ljust(11))))
    assert clip.info.duration == pytest.approx(12, abs=0.1)
    old = data + b"TAG" + tag.ljust(30) + bytes(95)  # ID3v1
    assert audio.load(io.BytesIO(old)).info.duration == pytest.approx(12, abs=0.1)


def picture(folder, container_format, encoder, frames):
    path = folder / "picture"
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(encoder, rate=25, width=64, height=64)
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        pixels = np.random.default_rng(5).integers(0, 255, (64, 64, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=stream.pix_fmt)
        for frame.pts in range(frames):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("xing", ["0", "1"])
def test_mp3_with_cover(tmp_path, write_sound, piece, xing):
    cover = picture(tmp_path, "mjpeg", "mjpeg", 1).read_bytes() * 20
    sound = write_sound("a.mp3", piece(20), bit_rate=128_000, write_xing=xing, id3v2_version="0")
    body = b"\0image/jpeg\0\3\0" + cover
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    tagged = b"ID3\3\0\0" + size + frame + sound.read_bytes()
    with av.open(io.BytesIO(tagged)) as container:
        assert container.streams.video

    clip = audio.load(io.BytesIO(tagged))
    assert clip.info.duration == pytest.approx(20, abs=0.1)
    assert clip.info.bit_rate == 128_000
    assert clip.warnings == ()
    if xing == "1":
        assert codes(audio.load(io.BytesIO(tagged[: -sound.stat().st_size // 2]))) == ["truncated"]


def test_joined_and_shortened_mp3s_are_measured(write_sound, piece):
    """A header that counts the bytes of one song says nothing about a file with other bytes."""
    song = write_sound("a.mp3", piece(20), bit_rate=128_000, id3v2_version="0").read_bytes()
    clip = audio.load(io.BytesIO(song))
    assert clip.info.duration == pytest.approx(20, abs=0.01)
    two = audio.load(io.BytesIO(song + song))
    assert two.info.duration == pytest.approx(40, abs=0.2)
    half = audio.load(io.BytesIO(song[: len(song) // 2]))
    assert half.info.duration == pytest.approx(10, abs=0.2)
    assert codes(half) == ["truncated"]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("a.mp3", (1, 44_100), (2, 44_100)),
        ("a.mp3", (2, 44_100), (1, 44_100)),
        ("a.mp3", (2, 22_050), (2, 48_000)),
        ("a.mp3", (2, 48_000), (1, 32_000)),
        ("a.aac", (1, 44_100), (2, 44_100)),
        ("a.aac", (2, 44_100), (1, 44_100)),
    ],
)
def test_joined_songs_may_differ_in_rate_and_channels(write_sound, tone, name, first, second):
    songs = []
    for frequency, (channels, rate) in ((440, first), (880, second)):
        samples = np.stack([tone(frequency, 8, rate)] * channels)
        songs.append(write_sound(name, samples, rate, bit_rate=128_000).read_bytes())
    clip = audio.load(io.BytesIO(b"".join(songs)))
    assert (clip.info.channels, clip.info.sample_rate) == first
    assert len(clip.samples) == 220_500
    assert pitch(clip.samples[:60_000], 22_050) == pytest.approx(440, abs=1)
    assert pitch(clip.samples[-60_000:], 22_050) == pytest.approx(880, abs=1)
    assert clip.info.duration == pytest.approx(16, abs=0.2)
    assert "truncated" not in codes(clip)


# --- bad input -----------------------------------------------------------------------------------


def test_missing_directory_empty(tmp_path):
    assert refusal(tmp_path / "none.mp3") == "no_such_file"
    assert refusal(tmp_path) == "directory"
    assert refusal(tmp_path / "with\0nul.mp3") == "cannot_open"
    empty = tmp_path / "empty.mp3"
    empty.touch()
    assert refusal(empty) == "empty"
    assert refusal(io.BytesIO()) == "empty"


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.mp3"
    path.write_bytes(b"x")

    def deny(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert refusal(path) == "no_permission"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root"
)
def test_no_permission_from_the_system(tmp_path):
    path = tmp_path / "secret.mp3"
    path.write_bytes(b"x")
    path.chmod(0)
    assert refusal(path) == "no_permission"


@pytest.mark.parametrize("after", [0, 1, 3, 10])
def test_a_disk_that_fails(whole, after):
    class Failing(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            if self.reads > after:
                raise OSError(5, "Input/output error")
            return super().read(size)

    try:
        assert audio.load(Failing(whole["a.wav"])).samples.shape == (220_500,)
    except AudioError as error:
        assert error.key in {"cannot_open", "unknown_format", "no_sound"}


@pytest.mark.parametrize(
    "data",
    [
        b"not music at all\n" * 500,
        "这不是音乐\n".encode() * 500,
        b"\0" * 10_000,
        b"%PDF-1.7\n" + b"stream " * 1_000,
        b"PK\x03\x04" + b"\0" * 1_000,
        b"x",
    ],
)
def test_other_things_named_mp3(tmp_path, data):
    path = tmp_path / "song.mp3"
    path.write_bytes(data)
    assert refusal(path) in {"unknown_format", "no_sound"}


@pytest.mark.parametrize(
    ("playlist", "text"),
    [
        ("list.mp3", "ffconcat version 1.0\nfile {file}\n"),
        ("list.m3u", "#EXTM3U\n#EXTINF:12,\n{file}\n"),
        (
            "list.m3u8",
            "#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\n{file}\n#EXT-X-ENDLIST\n",
        ),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"),
        (
            "list.xspf",
            "<playlist><trackList><track><location>{file}</location></track></trackList>",
        ),
    ],
)
def test_playlists_are_not_followed(write_sound, piece, playlist, text):
    song = write_sound("song.mp3", piece(12))
    path = song.with_name(playlist)
    for named in (song.name, str(song), song.as_uri()):
        path.write_text(text.format(file=named))
        assert refusal(path) == "unknown_format"


@pytest.mark.parametrize("tag", [b"drms", b"enca", b"aavd"])
def test_protected_files(write_sound, piece, tag):
    data = write_sound("a.m4a", piece(12)).read_bytes()
    assert data.count(b"mp4a") == 1
    assert refusal(io.BytesIO(data.replace(b"mp4a", tag))) == "protected"


def test_video_without_sound(tmp_path):
    assert refusal(picture(tmp_path, "mp4", "mpeg4", 25)) == "no_audio_track"


@pytest.mark.parametrize("name", KINDS)
def test_no_samples(write_sound, name):
    assert refusal(write_sound(name, np.zeros((2, 0)), 48_000)) in {
        "empty",
        "no_sound",
        "unknown_format",
        "no_audio_track",
    }


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_too_short(write_sound, piece, name):
    assert refusal(write_sound(name, piece(0.05))) == "too_short"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_samples_that_are_not_numbers(write_sound, piece, value):
    samples = piece(12, 44_100, 2)
    samples[:, 250_000:250_010] = value
    assert refusal(write_sound("a.wav", samples, encoder="pcm_f32le")) == "not_numbers"


# --- names ---------------------------------------------------------------------------------------


class _Upload(io.BytesIO):
    """A stream as frameworks hand it over."""

    def __init__(self, content, name):
        super().__init__(content)
        self.name = name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("song.mp3", "song.mp3"),
        (Path("a/song.mp3"), str(Path("a/song.mp3"))),
        (None, "the uploaded file"),
        (6, "the uploaded file"),
        (b"song.mp3", "the uploaded file"),
        ("", "the uploaded file"),
    ],
)
def test_a_name_is_a_path(write_sound, piece, name, expected):
    content = write_sound("a.flac", piece(2)).read_bytes()
    assert audio.load(_Upload(content, name)).file == expected
    assert audio.load(_Upload(content, name), name="mine").file == "mine"
    with pytest.raises(AudioError, match=f"^{re.escape(expected)}: "):
        audio.load(_Upload(b"nothing", name))


def test_a_name_may_be_given(write_sound, piece):
    path = write_sound("a.flac", piece(2))
    samples = (piece(2)[0], 44_100)
    with tempfile.TemporaryFile() as unnamed:
        unnamed.write(path.read_bytes())
        assert audio.load(unnamed).file == "the uploaded file"
        for source in (unnamed, path, str(path), path.read_bytes(), samples):
            assert audio.load(source, name="mine").file == "mine"
            recording = audio.Recording(source, name="mine")
            assert [clip.file for clip in recording.windows([0.0, 0.5], seconds=1)] == ["mine"] * 2
    assert audio.Clip.from_samples(*samples, name="mine").file == "mine"
    assert audio.Clip.from_samples(*samples).file == "the samples"
    for source in (b"nothing", (np.zeros(10), 44_100), path.parent / "none"):
        with pytest.raises(AudioError, match=r"^mine: "):
            audio.load(source, name="mine")


# --- anything ------------------------------------------------------------------------------------

MODEST = settings(
    max_examples=80,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MAGIC = [
    b"",
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\x00\x02",
    b"ID3\x03\x00\x00",
    b"\xff\xfb\x90\x00",
    b"\x00\x00\x00\x20ftypM4A ",
    b"\x1a\x45\xdf\xa3",
    b"FORM\x00\x00\x00\x24AIFF",
]


def clip_or_error(data):
    try:
        clip = audio.load(io.BytesIO(data))
    except AudioError as error:
        for language in LANGUAGES:
            assert error.message(language)
            assert "\n" not in error.message(language)
        return
    assert clip.samples.shape == (220_500,)
    assert np.isfinite(clip.samples).all()
    assert len(clip.original)
    assert clip.info.window_start < clip.info.window_end
    for warning in clip.warnings:
        assert warning.message("zh")


@MODEST
@given(st.sampled_from(MAGIC), st.binary(max_size=4_000))
def test_any_bytes(magic, data):
    clip_or_error(magic + data)


@pytest.fixture(scope="module")
def seconds_of(write_sound, piece):
    return {
        name: write_sound(name, piece(1, 48_000, 2), 48_000).read_bytes()
        for name in [*KINDS, "a.aac", "a.webm"]
    }


@MODEST
@given(data=st.data())
def test_any_damage(seconds_of, data):
    damaged = bytearray(seconds_of[data.draw(st.sampled_from(sorted(seconds_of)))])
    n = len(damaged)
    # Headers are where damage bites.
    places = st.one_of(st.integers(0, 200), st.integers(0, n - 1), st.integers(n - 2_000, n - 1))
    for place in data.draw(st.lists(places, max_size=10)):
        damaged[min(place, n - 1)] = data.draw(st.integers(0, 255))
    first, last = sorted(data.draw(st.tuples(places, places)))
    match data.draw(st.sampled_from(["keep", "cut", "drop", "repeat"])):
        case "cut":
            del damaged[last:]
        case "drop":
            del damaged[first:last]
        case "repeat":
            damaged[last:last] = damaged[first:last]
    clip_or_error(bytes(damaged))
