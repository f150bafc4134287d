"""A spectrogram in, a :class:`Picture` out, stage by stage, according to the preprocessing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field, model_validator

from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS
from ccmusic.axes import Orientation, orient
from ccmusic.errors import ParameterError, not_one_of
from ccmusic.frames import carry
from ccmusic.spectrogram import (
    AnyTransform,
    Chroma,
    Cqt,
    Mel,
    Spectrogram,
    Transform,
    TransformName,
)
from ccmusic.values import Parameters, Value

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
_Cell = TypeVar("_Cell", np.uint8, np.float32)

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


class Preprocessing(Parameters):
    """How a spectrogram becomes the input of a model; part of the model's card.

    >>> Preprocessing.default("cqt").orientation
    'pitch_along_x'

    Whatever a model was trained on: here decibels relative to full scale, the cells themselves,
    and as many channels as the model has.

    >>> own = Preprocessing(
    ...     transform=Mel(n_mels=64, fmax=8_000), orientation="time_along_x",
    ...     levels="decibels", reference=1.0, top_db=None,
    ...     scaling="none", resizing="none", channels=1, mean=-40, std=20,
    ... )
    >>> own.shape
    (1, 64, 431)
    """

    written_if_changed = frozenset({"reference", "top_db", "resizing"})

    transform: AnyTransform
    orientation: Orientation
    """``pitch_along_x``: low notes left, time downwards. ``time_along_x``: low notes at the
    bottom, time to the right."""
    levels: Literal["logarithm", "decibels"] = "logarithm"
    """``logarithm``: natural, of the value plus :attr:`log_floor`. ``decibels``: relative to the
    :attr:`reference`."""
    log_floor: float = Field(1e-6, ge=1e-30, le=1)
    reference: float | None = Field(None, ge=1e-30, le=1e30)
    """Value of the spectrogram that has 0 dB; None for the loudest cell of the whole piece."""
    top_db: float | None = Field(80.0, gt=0, le=300)
    """Decibels are no lower than this below the loudest cell of the whole piece; None: no limit but
    that of a power of 1e-10."""
    scaling: Literal["minmax", "none"] = "minmax"
    """``minmax``: the quietest cell becomes 0, the loudest 255. ``none``: the model's input is made
    of the levels themselves."""
    colours: Literal["grey", "magma"] = "grey"
    """``grey``: equal channels. ``magma``: matplotlib's, three channels."""
    canvas: tuple[_Side, _Side] | None = None
    """Width and height, pixels, on which the cells are painted as blocks before resizing; None
    resizes the cells themselves."""
    slice_seconds: float | None = Field(None, ge=1, le=MAX_SECONDS)
    """Length of the slices into which the whole piece is cut; None takes the clip as it is."""
    resizing: Literal["bilinear", "none"] = "bilinear"
    """``bilinear``: antialiased, to :attr:`size`. ``none``: a pixel for each cell."""
    size: int = Field(224, gt=0, le=2048)
    """Height and width, pixels, unless the cells keep theirs."""
    channels: int = Field(3, gt=0, le=16)
    mean: _Mean | tuple[_Mean, _Mean, _Mean] = 0.5
    std: _Std | tuple[_Std, _Std, _Std] = 0.25
    """Of pixels in 0..1, or of unscaled levels: of all channels, or of each of three."""

    @model_validator(mode="after")
    def _parameters_agree(self) -> Self:
        each = isinstance(self.mean, tuple) or isinstance(self.std, tuple)
        if self.channels != 3 and (each or self.colours == "magma"):
            raise ParameterError("three_channels")
        for value, name, condition, effect in (
            (self.reference, "reference", 'levels="logarithm"', self.levels == "decibels"),
            (self.top_db != 80, "top_db", 'levels="logarithm"', self.levels == "decibels"),
            (self.colours == "magma", "colours", 'scaling="none"', self.scaling != "none"),
            (self.canvas, "canvas", 'scaling="none"', self.scaling != "none"),
            (self.canvas, "canvas", 'resizing="none"', self.resizing != "none"),
            (self.size != 224, "size", 'resizing="none"', self.resizing != "none"),
        ):
            if value and not effect:
                owner = "Preprocessing"
                raise ParameterError("without_effect", owner=owner, name=name, condition=condition)
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the model's input."""
        if self.resizing == "bilinear":
            return self.channels, self.size, self.size
        seconds = self.slice_seconds or CLIP_SECONDS
        silence = np.zeros(round(seconds * self.transform.sample_rate), np.float32)
        spectrogram = self.transform(silence)
        step = _slice_frames(spectrogram, self) if self.slice_seconds else None
        height, width = orient(spectrogram.values[:, :step], self.orientation).shape
        return self.channels, height, width

    @classmethod
    def default(cls, transform: TransformName) -> Preprocessing:
        """Preprocessing of our own checkpoints.

        Raises
        ------
        ParameterError
            If there is no such transform.
        """
        orientation: Orientation = "pitch_along_x" if transform == "cqt" else "time_along_x"
        return cls(transform=_named(transform), orientation=orientation)

    @classmethod
    def ccmusic(cls, transform: TransformName) -> Preprocessing:
        """That of the original CCMusic checkpoints: coloured slices of the whole piece.

        Errors as :meth:`default`.
        """
        return cls(
            transform=_named(transform),
            orientation="time_along_x",
            levels="decibels",
            colours="magma",
            canvas=(496, 369),  # what a matplotlib figure of the usual size leaves for the axes
            slice_seconds=11.4,
            mean=0.5,
            std=0.5,
        )


