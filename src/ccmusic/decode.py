"""FFmpeg: containers, packets, headers and tags. The only module that imports PyAV."""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import zip_longest
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, cast, get_args

import av
import av.error
import av.filter
import av.stream
import numpy as np
import numpy.typing as npt

from ccmusic.errors import AudioError, check_seconds, not_one_of
from ccmusic.files import NoNameError, NotAFileError, open_regular
from ccmusic.headers import (
    Part,
    View,
    count_mp3,
    frames_in,
    is_cut_off,
    musepack_seconds,
    parts_of,
    promised_mp3,
)

Crop = Literal["center", "start", "end"]
"""Where the window lies in a recording; where it is accepted, so is a second."""
Channel = Literal["left", "right"]
"""One channel of a recording, instead of the mean of all."""
Samples = npt.NDArray[np.float32]
Stored: TypeAlias = str | os.PathLike[str] | BinaryIO | bytes
Source: TypeAlias = Stored | tuple[npt.NDArray[Any], float]
"""Path, seekable binary stream, content of a file, or samples and their rate; see
:func:`ccmusic.audio.load`."""
Span: TypeAlias = tuple[float, float]
"""Start and length in seconds."""
AudioPacket: TypeAlias = "av.Packet[av.audio.AudioStream]"
Convert: TypeAlias = Callable[[av.AudioFrame], Sequence[av.AudioFrame]]

# Containers that hold music. Playlists and network formats stay out: they can name other files.
_FORMATS = (
    "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,mov,mp4,matroska,webm,asf,avi,"
    "ape,wv,tta,tak,mpc,mpc8,dsf,iff"
)
# A decoder that starts in mid-stream needs a run-up: MP3 borrows bits from earlier frames, Opus
# asks for 80 ms, AAC for one frame.
_RUN_UP = 0.5
_GAP = 0.1  # larger differences between timestamps are gaps
_SAMPLES_AT_ONCE = 1 << 16  # few enough to stay in the CPU cache
_SEARCHED = 1 << 14  # samples after any silence, for sound in disguise; its frames are shorter
_PATIENCE = 1_000  # damaged places in a row until a file is given up
# In these containers FFmpeg finds a time by the average bytes per second of the header, which is
# exact for few codecs. In ASF, times are in milliseconds, and those of WMA are late.
_BY_AVERAGE = frozenset({"wav", "w64", "aiff", "au"})
_EXACT_CODECS = ("pcm_", "mp2", "mp3")
_RATES = range(1_000, 1_000_001)  # a header that gives another is damaged
_DSD_RATES = range(176_400, 6_144_001)  # an eighth of the number of bits per second
_LEAST_ROOM = 10.0  # seconds to decode, whatever a header says
_FULL = 0.999  # of full scale
_CANNOT_OPEN: dict[type[Exception], str] = {
    FileNotFoundError: "no_such_file",
    NoNameError: "no_name",
    IsADirectoryError: "directory",
    NotAFileError: "not_a_file",
    PermissionError: "no_permission",
}
_CANCELLED = 1e-4  # of the channels' power: -40 dB
_OF_POWER = 16  # one sample of so many is looked at

FFMPEG = av.ffmpeg_version_info
"""Version of FFmpeg inside PyAV."""


