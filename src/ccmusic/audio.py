"""A file in, a :class:`Clip` out: 10 s of mono sound at 22,050 Hz with facts and warnings.

Only what the window needs is decoded, so a piece of three hours costs no more memory than one
of three minutes.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, TypeAlias

import av
import av.error
import numpy as np
import numpy.typing as npt
import soxr

from ccmusic.errors import AudioError
from ccmusic.files import NotAFileError, Reader, open_regular
from ccmusic.renamed import RenamedAttribute, renamed_names
from ccmusic.texts import Language, translate

SAMPLE_RATE = 22_050
CLIP_SECONDS = 10.0
MAX_SECONDS = 1800.0

Crop = Literal["center", "start"]
Source = str | os.PathLike[str] | BinaryIO
Samples = npt.NDArray[np.float32]
AudioPacket: TypeAlias = "av.Packet[av.audio.AudioStream]"

# Containers that hold music. Playlists and network formats stay out: they can name other files.
_FORMATS = "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,mov,mp4,matroska,webm,asf,avi"
# What a search through folders takes for music; a file that is named is tried whatever its name.
# fmt: off
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".mp4", ".aif",
    ".aiff", ".au", ".caf", ".w64", ".mka", ".mkv", ".webm", ".wma",
)
# fmt: on
# A decoder that starts in mid-stream needs a run-up: MP3 borrows bits from earlier frames, Opus
# asks for 80 ms, AAC for one frame.
_RUN_UP = 0.5
_GAP = 0.1  # timestamps of neighbours agree better than this
_FRAMES_AT_ONCE = 64  # so few that they stay in the processor's cache
_PATIENCE = 1_000  # damaged places in a row until a file is given up
_OGG_PAGE = 65_307  # bytes, at most
_MP3_FRAME = 2_881  # bytes, at most
_RATES = range(1_000, 1_000_001)  # a header that gives another is damaged
_ABSURD = 1e9  # full scale is 1; NaN and infinity are not below this either
_SHORTEST = 0.1
_SHORT = 8.0
_COMMON_RATES = frozenset(
    {22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000}
)
_LOW_BIT_RATE = 125_000  # the step below 128 is 112; what is measured may miss by a frame
_SILENCE = 1e-3  # -60 dB of full scale
_FULL = 0.999
_CLIPPED_SHARE = 1e-3
_HIGH_BAND = 5_000.0
_HIGH_BAND_DB = -40.0
_BLOCK = 2_048  # samples, less than the shortest piece has


@dataclass(frozen=True)
class AudioInfo:
    """What the file says about itself, and which part of it was taken."""

    codec: str
    bit_rate: int | None
    """Bits per second, where the file tells."""
    sample_rate: int
    """Hertz, as stored in the file."""
    channels: int
    duration: float
    """Seconds."""
    window_start: float
    """Seconds from the start of the piece."""
    window_end: float
    looped: bool
    """The piece is shorter than the window and was repeated."""


@dataclass(frozen=True)
class AudioWarning:
    """A reason to trust the verdicts less."""

    code: str
    """One of ``truncated``, ``damaged``, ``low_bit_rate``, ``unusual_rate``, ``short``,
    ``silence``, ``clipping``, ``dull``."""
    values: dict[str, float]
    """The numbers that the sentence mentions."""

    def message(self, language: Language = "en") -> str:
        """Give the sentence in a language."""
        return translate(language, f"quality.{self.code}", **self.values)

    say = RenamedAttribute("message")


@dataclass(frozen=True)
class Clip:
    """Ten seconds ready to become a spectrogram."""

    file: str
    """What messages and results call the recording."""
    samples: Samples
    """float32 [220500] for the usual 10 s, mono at 22,050 Hz, nominally in -1..1."""
    original: Samples
    """float32 [n], the window in mono at the file's own rate, before resampling and looping."""
    info: AudioInfo
    warnings: tuple[AudioWarning, ...]

    native = RenamedAttribute("original")
    facts = RenamedAttribute("info")


