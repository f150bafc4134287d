"""FFmpeg: containers, packets, headers and tags. The only module that imports PyAV."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import av
import av.error
import numpy as np
import numpy.typing as npt

from ccmusic.errors import AudioError
from ccmusic.files import NotAFileError, Reader, open_regular

Crop = Literal["center", "start", "end"]
Samples = npt.NDArray[np.float32]
Stored: TypeAlias = str | os.PathLike[str] | BinaryIO | bytes
Source: TypeAlias = Stored | tuple[npt.NDArray[Any], float]
"""Path, seekable binary stream, content of a file, or samples and their rate; see
:func:`ccmusic.audio.load`."""
AudioPacket: TypeAlias = "av.Packet[av.audio.AudioStream]"

# Containers that hold music. Playlists and network formats stay out: they can name other files.
_FORMATS = "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,mov,mp4,matroska,webm,asf,avi"
# A decoder that starts in mid-stream needs a run-up: MP3 borrows bits from earlier frames, Opus
# asks for 80 ms, AAC for one frame.
_RUN_UP = 0.5
_GAP = 0.1  # larger differences between timestamps are gaps
_SAMPLES_AT_ONCE = 1 << 16  # few enough to stay in the CPU cache
_PATIENCE = 1_000  # damaged places in a row until a file is given up
_OGG_PAGE = 65_307  # bytes, at most
_OGG_FIRST = b"OggS\0\x02"  # begins the first page of a stream
_BLOCK = 1 << 20  # bytes of a file that are searched at once
# In these containers FFmpeg finds a time by the average bytes per second of the header, which is
# exact for few codecs. In ASF, times are in milliseconds, and those of WMA are late.
_BY_AVERAGE = frozenset({"wav", "w64", "aiff", "au"})
_EXACT_CODECS = ("pcm_", "mp2", "mp3")
_MP3_FRAME = 2_881  # bytes, at most
_RATES = range(1_000, 1_000_001)  # a header that gives another is damaged
_LEAST_ROOM = 10.0  # seconds to decode, whatever a header says
_FULL = 0.999  # of full scale
_CANCELLED = 1e-4  # of the channels' power: -40 dB

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
        with np.errstate(over="ignore", invalid="ignore"):  # the peak shows it
            mono = planes.mean(axis=0)
            power = sum(float(np.vdot(plane, plane)) for plane in planes) / len(planes)
            if float(np.vdot(mono, mono)) < _CANCELLED * power:
                mono = planes[0]
                self.opposite += planes.shape[1]
        self.original[self.taken : self.taken + planes.shape[1]] = mono
        self.taken += planes.shape[1]
        if planes.size:
            self.peak = float(np.maximum(self.peak, peak(planes)))
        self.clipped += int(np.count_nonzero(planes >= _FULL) + np.count_nonzero(planes <= -_FULL))


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
    sequential: bool = False
    """A time is found only by reading on from the start and counting samples."""


@dataclass(frozen=True)
class Decoded:
    """A window of a recording."""

    sound: Sound
    header: Header
    start: float
    """Seconds from the start of the recording to that of the window."""


def read_header(source: Stored) -> Header:
    """Find out how long a recording is, and whether it is whole.

    Raises
    ------
    AudioError
        If the file cannot be read, or holds no audio.
    """
    name = name_of(source)
    with _file(source, name) as file:
        cut_off, (counted, whole) = _is_cut_off(file), _mp3_length(file)
        chained = _is_chained(file)
        with _container(file, name) as container:
            stream = _audio_stream(container, name)
            announced = _announced(container, stream, counted)
            bit_rate = stream.codec_context.bit_rate or container.bit_rate or None
            codec = str(stream.codec_context.codec.canonical_name)
            kind = container.format.name
            inexact = (kind in _BY_AVERAGE and not codec.startswith(_EXACT_CODECS)) or kind == "asf"
            # The header may have no length, or a wrong one.
            tail = announced - _RUN_UP
            kept = whole if codec == "mp3" else _span(_demux(container, stream, tail))[0] >= tail
        duration = announced
        if announced <= 0 or chained or not kept:
            duration, size = _span(_packets(file, name, 0.0), chained=chained)
            bit_rate = round(8 * size / duration / 1000) * 1000 if duration > 0 else None
            cut_off |= announced - duration > _RUN_UP
    return Header(codec, bit_rate, duration, cut_off, chained or inexact)


def decode_windows(
    source: Stored, header: Header, starts: Sequence[float], *, seconds: float
) -> Iterator[Decoded]:
    """Decode several windows in one pass.

    Parameters
    ----------
    starts
        Where they begin, in seconds from the start of the recording, in ascending order.
    seconds
        Length of each.

    Raises
    ------
    AudioError
        If the file cannot be read, or holds no audio.
    """
    name, duration = name_of(source), header.duration
    # The header may be wrong by some seconds, but a buffer must not be half an hour too long.
    longest = min(seconds, max(_LEAST_ROOM, duration + _RUN_UP))
    with _file(source, name) as file:
        sounds = _decode(file, name, starts, longest, sequential=header.sequential)
        for start, found in zip_longest(starts, sounds):
            sound = found or Sound()
            # It lies in a gap, or seeking failed: look from there on, then at the beginning.
            for place in (start, 0.0) if start > 0 else ():
                if not sound.taken:
                    start = place
                    again = _decode(file, name, [start], longest, sequential=header.sequential)
                    sound = next(again, sound)
            if not sound.taken:
                raise AudioError("no_sound", file=name)
            if min(seconds, duration - start) - sound.taken / sound.rate > _RUN_UP:
                sound.errors += 1
            yield Decoded(sound, header, start)


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
        for packet in _packets(file, name, 0.0):
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
    with _file(path, name) as file, _container(file, name) as container:
        # Ogg keeps its tags with the stream.
        found = [*(stream.metadata for stream in container.streams.audio), container.metadata]
        return {key.lower(): value for tags in found for key, value in tags.items()}


def name_of(source: Source) -> str:
    """Name of a source in messages and results."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, tuple):
        return "the samples"
    return str(getattr(source, "name", "the uploaded file"))


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
    except FileNotFoundError:
        raise AudioError("no_such_file", file=name) from None
    except IsADirectoryError:
        raise AudioError("directory", file=name) from None
    except NotAFileError:
        raise AudioError("not_a_file", file=name) from None
    except PermissionError:
        raise AudioError("no_permission", file=name) from None
    except (OSError, ValueError) as error:
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


