"""A file in, a :class:`Clip` out: 10 s of mono sound at 22,050 Hz with information and warnings.

Only what the window needs is decoded, so a piece of three hours costs no more memory than one
of three minutes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import soxr

from ccmusic.axes import axes_or_current
from ccmusic.decode import (
    Channel,
    Crop,
    Decoded,
    Header,
    Samples,
    Sound,
    Source,
    Span,
    check_channel,
    check_kind,
    decode_windows,
    digest,
    name_of,
    read_header,
    window_start,
)
from ccmusic.edits import Change, Edit, OneChannel, Without
from ccmusic.errors import AudioError, ParameterError, check_seconds
from ccmusic.frames import carry
from ccmusic.quality import AudioWarning, audible_seconds, find_warnings
from ccmusic.values import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

__all__ = [
    "CLIP_SECONDS",
    "MAX_SECONDS",
    "SAMPLE_RATE",
    "SUFFIXES",
    "AudioInfo",
    "AudioWarning",
    "Channel",
    "Clip",
    "Crop",
    "Envelope",
    "Recording",
    "Samples",
    "Source",
    "digest",
    "load",
    "named",
]

SAMPLE_RATE = 22_050
CLIP_SECONDS = 10.0
MAX_SECONDS = 1800.0

# Suffixes of recordings in folders; a file that is named directly may have any suffix.
# fmt: off
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".mp4", ".aif",
    ".aiff", ".au", ".caf", ".w64", ".mka", ".mkv", ".webm", ".wma", ".ape", ".wv", ".tta", ".tak",
    ".mpc", ".dsf", ".dff",
)
# fmt: on
_ABSURD = 1e9  # full scale is 1; NaN and infinity are not below this either
_SHORTEST = 0.1


@dataclass(frozen=True)
class AudioInfo:
    """Format and duration of the file, and the window that was taken.

    >>> info = load("examples/rain.ogg").info
    >>> info.codec, info.sample_rate, info.channels, info.duration, info.window_start
    ('vorbis', 44100, 2, 11.99, 0.995)
    """

    codec: str
    bit_rate: int | None
    """Bits per second, if the file tells."""
    sample_rate: int
    """Hertz, as stored in the file; of DSD, 44,100 or 48,000."""
    channels: int
    duration: float
    """Seconds."""
    window_start: float
    """Seconds from the start of the piece."""
    window_end: float
    looped: bool
    """The piece is shorter than the window and was repeated."""


@dataclass(frozen=True, eq=False, repr=False)
class Envelope(Value):
    """Lowest and highest samples in stretches of time, to draw a waveform.

    >>> envelope = load("examples/rain.ogg").envelope(stretches=100)
    >>> envelope.lowest.shape, bool((envelope.lowest <= envelope.highest).all())
    ((100,), True)
    """

    edges: npt.NDArray[np.float64]
    """Seconds, one more than there are stretches."""
    lowest: Samples
    highest: Samples

    @classmethod
    def of(
        cls, samples: Samples, sample_rate: int, start: float = 0.0, *, stretches: int = 600
    ) -> Self:
        """Measure samples that begin at a second; of few samples, fewer stretches."""
        places = np.unique(np.linspace(0, len(samples), stretches, endpoint=False).astype(int))
        return cls(
            start + np.append(places, len(samples)) / sample_rate,
            np.minimum.reduceat(samples, places),
            np.maximum.reduceat(samples, places),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Value):
    """Ten seconds ready to become a spectrogram.

    >>> clip = load("examples/rain.ogg")
    >>> clip.samples.shape, clip.info.looped, clip.warnings
    ((220500,), False, ())
    """

    file: str
    """Name of the recording in messages and results."""
    samples: Samples
    """float32 [220500] for the usual 10 s, mono at 22,050 Hz, nominally in -1..1."""
    original: Samples
    """float32 [n], the window in mono at the file's own rate, before resampling and looping."""
    info: AudioInfo
    audible: float
    """Seconds of sound in the window; the rest is silence."""
    warnings: tuple[AudioWarning, ...]
    """Of the recording as it was before any edit; after one, ``edited`` is among them."""
    edits: tuple[Edit, ...] = ()
    """What was done to the sound, in order."""

    def envelope(self, *, stretches: int = 600) -> Envelope:
        """Lowest and highest of the original samples, to draw them."""
        info = self.info
        return Envelope.of(self.original, info.sample_rate, info.window_start, stretches=stretches)

    def samples_at(self, sample_rate: int, *, loop: bool = True) -> Samples:
        """The window at a rate, float32 [n]: above 22,050 Hz from the file's own samples.

        >>> clip = load("examples/rain.ogg")
        >>> clip.samples_at(32_000).shape
        (320000,)

        Parameters
        ----------
        sample_rate
            Hertz.
        loop
            Whether a shorter piece is repeated, as in :attr:`samples`.
        """
        info, samples = self.info, self.samples
        if not loop:
            samples = samples[: round((info.window_end - info.window_start) * SAMPLE_RATE)]
        if sample_rate == SAMPLE_RATE:
            return samples
        if sample_rate < SAMPLE_RATE:
            return np.asarray(soxr.resample(samples, SAMPLE_RATE, sample_rate), np.float32)
        own = np.asarray(soxr.resample(self.original, info.sample_rate, sample_rate), np.float32)
        wanted = round(len(samples) * sample_rate / SAMPLE_RATE)
        return np.resize(own, wanted) if loop else own[:wanted]

    def without(
        self,
        band: tuple[float, float] | None = None,
        seconds: tuple[float, float] | None = None,
    ) -> Self:
        """Remove a region of time and frequency from the sound: what is heard is what is judged.

        >>> clip = load("examples/rain.ogg")
        >>> dull = clip.without(band=(5_000, 11_025), seconds=(2, 4))
        >>> dull.edits
        (Without(edit='without', band=(5000.0, 11025.0), seconds=(2.0, 4.0)),)

        Parameters
        ----------
        band
            Lowest and highest frequency, hertz; by default all.
        seconds
            Begin and end, in seconds of the piece, as those of a :class:`ccmusic.Region`; by
            default the whole window.

        Raises
        ------
        ParameterError
            If there is no such region in this clip.
        """
        return self.edited([Without(band=band, seconds=seconds)])

    def changed(
        self,
        *,
        pitch: float | None = None,
        tempo: float | None = None,
        highpass: float | None = None,
        lowpass: float | None = None,
        noise: float | None = None,
        gain: float | None = None,
    ) -> Self:
        """Change the sound, in the order of the parameters.

        >>> louder = load("examples/rain.ogg").changed(gain=6, lowpass=4_000)

        One channel alone is taken when the recording is read: see :func:`load`.

        Parameters
        ----------
        pitch, tempo, highpass, lowpass, noise, gain
            As those of :class:`ccmusic.Change`. A slower window loses its end, a faster one is
            looped.

        Raises
        ------
        ParameterError
            If nothing is to change, or by more than this.
        """
        given = {"pitch": pitch, "tempo": tempo, "highpass": highpass, "lowpass": lowpass}
        return self.edited([Change(**given, noise=noise, gain=gain)])

    def edited(self, edits: Sequence[Edit], *, within: bool = True) -> Self:
        """Apply edits, one after the other, for example those of another clip.

        Parameters
        ----------
        edits
            See :attr:`edits`.
        within
            Whether a region that lies outside this clip is refused.

        Raises
        ------
        ParameterError
            If one cannot be applied to this clip.
        """
        if not edits:
            return self
        if not len(self.original):
            raise AudioError("no_sound", file=self.file)
        info, sound, rate = self.info, self.original, self.info.sample_rate
        for edit in edits:
            if isinstance(edit, Without):
                sound = edit.apply(sound, rate, info.window_start, within=within)
            elif isinstance(edit, Change):
                sound = edit.apply(sound, rate)[: len(self.original)]
            else:
                raise ParameterError("mixed_already")
        samples = np.asarray(soxr.resample(sound, rate, SAMPLE_RATE), np.float32)
        seconds, wanted = len(sound) / rate, len(self.samples)
        return replace(
            self,
            samples=np.resize(samples, wanted),
            original=sound,
            audible=audible_seconds(samples[:wanted], SAMPLE_RATE),
            info=replace(
                info,
                window_end=round(info.window_start + seconds, 3),
                looped=seconds < wanted / SAMPLE_RATE - 0.01,
            ),
            warnings=_with_edited(self.warnings),
            edits=(*self.edits, *edits),
        )

    def plot(self, ax: Axes | None = None) -> PolyCollection:
        """Draw the waveform on a Matplotlib axis, the current one by default."""
        # More stretches than a plot has pixels across.
        envelope = self.envelope(stretches=1_000)
        axes = axes_or_current(ax)
        drawn = axes.fill_between(
            envelope.edges[:-1], envelope.lowest, envelope.highest, step="post"
        )
        axes.set(xlabel="time, s", ylabel="amplitude")
        return drawn

    @classmethod
    def from_samples(
        cls,
        y: npt.NDArray[Any],
        sr: float,
        *,
        crop: Crop | float = "center",
        channel: Channel | None = None,
        name: str | None = None,
    ) -> Self:
        """Take the window of samples in memory, as :func:`load` takes that of a file.

        >>> Clip.from_samples(np.zeros(48_000), 48_000, name="rest").samples.shape
        (220500,)

        Parameters
        ----------
        y
            Floats, nominally in -1..1, or integers of 8, 16 or 32 bits: [n] or [channels, n].
        sr
            Their sample rate, hertz.
        crop, channel
            As in :func:`load`.
        name
            What messages and results call the recording.

        Raises
        ------
        AudioError
            If these are no samples, no numbers, or too few.
        """
        return cls(**vars(load((y, sr), crop=crop, channel=channel, name=name)))