@dataclass
class Sound:
    """A window in mono, and statistics of its channels for the warnings.

    Mixed a second or so at a time: half an hour would be gigabytes in all its channels.
    """

    original: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32 [n] at the stream's own rate; during decoding, an empty buffer of the full length."""
    rate: int = 1
    """Hertz: a decoder may know better than the header."""
    channels: int = 1
    channel: Channel | None = None
    """Taken alone; by default the mean of all is taken."""
    errors: int = 0
    """Number of damaged places."""
    peak: float = 0.0
    """Largest magnitude of any channel; NaN if there is one."""
    clipped: int = 0
    """Number of samples of all channels at full scale."""
    opposite: int = 0
    """Number of samples at which the channels cancel each other; the first one was taken there."""
    taken: int = 0
    """Number of samples so far."""

    def add(self, planes: Samples) -> None:
        """Mix samples, float32 [channels, n], to mono, as long as there is room."""
        planes = planes[:, : len(self.original) - self.taken]
        count, n = planes.shape
        if not n:
            return
        mono = self.original[self.taken : self.taken + n]
        with np.errstate(over="ignore", invalid="ignore"):  # the peak shows it
            if self.channel:
                mono[:] = planes[("left", "right").index(self.channel)]
            else:
                # Not their mean(), which divides in double precision.
                np.divide(np.add.reduce(planes, out=mono), np.float32(count), out=mono)
                # An offset is no sound, and does not cancel. A part of the samples tells enough.
                power = np.var(planes[:, ::_OF_POWER], axis=1).mean()
                if np.var(mono[::_OF_POWER]) < _CANCELLED * power:
                    mono[:] = planes[0]
                    self.opposite += n
        self.taken += n
        loudest = peak(planes)
        self.peak = float(np.maximum(self.peak, loudest))
        if not loudest < _FULL:
            self.clipped += int(np.count_nonzero(planes >= _FULL))
            self.clipped += int(np.count_nonzero(planes <= -_FULL))


@dataclass(frozen=True)
class Header:
    """What the header of a file says, where it is consistent."""

    codec: str
    bit_rate: int | None
    """Bits per second, if the file tells."""
    duration: float
    """Seconds."""
    cut_off: bool
    """The end of the file is missing."""
    size: int = 0
    """Bytes of sound, at most."""
    sequential: bool = False
    """A time is found only by reading on from the start and counting samples."""
    parts: tuple[Part, ...] = (Part(),)
    """What to read, one after another."""
    places: tuple[Part, ...] = ()
    """Of an MP3, where else reading may begin, in ascending order."""

    def parts_from(self, time: float) -> tuple[Part, ...]:
        """What to read for the sound from a time on."""
        return tuple(place for place in self.places if place.time <= time)[-1:] or self.parts


@dataclass(frozen=True)
class Decoded:
    """A window of a recording."""

    sound: Sound
    header: Header
    start: float
    """Seconds from the start of the recording to that of the window."""


def read_header(source: Stored, *, name: str) -> Header:
    """Find out how long a recording is, and whether it is whole.

    Raises
    ------
    AudioError
        If the file cannot be read, or holds no audio.
    """
    with _file(source, name) as file:
        size = file.seek(0, io.SEEK_END)
        parts, cut_off, mpeg = parts_of(file), is_cut_off(file), count_mp3(file)
        has_length, missing = promised_mp3(file)
        chained = len(parts) > 1
        with _container(file, parts[0], name) as container:
            stream = _audio_stream(container, name)
            kind, origin = container.format.name, _origin(stream)
            announced = musepack_seconds(file) or _announced(container, stream, has_length)
            bit_rate = stream.codec_context.bit_rate or container.bit_rate or 0
            codec = str(stream.codec_context.codec.canonical_name)
            inexact = (kind in _BY_AVERAGE and not codec.startswith(_EXACT_CODECS)) or kind == "asf"
            # The header may have no length, or a wrong one: see where the last packet lies.
            found = _Span(announced, announced, size=size)
            if kind == "mp3":
                end = mpeg.seconds - origin if mpeg else 0.0
                found = _Span(end, end, size=mpeg.size if mpeg else 0)
            elif chained or (kind == "asf" and cut_off):
                found = _Span()
            elif announced > 0 and kind != "asf":  # whose last packets may be seconds long
                found = replace(_span(_demux(container, stream, announced - _RUN_UP)), size=size)
                if inexact:  # the time to which it was sought may be wrong
                    found.last = min(found.last, announced)
            pcm = _pcm_rate(stream, codec)
            each = _seconds_each(stream, found) if kind == "avi" and not pcm else 0.0
            inexact |= each > 0
        tells = kind == "mp3" or found.last - _RUN_UP <= announced <= found.end + _RUN_UP
        too_long = pcm and announced > 8 * size / pcm + _RUN_UP
        if found.end <= 0 or not tells or each or too_long:
            found = _length(file, parts, name)
            held = 8 * found.size / pcm if pcm else each * found.packets
            # A clock that is wrong. There may be gaps, but not in an AVI.
            excess = abs(found.end - held) if kind == "avi" else found.lasting - held
            if held and excess > _RUN_UP:
                found.last = found.end = held
                inexact = True
        near = found.last - _RUN_UP <= announced <= found.end + _RUN_UP
        right = near and announced > 0 and not chained
        duration = announced if right else found.end
        if kind == "mp3" and missing is not None:
            cut_off = missing > 0
        elif not chained:
            cut_off |= announced > duration
    size = min(found.size, size)
    if not right:
        bit_rate = round(8 * size / duration / 1000) * 1000 if duration > 0 else 0
    known = mpeg.places if kind == "mp3" and mpeg else ()
    places = tuple(Part(byte, time=time - origin) for time, byte in known)
    return Header(
        codec, bit_rate or None, duration, cut_off, size, chained or inexact, parts, places
    )


