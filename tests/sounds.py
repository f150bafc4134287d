"""Sounds to test with."""

from functools import lru_cache

import numpy as np


def tone(
    frequency: float, seconds: float, rate: int = 44_100, *, amplitude: float = 0.3
) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def noise(
    seconds: float, rate: int = 44_100, *, amplitude: float = 0.03, below: float | None = None
) -> np.ndarray:
    """White noise, or what of it lies below a frequency; the same in every call."""
    return (amplitude * _noise(round(seconds * rate), rate, below)).astype(np.float32)


@lru_cache(maxsize=8)
def _noise(n: int, rate: int, below: float | None) -> np.ndarray:
    samples = np.random.default_rng(7).standard_normal(n)
    if below is not None:
        spectrum = np.fft.rfft(samples)
        spectrum[round(below * n / rate) :] = 0
        samples = np.fft.irfft(spectrum, n)
        samples /= samples.std()
    return samples