carry(AudioInfo, AudioWarning, Clip, Envelope)


class Recording:
    """A source whose header is read once; windows are decoded on demand.

    >>> recording = Recording("examples/rain.ogg")
    >>> recording.duration > 11, [clip.info.window_start for clip in recording.slide(hop=1)]
    (True, [0.0, 1.0, 1.99])

    Parameters
    ----------
    source, channel, name
        As in :func:`load`.

    Raises
    ------
    AudioError
        With one line that says what is wrong with which file.
    TypeError
        If the source is something else.
    """

    def __init__(
        self, source: Source, *, channel: Channel | None = None, name: str | None = None
    ) -> None:
        check_kind(source)
        self._source, self._name = source, name_of(source) if name is None else name
        self._edits = (OneChannel(channel=channel),) if channel else ()
        self._channel = channel
        if isinstance(source, tuple):
            self._planes, self._rate = _checked(*source, self._name)
            check_channel(channel, len(self._planes), self._name)
            seconds = self._planes.shape[1] / self._rate
            self._header = Header("samples", None, seconds, cut_off=False)
        else:
            self._header = read_header(source, name=self._name)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._header.duration

    def load(
        self,
        *,
        crop: Crop | float = "center",
        seconds: float = CLIP_SECONDS,
        loop: bool = True,
    ) -> Clip:
        """Decode a window; parameters and errors as :func:`load`."""
        start = window_start(self.duration, seconds, crop)
        (clip,) = self.windows([start], seconds=seconds, loop=loop)
        return clip

    def starts(self, hop: float) -> tuple[float, ...]:
        """Where windows of 10 s begin, in seconds: one after the other, and one at the end.

        Of a recording of more than half an hour, those of its middle.

        Parameters
        ----------
        hop
            Seconds from the start of one window to that of the next.

        Raises
        ------
        ParameterError
            If ``hop`` is less than 0.1 s.
        """
        return window_starts(self.duration, hop)

    def slide(self, hop: float) -> Iterator[Clip]:
        """Decode the windows that begin at :meth:`starts`; each is as :meth:`load` gives it."""
        starts = self.starts(hop)
        if CLIP_SECONDS / 20 <= hop <= 2 * CLIP_SECONDS:
            return self.windows(starts)
        # Many would be in memory at once; or seeking takes less time.
        return (self.load(crop=start) for start in starts)

    def windows(
        self, starts: Sequence[float], *, seconds: float = CLIP_SECONDS, loop: bool = True
    ) -> Iterator[Clip]:
        """Decode several windows in one pass over the file.

        Parameters
        ----------
        starts
            Where they begin, in seconds from the start of the recording, in ascending order.
        seconds, loop
            As in :func:`load`.

        Raises
        ------
        AudioError
            As :func:`load`.
        """
        check_seconds("load", "seconds", seconds)
        for decoded in self._decode([(start, seconds) for start in starts]):
            yield self._clip(decoded, seconds, loop)

    def load_with_whole(self, *, crop: Crop | float = "center") -> tuple[Clip, Clip]:
        """Decode a window, looped, and all of the recording, not looped, in one pass.

        Of a recording of more than half an hour, the middle. Errors as :func:`load`.
        """
        window = window_start(self.duration, CLIP_SECONDS, crop), CLIP_SECONDS
        whole = window_start(self.duration, MAX_SECONDS, "center"), MAX_SECONDS
        spans = sorted([window, whole])
        found = zip(spans, self._decode(spans), strict=True)
        clips = {span: self._clip(decoded, span[1], span == window) for span, decoded in found}
        return clips[window], clips[whole]

    def _decode(self, spans: Sequence[Span]) -> Iterator[Decoded]:
        if isinstance(self._source, tuple):
            for start, seconds in spans:
                sound = _cut(self._planes, self._rate, start, seconds, self._channel)
                yield Decoded(sound, self._header, start)
        else:
            yield from decode_windows(
                self._source, self._header, spans, name=self._name, channel=self._channel
            )

    def _clip(self, decoded: Decoded, seconds: float, loop: bool) -> Clip:
        name, sound, start = self._name, decoded.sound, decoded.start
        if not sound.taken:
            raise AudioError("no_sound", file=name)
        if not sound.peak < _ABSURD:
            raise AudioError("not_numbers", file=name)
        taken = sound.taken / sound.rate
        if round(taken, 2) < _SHORTEST:
            raise AudioError("too_short", file=name, seconds=taken, least=_SHORTEST)

        samples = np.asarray(soxr.resample(sound.original, sound.rate, SAMPLE_RATE), np.float32)
        wanted = round(seconds * SAMPLE_RATE)
        # Repetitions of a short recording would add clicks.
        audible = audible_seconds(samples[:wanted], SAMPLE_RATE)
        samples = np.resize(samples, wanted) if loop else samples[:wanted]
        header = decoded.header
        duration = max(header.duration, start + taken)
        bit_rate, most = header.bit_rate, 8 * header.size / duration
        if bit_rate and bit_rate > 1.1 * most:  # a header that cannot be
            bit_rate = round(most / 1000) * 1000
        info = AudioInfo(
            codec=header.codec,
            bit_rate=bit_rate,
            sample_rate=sound.rate,
            channels=sound.channels,
            duration=round(duration, 3),
            window_start=round(start, 3),
            window_end=round(start + taken, 3),
            looped=loop and taken < seconds - 0.01,
        )
        warnings = tuple(find_warnings(decoded, samples, SAMPLE_RATE, info.duration, audible))
        if self._edits:
            warnings = _with_edited(warnings)
        return Clip(name, samples, sound.original, info, audible, warnings, self._edits)