def decode_windows(
    source: Stored,
    header: Header,
    spans: Sequence[Span],
    *,
    name: str,
    channel: Channel | None = None,
) -> Iterator[Decoded]:
    """Decode several windows in one pass.

    Parameters
    ----------
    spans
        Start and length of each in seconds, in ascending order of their starts.
    name
        What messages call the recording.
    channel
        Taken instead of the mean of all channels.

    Raises
    ------
    AudioError
        If the file cannot be read, holds no audio, or lacks the channel.
    """
    duration = header.duration
    # The header may be wrong by some seconds, but a buffer must not be half an hour too long.
    longest = max(_LEAST_ROOM, duration + _RUN_UP)
    with _file(source, name) as file:
        rooms = [(start, min(seconds, longest)) for start, seconds in spans]
        sounds = _decode(file, header, name, channel, rooms)
        for (start, seconds), found in zip_longest(spans, sounds):
            sound, place, room = found or Sound(), start, min(seconds, longest)
            if not sound.taken and start > 0:  # it lies in a gap, or seeking failed
                sound = next(_decode(file, header, name, channel, [(start, room)]), sound)
            if not sound.taken and start > 0:
                # The recording ends before, whatever its header says: take the middle.
                end = min(_length(file, header.parts, name).end, start)
                for place in (window_start(end, seconds, "center"), 0.0):
                    sound = next(_decode(file, header, name, channel, [(place, room)]), sound)
                    sound.errors += 1
                    if sound.taken:
                        break
                duration = max(end if place > 0 else 0.0, place + sound.taken / sound.rate)
            if not sound.taken:
                raise AudioError("no_sound", file=name)
            if min(seconds, duration - place) - sound.taken / sound.rate > _RUN_UP:
                sound.errors += 1
            yield Decoded(sound, replace(header, duration=duration), place)


def digest(source: Stored) -> str:
    """SHA-256 of the compressed audio without its tags, in hexadecimal.

    Raises
    ------
    AudioError
        If the file cannot be opened.
    """
    name = name_of(source)
    with _file(source, name) as file:
        content = hashlib.sha256()
        for packet in _packets(file, parts_of(file), name):
            content.update(bytes(packet))
    return content.hexdigest()


