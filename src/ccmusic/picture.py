"""A spectrogram in, a :class:`Picture` out, stage by stage, according to the preprocessing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ccmusic.audio import MAX_SECONDS
from ccmusic.frames import carry
from ccmusic.spectrogram import Chroma, Cqt, Mel, Spectrogram, Transform, TransformName
from ccmusic.values import Value

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
_Cell = TypeVar("_Cell", bound=np.generic)

_TOP_DB = 80.0
_QUIETEST = 1e-10  # power; librosa takes no logarithm of less
# Every fifth of matplotlib's 256 magma colours (S. van der Walt, N. Smith, CC0); between them a
# straight line misses by one level at most.
_MAGMA = bytes.fromhex(
    "00000402020b0504160907200e0b2b140e361a104221114e29115a311165390f6e420f754a107952137c"
    "5a167e6219806a1c81721f81792282812581892881912b81992d80a1307eaa337db2357bba3878c23b75"
    "ca3e72d2426fd9466be04c67e75263ec5860f1605df4695cf7725cf97b5dfb8560fc8e64fd9869fea16e"
    "feaa74feb47bfebd82fec68afecf92fed89afde2a3fdebacfcf4b6fcfdbf"
)


_Mean = Annotated[float, Field(ge=-1000, le=1000)]
_Std = Annotated[float, Field(ge=1e-3, le=1000)]
_Side = Annotated[int, Field(gt=0, le=4096)]
_TRANSFORMS: dict[TransformName, Transform] = {"cqt": Cqt(), "mel": Mel(), "chroma": Chroma()}


class Preprocessing(BaseModel):
    """How a spectrogram becomes the input of a model; part of the model's card."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    transform: Transform
    orientation: Literal["pitch_along_x", "time_along_x"]
    """``pitch_along_x``: low notes left, time downwards. ``time_along_x``: low notes at the
    bottom, time to the right."""
    levels: Literal["logarithm", "decibels"] = "logarithm"
    """``logarithm``: natural, of the value plus :attr:`log_floor`. ``decibels``: relative to the
    loudest cell of the whole piece, no lower than -80."""
    log_floor: float = Field(1e-6, ge=1e-30, le=1)
    scaling: Literal["minmax"] = "minmax"
    """``minmax``: the quietest cell becomes 0, the loudest 255."""
    colours: Literal["grey", "magma"] = "grey"
    """``grey``: equal channels. ``magma``: matplotlib's, three channels."""
    canvas: tuple[_Side, _Side] | None = None
    """Width and height, pixels, on which the cells are painted as blocks before resizing; None
    resizes the cells themselves."""
    slice_seconds: float | None = Field(None, ge=1, le=MAX_SECONDS)
    """Length of the slices into which the whole piece is cut; None takes the clip as it is."""
    size: int = Field(224, gt=0, le=2048)
    """Height and width, pixels."""
    channels: int = Field(3, gt=0, le=16)
    mean: _Mean | tuple[_Mean, _Mean, _Mean] = 0.5
    std: _Std | tuple[_Std, _Std, _Std] = 0.25
    """Of pixels in 0..1: of all channels, or of each of three."""

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        each = isinstance(self.mean, tuple) or isinstance(self.std, tuple)
        if self.channels != 3 and (each or self.colours == "magma"):
            raise ValueError("colours, and a mean or std of each channel, need three channels")
        return self

    @classmethod
    def default(cls, transform: TransformName) -> Preprocessing:
        """Preprocessing of our own checkpoints."""
        upright: Literal["pitch_along_x", "time_along_x"] = (
            "pitch_along_x" if transform == "cqt" else "time_along_x"
        )
        return cls(transform=_TRANSFORMS[transform], orientation=upright)

    @classmethod
    def ccmusic(cls, transform: TransformName) -> Preprocessing:
        """Preprocessing of the original CCMusic checkpoints: coloured slices of the whole piece."""
        return cls(
            transform=_TRANSFORMS[transform],
            orientation="time_along_x",
            levels="decibels",
            colours="magma",
            canvas=(496, 369),  # what a matplotlib figure of the usual size leaves for the axes
            slice_seconds=11.4,
            mean=0.5,
            std=0.5,
        )


