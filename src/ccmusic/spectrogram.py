"""Sound in, a :class:`Spectrogram` out, with axes in seconds, hertz and note names.

Three transforms, in plain NumPy, tested against librosa:

- :class:`Cqt`, the constant-Q transform: pitch on a musical scale.
- :class:`Mel`, the mel spectrogram: pitch on a perceptual scale.
- :class:`Chroma`, the twelve pitch classes, for checkpoints that were trained on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import soxr
from numpy.fft import fft, rfft, rfftfreq
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ccmusic.audio import SAMPLE_RATE, Samples
from ccmusic.axes import axes_or_current
from ccmusic.frames import carry
from ccmusic.values import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

TransformName = Literal["cqt", "mel", "chroma"]
TransformChoice = Literal["cqt", "mel", "chroma", "both"]
"""``both``: CQT and Mel at once, ten models instead of five."""
TRANSFORM_TITLES: dict[TransformName, str] = {"cqt": "CQT", "mel": "Mel", "chroma": "Chroma"}
Axis = npt.NDArray[np.float64]

# Frames per block: few enough to stay in the CPU cache, and for BLAS to use one thread; its other
# threads would occupy a core while the models start.
_BLOCK = 32
_NEIGHBOURS = 16  # mel bands that are gathered at once
_TICKS = np.array([200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0])  # hertz; lower would touch
_LONGEST_FILTER = 2**17  # samples; longer filters are useless for music and exhaust the memory
_RANGE_DB = 80.0  # of plots
_NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def transforms_of(choice: TransformChoice) -> tuple[TransformName, ...]:
    """Transforms of a choice."""
    return ("cqt", "mel") if choice == "both" else (choice,)


@dataclass(frozen=True, eq=False, repr=False)
class Spectrogram(Value):
    """Energy over time and frequency."""

    transform: TransformName
    values: npt.NDArray[np.float32]
    """float32 [n_bins, n_frames], low frequencies first: magnitude (CQT, Chroma) or power (Mel),
    >= 0."""
    times: Axis
    """float64 [n_frames], seconds from the start of the clip, at the centre of each frame."""
    frequencies: Axis
    """float64 [n_bins], hertz, at the centre of each bin."""

    @property
    def decibels_per_decade(self) -> float:
        """20 for magnitudes, 10 for powers."""
        return 10.0 if self.transform == "mel" else 20.0

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
        self, ax: Axes | None = None, *, start: float = 0.0, pitch_along_x: bool | None = None
    ) -> AxesImage:
        """Draw levels in dB on a Matplotlib axis, the current one by default.

        Parameters
        ----------
        start
            Seconds of the piece at which the spectrogram begins.
        pitch_along_x
            Pitch to the right and time downwards, as our models see a CQT; by default so for a CQT,
            otherwise time to the right.
        """
        sideways = self.transform == "cqt" if pitch_along_x is None else pitch_along_x
        levels = self.decibels()
        image = levels.T if sideways else levels[::-1]
        look = {"cmap": "magma", "vmin": -_RANGE_DB, "vmax": 0}
        return self.draw(axes_or_current(ax), image, start=start, pitch_along_x=sideways, **look)

    def draw(
        self,
        ax: Axes,
        image: npt.NDArray[Any],
        *,
        start: float,
        pitch_along_x: bool,
        **look: Any,
    ) -> AxesImage:
        """Draw an image of this spectrogram's span, with axes of time and pitch.

        Parameters
        ----------
        image
            Oriented already, [height, width] or [height, width, channels].
        start, pitch_along_x
            As in :meth:`plot`.
        **look
            For Matplotlib's ``imshow``.
        """
        begin, end = start + float(self.times[0]), start + float(self.times[-1])
        bins = (0.0, float(len(self.frequencies)))
        drawn = ax.imshow(
            image,
            aspect="auto",
            interpolation="nearest",
            extent=(*bins, end, begin) if pitch_along_x else (begin, end, *bins),
            **look,
        )
        time_axis, pitch_axis = (ax.yaxis, ax.xaxis) if pitch_along_x else (ax.xaxis, ax.yaxis)
        time_axis.set_label_text("time, s")
        places, _ = self.pitch_ticks()
        pitch_axis.set_ticks([place + 0.5 for place in places], self.pitch_labels())
        pitch_axis.set_label_text("frequency, Hz" if self.transform == "mel" else "pitch")
        return drawn

    def notes(self) -> list[str]:
        """Name of the note nearest to each bin, with cents where the bin lies off it."""
        return [note_name(frequency) for frequency in self.frequencies]

    def pitch_ticks(self) -> tuple[list[float], list[float]]:
        """Where to mark the axis of pitch: every C of a CQT, every class, else round frequencies.

        Returns
        -------
        bins
            Places, counted in bins from the first one's centre.
        frequencies
            What lies there, hertz.
        """
        if self.transform == "chroma":
            return list(map(float, range(len(self.frequencies)))), self.frequencies.tolist()
        if self.transform == "cqt":
            octaves = [i for i, note in enumerate(self.notes()) if note.rstrip("0123456789") == "C"]
            return [float(i) for i in octaves], self.frequencies[octaves].tolist()
        lowest, highest = self.frequencies[[0, -1]]
        ticks = _TICKS[(lowest <= _TICKS) & (highest >= _TICKS)]
        bins = np.arange(len(self.frequencies))
        return np.interp(ticks, self.frequencies, bins).tolist(), ticks.tolist()

    def pitch_labels(self) -> list[str]:
        """Labels of the :meth:`pitch_ticks`: ``C4`` over ``262 Hz``, ``500``, or ``C♯``."""
        _, frequencies = self.pitch_ticks()
        if self.transform == "mel":
            return [f"{frequency:.0f}" for frequency in frequencies]
        if self.transform == "chroma":
            return [note_name(frequency).rstrip("0123456789") for frequency in frequencies]
        return [f"{note_name(frequency)}\n{frequency:.0f} Hz" for frequency in frequencies]


def note_name(frequency: float) -> str:
    """Name the nearest note of the equal-tempered scale, A4 = 440 Hz.

    >>> note_name(440.0), note_name(446.0)
    ('A4', 'A4 +23¢')

    A frequency of 0 Hz has no note and gives an empty string.
    """
    if frequency <= 0:
        return ""
    midi = 69 + 12 * np.log2(frequency / 440.0)
    nearest = round(midi)
    cents = round(100 * (midi - nearest))
    name = f"{_NOTES[nearest % 12]}{nearest // 12 - 1}"
    return f"{name} {cents:+d}¢" if cents else name


class _Transform(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # A recording is decoded at SAMPLE_RATE: above half of that there is nothing to show.
    sample_rate: int = Field(SAMPLE_RATE, ge=4_000, le=SAMPLE_RATE)
    hop_length: int = Field(512, ge=32, le=8192)

    def _times(self, n_frames: int) -> Axis:
        return np.arange(n_frames, dtype=np.float64) * (self.hop_length / self.sample_rate)


class Cqt(_Transform):
    """Constant-Q transform: every bin a Hann window over the same number of cycles.

    C. Schörkhuber, A. Klapuri, "Constant-Q transform toolbox for music processing", 2010, with
    the conventions of ``librosa.cqt`` (L1-normalised filters, scaled by the square root of their
    length, zeros beyond both ends), so that foreign checkpoints get the input they were trained on.

    All octaves use one set of filters: from octave to octave the sample rate of the signal is
    halved instead of doubling the length of the filters. (librosa also halves it beforehand if the
    highest bin lies below a quarter of the Nyquist frequency; we do not, and agree less closely
    there.)
    """

    name: Literal["cqt"] = "cqt"
    n_bins: int = Field(84, gt=0, le=1024)
    bins_per_octave: int = Field(12, gt=0, le=96)
    fmin: float = Field(32.70319566257483, ge=1)
    """Hertz; C1 by default."""

    @model_validator(mode="after")
    def _fits_the_rate(self) -> Cqt:
        octaves = -(-self.n_bins // self.bins_per_octave)
        if self.hop_length % 2 ** (octaves - 1):
            raise ValueError(f"hop_length must be a multiple of {2 ** (octaves - 1)}")
        if self.frequencies[-1] * 2 ** (1 / self.bins_per_octave) > self.sample_rate / 2:
            raise ValueError(f"{self.n_bins} bins from {self.fmin} Hz reach beyond half the rate")
        if _filter_lengths(self).max() > _LONGEST_FILTER:
            raise ValueError(f"{self.bins_per_octave} bins per octave need filters that never end")
        return self

    @property
    def frequencies(self) -> Axis:
        """Centre of each bin, hertz."""
        octaves: Axis = np.arange(self.n_bins) / self.bins_per_octave
        return np.asarray(self.fmin * np.exp2(octaves), np.float64)

    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`, into magnitudes."""
        samples = _floats(samples)
        filters = _octave_of_filters(self)
        n_frames = 1 + len(samples) // self.hop_length
        values = np.empty((self.n_bins, n_frames), np.float32)
        hop = self.hop_length
        for top in range(self.n_bins, 0, -self.bins_per_octave):
            bottom = max(0, top - self.bins_per_octave)
            kernel = filters[:, bottom - top :]
            frames = _frames(samples, len(kernel), hop, n_frames)
            parts = np.ascontiguousarray(kernel).view(np.float32)
            for start in range(0, n_frames, _BLOCK):
                block = slice(start, start + _BLOCK)
                response = frames[block] @ parts
                values[bottom:top, block] = np.abs(response.view(np.complex64)).T
            if bottom:
                # Halving the rate halves the energy; the square root of two puts it back.
                samples = soxr.resample(samples, 2, 1) * np.float32(np.sqrt(2))
                hop //= 2
        return Spectrogram("cqt", values, self._times(n_frames), self.frequencies)


