"""Whether a recording is mostly speech: nine measures and a logistic regression, in NumPy.

A talking voice comes in syllables, about four a second, with pauses between phrases; vowels and
hissing consonants take turns; its pitch glides, and nothing keeps a beat. Each of these alone is
also true of some music, all of them together hardly. The measures follow

- E. Scheirer, M. Slaney, "Construction and evaluation of a robust multifeature speech/music
  discriminator", ICASSP 1997: modulation at 4 Hz, share of quiet frames, spectral change, pulse;
- J. Saunders, "Real-time discrimination of broadcast speech/music", ICASSP 1996, pages 993 to 996:
  skewness; there that of the zero-crossing rate, here that of the onsets;
- T. Tolonen, M. Karjalainen, "A computationally efficient multipitch analysis model", IEEE
  Transactions on Speech and Audio Processing 8 (6), 2000: pitch as the peak of the autocorrelation
  that a compressed spectrum gives.

The coefficients are fitted by ``references/speech.py``, which also measures how often they are
right, and how often Silero VAD is (``references/results/speech.json``).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soxr
from numpy.lib.stride_tricks import sliding_window_view

Array: TypeAlias = npt.NDArray[np.float32]

SECONDS = 10.0
"""What :func:`measures` was fitted to."""
_LEAST = 5.0  # seconds; less has too few syllables
_WINDOWS = 12  # of a long piece

_RATE = 11_025  # hertz: enough for a telephone's band, which voices often come in
_SIZE = 1_024
_HOP = 256
_PER_SECOND = _RATE / _HOP  # frames
_HANN = np.hanning(_SIZE + 1)[:-1].astype(np.float32)
_BANDS = np.round(np.geomspace(100, 5_000, 21) * _SIZE / _RATE).astype(int)  # edges, bins
_VOICE = slice(8, 460)  # bins from 86 Hz to 4950 Hz
_VOWEL = slice(19, 47)  # from 205 Hz to 506 Hz
_PITCHES = slice(_RATE // 400, _RATE // 75)  # lags in samples
_SUNG = slice(6, 279)  # bins from 65 Hz to 2993 Hz
# The inverse Fourier transform of these bins, at lag 0 and at those of pitches only.
_COSINES = np.asarray(
    2 / _SIZE * np.cos(
        2 * np.pi / _SIZE
        * np.outer(np.arange(_SIZE)[_SUNG], [0, *range(_PITCHES.start, _PITCHES.stop)])
    ),
    np.float32,
)  # fmt: skip
_BLOCK = 6  # frames: few enough for BLAS to use one thread, as in ccmusic.spectrogram
_CACHED = 32  # frames whose spectra fit into a core's cache: twice as fast as all at once
_CLEAR = 0.45  # peak of the autocorrelation, over which a frame has a pitch
_PULSES = slice(12, 90)  # lags in frames, 0.28 s to 2.1 s
_SILENT = 1e-2  # power of a frame whose sound is 80 dB below full scale
_APART = 4  # frames, 93 ms: far enough that they share no sample of weight

# Name, mean and standard deviation over what it was fitted to, coefficient.
_MODEL: dict[str, tuple[float, float, float]] = {
    "slow": (-4.473, 0.988, -1.183),
    "syllables": (-5.901, 1.367, 1.515),
    "quiet": (0.198, 0.183, 1.415),
    "alike": (0.855, 0.077, -1.111),
    "vowel": (-0.610, 0.422, 0.981),
    "pulse": (0.343, 0.194, -3.860),
    "onsets": (2.515, 1.053, -0.928),
    "turns": (0.127, 0.062, 2.030),
    "glide": (-1.261, 0.849, 0.850),
}
_INTERCEPT = -4.425
_THRESHOLD = 3.3


def is_speech(samples: Array, sample_rate: int) -> bool:
    """Whether most of a recording is speech.

    Of a piece longer than 10 s some windows are judged, and most of them must be speech.

    Parameters
    ----------
    samples
        float32 [n], mono.
    sample_rate
        Hertz, 11,025 at least.
    """
    if len(samples) < _LEAST * sample_rate:
        return False
    size = round(SECONDS * sample_rate)
    count = max(1, min(_WINDOWS, len(samples) // size))
    starts = np.linspace(0, max(0, len(samples) - size), count).astype(int)
    odds = [log_odds(samples[start : start + size], sample_rate) for start in starts]
    return float(np.median(odds)) > _THRESHOLD


def log_odds(samples: Array, sample_rate: int) -> float:
    """Logarithm of how much likelier speech is than music, as often as both were fitted to.

    Minus infinity where there is too little sound.
    """
    found = measures(samples, sample_rate)
    if found is None:
        return -np.inf
    odds = _INTERCEPT
    for name, (mean, deviation, coefficient) in _MODEL.items():
        odds += coefficient * min(max((found[name] - mean) / deviation, -3.0), 3.0)
    return odds


def measures(samples: Array, sample_rate: int) -> dict[str, float] | None:
    """Measure what tells speech from music, whatever the loudness.

    Parameters
    ----------
    samples
        float32 [n], mono, about 10 s.
    sample_rate
        Hertz.

    Returns
    -------
    measures
        By name; None where there is too little sound.
    """
    sound = np.asarray(soxr.resample(samples, sample_rate, _RATE), np.float32)
    sound = sound / max(float(np.abs(sound).max()), float(np.finfo(np.float32).tiny))
    power = _power(sliding_window_view(sound, _SIZE)[::_HOP])
    energy = power[:, _VOICE.start :].sum(axis=1)
    loud = float(np.quantile(energy, 0.95))
    if loud < _SILENT:
        return None
    floor = loud * 1e-6
    bands = np.add.reduceat(power, _BANDS, axis=1)[:, :-1]
    return {
        **_modulations(bands, floor),
        "quiet": float((np.sqrt(energy) < 0.5 * np.sqrt(energy).mean()).mean()),
        "alike": _sustain(power, energy, loud),
        "vowel": float(np.log10(power[:, _VOWEL].sum() / energy.sum() + 1e-4)),
        **_onsets(bands, floor),
        **_pitch(power, energy > loud * 1e-3),
    }


def _power(frames: Array) -> Array:
    """Power of each frame, float32 [frames, bins]; some at a time, as they fit into the cache."""
    power = np.empty((len(frames), _SIZE // 2 + 1), np.float32)
    for start in range(0, len(frames), _CACHED):
        spectrum = np.fft.rfft(frames[start : start + _CACHED] * _HANN)
        power[start : start + _CACHED] = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def _modulations(bands: Array, floor: float) -> dict[str, float]:
    """How much loudness goes up and down: 1 to 2 Hz within bands, 4 to 8 Hz as a whole.

    Loudness is the cubic root of power; the variance of a rhythm is taken relative to its mean.
    """
    loudness = np.cbrt(bands + floor / 100)
    mean = loudness.mean(axis=0)
    fade = np.hanning(len(bands))
    rates = np.fft.rfftfreq(len(bands), 1 / _PER_SECOND)

    def variance(curves: Array, low: float, high: float) -> Array:
        rhythm = np.fft.rfft(curves * fade[:, None], axis=0)[(rates >= low) & (rates < high)]
        return np.asarray(np.square(np.abs(rhythm)).sum(axis=0) / len(bands) ** 2, np.float32)

    slow = (variance(loudness - mean, 1, 2) / np.square(mean) * mean / mean.sum()).sum()
    whole = loudness.sum(axis=1, keepdims=True)
    syllables = variance(whole / whole.mean() - 1, 4, 8)[0]
    return {"slow": float(np.log(slow + 1e-6)), "syllables": float(np.log(syllables + 1e-6))}


def _sustain(power: Array, energy: Array, loud: float) -> float:
    """Cosine between loud spectra 93 ms apart, where it is high: a note lasts, a vowel does not."""
    size = np.sqrt(power[:, _VOICE])
    length = np.sqrt(power[:, _VOICE].sum(axis=1)) + np.sqrt(loud * 1e-6)
    cosines = np.einsum("ij,ij->i", size[_APART:], size[:-_APART])
    cosines /= length[_APART:] * length[:-_APART]
    both = (energy[_APART:] > loud / 100) & (energy[:-_APART] > loud / 100)
    return float(np.quantile(cosines[both] if both.sum() > 10 else cosines, 0.9))


def _onsets(bands: Array, floor: float) -> dict[str, float]:
    """Whether onsets come in a pulse, and how much the strongest stand out."""
    onsets = np.maximum(np.diff(np.log(bands + floor), axis=0), 0).sum(axis=1)
    onsets -= onsets.mean()
    size = 2 * len(onsets)
    repeats = np.fft.irfft(np.square(np.abs(np.fft.rfft(onsets, size))), size)
    variance = float(np.square(onsets).mean())
    return {
        "pulse": float(repeats[_PULSES].max() / (repeats[0] + 1e-9)),
        "onsets": float((onsets**3).mean() / (variance**1.5 + 1e-9)),
    }


def _pitch(power: Array, sounding: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Whether frames with and without a pitch take turns, and how far it glides."""
    roots = np.sqrt(power[:, _SUNG])
    blocks = range(0, len(roots), _BLOCK)
    repeats = np.concatenate([roots[start : start + _BLOCK] @ _COSINES for start in blocks])
    lags = repeats[:, 1:] / (repeats[:, :1] + 1e-9)
    best = lags.argmax(axis=1)
    frames = np.arange(len(lags))
    clarity = lags[frames, best]
    # A parabola through the peak and its neighbours.
    best = np.clip(best, 1, lags.shape[1] - 2)
    before, peak, after = (lags[frames, best + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * peak + after, -1e-6)
    offset = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    semitones = -12 * np.log2(_PITCHES.start + best + offset)
    voiced = (clarity > _CLEAR) & sounding
    both = voiced[_APART:] & voiced[:-_APART]
    steps = np.abs(semitones[_APART:] - semitones[:-_APART])[both]
    glides = steps[steps < 5]  # more is a jump from voice to voice, or an octave's error
    return {
        "turns": float(clarity.std()),
        "glide": float(np.log(np.median(glides) + 0.02 if len(glides) > 10 else 0.3)),
    }