def _is_cut_off(file: BinaryIO) -> bool:
    """Return whether the end of a RIFF, AIFF, or Ogg file is missing; FFmpeg does not tell."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    kind, length = file.read(4), file.read(4)
    if kind in {b"RIFF", b"FORM"}:
        promised = int.from_bytes(length, "little" if kind == b"RIFF" else "big")
        # Programs that write to a pipe leave 0 or the largest number there.
        return size < promised < 0xFFFF_FF00
    if kind == b"OggS":
        file.seek(max(0, size - _OGG_PAGE))
        tail = file.read()
        flags = tail[tail.rfind(b"OggS") + 5 :][:1]
        return flags == b"" or not flags[0] & 4  # bit 2 marks the last page
    return False


def _is_chained(file: BinaryIO) -> bool:
    """Return whether songs were joined to one Ogg file: each starts the clock anew."""
    file.seek(0)
    place = 0
    # The streams that are played together begin together.
    while (page := file.read(_OGG_PAGE)).startswith(_OGG_FIRST):
        lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
        place += 27 + len(lacing) + sum(lacing)
        file.seek(place)
    if place == 0:
        return False
    file.seek(place)
    end = b""
    while block := file.read(_BLOCK):
        if _OGG_FIRST in end + block:
            return True
        end = block[1 - len(_OGG_FIRST) :]
    return False


def _mp3_length(file: BinaryIO) -> tuple[bool, bool]:
    """Return (has_length_header, header_is_consistent) of an MP3.

    The header (Xing, Info or VBRI) follows the ID3 tags. If the file has fewer bytes than the
    header says, the end is missing; if it has more, songs were joined and the header is wrong.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(10)
    begin = 0
    if head.startswith(b"ID3"):
        for byte in head[6:]:
            begin = begin << 7 | byte & 0x7F
        begin += len(head)
    file.seek(begin)
    first = file.read(_MP3_FRAME)
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    if mark < 0:
        return b"VBRI" in first, False
    flags, _, length = struct.unpack(">3I", first[mark + 4 : mark + 16].ljust(12, b"\0"))
    if flags & 3 != 3:
        return True, False
    surplus = size - begin - length
    return surplus < _MP3_FRAME, abs(surplus) < _MP3_FRAME