@dataclass
class _Sound:
    """A window in mono, and what the warnings need to know of its channels.

    Mixed a few frames at a time: half an hour would be gigabytes in all its channels.
    """

    original: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32 [n] at the stream's own rate; while it is decoded, with room for what is to come."""
    rate: int = 1
    """Hertz: a decoder may know better than the header."""
    channels: int = 1
    errors: int = 0
    """How many places were damaged."""
    peak: float = 0.0
    """Largest magnitude of any channel; NaN if there is one."""
    clipped: int = 0
    """How many samples of the channels are at full scale."""
    taken: int = 0
    """Samples so far, those that wait to be mixed included."""
    waiting: list[Samples] = field(default_factory=list)

    def add(self, planes: Samples) -> None:
        """Take samples, float32 [channels, n], as long as there is room."""
        planes = planes[:, : len(self.original) - self.taken]
        self.taken += planes.shape[1]
        self.waiting.append(planes)
        if len(self.waiting) == _FRAMES_AT_ONCE:
            self.mix()

    def mix(self) -> None:
        """Mix what waits to mono."""
        if not self.waiting:
            return
        planes = np.concatenate(self.waiting, axis=1)
        self.waiting.clear()
        with np.errstate(over="ignore", invalid="ignore"):  # the peak tells
            self.original[self.taken - planes.shape[1] : self.taken] = planes.mean(axis=0)
        if planes.size:
            self.peak = float(np.maximum(self.peak, _peak(planes)))
        self.clipped += int(np.count_nonzero(planes >= _FULL) + np.count_nonzero(planes <= -_FULL))


def load(
    source: Source,
    *,
    crop: Crop | float = "center",
    seconds: float = CLIP_SECONDS,
    loop: bool = True,
) -> Clip:
    """Decode the analysis window of a file.

    Parameters
    ----------
    source
        Path, or a seekable binary stream.
    crop
        Take the 10 s at the ``center`` of the piece, at its ``start``, or from this second on,
        the last 10 s at most. A shorter piece is taken whole and looped.
    seconds
        Length of the window.
    loop
        Whether the samples of a shorter piece are repeated to this length; otherwise they are as
        many as there are.

    Raises
    ------
    AudioError
        With one line that says what is wrong with which file.
    """
    name = _name(source)
    with _file(source, name) as file:
        cut_off, (counted, whole) = _is_cut_off(file), _mp3_length(file)
        with _container(file, name) as container:
            stream = _audio_stream(container, name)
            announced = _announced(container, stream, counted)
            bit_rate = stream.codec_context.bit_rate or container.bit_rate or None
            codec = str(stream.codec_context.codec.canonical_name)
        duration = announced
        # A header gives no length, or one that the file does not keep.
        tail = announced - _RUN_UP
        kept = whole if codec == "mp3" else _span(file, name, tail)[0] >= tail
        if announced <= 0 or not kept:
            duration, size = _span(file, name, 0.0)
            bit_rate = round(8 * size / duration / 1000) * 1000 if duration > 0 else None
            cut_off |= announced - duration > _RUN_UP
        start = _window_start(duration, seconds, crop)
        # Room for what a header may have forgotten, but not for half an hour of it.
        longest = min(seconds, max(CLIP_SECONDS, duration + _RUN_UP))
        sound = _decode(file, name, start, longest)
        if not sound.taken and start > 0:
            # The window lies in a hole, or cannot be sought: take what there is.
            start = 0.0
            sound = _decode(file, name, start, longest)
    if not sound.taken:
        raise AudioError("no_sound", file=name)
    if not sound.peak < _ABSURD:
        raise AudioError("not_numbers", file=name)
    taken = sound.taken / sound.rate
    if min(seconds, duration - start) - taken > _RUN_UP:
        sound.errors += 1
    if round(taken, 2) < _SHORTEST:
        raise AudioError("too_short", file=name, seconds=taken, least=_SHORTEST)

    samples = np.asarray(soxr.resample(sound.original, sound.rate, SAMPLE_RATE), np.float32)
    wanted = round(seconds * SAMPLE_RATE)
    samples = np.resize(samples, wanted) if loop else samples[:wanted]
    info = AudioInfo(
        codec=codec,
        bit_rate=bit_rate,
        sample_rate=sound.rate,
        channels=sound.channels,
        duration=round(max(duration, taken), 3),
        window_start=round(start, 3),
        window_end=round(start + taken, 3),
        looped=loop and taken < seconds - 0.01,
    )
    warnings = [
        *_container_warnings(info, cut_off, sound.errors),
        *_signal_warnings(sound, samples),
    ]
    return Clip(name, samples, sound.original, info, tuple(warnings))