def _named(transform: str) -> Transform:
    if transform not in _TRANSFORMS:
        names = map(repr, get_args(TransformName))
        raise not_one_of("Preprocessing", "transform", transform, *names)
    return _TRANSFORMS[transform]


@dataclass(frozen=True, eq=False, repr=False)
class Picture(Value):
    """Input of a network, with all stages before it.

    >>> preprocessing = Preprocessing.default("mel")
    >>> spectrogram = preprocessing.transform(np.zeros(220_500))
    >>> picture = Picture.from_spectrogram(spectrogram, preprocessing)
    >>> picture.scaled.shape, picture.pixels.shape, picture.input.shape
    ((128, 431), (224, 224), (3, 224, 224))
    """

    spectrogram: Spectrogram
    """Spectrogram of the picture; of a slice, that slice."""
    logarithm: Floats
    """float32 [n_bins, n_frames], levels according to the preprocessing, low frequencies first."""
    scaled: Pixels
    """uint8 [height, width], oriented, before resizing."""
    pixels: Pixels
    """uint8 [height, width] of the input, or [height, width, 3] if the preprocessing gives colours;
    to look at if the input is made of unscaled levels."""
    preprocessing: Preprocessing

    @cached_property
    def input(self) -> Floats:
        """float32 [channels, height, width], normalised with the preprocessing's mean and std."""
        # Not a field: a picture that goes to another process weighs a third without it.
        preprocessing = self.preprocessing
        if preprocessing.scaling == "minmax":
            return normalise(self.pixels, preprocessing)
        cells = orient(self.logarithm, preprocessing.orientation)
        if preprocessing.resizing == "bilinear":
            cells = resize(cells, preprocessing.size, preprocessing.size)
        return normalise(cells, preprocessing)

    @classmethod
    def from_spectrogram(
        cls,
        spectrogram: Spectrogram,
        preprocessing: Preprocessing,
        *,
        loudest: float | None = None,
    ) -> Self:
        """Turn a spectrogram into a network's input.

        Parameters
        ----------
        loudest
            Highest value of the whole piece, to which decibels are relative; by default that of the
            spectrogram.
        """
        if preprocessing.levels == "decibels":
            logarithm = _decibels(spectrogram, preprocessing, loudest)
        else:
            logarithm = np.log(spectrogram.values + np.float32(preprocessing.log_floor))
        scaled = scale(orient(logarithm, preprocessing.orientation))
        pixels = magma()[scaled] if preprocessing.colours == "magma" else scaled
        if preprocessing.canvas:
            blocks = Image.fromarray(pixels).resize(preprocessing.canvas, Image.Resampling.NEAREST)
            pixels = np.asarray(blocks)
        if preprocessing.resizing == "bilinear":
            pixels = resize(pixels, preprocessing.size, preprocessing.size)
        return cls(spectrogram, logarithm, scaled, pixels, preprocessing)

    @classmethod
    def slices(cls, spectrogram: Spectrogram, preprocessing: Preprocessing) -> tuple[Self, ...]:
        """Cut the spectrogram of a whole piece into the preprocessing's slices, a picture of each.

        Slices are adjacent and centred; the rest at both ends is dropped. A piece that
        is shorter than a slice must have been looped before.
        """
        n_frames = spectrogram.values.shape[1]
        step = _slice_frames(spectrogram, preprocessing)
        count = n_frames // step
        begin = (n_frames - count * step) // 2
        loudest = float(spectrogram.values.max())
        slices = (slice(begin + i * step, begin + (i + 1) * step) for i in range(count))
        return tuple(
            cls.from_spectrogram(
                replace(spectrogram, values=spectrogram.values[:, s], times=spectrogram.times[s]),
                preprocessing,
                loudest=loudest,
            )
            for s in slices
        )