def read_tags(path: Path) -> dict[str, str]:
    """Tags of a file by lower-case name.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    name = name_of(path)
    with _file(path, name) as file, _container(file, parts_of(file)[0], name) as container:
        # Ogg keeps its tags with the stream.
        found = [*(stream.metadata for stream in container.streams.audio), container.metadata]
        return {key.lower(): value for tags in found for key, value in tags.items()}


def name_of(source: Source) -> str:
    """Name of a source in messages and results."""
    if isinstance(source, tuple):
        return "the samples"
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    # Temporary files are named by a number, uploads by None where the sender gave no name.
    return os.fspath(path) if path and isinstance(path, str | os.PathLike) else "the uploaded file"


def check_kind(source: object) -> None:
    """Complain of what is no recording before it is opened."""
    if isinstance(source, str | os.PathLike | bytes):
        return
    if isinstance(source, tuple) and len(source) == 2:
        return
    if isinstance(source, io.TextIOBase):
        raise TypeError("a recording is binary: open the file with mode 'rb'")
    if not (hasattr(source, "read") and hasattr(source, "seek")):
        raise TypeError(
            "a recording is a path, a binary file object, bytes, or samples with their rate "
            f"(y, sr), not {type(source).__name__}"
        )


@contextmanager
def _file(source: Stored, name: str) -> Iterator[BinaryIO]:
    """Open a path or use a stream; refuse an empty one."""
    try:
        if isinstance(source, bytes):
            file: BinaryIO = io.BytesIO(source)
        else:
            file = open_regular(source) if isinstance(source, str | os.PathLike) else source
        if file.closed:
            raise ValueError("it is closed already")
    except (OSError, ValueError) as error:
        if key := _CANNOT_OPEN.get(type(error)):
            raise AudioError(key, file=name) from None
        raise AudioError("cannot_open", file=name, reason=error) from None
    try:
        if file.seek(0, io.SEEK_END) == 0:
            raise AudioError("empty", file=name)
        yield file
    except (OSError, av.error.FFmpegError) as error:
        raise AudioError("cannot_open", file=name, reason=error) from None
    finally:
        if file is not source:
            file.close()


@contextmanager
def _container(file: BinaryIO, part: Part, name: str) -> Iterator[av.container.InputContainer]:
    """Open through Python's own file object: FFmpeg never sees a path, so no name is a URL."""
    try:
        container = av.open(
            View(file, part),
            format=part.format,
            # Without the limit FFmpeg searches megabytes of a WAV for another codec in disguise.
            options={
                "format_whitelist": part.format or _FORMATS,
                "max_probe_packets": "1",
            },
            # Old tags are often in GBK or Latin-1; undecodable tags must not be an error.
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError):
        raise AudioError("unknown_format", file=name) from None
    with container:
        assert isinstance(container, av.container.InputContainer)
        yield container


def _audio_stream(container: av.container.InputContainer, name: str) -> av.audio.AudioStream:
    if not container.streams.audio:
        raise AudioError("no_audio_track", file=name)
    # Films and concerts often hold several, of which one is marked to be played.
    default = av.stream.Disposition.default
    stream = max(container.streams.audio, key=lambda one: bool(one.disposition & default))
    context = stream.codec_context
    if context is None or _tag(context) in {"aavd", "drms", "enca"}:
        raise AudioError("protected", file=name)
    return stream


def _tag(context: av.CodecContext) -> str:
    """Four letters by which the container calls its codec; empty where they are none."""
    try:
        return str(context.codec_tag)
    except UnicodeDecodeError:  # a number, such as that of AAC in a WAV
        return ""


def _announced(
    container: av.container.InputContainer, stream: av.audio.AudioStream, counted: bool
) -> float:
    """Seconds according to the header; 0 if it does not tell."""
    if container.format.name == "aac" or (container.format.name == "mp3" and not counted):
        return 0.0  # FFmpeg would guess, from the bit rate of the first frame
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _pcm_rate(stream: av.audio.AudioStream, codec: str) -> int:
    """Bits per second of PCM, by what the decoder takes for a sample; 0 of other codecs."""
    if not codec.startswith("pcm_"):
        return 0
    bits = int("".join(filter(str.isdigit, codec)) or 8)  # mu-law and A-law have none in the name
    return bits * stream.codec_context.sample_rate * stream.codec_context.channels


def _packets(
    file: BinaryIO, parts: Sequence[Part], name: str, after: float = 0.0
) -> Iterator[AudioPacket]:
    """Packets of all parts, of a single one from ``after`` (seconds into the piece) or earlier on.

    Each pass opens the file anew, because a demuxer that failed to seek keeps its position.
    """
    for part in parts:
        with _container(file, part, name) as container:
            yield from _demux(container, _audio_stream(container, name), after - part.time)


