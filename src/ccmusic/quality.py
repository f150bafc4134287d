"""Warnings about a recording: reasons to trust its verdicts less."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ccmusic import speech
from ccmusic.decode import Decoded, Samples, peak
from ccmusic.texts import Language, translate
from ccmusic.values import Value

_SHORT = 8.0
_COMMON_RATES = frozenset(
    {22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000}
)
_LOW_BIT_RATE = 125_000  # below 128 kbit/s comes 112; measured rates may be off by a frame
_SILENCE = 2.5e-7  # mean square: -66 dB of full scale, the hiss of a quiet room's recording
_CLIPPED_SHARE = 1e-3
_HIGH_BAND = 5_000.0
_HIGH_BAND_DB = -40.0
_TOO_SHORT = 1.0  # seconds of sound
_DOUBTFUL = 3.0
_BLOCK = 2_048  # samples, less than the shortest recording has
_HANN = np.hanning(_BLOCK).astype(np.float32)
_LOWEST = 20.0  # hertz
_HOP = 0.1  # seconds
_FRAME = 4_096 / 22_050  # seconds: a fast length for the Fourier transform
# The main lobe of this window is eight bins wide, 43 Hz, and all else below -92 dB: what lies below
# 20 Hz, where nothing is heard, does not reach this bin, however strong it is.
_LOWEST_BIN = 8
_BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)
_AT_ONCE = 64  # frames
_RINGING = 0.02  # seconds at both ends in which a resampler answers to an offset


Judged = Literal["yes", "doubtful", "too_short", "silent"]
"""Whether there is enough sound to judge."""


@dataclass(frozen=True, eq=False, repr=False)
class AudioWarning(Value):
    """A reason to trust the verdicts less.

    >>> import numpy as np
    >>> from ccmusic import Clip
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=4 * 22_050)
    >>> [warning.message() for warning in Clip.from_samples(noise, 22_050).warnings]
    ['only 4.0 s long: looped to 10 s']
    """

    code: str
    """One of ``truncated``, ``damaged``, ``low_bit_rate``, ``unusual_rate``, ``short``,
    ``silence``, ``opposite_phase``, ``clipping``, ``dull``, ``speech``, ``edited``."""
    values: dict[str, float]
    """Numbers in the sentence."""

    def message(self, language: Language = "en") -> str:
        """The sentence in a language."""
        return translate(language, f"quality.{self.code}", **self.values)


def audible_seconds(samples: Samples, sample_rate: int) -> float:
    """Seconds of sound: tenths of a second that reach -66 dB of full scale above 20 Hz.

    A constant offset and rumble below what is heard are no sound.
    """
    edges = np.arange(0, len(samples), round(_HOP * sample_rate))
    lengths = np.diff(np.append(edges, len(samples)))
    # What is below 20 Hz changes no faster than this from sample to sample, and what is above makes
    # at most four times its power of changes: mostly, this is enough to know.
    slow = (2 * np.pi * _LOWEST / sample_rate * peak(samples)) ** 2
    steps = np.zeros_like(samples)
    np.subtract(samples[1:], samples[:-1], out=steps[1:])
    edge = round(_RINGING * sample_rate)
    steps[:edge] = steps[-edge:] = 0
    steps[edges] = 0  # between two blocks
    changes = np.add.reduceat(np.square(steps, out=steps), edges) / lengths
    audible = changes > slow + 4 * _SILENCE
    # What does not move by itself is silent, however loud its neighbours in the frame around it.
    doubtful = [
        block
        for block in np.flatnonzero(~audible)
        if samples[edges[block] :][: lengths[block]].var(dtype=np.float64) >= _SILENCE
    ]
    middles = edges[doubtful] + lengths[doubtful] / 2
    audible[doubtful] = _powers(samples, sample_rate, middles) >= _SILENCE
    return float(lengths[audible].sum() / sample_rate)


def _powers(
    samples: Samples, sample_rate: int, middles: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean square of what is above 20 Hz, around each of these samples."""
    size = min(len(samples), round(_FRAME * sample_rate))
    weights = _weights(size)
    starts = np.clip(np.round(middles - size / 2), 0, len(samples) - size).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)
    powers = np.empty(len(starts))
    for first in range(0, len(starts), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        parts = np.fft.rfft(frames[starts[some]] * weights)[:, _LOWEST_BIN:]
        powers[some] = (np.square(parts.real) + np.square(parts.imag)).sum(axis=1)
    return powers


@lru_cache(maxsize=4)
def _weights(size: int) -> Samples:
    """Window, of which the power of a spectrum's half is the mean square of the samples."""
    phase = 2 * np.pi * np.arange(size) / size
    window = sum(share * np.cos(n * phase) for n, share in enumerate(_BLACKMAN_HARRIS))
    return np.asarray(window * math.sqrt(2 / (size * np.sum(window**2))), np.float32)


def judgeable(audible: float) -> Judged:
    """Whether so many seconds of sound can be judged."""
    if audible == 0:
        return "silent"
    if audible < _TOO_SHORT:
        return "too_short"
    return "doubtful" if audible < _DOUBTFUL else "yes"


def find_warnings(
    decoded: Decoded, samples: Samples, sample_rate: int, duration: float, audible: float
) -> Iterator[AudioWarning]:
    """All warnings of a decoded window.

    Parameters
    ----------
    samples
        float32 [n], the window in mono at ``sample_rate``.
    duration
        Seconds of the whole recording.
    audible
        :func:`audible_seconds` of the window.
    """
    yield from _file_warnings(decoded, duration)
    sound = decoded.sound
    if audible == 0:
        end = decoded.start + sound.taken / sound.rate
        yield AudioWarning("silence", {"start": decoded.start, "end": end})
        return
    if 2 * sound.opposite > sound.taken:
        yield AudioWarning("opposite_phase", {})
    clipped = sound.clipped / (sound.taken * sound.channels)
    if clipped > _CLIPPED_SHARE:
        yield AudioWarning("clipping", {"share": clipped})
    level = _high_band(samples, sample_rate)
    if level < _HIGH_BAND_DB:
        yield AudioWarning("dull", {"level": level})
    if speech.is_speech(samples, sample_rate):
        yield AudioWarning("speech", {})


def _file_warnings(decoded: Decoded, duration: float) -> Iterator[AudioWarning]:
    header, sound = decoded.header, decoded.sound
    bit_rate = header.bit_rate
    if header.cut_off:
        yield AudioWarning("truncated", {"duration": duration})
    if sound.errors:
        yield AudioWarning("damaged", {"errors": sound.errors})
    if header.codec == "mp3" and bit_rate and bit_rate < _LOW_BIT_RATE:
        yield AudioWarning("low_bit_rate", {"kbps": bit_rate / 1000})
    if sound.rate not in _COMMON_RATES:
        yield AudioWarning("unusual_rate", {"rate": sound.rate})
    if duration < _SHORT:
        yield AudioWarning("short", {"duration": duration})


def _high_band(samples: Samples, sample_rate: int) -> float:
    """Level of what is above 5 kHz, in dB of all that is above 30 Hz."""
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    few = np.array_split(blocks, math.ceil(len(blocks) / 32))  # half an hour is 19,000 blocks
    parts = (np.fft.rfft(some * _HANN).view(np.float32) for some in few)  # real, imaginary in turn
    power = np.sum([np.square(part).sum(axis=0) for part in parts], axis=0)
    lowest, edge = (2 * round(f * _BLOCK / sample_rate) for f in (_LOWEST + 10, _HIGH_BAND))
    return 10 * math.log10(max(float(power[edge:].sum() / power[lowest:].sum()), 1e-12))