carry(Picture, Preprocessing)


def _slice_frames(spectrogram: Spectrogram, preprocessing: Preprocessing) -> int:
    assert preprocessing.slice_seconds is not None
    n_frames = len(spectrogram.times)
    hop = preprocessing.transform.hop_length / preprocessing.transform.sample_rate
    # The original divides by the length of the sound, half a frame less than the frames' span.
    step = int(preprocessing.slice_seconds * n_frames / ((n_frames - 0.5) * hop))
    return max(1, min(n_frames, step))


def _decibels(
    spectrogram: Spectrogram, preprocessing: Preprocessing, loudest: float | None
) -> Floats:
    per_decade = spectrogram.decibels_per_decade
    quietest = _QUIETEST ** (10 / per_decade)
    peak = max(quietest, float(spectrogram.values.max()) if loudest is None else loudest)
    reference = preprocessing.reference or peak
    levels = per_decade * np.log10(np.maximum(spectrogram.values, quietest) / reference)
    if preprocessing.top_db is not None:
        floor = per_decade * np.log10(peak / reference) - preprocessing.top_db
        levels = np.maximum(levels, np.float32(floor))
    return np.asarray(levels, np.float32)


@lru_cache(maxsize=1)
def magma() -> Pixels:
    """Matplotlib's 256 colours of this name, darkest first, uint8 [256, 3]."""
    stops = np.frombuffer(_MAGMA, np.uint8).reshape(-1, 3)
    greys = np.arange(256)
    colours = [np.interp(greys, np.arange(0, 256, 5), stops[:, c]) for c in range(3)]
    return np.stack(colours, axis=1).round().astype(np.uint8)


def scale(values: Floats) -> Pixels:
    """Stretch to 0..255, uint8; a constant picture becomes black."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    stretched: Floats = (values - low) / (high - low) * 255
    return stretched.round().astype(np.uint8)


def resize(cells: npt.NDArray[_Cell], height: int, width: int) -> npt.NDArray[_Cell]:
    """Antialiased bilinear, [height, width] or, of uint8 alone, [height, width, 3]."""
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BILINEAR))


def normalise(cells: Pixels | Floats, preprocessing: Preprocessing) -> Floats:
    """Subtract the mean and divide by std, [channels, height, width]; pixels become 0..1 before."""
    floats: Floats = cells.astype(np.float32)
    if cells.dtype == np.uint8:
        floats = floats / np.float32(255)
    if floats.ndim == 2:
        floats = np.repeat(floats[..., None], preprocessing.channels, axis=2)
    mean, std = (np.asarray(v, np.float32) for v in (preprocessing.mean, preprocessing.std))
    return np.ascontiguousarray(((floats - mean) / std).transpose(2, 0, 1))