@contextmanager
def _container(file: BinaryIO, name: str) -> Iterator[av.container.InputContainer]:
    """Open through Python's own file object: FFmpeg never sees a path, so no name is a URL."""
    file.seek(0)
    try:
        container = av.open(
            Reader(file),
            # Without the limit FFmpeg searches megabytes of a WAV for another codec in disguise.
            options={"format_whitelist": _FORMATS, "max_probe_packets": "4"},
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
    stream = container.streams.audio[0]
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


def _packets(file: BinaryIO, name: str, after: float) -> Iterator[AudioPacket]:
    """Open the file and give its packets from ``after`` (seconds into the piece) or earlier on.

    Each pass opens the file anew, because a demuxer that failed to seek keeps its position.
    """
    with _container(file, name) as container:
        yield from _demux(container, _audio_stream(container, name), after)


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


def _span(packets: Iterable[AudioPacket], *, chained: bool = False) -> tuple[float, int]:
    """Measure packets without decoding them.

    Parameters
    ----------
    chained
        Whether the clock starts anew with each of several songs, whose lengths are added.

    Returns
    -------
    end
        Seconds from the start of the piece to the end of the last packet; 0 without packets.
    size
        Bytes in these packets.
    """
    end = size = songs = 0
    seconds = 0.0
    for packet in packets:
        size += packet.size
        if packet.pts is None:
            continue
        if chained and packet.pts + songs < end:
            songs = end - packet.pts
        if packet.pts + songs + (packet.duration or 0) > end:
            end = packet.pts + songs + (packet.duration or 0)
            last = packet
    if end:
        seconds = float(end * (last.stream.time_base or 0)) - _origin(last.stream)
    return seconds, size


def window_start(duration: float, seconds: float, crop: Crop | float) -> float:
    """Seconds from the start of a recording to that of the window."""
    last = max(0.0, duration - seconds)
    named = {"start": 0.0, "center": last / 2, "end": last}
    return named[crop] if isinstance(crop, str) else min(max(0.0, crop), last)


def _decode(
    file: BinaryIO, name: str, starts: Sequence[float], seconds: float, *, sequential: bool
) -> Iterator[Sound]:
    """Decode up to ``seconds`` from each start on; those that the file does not reach are left out.

    Windows may overlap: each is filled with what it wants of the sound that passes.
    """
    # Frames are many and short: NumPy would take longer for each than the decoder.
    waiting = av.AudioFifo()
    alike: Callable[[av.AudioFrame], Sequence[av.AudioFrame]] | None = None
    coming, filling = deque(starts), deque[_Window]()
    clock: float | None = None  # seconds after the last sample that waits, on the container's clock
    errors, enough = 0, _SAMPLES_AT_ONCE
    for packet in _packets(file, name, 0.0 if sequential else starts[0] - _RUN_UP):
        try:
            decoded = packet.decode()
            if alike is None and decoded:
                alike = _alike(decoded[0])
                rate, channels = decoded[0].sample_rate, decoded[0].layout.nb_channels
                if rate not in _RATES:
                    raise AudioError("bad_rate", file=name, rate=rate)
                origin, tick = _origin(packet.stream), Fraction(1, rate)
                clock = origin if sequential else None
            frames = [frame for one in decoded for frame in alike(one)] if alike else []
        except (av.error.FFmpegError, ValueError):
            errors += 1
            continue
        for frame in frames:
            time = frame.time
            if clock is None or (not sequential and time is not None and abs(time - clock) > _GAP):
                if clock is not None:
                    _mix(waiting, clock, filling)
                    errors += 1
                clock = origin + starts[0] if time is None else time
            # The queue would want times without a gap, in one unit.
            frame.pts, frame.time_base = None, tick
            waiting.write(frame)
            clock += frame.samples / rate
            while coming and origin + coming[0] <= clock + _RUN_UP:
                begin, before = coming.popleft(), errors if filling else 0
                # None for one of many in a gap: there may be hundreds.
                missed = (filling or coming) and origin + begin + seconds <= clock
                room = np.empty(0 if missed else round(seconds * rate), np.float32)
                filling.append(_Window(origin + begin, Sound(room, rate, channels), before))
        if clock is not None and waiting.samples >= enough:
            _mix(waiting, clock, filling)
            while filling and filling[0].lacks(clock) <= 0:
                yield filling.popleft().finished(errors)
            if not filling and not coming:
                return
            enough = min([_SAMPLES_AT_ONCE, *(window.lacks(clock) for window in filling)])
    if clock is not None:
        _mix(waiting, clock, filling)
    for window in filling:
        yield window.finished(errors)


@dataclass
class _Window:
    """A window that is being filled."""

    begin: float
    """Seconds, on the container's clock."""
    sound: Sound
    errors: int
    """Number of damaged places before it."""

    def lacks(self, clock: float) -> int:
        """Number of samples from this time on until the window is full."""
        skip = max(0, round((self.begin - clock) * self.sound.rate))
        return skip + len(self.sound.original) - self.sound.taken

    def finished(self, errors: int) -> Sound:
        """The sound, as long as it is; ``errors`` is the number of damaged places up to here."""
        self.sound.original = self.sound.original[: self.sound.taken]
        self.sound.errors = errors - self.errors
        return self.sound


def _mix(waiting: av.AudioFifo, end: float, windows: Iterable[_Window]) -> None:
    """Empty a queue, whose last sample is at ``end``, into the windows that want some of it."""
    if not waiting.samples:
        return
    frame = waiting.read()
    assert frame is not None
    planes = np.asarray(frame.to_ndarray(), np.float32)
    if not frame.format.is_planar:
        planes = planes.reshape(-1, frame.layout.nb_channels).T
    begin = end - frame.samples / frame.sample_rate
    for window in windows:
        skip = round((window.begin - begin) * frame.sample_rate)
        window.sound.add(planes[:, max(0, skip) :])


def _alike(first: av.AudioFrame) -> Callable[[av.AudioFrame], Sequence[av.AudioFrame]]:
    """Return a function that converts frames to floats with rate and channels of the first one.

    Both may change in the middle of a file in which songs were joined.
    """
    # Float planes, as MP3, AAC, Vorbis and Opus have them. Packed if there are many, because PyAV
    # crashes on the planes of a frame with eight channels or more.
    wanted = "fltp" if first.layout.nb_channels < 8 else "flt"
    plain = (wanted, first.layout.name, first.sample_rate)
    resamplers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def convert(frame: av.AudioFrame) -> Sequence[av.AudioFrame]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind == plain:
            return (frame,)
        if kind not in resamplers:
            resamplers[kind] = av.AudioResampler(wanted, first.layout, first.sample_rate)
        return resamplers[kind].resample(frame)

    return convert


def peak(samples: Samples) -> float:
    """Largest magnitude; NaN if there is one. Without a copy: a piece may be half an hour long."""
    return float(np.maximum(samples.max(), -samples.min()))
