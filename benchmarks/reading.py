"""Ten seconds of a five-minute file beside other readers: ``python benchmarks/reading.py``.

Needs librosa, which brings soundfile. The centre of every common format is decoded, mixed and
resampled; ours also measures what its warnings tell. The reference for MP3 is ``librosa.load``;
for WAV, FLAC and Ogg Vorbis, soundfile and soxr; for M4A, PyAV by hand and soxr.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import librosa
import numpy as np
import soundfile
import soxr

from ccmusic import audio
from pieces import KINDS, RATE, long_song
from timing import keep, median_ms

START, SECONDS = 145, 10


def with_soundfile(path: Path) -> object:
    with soundfile.SoundFile(path) as file:
        file.seek(START * RATE)
        samples = file.read(SECONDS * RATE, dtype="float32")
    return soxr.resample(samples.mean(axis=1), RATE, audio.SAMPLE_RATE)


def with_av(path: Path) -> object:
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        assert stream.time_base
        container.seek(int(START / stream.time_base), stream=stream)
        frames, n = [], 0
        for frame in container.decode(stream):
            frames.append(frame.to_ndarray())
            n += frame.samples
            if n > (SECONDS + 0.1) * RATE:
                break
    samples = np.concatenate(frames, axis=1)[:, : SECONDS * RATE]
    return soxr.resample(samples.mean(axis=0), RATE, audio.SAMPLE_RATE)


def with_librosa(path: Path) -> object:
    return librosa.load(path, sr=audio.SAMPLE_RATE, offset=START, duration=SECONDS)


_SOUNDFILE = ("soundfile", with_soundfile)
REFERENCES: dict[str, tuple[str, Callable[[Path], object]]] = {
    **dict.fromkeys(KINDS, _SOUNDFILE),
    "mp3": ("librosa", with_librosa),
    "m4a": ("av", with_av),
}


def main() -> None:
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            song = long_song(Path(folder), 5, kind)
            name, reference = REFERENCES[kind]
            ours, theirs = median_ms(
                partial(audio.load, song), partial(reference, song), repeats=30
            )
            rows[kind] = {
                "ms": ours, "reference": name, "reference_ms": theirs, "ratio": ours / theirs
            }  # fmt: skip
    keep("reading", rows)


if __name__ == "__main__":
    main()
