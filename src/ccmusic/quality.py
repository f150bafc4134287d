"""Warnings about a recording: reasons to trust its verdicts less."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ccmusic import speech
from ccmusic.decode import Decoded, Samples, Sound, peak
from ccmusic.texts import Language, translate
from ccmusic.values import Value

_SHORT = 8.0
_COMMON_RATES = frozenset(
    {22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000}
)
_LOW_BIT_RATE = 125_000  # below 128 kbit/s comes 112; measured rates may be off by a frame
_SILENCE = 1e-3  # -60 dB of full scale
_CLIPPED_SHARE = 1e-3
_HIGH_BAND = 5_000.0
_HIGH_BAND_DB = -40.0
_AUDIBLE_BLOCK = 0.1  # seconds
_TOO_SHORT = 1.0  # seconds of sound
_DOUBTFUL = 3.0
_BLOCK = 2_048  # samples, less than the shortest recording has


Judged = Literal["yes", "doubtful", "too_short", "silent"]
"""Whether there is enough sound to judge."""


@dataclass(frozen=True, eq=False, repr=False)
class AudioWarning(Value):
    """A reason to trust the verdicts less."""

    code: str
    """One of ``truncated``, ``damaged``, ``low_bit_rate``, ``unusual_rate``, ``short``,
    ``silence``, ``clipping``, ``dull``, ``speech``."""
    values: dict[str, float]
    """Numbers in the sentence."""

    def message(self, language: Language = "en") -> str:
        """The sentence in a language."""
        return translate(language, f"quality.{self.code}", **self.values)


def audible_seconds(samples: Samples, sample_rate: int) -> float:
    """Seconds of sound: tenths of a second that reach -60 dB of full scale somewhere."""
    edges = np.arange(0, len(samples), round(_AUDIBLE_BLOCK * sample_rate))
    loudest = np.maximum.reduceat(samples, edges)
    quietest = np.minimum.reduceat(samples, edges)
    lengths = np.diff(np.append(edges, len(samples)))
    audible = np.maximum(loudest, -quietest) >= _SILENCE
    return float(lengths[audible].sum() / sample_rate)


def enough(audible: float) -> Judged:
    """Whether so many seconds of sound can be judged."""
    if audible == 0:
        return "silent"
    if audible < _TOO_SHORT:
        return "too_short"
    return "doubtful" if audible < _DOUBTFUL else "yes"


def find_warnings(
    decoded: Decoded, samples: Samples, sample_rate: int, duration: float
) -> tuple[AudioWarning, ...]:
    """All warnings of a decoded window.

    Parameters
    ----------
    samples
        float32 [n], the window in mono at ``sample_rate``.
    duration
        Seconds of the whole recording.
    """
    return (
        *_file_warnings(decoded, duration),
        *_signal_warnings(decoded.sound, samples, sample_rate),
    )


def _file_warnings(decoded: Decoded, duration: float) -> Iterator[AudioWarning]:
    header, rate = decoded.header, decoded.sound.rate
    bit_rate = header.bit_rate
    if header.cut_off:
        yield AudioWarning("truncated", {"duration": duration})
    if decoded.sound.errors:
        yield AudioWarning("damaged", {"errors": decoded.sound.errors})
    if header.codec == "mp3" and bit_rate and bit_rate < _LOW_BIT_RATE:
        yield AudioWarning("low_bit_rate", {"kbps": bit_rate / 1000})
    if rate not in _COMMON_RATES:
        yield AudioWarning("unusual_rate", {"rate": rate})
    if duration < _SHORT:
        yield AudioWarning("short", {"duration": duration})


def _signal_warnings(sound: Sound, samples: Samples, sample_rate: int) -> Iterator[AudioWarning]:
    # Of the mono mix: channels in opposite phase cancel to silence.
    loudest = peak(samples)
    if loudest < _SILENCE:
        yield AudioWarning("silence", {"peak": loudest})
        return
    clipped = sound.clipped / (sound.taken * sound.channels)
    if clipped > _CLIPPED_SHARE:
        yield AudioWarning("clipping", {"share": clipped})
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    hann = np.hanning(_BLOCK).astype(np.float32)
    few = np.array_split(blocks, math.ceil(len(blocks) / 32))  # half an hour is 19,000 blocks
    parts = (np.fft.rfft(some * hann).view(np.float32) for some in few)  # real, imaginary in turn
    power = np.sum([np.square(part).sum(axis=0) for part in parts], axis=0)
    edge = 2 * round(_HIGH_BAND * _BLOCK / sample_rate)
    level = 10 * math.log10(max(float(power[edge:].sum() / power.sum()), 1e-12))
    if level < _HIGH_BAND_DB:
        yield AudioWarning("dull", {"level": level})
    if speech.is_speech(samples, sample_rate):
        yield AudioWarning("speech", {})