@dataclass(frozen=True, eq=False, repr=False)
class Picture(Value):
    """Input of a network, with all stages before it."""

    spectrogram: Spectrogram
    """Spectrogram of the picture; of a slice, that slice."""
    logarithm: Floats
    """float32 [n_bins, n_frames], levels according to the preprocessing, low frequencies first."""
    scaled: Pixels
    """uint8 [height, width], oriented, before resizing."""
    pixels: Pixels
    """uint8 [size, size], or [size, size, 3] if the preprocessing gives colours."""
    input: Floats
    """float32 [channels, size, size], normalised with the preprocessing's mean and std."""
    preprocessing: Preprocessing


carry(Picture, Preprocessing)


def draw(
    spectrogram: Spectrogram, preprocessing: Preprocessing, *, loudest: float | None = None
) -> Picture:
    """Turn a spectrogram into a network's input.

    Parameters
    ----------
    loudest
        Highest value of the whole piece, to which decibels are relative; by default that of the
        spectrogram.
    """
    if preprocessing.levels == "decibels":
        logarithm = _decibels(spectrogram, loudest)
    else:
        logarithm = np.log(spectrogram.values + np.float32(preprocessing.log_floor))
    scaled = scale(orient(logarithm, preprocessing))
    coloured = magma()[scaled] if preprocessing.colours == "magma" else scaled
    if preprocessing.canvas:
        width, height = preprocessing.canvas
        blocks = Image.fromarray(coloured).resize((width, height), Image.Resampling.NEAREST)
        coloured = np.asarray(blocks)
    pixels = resize(coloured, preprocessing.size, preprocessing.size)
    return Picture(
        spectrogram, logarithm, scaled, pixels, normalise(pixels, preprocessing), preprocessing
    )


def draw_slices(spectrogram: Spectrogram, preprocessing: Preprocessing) -> tuple[Picture, ...]:
    """Cut the spectrogram of a whole piece into the preprocessing's slices and draw each.

    Slices are adjacent and centred; the rest at both ends is dropped. A piece that
    is shorter than a slice must have been looped before.
    """
    assert preprocessing.slice_seconds is not None
    n_frames = spectrogram.values.shape[1]
    hop = preprocessing.transform.hop_length / preprocessing.transform.sample_rate
    # The original divides by the length of the sound, half a frame less than the frames' span.
    step = min(
        n_frames, max(1, int(preprocessing.slice_seconds * n_frames / ((n_frames - 0.5) * hop)))
    )
    count = n_frames // step
    begin = (n_frames - count * step) // 2
    loudest = float(spectrogram.values.max())
    slices = (slice(begin + i * step, begin + (i + 1) * step) for i in range(count))
    return tuple(
        draw(
            replace(spectrogram, values=spectrogram.values[:, s], times=spectrogram.times[s]),
            preprocessing,
            loudest=loudest,
        )
        for s in slices
    )


def _decibels(spectrogram: Spectrogram, loudest: float | None) -> Floats:
    per_decade = spectrogram.decibels_per_decade
    quietest = _QUIETEST ** (10 / per_decade)
    peak = max(quietest, float(spectrogram.values.max()) if loudest is None else loudest)
    levels = per_decade * np.log10(np.maximum(spectrogram.values, quietest) / peak)
    return np.asarray(np.maximum(levels, -_TOP_DB), np.float32)


@lru_cache(maxsize=1)
def magma() -> Pixels:
    """Matplotlib's 256 colours of this name, darkest first, uint8 [256, 3]."""
    stops = np.frombuffer(_MAGMA, np.uint8).reshape(-1, 3)
    greys = np.arange(256)
    colours = [np.interp(greys, np.arange(0, 256, 5), stops[:, c]) for c in range(3)]
    return np.stack(colours, axis=1).round().astype(np.uint8)


def orient(values: npt.NDArray[_Cell], preprocessing: Preprocessing) -> npt.NDArray[_Cell]:
    """Turn [n_bins, n_frames] into the orientation of the preprocessing: [height, width]."""
    return values.T if preprocessing.orientation == "pitch_along_x" else values[::-1]


def scale(values: Floats) -> Pixels:
    """Stretch to 0..255, uint8; a constant picture becomes black."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    stretched: Floats = (values - low) / (high - low) * 255
    return stretched.round().astype(np.uint8)


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Antialiased bilinear, uint8 [height, width] or [height, width, 3]."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def normalise(pixels: Pixels, preprocessing: Preprocessing) -> Floats:
    """Become float in 0..1, then subtract the mean and divide by std: [channels, size, size]."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], preprocessing.channels, axis=2)
    mean, std = (np.asarray(v, np.float32) for v in (preprocessing.mean, preprocessing.std))
    floats = (pixels.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(floats.transpose(2, 0, 1))
