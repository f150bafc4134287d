"""Formats of collections without loss, and DSD: read, and damaged without harm.

``sounds/`` holds short tones of our own in formats that PyAV does not write: the MPC by mpcenc, the
DTS by FFmpeg's command, the TAK and the APE by packing its samples into frames.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from ccmusic import audio
from ccmusic.errors import CCMusicError
from conftest import tone

SOUNDS = Path(__file__).parent / "sounds"


def bits(samples):
    """A stream of single bits, uint8 [n], whose local mean is the sound."""
    steps = np.floor(np.cumsum((samples.astype(np.float64) + 1) / 2))
    return np.diff(steps, prepend=0).astype(np.uint8)


def dsf(rate=2_822_400, seconds=0.5):
    """Two channels of a tone in blocks of 4,096 bytes, the first bit lowest."""
    block = 4_096
    planes = [np.packbits(bits(tone(f, seconds, rate)), bitorder="little") for f in (440, 880)]
    n = len(planes[0])
    padded = [np.pad(plane, (0, -n % block)).reshape(-1, block) for plane in planes]
    body = np.stack(padded, axis=1).tobytes()
    form = struct.pack("<4sQ6IQ2I", b"fmt ", 52, 1, 0, 2, 2, rate, 1, 8 * n, block, 0)
    data = struct.pack("<4sQ", b"data", 12 + len(body)) + body
    return struct.pack("<4s3Q", b"DSD ", 28, 28 + len(form) + len(data), 0) + form + data


def dff(rate=2_822_400, seconds=0.5):
    """The same byte by byte, the first bit highest."""

    def chunk(name, content):
        return struct.pack(">4sQ", name, len(content)) + content + bytes(len(content) & 1)

    planes = [np.packbits(bits(tone(f, seconds, rate))) for f in (440, 880)]
    name = b"not compressed"
    properties = b"SND " + chunk(b"FS  ", struct.pack(">I", rate))
    properties += chunk(b"CHNL", struct.pack(">H", 2) + b"SLFTSRGT")
    properties += chunk(b"CMPR", b"DSD " + bytes([len(name)]) + name)
    body = chunk(b"FVER", b"\x01\x05\0\0") + chunk(b"PROP", properties)
    body += chunk(b"DSD ", np.stack(planes, axis=1).tobytes())
    return b"FRM8" + struct.pack(">Q", len(body) + 4) + b"DSD " + body


@pytest.fixture(scope="module")
def files(write_sound):
    """Content by suffix, and codec, rate, channels, seconds and pitch of it."""
    stereo = np.stack([tone(440, 2), 0.5 * tone(880, 2)])
    return {
        ".wv": (write_sound("a.wv", stereo).read_bytes(), "wavpack", 44_100, 2, 2, 440),
        ".tta": (write_sound("a.tta", stereo).read_bytes(), "tta", 44_100, 2, 2, 440),
        ".dsf": (dsf(), "dsd_lsbf_planar", 44_100, 2, 0.5, 440),
        ".dff": (dff(), "dsd_msbf", 44_100, 2, 0.5, 440),
        ".mpc": ((SOUNDS / "tone.mpc").read_bytes(), "musepack8", 44_100, 2, 1, 440),
        ".tak": ((SOUNDS / "tone.tak").read_bytes(), "tak", 8_000, 1, 0.5, 440),
        ".ape": ((SOUNDS / "tone.ape").read_bytes(), "ape", 8_000, 1, 0.5, 440),
    }


SUFFIXES = [".wv", ".tta", ".dsf", ".dff", ".mpc", ".tak", ".ape"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_collections_without_loss_are_read(files, suffix):
    content, codec, rate, channels, seconds, frequency = files[suffix]
    assert suffix in audio.SUFFIXES
    clip = audio.load(content)
    info = clip.info
    assert (info.codec, info.sample_rate, info.channels) == (codec, rate, channels)
    assert info.duration == pytest.approx(seconds, abs=0.06)
    assert info.looped
    assert {warning.code for warning in clip.warnings} <= {"short", "dull", "unusual_rate"}
    heard = clip.samples[: round(seconds * audio.SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) / seconds == pytest.approx(frequency, abs=3)


@pytest.mark.parametrize(("rate", "told"), [(5_644_800, 44_100), (6_144_000, 48_000)])
def test_dsd_of_higher_rates(rate, told):
    clip = audio.load(dsf(rate))
    assert clip.info.sample_rate == told
    assert clip.info.duration == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("suffix", [".wv", ".tta"])
def test_a_long_one_is_cropped(write_sound, suffix):
    sound = np.concatenate([tone(300, 10), tone(600, 10), tone(900, 10)])
    clip = audio.load(write_sound("a" + suffix, sound))
    assert (clip.info.window_start, clip.info.window_end) == (10, 20)
    # The first format of these encoders has 8 bits.
    np.testing.assert_allclose(clip.original, sound[441_000:882_000], atol=2**-7)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_is_survived(files, suffix, capfd):
    whole = files[suffix][0]
    for seed in range(60):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice((1, 3, 10, 100))):
            content[chance.randrange(min(len(content), chance.choice((100, 10**9))))] = (
                chance.randrange(256)
            )
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        try:
            clip = audio.load(bytes(content))
        except CCMusicError:
            continue
        info = clip.info
        assert np.isfinite(clip.samples).all()
        assert info.window_start < info.window_end <= info.duration
        assert (info.bit_rate or 0) <= 8.8 * len(content) / min(info.duration, 0.1) + 1_000
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tag_before_the_file(files, suffix):
    whole = files[suffix][0]
    clip = audio.load(b"ID3\3\0\0\0\0\x50\0" + bytes(0x50 << 7) + whole)
    np.testing.assert_array_equal(clip.samples, audio.load(whole).samples)