def _demux(
    container: av.container.InputContainer, stream: av.audio.AudioStream, after: float
) -> Iterator[AudioPacket]:
    """Packets of a container that was just opened, as :func:`_packets`."""
    if after > 0:
        try:
            container.seek(int((_origin(stream) + after) / (stream.time_base or 1)), stream=stream)
        except av.error.FFmpegError:
            return
    failures = 0
    while failures < _PATIENCE:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
            return
        except av.error.InvalidDataError:
            failures += 1  # a damaged page; FFmpeg may find the next one
        except av.error.FFmpegError:
            return


def _origin(stream: av.audio.AudioStream) -> float:
    """Seconds on the container's clock at which the piece starts."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


@dataclass
class _Span:
    """What packets tell without being decoded; nothing but zeros without packets."""

    last: float = 0.0
    """Seconds from the start of the piece to the beginning of the last one."""
    end: float = 0.0
    """Seconds to its end."""
    lasting: float = 0.0
    """Seconds that all of them last; less than ``end`` where there are gaps."""
    size: int = 0
    """Bytes in them."""
    packets: int = 0


def _length(file: BinaryIO, parts: Sequence[Part], name: str) -> _Span:
    """Measure a whole file without decoding it."""
    whole = _Span()
    for part in parts:
        span = _span(_packets(file, [part], name))
        whole.last, whole.end = whole.end + span.last, whole.end + span.end
        whole.lasting += span.lasting
        whole.size += span.size
        whole.packets += span.packets
    return whole


def _span(packets: Iterable[AudioPacket]) -> _Span:
    begin = end = lasting = size = count = 0
    tick, origin = Fraction(0), 0.0
    for packet in packets:
        size += packet.size
        count += packet.size > 0  # the last is empty
        duration = packet.duration or 0
        lasting += duration
        if packet.pts is not None and packet.pts + duration > end:
            begin, end = packet.pts, packet.pts + duration
            if not tick:  # the container is closed after the last packet
                tick, origin = packet.stream.time_base or tick, _origin(packet.stream)
    return _Span(
        float(begin * tick) - origin,
        float(end * tick) - origin,
        float(lasting * tick),
        size,
        count,
    )


def _seconds_each(stream: av.audio.AudioStream, found: _Span) -> float:
    """Seconds of a packet of an AVI whose clock is far from them; 0 if it is right.

    An AVI has no timestamps: its header says how long a packet is. Codecs of one frame length know.
    """
    each = stream.codec_context.frame_size / (stream.codec_context.sample_rate or 1)
    right = each / 10 < found.end - found.last < 10 * each and found.lasting <= found.end + _RUN_UP
    return 0.0 if right else each


def window_start(duration: float, seconds: float, crop: Crop | float) -> float:
    """Seconds from the start of a recording to that of the window."""
    check_crop(crop)
    check_seconds("load", "seconds", seconds)
    last = max(0.0, duration - seconds)
    named = {"start": 0.0, "center": last / 2, "end": last}
    return named[crop] if isinstance(crop, str) else min(max(0.0, crop), last)


def _decode(
    file: BinaryIO, header: Header, name: str, channel: Channel | None, spans: Sequence[Span]
) -> Iterator[Sound]:
    """Decode spans as far as the file reaches; those that it does not reach are left out.

    Windows may overlap: each is filled with what it wants of the sound that passes.
    """
    after = 0.0 if header.sequential else spans[0][0] - _RUN_UP
    parts = header.parts_from(after)
    windows = _Windows(spans, name, header, parts[0].time, channel)
    for packet in _packets(file, parts, name, after):
        if windows.add(packet):
            yield from windows.full()
            if windows.done:
                return
    yield from windows.rest()


class _Windows:
    """Windows that are filled from packets, in ascending order."""

    def __init__(
        self,
        spans: Sequence[Span],
        name: str,
        header: Header,
        skipped: float,
        channel: Channel | None,
    ) -> None:
        self._coming, self._filling = deque(spans), deque[_Window]()
        self._channel = channel
        self._name, self._sequential = name, header.sequential
        self._skipped = skipped  # seconds of the recording before what is read
        self._first, self._errors, self._enough = spans[0][0], 0, _SAMPLES_AT_ONCE
        # Frames are many and short: NumPy would take longer for each than the decoder.
        self._waiting = av.AudioFifo()
        self._convert: Convert | None = None
        self._is_sound = False  # what came so far is silence
        # Seconds after the last sample that waits, on the container's clock.
        self._clock: float | None = None

    @property
    def done(self) -> bool:
        """Whether no window wants any more."""
        return not self._filling and not self._coming

    def add(self, packet: AudioPacket) -> bool:
        """Decode a packet; return whether enough waits to fill a window, or much."""
        try:
            decoded = packet.decode()
            if not decoded:
                return False
            convert = self._convert or self._begin(packet, decoded[0])
            frames = [frame for one in decoded for frame in convert(one)]
        except (av.error.FFmpegError, ValueError):
            self._errors += 1
            return False
        for frame in frames:
            self._queue(frame)
        return self._waiting.samples >= self._enough

    def full(self) -> Iterator[Sound]:
        """Give the windows that are full by now."""
        clock = self._mix()
        for window in self._filling:
            if window.lacks(clock) <= 0:
                window.end(self._errors)
        while self._filling and self._filling[0].ended:
            yield self._filling.popleft().sound
        lacking = (one.lacks(clock) for one in self._filling if not one.ended)
        self._enough = min([_SAMPLES_AT_ONCE, *lacking])

    def rest(self) -> Iterator[Sound]:
        """Give the windows in which the recording ends."""
        self._mix()
        for window in self._filling:
            window.end(self._errors)
            yield window.sound

    def _begin(self, packet: AudioPacket, frame: av.AudioFrame) -> Convert:
        """Learn rate and channels from the first frame."""
        codec, rate = packet.stream.codec_context.codec.canonical_name, frame.sample_rate
        is_dsd = codec.startswith(("dsd", "dst"))
        if rate not in (_DSD_RATES if is_dsd else _RATES):
            raise AudioError("bad_rate", file=self._name, rate=rate)
        # Above what is heard, DSD holds its noise alone.
        self._rate = rate if not is_dsd else 44_100 if rate % 44_100 == 0 else 48_000
        self._channels, self._tick = frame.layout.nb_channels, Fraction(1, self._rate)
        check_channel(self._channel, self._channels, self._name)
        self._origin = _origin(packet.stream) - self._skipped
        self._clock = self._origin if self._sequential else None
        self._convert = _to_first_format(frame, self._rate)
        return self._convert

    def _queue(self, frame: av.AudioFrame) -> None:
        """Append to what waits, and begin the windows that it reaches."""
        time, clock = frame.time, self._clock
        apart = not self._sequential and time is not None and abs(time - (clock or 0)) > _GAP
        if clock is None or apart:
            if clock is not None:
                self._mix()
                self._errors += 1
            clock = self._origin + self._first if time is None else time
        # The queue would want times without a gap, in one unit.
        frame.pts, frame.time_base = None, self._tick
        self._waiting.write(frame)
        self._clock = clock = clock + frame.samples / self._rate
        while self._coming and self._origin + self._coming[0][0] <= clock + _RUN_UP:
            (begin, seconds), before = self._coming.popleft(), self._errors if self._filling else 0
            # No buffers for windows inside a gap but the last: there may be hundreds.
            others = self._filling or self._coming
            missed = others and self._origin + begin + seconds <= clock
            room = np.empty(0 if missed else round(seconds * self._rate), np.float32)
            sound = Sound(room, self._rate, self._channels, self._channel)
            self._filling.append(_Window(self._origin + begin, sound, before))

    def _mix(self) -> float:
        """Empty the queue into the windows that want some of it; return the time of its end."""
        frame = self._waiting.read() if self._waiting.samples else None
        if self._clock is None or frame is None:
            return self._clock or 0.0
        planes = np.asarray(frame.to_ndarray(), np.float32)
        if not frame.format.is_planar:
            planes = planes.reshape(-1, frame.layout.nb_channels).T
        if not self._is_sound and planes.any():
            self._is_sound = True
            if _is_disguised(planes):
                raise AudioError("disguised", file=self._name)
        begin = self._clock - frame.samples / frame.sample_rate
        for window in self._filling:
            skip = round((window.begin - begin) * frame.sample_rate)
            window.sound.add(planes[:, max(0, skip) :])
        return self._clock


@dataclass
class _Window:
    """A window that is being filled."""

    begin: float
    """Seconds, on the container's clock."""
    sound: Sound
    errors: int
    """Number of damaged places before it."""
    ended: bool = False

    def lacks(self, clock: float) -> int:
        """Number of samples from this time on until the window is full."""
        skip = max(0, round((self.begin - clock) * self.sound.rate))
        return skip + len(self.sound.original) - self.sound.taken

    def end(self, errors: int) -> None:
        """Take the sound as it is; ``errors`` is the number of damaged places up to here."""
        if not self.ended:
            self.sound.original = self.sound.original[: self.sound.taken]
            self.sound.errors = errors - self.errors
            self.ended = True