def _with_edited(warnings: tuple[AudioWarning, ...]) -> tuple[AudioWarning, ...]:
    others = (warning for warning in warnings if warning.code != "edited")
    return (*others, AudioWarning("edited", {}))


def window_starts(duration: float, hop: float) -> tuple[float, ...]:
    """Where the windows of a recording of this many seconds begin: :meth:`Recording.starts`."""
    check_seconds("timeline", "hop", hop)
    begin = max(0.0, (duration - MAX_SECONDS) / 2)
    last = min(duration, MAX_SECONDS) - CLIP_SECONDS
    starts = np.arange(0, max(last, 0) + 1e-6, hop)
    if last > 0 and last - starts[-1] > 1e-3:
        starts = np.append(starts, last)
    return tuple((begin + starts).tolist())


def load(
    source: Source,
    *,
    crop: Crop | float = "center",
    seconds: float = CLIP_SECONDS,
    loop: bool = True,
    channel: Channel | None = None,
    name: str | None = None,
) -> Clip:
    """Decode the analysis window of a recording.

    >>> load("examples/rain.ogg", crop="start", seconds=3).samples.shape
    (66150,)
    >>> load((np.zeros((2, 48_000)), 48_000)).info.looped  # a second of silence, in stereo
    True

    Parameters
    ----------
    source
        Path; seekable binary stream; the content of a file as bytes; or samples with their rate,
        ``(y, sr)``: floats, nominally in -1..1, or integers of 8, 16 or 32 bits, of shape [n] or
        [channels, n] with at most 8 channels, which are mixed: give the recordings of a batch to
        :func:`ccmusic.analyze_many` one by one.
    crop
        Take the 10 s at the ``center`` of the piece, at its ``start``, at its ``end``, or from
        this second on, the last 10 s at most. A shorter piece is taken whole and looped.
    seconds
        Length of the window.
    loop
        Whether the samples of a shorter piece are repeated to this length; otherwise they are as
        many as there are.
    channel
        Take the ``left`` or the ``right`` channel alone; by default the mean of all.
    name
        What messages and results call the recording; by default its path, or the ``name`` of a
        stream if that is a path.

    Raises
    ------
    AudioError
        With one line that says what is wrong with which file.
    ParameterError
        If ``crop`` is something else.
    TypeError
        If the source is something else.
    """
    recording = Recording(source, channel=channel, name=name)
    return recording.load(crop=crop, seconds=seconds, loop=loop)