class Mel(_Transform):
    """Mel spectrogram: a power spectrum gathered into bands of equal perceived width.

    Bands follow M. Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above,
    triangles of equal area; the conventions of ``librosa.feature.melspectrogram``.
    """

    name: Literal["mel"] = "mel"
    n_fft: int = Field(2048, ge=64, le=65_536)
    n_mels: int = Field(128, gt=0, le=1024)

    @property
    def frequencies(self) -> Axis:
        """Centre of each band, hertz."""
        return _mel_edges(self)[1:-1]

    def __call__(self, samples: npt.NDArray[np.floating[Any]]) -> Spectrogram:
        """Transform mono samples, floats [n] at :attr:`sample_rate`, into band powers."""
        samples = _floats(samples)
        n_frames = 1 + len(samples) // self.hop_length
        window, bands = _mel_weights(self)
        frames = _frames(samples, self.n_fft, self.hop_length, n_frames)
        values = np.empty((self.n_mels, n_frames), np.float32)
        for start in range(0, n_frames, _BLOCK):
            block = slice(start, start + _BLOCK)
            spectrum = rfft(frames[block] * window)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            for mels, bins, weights in bands:
                values[mels, block] = weights @ power[:, bins].T
        return Spectrogram("mel", values, self._times(n_frames), self.frequencies)