def _to_first_format(first: av.AudioFrame, rate: int) -> Convert:
    """Return a function that converts frames to floats of a rate with the channels of the first.

    Both may change in the middle of a file in which songs were joined.
    """
    # Float planes, as MP3, AAC, Vorbis and Opus have them. Packed if there are many, because PyAV
    # crashes on the planes of a frame with eight channels or more.
    wanted = "fltp" if first.layout.nb_channels < 8 else "flt"
    plain = (wanted, first.layout.name, rate)
    resamplers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def convert(frame: av.AudioFrame) -> Sequence[av.AudioFrame]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind == plain:
            return (frame,)
        if kind not in resamplers:
            resamplers[kind] = av.AudioResampler(wanted, first.layout, rate)
        return resamplers[kind].resample(frame)

    return convert


def _is_disguised(planes: Samples) -> bool:
    """Whether samples, float32 [channels, n], are DTS or AC-3, copied from a disc as if PCM.

    Of a WAV it is decoded; here it is found inside other files, such as FLAC.
    """
    if len(planes) != 2:
        return False
    silence = int(planes.any(axis=0).argmax())
    planes = planes[:, silence : silence + _SEARCHED]
    if not np.abs(planes).max() <= 1:
        return False
    values = planes.T * np.float32(2**15)
    whole = values.astype("<i2")
    return np.array_equal(whole, values) and frames_in(whole.tobytes()) is not None


