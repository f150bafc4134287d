"""Files that are none, or say what cannot be: one clear error at once, and not a word from C."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

from ccmusic import audio
from ccmusic.errors import AudioError, CCMusicError


def _wav(rate: int) -> bytes:
    body = random.Random(1).randbytes(200_000)
    header = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate & 0xFFFF_FFFF, 2, 16)
    riff = b"WAVEfmt " + header + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(riff)) + riff


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2_147_483_647])
def test_a_sample_rate_that_cannot_be(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(_wav(rate))
    with pytest.raises(AudioError) as caught:
        audio.load(path)
    assert caught.value.key == "bad_rate"


@pytest.mark.parametrize("rate", [8_000, 768_000])
def test_rare_sample_rates(rate: int) -> None:
    assert audio.load(audio.named(_wav(rate), "a.wav")).info.sample_rate == rate


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        for read in (audio.load, audio.digest):
            with pytest.raises(AudioError) as caught:
                read(path)
            assert caught.value.key == "not_a_file"


def test_ffmpeg_and_pyav_write_nothing_to_standard_error(
    tmp_path: Path, write_sound, tone, capfd: pytest.CaptureFixture[str]
) -> None:
    """Sizes in the header that lead beyond what a file can be."""
    sound = write_sound("a.caf", tone(440, 1)).read_bytes()
    path = tmp_path / "a.caf"
    for seed in range(50):
        chance = random.Random(seed)
        content = bytearray(sound)
        for _ in range(chance.choice((1, 3, 10))):
            content[chance.randrange(600)] = chance.randrange(256)
        path.write_bytes(content)
        try:
            audio.load(path)
        except CCMusicError as error:
            assert "Errno" not in str(error), seed
    assert capfd.readouterr() == ("", "")
