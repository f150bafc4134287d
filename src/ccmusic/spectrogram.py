"""Sound in, a :class:`Spectrogram` out, with axes in seconds, hertz and note names.

Three transforms, in plain NumPy, tested against librosa:

- :class:`Cqt`, the constant-Q transform: pitch on a musical scale.
- :class:`Mel`, the mel spectrogram: pitch on a perceptual scale.
- :class:`Chroma`, the twelve pitch classes, for checkpoints that were trained on them.

A :class:`Transform` of one's own is a small class.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import soxr
from numpy.fft import fft, rfft, rfftfreq
from pydantic import Field, PlainSerializer, PlainValidator, SerializationInfo, model_validator
from pydantic_core import PydanticSerializationError

from ccmusic.audio import SAMPLE_RATE, Samples
from ccmusic.axes import RANGE_DB, Axis, Orientation, axes_or_current, note_name, show
from ccmusic.errors import ParameterError, not_one_of
from ccmusic.frames import carry
from ccmusic.values import Parameters, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

TransformName = Literal["cqt", "mel", "chroma"]
"""The transforms that a card can name."""
TransformChoice = Literal["cqt", "mel", "chroma", "both"]
"""``both``: CQT and Mel at once, ten models instead of five."""
TRANSFORM_TITLES = {"cqt": "CQT", "mel": "Mel", "chroma": "Chroma"}
WindowName = Literal["hann", "hamming", "blackman", "boxcar"]
"""``boxcar``: no window."""
PadMode = Literal["constant", "reflect"]
"""Beyond both ends: zeros, or the sound backwards (librosa's default before 0.10)."""

# Frames per block: few enough to stay in the CPU cache, and for BLAS to use one thread; its other
# threads would occupy a core while the models start.
_BLOCK = 32
_NEIGHBOURS = 16  # mel bands that are gathered at once
_MOST_FRAMES = 700  # a second; a card must not exhaust the memory
_LONGEST_FILTER = 2**17  # samples; longer filters are useless for music and exhaust the memory
# Weights of the cosines, from that of frequency 0 on, which is a constant.
_COSINES: dict[WindowName, tuple[float, ...]] = {
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
    "boxcar": (1.0,),
}


def transforms_of(choice: TransformChoice) -> tuple[TransformName, ...]:
    """Transforms of a choice; ParameterError if it is none."""
    if choice not in get_args(TransformChoice):
        raise not_one_of("Panel", "transform", choice, *map(repr, get_args(TransformChoice)))
    return ("cqt", "mel") if choice == "both" else (choice,)


@dataclass(frozen=True, eq=False, repr=False)
class Spectrogram(Value):
    """Energy over time and frequency.

    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)
    >>> spectrogram = Cqt()(tone)
    >>> spectrogram.values.shape, spectrogram.times.shape, spectrogram.frequencies.shape
    ((84, 44), (44,), (84,))
    >>> spectrogram.notes()[spectrogram.decibels().mean(axis=1).argmax()]
    'A4'
    """

    transform: str
    """Name of the transform."""
    values: npt.NDArray[np.float32]
    """float32 [n_bins, n_frames], low frequencies first, >= 0."""
    times: Axis
    """float64 [n_frames], seconds from the start of the clip, at the centre of each frame."""
    frequencies: Axis
    """float64 [n_bins], hertz, at the centre of each bin."""
    power: float = 1.0
    """What power of the magnitudes the values are: 1 (CQT, Chroma) or 2 (most Mel)."""

    @property
    def decibels_per_decade(self) -> float:
        """20 for magnitudes, 10 for powers."""
        return 20.0 / self.power

    def decibels(self) -> npt.NDArray[np.float32]:
        """Level of every cell in dB relative to the maximum, float32 [n_bins, n_frames], <= 0.

        Silence is -120 dB everywhere.
        """
        factor = self.decibels_per_decade
        peak = max(float(self.values.max()), float(np.finfo(np.float32).tiny))
        floor = 10.0 ** (-120.0 / factor)
        levels = factor * np.log10(np.maximum(self.values / peak, floor))
        return np.asarray(levels, np.float32)

    def plot(
        self, ax: Axes | None = None, *, start: float = 0.0, orientation: Orientation | None = None
    ) -> AxesImage:
        """Draw levels in dB on a Matplotlib axis, the current one by default.

        Parameters
        ----------
        start
            Seconds of the piece at which the spectrogram begins.
        orientation
            ``pitch_along_x``, as our models see a CQT and the default for one: pitch to the right,
            time downwards. ``time_along_x``, the default otherwise: time to the right.

        Returns
        -------
        The image, of dB: Matplotlib's ``colorbar`` takes it.
        """
        if orientation is None:
            orientation = "pitch_along_x" if self.transform == "cqt" else "time_along_x"
        look = {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0}
        axes, levels = axes_or_current(ax), self.decibels()
        return show(axes, levels, self, orientation=orientation, start=start, **look)

    def notes(self) -> list[str]:
        """Name of the note nearest to each bin, with cents where the bin lies off it."""
        return [note_name(frequency) for frequency in self.frequencies]


class Transform(Parameters):
    """Base of all transforms; one of your own has a name, frequencies, and a call.

    >>> class Octaves(Transform):
    ...     name: str = "octaves"
    ...
    ...     @property
    ...     def frequencies(self):
    ...         return 62.5 * 2.0 ** np.arange(7)
    ...
    ...     def __call__(self, samples):
    ...         starts = np.arange(0, len(samples) - 2047, self.hop_length)
    ...         frames = samples[starts[:, None] + np.arange(2048)] * np.hanning(2048)
    ...         power = np.abs(np.fft.rfft(frames)) ** 2
    ...         hertz = np.fft.rfftfreq(2048, 1 / self.sample_rate)
    ...         edges = np.searchsorted(hertz, self.frequencies / np.sqrt(2))
    ...         values = np.add.reduceat(power, edges, axis=1).T.astype(np.float32)
    ...         times = (starts + 1024) / self.sample_rate
    ...         return Spectrogram(self.name, values, times, self.frequencies, power=2)
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    >>> octaves = Octaves(sample_rate=16_000)
    >>> print(octaves.frequencies[octaves(tone).values.mean(axis=1).argmax()])
    500.0

    It stands in a :class:`Preprocessing` like ours, in memory: a card cannot hold a class. Its
    parameters are fields, as those of pydantic's models.
    """

    sample_rate: int = Field(SAMPLE_RATE, ge=4_000, le=48_000)
    """Hertz. Above 22,050 the samples come from the file's own rate."""
    hop_length: int = Field(512, ge=32, le=8192)
    """Samples from one frame to the next."""
    name: str
    """Named so in results; ours are ``cqt``, ``mel`` and ``chroma``."""

    @property
    @abstractmethod
    def frequencies(self) -> Axis:
        """Centre of each bin, hertz, float64 [n_bins], ascending."""

    @abstractmethod
    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`.

        Equal numbers of samples must give equal numbers of frames, one at least.
        """

    @model_validator(mode="after")
    def _has_not_too_many_frames(self) -> Self:
        if self.sample_rate > _MOST_FRAMES * self.hop_length:
            owner, rate = type(self).__name__, self.sample_rate / self.hop_length
            raise ParameterError("many_frames", owner=owner, rate=rate, most=_MOST_FRAMES)
        return self

    def _times(self, n_frames: int) -> Axis:
        return np.arange(n_frames, dtype=np.float64) * (self.hop_length / self.sample_rate)

    def _check_reach(self, hertz: float) -> None:
        nyquist = self.sample_rate / 2
        if hertz > nyquist:
            owner = type(self).__name__
            raise ParameterError("beyond_nyquist", owner=owner, reach=hertz, nyquist=nyquist)


class Cqt(Transform):
    """Constant-Q transform: every bin a window over the same number of cycles.

    C. Schörkhuber, A. Klapuri, "Constant-Q transform toolbox for music processing", 2010, with
    the conventions of ``librosa.cqt`` (L1-normalised filters, scaled by the square root of their
    length), so that foreign checkpoints get the input they were trained on.

    All octaves use one set of filters: from octave to octave the sample rate of the signal is
    halved instead of doubling the length of the filters.

    >>> thirds = Cqt(n_bins=252, bins_per_octave=36, hop_length=256)
    >>> thirds(np.zeros(22_050)).values.shape
    (252, 87)
    >>> Cqt(n_bins=108)
    Traceback (most recent call last):
    ccmusic.errors.ParameterError: Cqt: 16488 Hz is beyond 11025 Hz, half the sample rate
    """

    written_if_changed = frozenset({"filter_scale", "window", "pad_mode"})

    name: Literal["cqt"] = "cqt"
    n_bins: int = Field(84, gt=0, le=1024)
    bins_per_octave: int = Field(12, gt=0, le=96)
    fmin: float = Field(32.70319566257483, ge=1)
    """Hertz; C1 by default."""
    filter_scale: float = Field(1.0, ge=0.1, le=4)
    """Length of the filters: below 1 they are shorter, sharper in time and less so in pitch."""
    window: WindowName = "hann"
    pad_mode: PadMode = "constant"

    @model_validator(mode="after")
    def _fits_the_rate(self) -> Cqt:
        octaves = -(-self.n_bins // self.bins_per_octave)
        least = 2 ** (octaves - 1)
        if self.hop_length % least:
            raise ParameterError("hop_length", least=least, hop_length=self.hop_length)
        self._check_reach(self._cutoff)
        lowest = self.frequencies[-self.bins_per_octave :][0]  # of the highest octave
        if self._quality * self.sample_rate / lowest > _LONGEST_FILTER:
            raise ParameterError(
                "endless_filters", bins_per_octave=self.bins_per_octave, longest=_LONGEST_FILTER
            )
        return self

    @property
    def frequencies(self) -> Axis:
        """Centre of each bin, hertz."""
        octaves: Axis = np.arange(self.n_bins) / self.bins_per_octave
        return np.asarray(self.fmin * np.exp2(octaves), np.float64)

    @property
    def _quality(self) -> float:
        """Cycles in each filter."""
        step = float(2 ** (2 / self.bins_per_octave))
        return self.filter_scale * (step + 1) / (step - 1)

    @property
    def _cutoff(self) -> float:
        """Where the highest filter ends, hertz: half the window's bandwidth above its centre."""
        constant, *cosines = _COSINES[self.window]
        bandwidth = 1 + sum(weight**2 for weight in cosines) / (2 * constant**2)
        return float(self.frequencies[-1]) * (1 + bandwidth / (2 * self._quality))

    @property
    def _halvings(self) -> int:
        """How often the sample rate can be halved before the highest octave, as in librosa."""
        octaves = -(-self.n_bins // self.bins_per_octave)
        twos = (self.hop_length & -self.hop_length).bit_length() - 1
        room = int(np.ceil(np.log2(self.sample_rate / 2 / self._cutoff))) - 2
        return max(0, min(room, twos - octaves + 1))

    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`, into magnitudes."""
        samples = _floats(samples)
        n_frames = 1 + len(samples) // self.hop_length
        values = np.empty((self.n_bins, n_frames), np.float32)
        factor = 2**self._halvings
        rate, hop = self.sample_rate / factor, self.hop_length // factor
        if factor > 1:
            samples = _slower(samples, factor)
        for top in range(self.n_bins, 0, -self.bins_per_octave):
            bottom = max(0, top - self.bins_per_octave)
            kernel = _filters(self, top - bottom, rate)
            frames = _frames(samples, len(kernel), hop, n_frames, self.pad_mode)
            parts = np.ascontiguousarray(kernel).view(np.float32)
            for start in range(0, n_frames, _BLOCK):
                block = slice(start, start + _BLOCK)
                response = frames[block] @ parts
                values[bottom:top, block] = np.abs(response.view(np.complex64)).T
            if bottom:
                samples = _slower(samples, 2)
                hop //= 2
        return Spectrogram("cqt", values, self._times(n_frames), self.frequencies)


class Mel(Transform):
    """Mel spectrogram: a spectrum gathered into bands of equal perceived width.

    By default the conventions of ``librosa.feature.melspectrogram``: bands after M. Slaney's
    Auditory Toolbox (1998), linear below 1 kHz, logarithmic above, triangles of equal area; powers.
    With ``htk=True, norm=None, pad_mode="reflect"`` those of torchaudio's ``MelSpectrogram``.

    >>> Mel()(np.zeros(22_050)).values.shape
    (128, 44)

    What the networks of PANNs see:

    >>> panns = Mel(
    ...     sample_rate=32_000, n_fft=1024, hop_length=320, n_mels=64,
    ...     fmin=50, fmax=14_000, pad_mode="reflect",
    ... )
    >>> panns(np.zeros(320_000)).values.shape
    (64, 1001)
    >>> Mel(fmin=-3)
    Traceback (most recent call last):
    ccmusic.errors.ParameterError: Mel: fmin cannot be -3; it must be float (>= 0)
    """

    written_if_changed = frozenset(
        {"fmin", "fmax", "htk", "norm", "window", "win_length", "center", "pad_mode", "power"}
    )

    name: Literal["mel"] = "mel"
    n_fft: int = Field(2048, ge=64, le=65_536)
    """Samples of a frame."""
    n_mels: int = Field(128, gt=0, le=1024)
    fmin: float = Field(0.0, ge=0)
    """Lower edge of the lowest band, hertz."""
    fmax: float | None = Field(None, gt=0)
    """Upper edge of the highest band, hertz; None for half the sample rate."""
    htk: bool = False
    """Bands after the HTK toolkit: logarithmic throughout."""
    norm: Literal["slaney"] | None = "slaney"
    """``slaney``: triangles of equal area. None: of equal height, 1."""
    window: WindowName = "hann"
    win_length: int | None = Field(None, ge=16, le=65_536)
    """Samples under the window, in the middle of the frame; None for the whole frame."""
    center: bool = True
    """Whether the first frame is centred on the first sample, or begins with it."""
    pad_mode: PadMode = "constant"
    power: float = Field(2.0, gt=0, le=4)
    """Of the magnitudes: 1 for magnitudes, 2 for powers."""

    @model_validator(mode="after")
    def _agree(self) -> Mel:
        top = self._top
        self._check_reach(top)
        if self.fmin >= top:
            raise ParameterError("no_band", fmin=self.fmin, fmax=top)
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ParameterError("long_window", win_length=self.win_length, n_fft=self.n_fft)
        if self.pad_mode == "reflect" and not self.center:
            raise ParameterError(
                "without_effect", owner="Mel", name="pad_mode", condition="center=False"
            )
        return self

    @property
    def _top(self) -> float:
        return self.sample_rate / 2 if self.fmax is None else self.fmax

    @property
    def frequencies(self) -> Axis:
        """Centre of each band, hertz."""
        return _mel_edges(self)[1:-1]

    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`, into the bands' powers."""
        samples = _floats(samples)
        window, bands = _mel_weights(self)
        spare = 0 if self.center else self.n_fft
        n_frames = 1 + max(0, len(samples) - spare) // self.hop_length
        pad_mode = self.pad_mode if self.center else None
        frames = _frames(samples, self.n_fft, self.hop_length, n_frames, pad_mode)
        values = np.empty((self.n_mels, n_frames), np.float32)
        for start in range(0, n_frames, _BLOCK):
            block = slice(start, start + _BLOCK)
            spectrum = rfft(frames[block] * window)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            if self.power != 2:
                power **= self.power / 2
            for mels, bins, weights in bands:
                values[mels, block] = weights @ power[:, bins].T
        times = self._times(n_frames) + spare / 2 / self.sample_rate
        return Spectrogram("mel", values, times, self.frequencies, self.power)


class Chroma(Transform):
    """Energy of the twelve pitch classes, C first, whatever the octave; the strongest is 1.

    D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007, with the conventions of
    ``librosa.feature.chroma_stft``, which first finds out how far the piece is out of tune.

    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)
    >>> chroma = Chroma()(tone)
    >>> chroma.notes()[chroma.values.mean(axis=1).argmax()]
    'A4'
    """

    name: Literal["chroma"] = "chroma"
    n_fft: int = Field(2048, ge=64, le=65_536)

    @property
    def frequencies(self) -> Axis:
        """The classes in the octave from C4, hertz."""
        return np.asarray(440.0 * np.exp2((np.arange(12) - 9) / 12), np.float64)

    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`."""
        samples = _floats(samples)
        n_frames = 1 + len(samples) // self.hop_length
        frames = _frames(samples, self.n_fft, self.hop_length, n_frames, "constant")
        power = np.empty((1 + self.n_fft // 2, n_frames), np.float32)
        for start in range(0, n_frames, _BLOCK):
            block = slice(start, start + _BLOCK)
            spectrum = rfft(frames[block] * _window("hann", self.n_fft))
            power[:, block] = (np.square(spectrum.real) + np.square(spectrum.imag)).T
        raw = _chroma_weights(self, _tuning(power, self)) @ power
        peaks = raw.max(axis=0, initial=0)
        values = (raw / np.where(peaks < np.finfo(np.float32).tiny, 1, peaks)).astype(np.float32)
        return Spectrogram("chroma", values, self._times(n_frames), self.frequencies)


carry(Spectrogram, Cqt, Mel, Chroma)
_OURS: dict[str, type[Transform]] = {"cqt": Cqt, "mel": Mel, "chroma": Chroma}


def _read(value: Any) -> Transform:
    if isinstance(value, Transform):
        return value
    ours = _OURS.get(str(value.get("name"))) if isinstance(value, Mapping) else None
    if ours is None:
        raise ParameterError(
            "parameter_value",
            owner="Preprocessing",
            name="transform",
            value=shortened(value),
            expected="Cqt | Mel | Chroma | Transform",
        )
    return ours(**{str(name): parameter for name, parameter in value.items()})


def _write(transform: Transform, info: SerializationInfo) -> Any:
    if type(transform) in _OURS.values():
        return transform.model_dump(mode=info.mode)
    raise PydanticSerializationError(str(ParameterError("own_transform", name=transform.name)))


AnyTransform = Annotated[Transform, PlainValidator(_read), PlainSerializer(_write)]
"""A field for one of ours, which a card can hold, or one of the caller's own."""


def _floats(samples: npt.NDArray[np.floating[Any]]) -> Samples:
    """Mono samples as float32 [n].

    Raises
    ------
    ValueError
        If they are no floats, or not mono.
    """
    values = np.asarray(samples)
    if values.dtype.kind != "f" or values.ndim != 1:
        raise ValueError(
            f"a spectrogram takes mono samples, floats of shape [n], not {values.dtype} of shape "
            f"{list(values.shape)}: see ccmusic.Clip.from_samples"
        )
    return values.astype(np.float32, copy=False)


def _frames(
    samples: Samples, length: int, hop_length: int, n_frames: int, pad_mode: PadMode | None
) -> Samples:
    """Overlapping frames, float32 [n_frames, length], each centred on a multiple of the hop.

    Without a ``pad_mode`` each begins there.
    """
    before = length // 2 if pad_mode else 0
    after = max(0, (n_frames - 1) * hop_length + length - before - len(samples))
    # Nothing is reflected by less than two samples.
    mode = pad_mode if pad_mode and len(samples) > 1 else "constant"
    padded = np.pad(samples, (before, after), mode)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop_length][:n_frames]


def _slower(samples: Samples, factor: int) -> Samples:
    """Fewer samples per second; the square root puts back the energy that is lost with them."""
    return np.asarray(soxr.resample(samples, factor, 1) * np.float32(np.sqrt(factor)))


@lru_cache(maxsize=16)
def _filters(cqt: Cqt, count: int, rate: float) -> npt.NDArray[np.complex64]:
    """Filters of the highest bins, complex64 [n_fft, count], to multiply frames at a rate by.

    As in librosa, each is thinned in the frequency domain: negative frequencies and the weakest
    hundredth of its spectrum are dropped. That is audible to a comparison at -60 dB, hence kept.
    """
    frequencies = cqt.frequencies[-count:, None]
    lengths = cqt._quality * rate / frequencies
    n_fft = 2 ** int(np.ceil(np.log2(lengths.max())))
    first = -lengths // 2  # sample of each wavelet, counted from its middle
    sizes = lengths // 2 - first
    place = np.arange(n_fft) - (n_fft - sizes) // 2
    window = _cosines(cqt.window, 2 * np.pi * place / sizes)
    window[(place < 0) | (place >= sizes)] = 0
    waves = np.exp(2j * np.pi * frequencies / rate * (place + first))
    spectra = fft(window / window.sum(axis=1, keepdims=True) * waves)
    spectra[:, n_fft // 2 + 1 :] = 0
    magnitudes = np.abs(spectra)
    ranked = np.sort(magnitudes, axis=1)
    weak = np.cumsum(ranked, axis=1) < 0.01 * ranked.sum(axis=1, keepdims=True)
    spectra[magnitudes < np.take_along_axis(ranked, weak.sum(axis=1, keepdims=True), 1)] = 0
    filters = fft(spectra) * np.sqrt(lengths) / n_fft
    return np.ascontiguousarray(filters.T, np.complex64)


def _mel_edges(mel: Mel) -> Axis:
    """Corners of the triangles, hertz, float64 [n_mels + 2]."""
    ends = np.array([mel.fmin, mel._top])
    if mel.htk:
        low, high = 2595 * np.log10(1 + ends / 700)
        mels = np.linspace(low, high, mel.n_mels + 2)
        return np.asarray(700 * (10 ** (mels / 2595) - 1))
    # Slaney: 200/3 Hz per mel up to 1 kHz (mel 15), then 27 mels for a factor of 6.4.
    log_step = np.log(6.4) / 27
    low, high = np.where(
        ends < 1000, ends * 3 / 200, 15 + np.log(np.maximum(ends, 1) / 1000) / log_step
    )
    mels = np.linspace(low, high, mel.n_mels + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(log_step * (mels - 15)))


@lru_cache(maxsize=8)
def _mel_weights(mel: Mel) -> tuple[Samples, tuple[tuple[slice, slice, Samples], ...]]:
    """Window, float32 [n_fft], and triangles in groups of neighbours.

    A group is its bands, the bins that they reach, and float32 [bands, bins]: nearly all of the
    whole matrix would be zeros.
    """
    edges = _mel_edges(mel)
    bins = rfftfreq(mel.n_fft, 1 / mel.sample_rate)
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    if mel.norm:
        triangles *= (2 / (edges[2:] - edges[:-2]))[:, None]
    groups = []
    for first in range(0, mel.n_mels, _NEIGHBOURS):
        mels = slice(first, first + _NEIGHBOURS)
        reached = np.flatnonzero(triangles[mels].any(axis=0))
        low, high = (reached[0], reached[-1] + 1) if len(reached) else (0, 0)
        weights = np.ascontiguousarray(triangles[mels, low:high], np.float32)
        groups.append((mels, slice(low, high), weights))
    length = mel.win_length or mel.n_fft
    before = (mel.n_fft - length) // 2
    window = np.pad(_window(mel.window, length), (before, mel.n_fft - length - before))
    return window, tuple(groups)


def _window(name: WindowName, length: int) -> Samples:
    """Periodic window, float32 [length]."""
    return _cosines(name, 2 * np.pi * np.arange(length) / length).astype(np.float32)


def _cosines(name: WindowName, angles: Axis) -> Axis:
    """Window at angles from 0 to two pi."""
    terms = (weight * np.cos(k * angles) for k, weight in enumerate(_COSINES[name]))
    return np.asarray(sum(terms))


def _tuning(power: Samples, chroma: Chroma) -> float:
    """Deviation of the recording from A4 = 440 Hz in semitones, from -0.5.

    Peaks of the spectrum are sharpened by a parabola; of the strong half of them the commonest
    deviation counts, to a hundredth of a semitone.
    """
    low, mid, high = power[:-2], power[1:-1], power[2:]
    frequencies = np.arange(1, len(power) - 1) * (chroma.sample_rate / chroma.n_fft)
    peaks = (mid > low) & (mid >= high) & (mid > 0.1 * power.max(axis=0, initial=0))
    peaks &= ((frequencies >= 150) & (frequencies < 4000))[:, None]
    bins, frames = np.nonzero(peaks)
    a, b, c = low[bins, frames], mid[bins, frames], high[bins, frames]
    slope, curve = (c - a) / 2, a + c - 2 * b
    shift = np.where(np.abs(slope) < np.abs(curve), -slope / np.where(curve == 0, 1, curve), 0)
    pitches = (bins + 1 + shift) * (chroma.sample_rate / chroma.n_fft)
    strengths = b + slope * shift / 2
    if not len(pitches):
        return 0.0
    strong = pitches[strengths >= np.median(strengths)]
    deviation = np.mod(12 * np.log2(strong / 27.5), 1.0)
    deviation[deviation >= 0.5] -= 1
    counts, edges = np.histogram(deviation, np.linspace(-0.5, 0.5, 101))
    return float(edges[counts.argmax()])


def _chroma_weights(chroma: Chroma, tuning: float) -> Samples:
    """Gaussian bumps around each class, wide at low frequencies: float32 [12, 1 + n_fft // 2]."""
    bins = np.arange(1, chroma.n_fft) * (chroma.sample_rate / chroma.n_fft)
    semitones = 12 * np.log2(bins / (440.0 * 2.0 ** (tuning / 12) / 16))
    semitones = np.concatenate(([semitones[0] - 18], semitones))  # 0 Hz, an octave and a half down
    widths = np.concatenate((np.maximum(np.diff(semitones), 1), [1]))
    distance = semitones[None] - np.arange(12)[:, None]
    distance = np.mod(distance + 6 + 120, 12) - 6
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    weights /= np.sqrt(np.square(weights).sum(axis=0))
    # Little beyond five octaves above A0.
    weights *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    weights = np.roll(weights, -3, axis=0)  # from A first to C first
    return weights[:, : 1 + chroma.n_fft // 2].astype(np.float32)
