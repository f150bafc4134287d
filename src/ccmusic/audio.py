"""A file in, a :class:`Clip` out: 10 s of mono sound at 22,050 Hz with facts and warnings.

Only what the window needs is decoded, so a piece of three hours costs no more memory than one
of three minutes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soxr

from ccmusic.decode import Crop, Samples, Source, decode, digest, name_of
from ccmusic.errors import AudioError
from ccmusic.quality import AudioWarning, find_warnings
from ccmusic.renamed import RenamedAttribute, renamed_names

__all__ = [
    "CLIP_SECONDS",
    "MAX_SECONDS",
    "SAMPLE_RATE",
    "SUFFIXES",
    "AudioInfo",
    "AudioWarning",
    "Clip",
    "Crop",
    "Samples",
    "Source",
    "digest",
    "load",
    "named",
]

SAMPLE_RATE = 22_050
CLIP_SECONDS = 10.0
MAX_SECONDS = 1800.0

# What a search through folders takes for music; a file that is named is tried whatever its name.
# fmt: off
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".mp4", ".aif",
    ".aiff", ".au", ".caf", ".w64", ".mka", ".mkv", ".webm", ".wma",
)
# fmt: on
_ABSURD = 1e9  # full scale is 1; NaN and infinity are not below this either
_SHORTEST = 0.1


@dataclass(frozen=True)
class AudioInfo:
    """What the file says about itself, and which part of it was taken."""

    codec: str
    bit_rate: int | None
    """Bits per second, where the file tells."""
    sample_rate: int
    """Hertz, as stored in the file."""
    channels: int
    duration: float
    """Seconds."""
    window_start: float
    """Seconds from the start of the piece."""
    window_end: float
    looped: bool
    """The piece is shorter than the window and was repeated."""


@dataclass(frozen=True)
class Clip:
    """Ten seconds ready to become a spectrogram."""

    file: str
    """What messages and results call the recording."""
    samples: Samples
    """float32 [220500] for the usual 10 s, mono at 22,050 Hz, nominally in -1..1."""
    original: Samples
    """float32 [n], the window in mono at the file's own rate, before resampling and looping."""
    info: AudioInfo
    warnings: tuple[AudioWarning, ...]

    native = RenamedAttribute("original")
    facts = RenamedAttribute("info")


def load(
    source: Source,
    *,
    crop: Crop | float = "center",
    seconds: float = CLIP_SECONDS,
    loop: bool = True,
) -> Clip:
    """Decode the analysis window of a file.

    Parameters
    ----------
    source
        Path, or a seekable binary stream.
    crop
        Take the 10 s at the ``center`` of the piece, at its ``start``, or from this second on,
        the last 10 s at most. A shorter piece is taken whole and looped.
    seconds
        Length of the window.
    loop
        Whether the samples of a shorter piece are repeated to this length; otherwise they are as
        many as there are.

    Raises
    ------
    AudioError
        With one line that says what is wrong with which file.
    """
    name = name_of(source)
    decoded = decode(source, crop=crop, seconds=seconds)
    sound, start = decoded.sound, decoded.start
    if not sound.peak < _ABSURD:
        raise AudioError("not_numbers", file=name)
    taken = sound.taken / sound.rate
    if round(taken, 2) < _SHORTEST:
        raise AudioError("too_short", file=name, seconds=taken, least=_SHORTEST)

    samples = np.asarray(soxr.resample(sound.original, sound.rate, SAMPLE_RATE), np.float32)
    wanted = round(seconds * SAMPLE_RATE)
    samples = np.resize(samples, wanted) if loop else samples[:wanted]
    info = AudioInfo(
        codec=decoded.codec,
        bit_rate=decoded.bit_rate,
        sample_rate=sound.rate,
        channels=sound.channels,
        duration=round(max(decoded.duration, taken), 3),
        window_start=round(start, 3),
        window_end=round(start + taken, 3),
        looped=loop and taken < seconds - 0.01,
    )
    warnings = find_warnings(decoded, samples, SAMPLE_RATE, info.duration)
    return Clip(name, samples, sound.original, info, warnings)


def named(content: bytes, name: str) -> BinaryIO:
    """Make a stream of a file's content, which messages and results call by this name."""
    stream = _Named(content)
    stream.name = name
    return stream


class _Named(io.BytesIO):
    name: str


__getattr__ = renamed_names(
    __name__,
    Facts="AudioInfo",
    LONGEST_PIECE="MAX_SECONDS",
    Quality="AudioWarning",
    SECONDS="CLIP_SECONDS",
)