class Chroma(_Transform):
    """Energy of the twelve pitch classes, C first, whatever the octave; the strongest is 1.

    D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007, with the conventions of
    ``librosa.feature.chroma_stft``, which first finds out how far the piece is out of tune.
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
        frames = _frames(samples, self.n_fft, self.hop_length, n_frames)
        power = np.empty((1 + self.n_fft // 2, n_frames), np.float32)
        for start in range(0, n_frames, _BLOCK):
            block = slice(start, start + _BLOCK)
            spectrum = rfft(frames[block] * _hann(self.n_fft))
            power[:, block] = (np.square(spectrum.real) + np.square(spectrum.imag)).T
        raw = _chroma_weights(self, _tuning(power, self)) @ power
        peaks = raw.max(axis=0, initial=0)
        values = (raw / np.where(peaks < np.finfo(np.float32).tiny, 1, peaks)).astype(np.float32)
        return Spectrogram("chroma", values, self._times(n_frames), self.frequencies)


carry(Spectrogram, Cqt, Mel, Chroma)
Transform = Annotated[Cqt | Mel | Chroma, Field(discriminator="name")]


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


def _frames(samples: Samples, length: int, hop_length: int, n_frames: int) -> Samples:
    """Overlapping frames, each centred on a multiple of the hop: float32 [n_frames, length]."""
    after = max(0, (n_frames - 1) * hop_length + length - length // 2 - len(samples))
    padded = np.pad(samples, (length // 2, after))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop_length][:n_frames]


def _filter_lengths(cqt: Cqt) -> Axis:
    """Samples that each filter of the highest octave spans, float64 [bins_per_octave] or fewer."""
    step = 2.0 ** (2 / cqt.bins_per_octave)
    quality = (step + 1) / (step - 1)
    return np.asarray(quality * cqt.sample_rate / cqt.frequencies[-cqt.bins_per_octave :])


@lru_cache(maxsize=8)
def _octave_of_filters(cqt: Cqt) -> npt.NDArray[np.complex64]:
    """Filters of the highest octave, complex64 [n_fft, bins_per_octave], to multiply frames by.

    As in librosa, each is thinned in the frequency domain: negative frequencies and the weakest
    hundredth of its spectrum are dropped. That is audible to a comparison at -60 dB, hence kept.
    """
    frequencies = cqt.frequencies[-cqt.bins_per_octave :, None]
    lengths = _filter_lengths(cqt)[:, None]
    n_fft = 2 ** int(np.ceil(np.log2(lengths.max())))
    first = -lengths // 2  # sample of each wavelet, counted from its middle
    sizes = lengths // 2 - first
    place = np.arange(n_fft) - (n_fft - sizes) // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * place / sizes)
    hann[(place < 0) | (place >= sizes)] = 0
    waves = np.exp(2j * np.pi * frequencies / cqt.sample_rate * (place + first))
    spectra = fft(hann / hann.sum(axis=1, keepdims=True) * waves)
    spectra[:, n_fft // 2 + 1 :] = 0
    magnitudes = np.abs(spectra)
    ranked = np.sort(magnitudes, axis=1)
    weak = np.cumsum(ranked, axis=1) < 0.01 * ranked.sum(axis=1, keepdims=True)
    spectra[magnitudes < np.take_along_axis(ranked, weak.sum(axis=1, keepdims=True), 1)] = 0
    filters = fft(spectra) * np.sqrt(lengths) / n_fft
    return np.ascontiguousarray(filters.T, np.complex64)


def _mel_edges(mel: Mel) -> Axis:
    """Corners of the triangles, hertz, float64 [n_mels + 2]."""
    # Slaney: 200/3 Hz per mel up to 1 kHz (mel 15), then 27 mels for a factor of 6.4.
    log_step = np.log(6.4) / 27
    highest = 15 + np.log(mel.sample_rate / 2 / 1000) / log_step
    mels = np.linspace(0, highest, mel.n_mels + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(log_step * (mels - 15)))


@lru_cache(maxsize=8)
def _mel_weights(mel: Mel) -> tuple[Samples, tuple[tuple[slice, slice, Samples], ...]]:
    """Hann window, float32 [n_fft], and triangles in groups of neighbours.

    A group is its bands, the bins that they reach, and float32 [bands, bins]: nearly all of the
    whole matrix would be zeros.
    """
    edges = _mel_edges(mel)
    bins = rfftfreq(mel.n_fft, 1 / mel.sample_rate)
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    groups = []
    for first in range(0, mel.n_mels, _NEIGHBOURS):
        mels = slice(first, first + _NEIGHBOURS)
        reached = np.flatnonzero(triangles[mels].any(axis=0))
        low, high = (reached[0], reached[-1] + 1) if len(reached) else (0, 0)
        weights = np.ascontiguousarray(triangles[mels, low:high], np.float32)
        groups.append((mels, slice(low, high), weights))
    return _hann(mel.n_fft), tuple(groups)


def _hann(length: int) -> Samples:
    """Periodic Hann window, float32 [length]."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return hann.astype(np.float32)


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
