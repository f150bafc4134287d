"""Random training pictures from spectrograms.

All recordings get the same random changes, whatever their source: a network must not learn a genre
from the length, loudness, band limit, or noise floor of a clip.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ccmusic.audio import CLIP_SECONDS
from ccmusic.axes import orient
from ccmusic.picture import Pixels, Preprocessing, resize, scale

_LARGEST_MASK = 0.15
_DB = np.log(10) / 20  # one decibel of magnitude as a natural logarithm


def random_picture(
    values: npt.NDArray[np.float16],
    preprocessing: Preprocessing,
    *,
    length: int,
    rng: np.random.Generator,
    mixed_with: npt.NDArray[np.float16] | None = None,
) -> Pixels:
    """Crop, loop, filter, and mask a spectrogram, and draw it.

    Parameters
    ----------
    values
        Natural logarithm of a spectrogram, float16 [n_bins, n_frames].
    length
        Extent of the picture along time, pixels. Less than the full size gives a crop of the
        picture at the same scale: fewer seconds, not smaller ones.
    mixed_with
        Another spectrogram, which sounds at the same time at about the same level.

    Returns
    -------
    uint8 [length, size] with pitch along x, [size, length] with time along x
    """
    transform = preprocessing.transform
    db = _DB if transform.name == "cqt" else 2 * _DB
    n_frames = 1 + int(CLIP_SECONDS * transform.sample_rate) // transform.hop_length
    n_frames = max(1, round(n_frames * length / preprocessing.size))
    picture = _recording(values, n_frames, transform.frequencies, rng, db)
    if mixed_with is not None:
        other = _recording(mixed_with, n_frames, transform.frequencies, rng, db)
        level = picture.mean() - other.mean() + db * rng.uniform(-6, 6)
        picture = np.logaddexp(picture, other + level)
    if rng.random() < 0.3:
        picture = _lossy_codec(picture, rng, db)
    if rng.random() < 0.4:
        # Compressed or expanded dynamics.
        picture = picture.max() + (picture - picture.max()) * rng.uniform(0.85, 1.15)
    if rng.random() < 0.25:
        # Hiss, as of microphones and tapes.
        picture = np.logaddexp(picture, picture.max() - db * rng.uniform(55, 110))
    picture = np.logaddexp(picture + db * rng.uniform(-12, 3), np.log(preprocessing.log_floor))
    picture = _mask(picture, rng)
    scaled = scale(orient(picture.astype(np.float32), preprocessing.orientation))
    along_x = preprocessing.orientation == "time_along_x"
    return resize(
        scaled, *((preprocessing.size, length) if along_x else (length, preprocessing.size))
    )


def _recording(
    values: npt.NDArray[np.float16],
    n_frames: int,
    frequencies: npt.NDArray[np.float64],
    rng: np.random.Generator,
    db: float,
) -> npt.NDArray[np.float32]:
    """Part of a spectrogram at another pitch and through another equaliser."""
    picture = _crop_and_loop(values, n_frames, rng).astype(np.float32)
    shifted = np.arange(len(picture)) - int(rng.integers(-1, 2))
    picture = picture[np.clip(shifted, 0, len(picture) - 1)]  # the edge is repeated
    return picture + _equaliser(frequencies, rng) * np.float32(db)


def _crop_and_loop(
    values: npt.NDArray[np.float16], n_frames: int, rng: np.random.Generator
) -> npt.NDArray[np.float16]:
    """Between a fifth of the window and all of it, up to 5 % faster or slower, then looped."""
    available = values.shape[1]
    speed = rng.uniform(0.95, 1.05)
    # Half of the draws keep the whole window, as a user's song gives it.
    share = 1.0 if rng.random() < 0.5 else rng.uniform(0.2, 1.0)
    length = min(available, max(1, round(share * n_frames * speed)))
    start = rng.integers(0, available - length + 1)
    steps = np.arange(n_frames) * speed + rng.uniform(0, length)
    return values[:, start + steps.astype(int) % length]


def _equaliser(
    frequencies: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Tilt, bumps, and band limits in dB, float32 [n_bins, 1]."""
    octaves = np.log2(frequencies / 500)
    curve = octaves * rng.normal(0, 0.7)
    if rng.random() < 0.7:
        for _ in range(rng.integers(2, 6)):
            centre, width = rng.uniform(-4, 4.5), rng.uniform(0.4, 2)
            curve += rng.normal(0, 4) * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    if rng.random() < 0.3:
        slope = rng.choice([24, 60])
        curve -= slope * np.maximum(0, octaves - np.log2(rng.uniform(2_500, 10_000) / 500))
    if rng.random() < 0.3:
        slope = rng.choice([12, 24])
        curve -= slope * np.maximum(0, np.log2(rng.uniform(40, 250) / 500) - octaves)
    return curve[:, None].astype(np.float32)


def _lossy_codec(
    picture: npt.NDArray[np.float32], rng: np.random.Generator, db: float
) -> npt.NDArray[np.float32]:
    """Fade what lies far below the loudest bin of its frame, as lossy codecs drop it."""
    audible = picture.max(axis=0, keepdims=True) - db * rng.uniform(35, 65)
    return np.where(picture < audible, picture - db * rng.uniform(5, 40), picture)


def _mask(picture: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Hide up to one band of pitch and one of time (D. S. Park et al., SpecAugment, 2019)."""
    quiet = picture.min()
    for axis in (0, 1):
        if rng.random() < 0.5:
            extent = picture.shape[axis]
            width = int(rng.uniform(0, _LARGEST_MASK) * extent)
            start = rng.integers(0, extent - width + 1)
            picture[(slice(None),) * axis + (slice(start, start + width),)] = quiet
    return picture
