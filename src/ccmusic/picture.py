"""A spectrogram in, a :class:`Picture` out, stage by stage, as the model's recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from ccmusic.spectrogram import Cqt, Mel, Spectrogram, Transform

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Recipe(BaseModel):
    """How a model wants its picture; part of the model's card, never of the program."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transform: Transform
    orientation: Literal["pitch_along_x", "time_along_x"]
    """``pitch_along_x``: low notes left, time downwards. ``time_along_x``: low notes at the
    bottom, time to the right."""
    log_floor: float = Field(1e-6, gt=0)
    """The logarithm is taken of the value plus this."""
    scaling: Literal["minmax"] = "minmax"
    """``minmax``: the quietest cell becomes 0, the loudest 255."""
    size: int = Field(224, gt=0)
    """Height and width, pixels."""
    channels: int = Field(3, gt=0)
    """Equal copies."""
    mean: float = 0.5
    std: float = Field(0.25, gt=0)

    @classmethod
    def default(cls, transform: Literal["cqt", "mel"]) -> Recipe:
        """Recipe of our own checkpoints."""
        if transform == "cqt":
            return cls(transform=Cqt(), orientation="pitch_along_x")
        return cls(transform=Mel(), orientation="time_along_x")


@dataclass(frozen=True)
class Picture:
    """What a network sees, with the stages that led to it."""

    logarithm: Floats
    """float32 [n_bins, n_frames], natural logarithm, low frequencies first."""
    scaled: Pixels
    """uint8 [height, width], oriented, before resizing."""
    pixels: Pixels
    """uint8 [size, size]."""
    input: Floats
    """float32 [channels, size, size], normalised with the recipe's mean and std."""
    recipe: Recipe


def draw(spectrogram: Spectrogram, recipe: Recipe) -> Picture:
    """Turn a spectrogram into a network's input."""
    logarithm = np.log(spectrogram.values + np.float32(recipe.log_floor))
    scaled = scale(orient(logarithm, recipe))
    pixels = resize(scaled, recipe.size, recipe.size)
    return Picture(logarithm, scaled, pixels, normalise(pixels, recipe), recipe)


def orient(values: Floats, recipe: Recipe) -> Floats:
    """Turn [n_bins, n_frames] the way the recipe draws it: [height, width]."""
    return values.T if recipe.orientation == "pitch_along_x" else values[::-1]


def scale(values: Floats) -> Pixels:
    """Stretch to 0..255, uint8; a constant picture becomes black."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    stretched: Floats = (values - low) / (high - low) * 255
    return stretched.round().astype(np.uint8)


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Antialiased bilinear, uint8 [height, width]."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def normalise(pixels: Pixels, recipe: Recipe) -> Floats:
    """Become float in 0..1, then subtract the mean and divide by std: [channels, size, size]."""
    floats = (pixels.astype(np.float32) / 255 - recipe.mean) / recipe.std
    return np.repeat(floats[None], recipe.channels, axis=0).astype(np.float32)