def check_crop(crop: Crop | float) -> None:
    """Refuse what is neither a place nor a second."""
    places = get_args(Crop)
    second = isinstance(crop, Real) and not isinstance(crop, bool) and 0 <= crop < float("inf")
    if crop not in places and not second:
        raise not_one_of("load", "crop", crop, *map(repr, places), "float >= 0")


def check_channel(channel: Channel | None, channels: int, name: str) -> None:
    """Refuse to take one channel of a recording that has no others."""
    if channel and channels < 2:
        raise AudioError("one_channel", file=name, channel=channel)


def change_tempo(samples: Samples, rate: int, factor: float, length: int) -> Samples:
    """Play mono samples so many times as fast at the same pitch, float32 [length].

    By FFmpeg's ``atempo``, which overlaps pieces where they are most alike (W. Verhelst,
    M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
    time-scale modification of speech", ICASSP 1993).
    """
    graph = av.filter.Graph()
    # No filter slows down by more than two.
    factors = [0.5, 2 * factor] if factor < 0.5 else [factor]
    graph.link_nodes(
        graph.add_abuffer(format="flt", sample_rate=rate, layout="mono"),
        *(graph.add("atempo", f"{each:.9f}") for each in factors),
        graph.add("abuffersink"),
    ).configure()
    # It needs sound beyond the end for its last overlap.
    frame = av.AudioFrame.from_ndarray(np.pad(samples, (0, rate))[None], "flt", "mono")
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    parts: list[Samples] = []
    while sum(map(len, parts)) < length:
        parts.append(cast(av.AudioFrame, graph.pull()).to_ndarray()[0])
    return np.concatenate(parts)[:length]


def peak(samples: Samples) -> float:
    """Largest magnitude; NaN if there is one. Without a copy: a piece may be half an hour long."""
    return float(np.maximum(samples.max(), -samples.min()))