def digest(source: Source) -> str:
    """SHA-256 of the compressed sound, in hexadecimal, whatever tags stand around it.

    Raises
    ------
    AudioError
        If the file cannot be opened.
    """
    name = _name(source)
    with _file(source, name) as file:
        content = hashlib.sha256()
        for packet in _packets(file, name, 0.0):
            content.update(bytes(packet))
    return content.hexdigest()


def named(content: bytes, name: str) -> BinaryIO:
    """Make a stream of a file's content, which messages and results call by this name."""
    stream = _Named(content)
    stream.name = name
    return stream


class _Named(io.BytesIO):
    name: str


def _name(source: Source) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "the uploaded file"))


@contextmanager
def _file(source: Source, name: str) -> Iterator[BinaryIO]:
    """Open a path, or take a stream as it is; at its start, and not empty."""
    try:
        file = source if not isinstance(source, str | os.PathLike) else open_regular(source)
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
    """Whether the end of a RIFF, AIFF or Ogg file is missing, which FFmpeg does not tell."""
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


def _mp3_length(file: BinaryIO) -> tuple[bool, bool]:
    """Whether an MP3 tells its length in a header, and whether it is to be believed.

    The header (Xing, Info or VBRI) stands after the ID3 tags. Where the file has fewer bytes than
    it counted, something is missing; where it has more, songs were joined, and it tells nothing.
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
            # Old tags are often in GBK or Latin-1; a name that cannot be read must not stop us.
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
    if context is None or context.codec_tag in {"aavd", "drms", "enca"}:
        raise AudioError("protected", file=name)
    return stream


def _announced(
    container: av.container.InputContainer, stream: av.audio.AudioStream, counted: bool
) -> float:
    """Seconds according to the header; 0 where it does not say."""
    if container.format.name == "aac" or (container.format.name == "mp3" and not counted):
        return 0.0  # FFmpeg would guess, from the bit rate of the first frame
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _packets(file: BinaryIO, name: str, after: float) -> Iterator[AudioPacket]:
    """Open the file and give its packets from ``after`` (seconds into the piece) or earlier on.

    Each pass opens the file anew, because a demuxer that failed to seek stays where it is.
    """
    with _container(file, name) as container:
        stream = _audio_stream(container, name)
        if after > 0:
            try:
                container.seek(
                    int((_origin(stream) + after) / (stream.time_base or 1)), stream=stream
                )
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


def _span(file: BinaryIO, name: str, after: float) -> tuple[float, int]:
    """Look at the packets from a time on without decoding any.

    Returns
    -------
    end
        Seconds from the start of the piece to the end of the last packet; 0 without packets.
    size
        Bytes in these packets.
    """
    end = size = 0
    seconds = 0.0
    for packet in _packets(file, name, after):
        size += packet.size
        if packet.pts is not None and packet.pts + (packet.duration or 0) > end:
            end = packet.pts + (packet.duration or 0)
            last = packet
    if end:
        seconds = float(end * (last.stream.time_base or 0)) - _origin(last.stream)
    return seconds, size


def _window_start(duration: float, seconds: float, crop: Crop | float) -> float:
    last = max(0.0, duration - seconds)
    if crop == "center":
        return last / 2
    return 0.0 if crop == "start" else min(max(0.0, crop), last)


def _decode(file: BinaryIO, name: str, start: float, seconds: float) -> _Sound:
    """Decode up to ``seconds`` from ``start``."""
    sound = _Sound()
    alike: Callable[[av.AudioFrame], Sequence[av.AudioFrame]] | None = None
    clock: float | None = None  # seconds at the next sample
    begin: float | None = None  # and at the first that is wanted, both on the container's clock
    for packet in _packets(file, name, start - _RUN_UP):
        if begin is None:
            begin = _origin(packet.stream) + start
        try:
            decoded = packet.decode()
            if alike is None and decoded:
                alike = _alike(decoded[0])
                sound.rate, sound.channels = decoded[0].sample_rate, decoded[0].layout.nb_channels
                if sound.rate not in _RATES:
                    raise AudioError("bad_rate", file=name, rate=sound.rate)
                sound.original = np.empty(round(seconds * sound.rate), np.float32)
            frames = [frame for one in decoded for frame in alike(one)] if alike else []
        except (av.error.FFmpegError, ValueError):
            sound.errors += 1
            continue
        for frame in frames:
            if clock is None or (frame.time is not None and abs(frame.time - clock) > _GAP):
                sound.errors += clock is not None
                clock = begin if frame.time is None else float(frame.time)
            skip = round((begin - clock) * sound.rate) if clock < begin else 0
            clock += frame.samples / sound.rate
            if skip < frame.samples:
                sound.add(_planes(frame)[:, skip:])
        if alike and sound.taken == len(sound.original):
            break
    sound.mix()
    sound.original = sound.original[: sound.taken]
    return sound


def _alike(first: av.AudioFrame) -> Callable[[av.AudioFrame], Sequence[av.AudioFrame]]:
    """Make a function that gives frames of floats, of the rate and channels of the first one.

    Songs that were joined may change both in the middle of a file.
    """
    # Float planes already, as of MP3, AAC, Vorbis and Opus. Else packed, because PyAV crashes on
    # the planes of a frame with eight channels or more.
    few = first.layout.nb_channels < 8
    plain = ("fltp", first.layout.name, first.sample_rate) if few else None
    resamplers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def convert(frame: av.AudioFrame) -> Sequence[av.AudioFrame]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind == plain:
            return (frame,)
        if kind not in resamplers:
            resamplers[kind] = av.AudioResampler("flt", first.layout, first.sample_rate)
        return resamplers[kind].resample(frame)

    return convert


def _planes(frame: av.AudioFrame) -> Samples:
    """float32 [channels, n] of a frame of float samples."""
    values = np.asarray(frame.to_ndarray(), np.float32)
    return values if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels).T


def _container_warnings(info: AudioInfo, cut_off: bool, errors: int) -> Iterator[AudioWarning]:
    if cut_off:
        yield AudioWarning("truncated", {"duration": info.duration})
    if errors:
        yield AudioWarning("damaged", {"errors": errors})
    if info.codec == "mp3" and info.bit_rate and info.bit_rate < _LOW_BIT_RATE:
        yield AudioWarning("low_bit_rate", {"kbps": info.bit_rate / 1000})
    if info.sample_rate not in _COMMON_RATES:
        yield AudioWarning("unusual_rate", {"rate": info.sample_rate})
    if info.duration < _SHORT:
        yield AudioWarning("short", {"duration": info.duration})


def _peak(samples: Samples) -> float:
    """Largest magnitude; NaN if there is one. Without a copy: a piece may be half an hour long."""
    return float(np.maximum(samples.max(), -samples.min()))


def _signal_warnings(sound: _Sound, samples: Samples) -> Iterator[AudioWarning]:
    # Of the mono mix: channels in opposite phase cancel to silence.
    peak = _peak(samples)
    if peak < _SILENCE:
        yield AudioWarning("silence", {"peak": peak})
        return
    clipped = sound.clipped / (sound.taken * sound.channels)
    if clipped > _CLIPPED_SHARE:
        yield AudioWarning("clipping", {"share": clipped})
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    hann = np.hanning(_BLOCK).astype(np.float32)
    few = np.array_split(blocks, math.ceil(len(blocks) / 32))  # half an hour is 19,000 blocks
    parts = (np.fft.rfft(some * hann).view(np.float32) for some in few)  # real, imaginary in turn
    power = np.sum([np.square(part).sum(axis=0) for part in parts], axis=0)
    edge = 2 * round(_HIGH_BAND * _BLOCK / SAMPLE_RATE)
    level = 10 * math.log10(max(float(power[edge:].sum() / power.sum()), 1e-12))
    if level < _HIGH_BAND_DB:
        yield AudioWarning("dull", {"level": level})


__getattr__ = renamed_names(
    __name__,
    Facts="AudioInfo",
    LONGEST_PIECE="MAX_SECONDS",
    Quality="AudioWarning",
    SECONDS="CLIP_SECONDS",
)