def _checked(samples: npt.ArrayLike, rate: float, name: str) -> tuple[npt.NDArray[Any], int]:
    """Samples as [channels, n] of the type that they have, and their rate in hertz."""
    values = np.atleast_2d(np.asarray(samples))
    known = values.dtype.kind == "f" or values.dtype in (np.uint8, np.int8, np.int16, np.int32)
    most = min(max(1, values.shape[-1]), 8)
    if not known or values.ndim > 2 or not 1 <= len(values) <= most:
        shape = " x ".join(map(str, np.shape(samples)))
        raise AudioError("not_samples", file=name, dtype=values.dtype, shape=shape or "1")
    number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not (number and rate > 0 and float(rate).is_integer()):
        raise AudioError("not_rate", file=name, rate=rate)
    return values, int(rate)


def _cut(
    planes: npt.NDArray[Any], rate: int, start: float, seconds: float, channel: Channel | None
) -> Sound:
    """Take up to ``seconds`` from ``start``; integers become shares of their full scale."""
    first = round(start * rate)
    values = planes[:, first : first + round(seconds * rate)]
    with np.errstate(over="ignore"):  # the peak tells
        floats = values.astype(np.float32)
    if values.dtype.kind in "iu":
        full = 2.0 ** (8 * values.dtype.itemsize - 1)
        floats = (floats - np.float32(full * (values.dtype.kind == "u"))) / np.float32(full)
    sound = Sound(np.empty(floats.shape[1], np.float32), rate, len(floats), channel)
    sound.add(floats)
    return sound


def named(content: bytes, name: str) -> BinaryIO:
    """Stream of a file's content with a name for messages and results."""
    stream = _Named(content)
    stream.name = name
    return stream


class _Named(io.BytesIO):
    name: str
