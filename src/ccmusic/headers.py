"""Headers that FFmpeg does not read, misreads, or believes when it should not."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

_BLOCK = 1 << 20  # bytes of a file that are searched at once
_CHUNKS = 1_000  # of a WAV, and tags, and songs; more are made to keep the reader busy
_OGG_PAGE = 65_307  # bytes, at most
# Begins the first page of a stream: version, kind of page, and time, which is 0 there. The longer
# what is searched, the faster.
_OGG_FIRST = b"OggS\0\x02" + bytes(8)

# What FFmpeg does not find behind ID3v2 tags, some only from a megabyte on; some programs write
# them before every file.
# fmt: off
_NOT_AFTER_ID3 = (
    b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"FRM8", b"OggS", b"caff", b".snd", b"DSD ",
    b"wvpk", b"tBaK", b"MAC ", b"MPCK", b"MP+", b"fLaC", b"TTA1", b"\x30\x26\xb2\x75",
    b"\x1aE\xdf\xa3", b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9",  # ADTS
)
# fmt: on

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_PLAIN = {_PCM, _FLOAT, _ALAW, _MULAW}  # so many bytes per second as rate and width say
_SUBTYPE = bytes.fromhex("00001000800000aa00389b71")  # the end of a format's GUID
# Encodings of the AU format, which is big-endian, by format and bytes per sample in a WAV.
_AU = {(_MULAW, 1): 1, (_PCM, 2): 3, (_PCM, 3): 4, (_PCM, 4): 5,
       (_FLOAT, 4): 6, (_FLOAT, 8): 7, (_ALAW, 1): 27}  # fmt: skip
_SAMPLES = {b"data", b"SSND"}  # chunks of WAV and AIFF
_W64_FORMAT = bytes.fromhex("666d7420f3acd3118cd100c04f8edb8a")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")

# Compressed sound for a digital output may be stored as if it were PCM; how its frames begin, and
# FFmpeg's format, None where it has none. Programs that take it for samples may swap its bytes.
_DISGUISED = {
    b"\x72\xf8\x1f\x4e": "spdif",
    b"\xf8\x72\x4e\x1f": None,
    b"\xfe\x7f\x01\x80": "dts",  # 16 bits, little-endian
    b"\xff\x1f\x00\xe8": "dts",  # 14 bits
    b"\x7f\xfe\x80\x01": "dts",
    b"\x1f\xff\xe8\x00": "dts",
    b"\x0b\x77": "ac3",
    b"\x77\x0b": "ac3",
}
_SWAPPED = b"\xf8\xfe\xff\x77"  # first bytes of the other order
_LEAD_IN = 16  # blocks of silence before it, about 95 s
_SEARCHED = 1 << 16  # bytes after the silence
_FRAMES = 4  # in a row
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

_MP3_FRAME = 2_881  # bytes, at most
_MP3_STEP = 1 << 18  # bytes between places from which a time is looked for
_KBPS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG-2 and 2.5
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


@dataclass(frozen=True)
class Part:
    """A stretch of a file that is read as if it were a file of its own."""

    begin: int = 0
    """Bytes."""
    end: int | None = None
    """Bytes; None for the end of the file."""
    head: bytes = b""
    """A header that takes the place of what is before ``begin``."""
    format: str | None = None
    """FFmpeg's name of the format, if it would not recognise it."""
    time: float = 0.0
    """Seconds of the recording before this stretch."""


class View:
    """A part of a file as a stream for a C library; reading it moves the position of the file."""

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self._file, self._head = file, part.head
        size = file.seek(0, io.SEEK_END)
        self._begin = part.begin - len(part.head)  # where the view would begin in the file
        end = size if part.end is None else min(part.end, size)
        self._size = max(end - self._begin, len(part.head))
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek; -1 if the position is impossible: of an exception PyAV would print a traceback."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            return -1
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """As of any stream."""
        return self._position

    def read(self, size: int) -> bytes:
        """As of any stream; others may read the file meanwhile."""
        first = self._position
        wanted = min(size, max(0, self._size - first))
        data = self._head[first : first + wanted]
        if len(data) < wanted:
            self._file.seek(self._begin + first + len(data))
            data += self._file.read(wanted - len(data))
        self._position += len(data)
        return data


@dataclass(frozen=True)
class Mpeg:
    """What counting the frames of an MP3 gives."""

    seconds: float
    size: int
    """Bytes of its frames."""
    places: tuple[tuple[float, int], ...]
    """Seconds before a frame, and its byte, in ascending order; a few each minute."""


def parts_of(file: BinaryIO) -> tuple[Part, ...]:
    """The parts of a file to read one after another; several where songs were joined to one Ogg."""
    begin = _after_id3(file)
    magic = _at(file, begin, 12)
    if not (magic.startswith(_NOT_AFTER_ID3) or magic[4:8] == b"ftyp"):
        begin = 0
    if magic.startswith((b"RIFF", b"RIFX", b"RF64")) and magic.endswith(b"WAVE"):
        return (_wave(file, begin),)
    if magic.startswith(b"FORM") and magic.endswith((b"AIFF", b"AIFC")):
        return (_aiff(file, begin),)
    if magic.startswith((b"riff", b"caff")):
        return (_right_samples(file, begin),)
    if magic.startswith(_OGG_FIRST[:4]):
        return tuple(_songs(file, begin))
    return (Part(begin),)


def is_cut_off(file: BinaryIO) -> bool:
    """Return whether the end of a RIFF, AIFF, Ogg or ASF file is missing; FFmpeg does not tell."""
    size = file.seek(0, io.SEEK_END)
    begin = _after_id3(file)
    head = _at(file, begin, 24)
    kind = head[:4]
    if kind in {b"RIFF", b"RIFX", b"FORM"}:
        promised = int.from_bytes(head[4:8], "little" if kind == b"RIFF" else "big")
        # Programs that write to a pipe leave 0 or the largest number there.
        return size - begin < promised < 0xFFFF_FF00
    if kind == b"OggS":
        tail = _at(file, max(begin, size - _OGG_PAGE), _OGG_PAGE)
        flags = tail[tail.rfind(b"OggS") + 5 :][:1]
        return flags == b"" or not flags[0] & 4  # bit 2 marks the last page
    if head.startswith(_ASF):
        begin += int.from_bytes(head[16:24], "little")
        data = _at(file, begin, 24) if begin < size else b""
        promised = int.from_bytes(data[16:24], "little")
        return not data.startswith(_ASF_DATA) or begin + promised > size
    return False


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _after_id3(file: BinaryIO, begin: int = 0) -> int:
    """First byte after ID3v2 tags that are at ``begin``."""
    for _ in range(_CHUNKS):
        head = _at(file, begin, 10)
        if not head.startswith(b"ID3") or len(head) < 10:
            break
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        begin += size + (20 if head[5] & 0x10 else 10)  # with a footer
    return begin


# --- WAV and its relatives -------------------------------------------------------------------


def _wave(file: BinaryIO, begin: int) -> Part:
    """A WAV, with another header where FFmpeg misreads its own."""
    order = ">" if _at(file, begin, 4) == b"RIFX" else "<"
    kept, place, length, padded = _chunks(file, begin + 12, order)
    form = kept.get(b"fmt ", b"")
    if b"data" not in kept or len(form) < 16:
        return Part(begin)
    tag, channels, rate, average, align, bits = struct.unpack(order + "2H2I2H", form[:16])
    extended = tag == _EXTENSIBLE and form[28:40] == _SUBTYPE
    if extended:
        (tag,) = struct.unpack(order + "H", form[24:26])
    width = _width(align, channels, bits)
    # Programs that write to a pipe leave 0 or the largest number there.
    end = place + length if 0 < length < 0xFFFF_FF00 else None
    if order == ">":
        return _big_endian(Part(place, end), tag, channels, rate, width)
    if tag == _PCM and width == 2 and (disguised := _disguised(file, place, end)):
        return disguised
    misread = False
    if tag in _PLAIN and width:
        right = _average(rate, align)
        misread = average != right
        form = form[:8] + struct.pack("<I", right) + form[12:]
    if tag == _PCM and width:
        (valid,) = struct.unpack("<H", form[18:20]) if extended else (0,)
        misread |= -(-(valid or bits) // 8) != width
        whole = struct.pack("<H", 8 * width)
        form = form[:14] + whole + form[16:18] + (whole if extended else form[18:20]) + form[20:]
    if padded and not misread:
        return Part(begin)
    sizes = kept.get(b"ds64")
    chunks = [(b"ds64", sizes)] if sizes else []
    head = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in [*chunks, (b"fmt ", form + bytes(len(form) & 1))]
    )
    return Part(place, head=_at(file, begin, 12) + head + b"data" + struct.pack("<I", length))


def _aiff(file: BinaryIO, begin: int) -> Part:
    """An AIFF; without the chunks before the samples if FFmpeg would not find its way through."""
    kept, place, length, padded = _chunks(file, begin + 12, ">")
    if padded or not {b"COMM", b"SSND"} <= kept.keys():
        return Part(begin)
    form = kept[b"COMM"]
    chunk = b"COMM" + struct.pack(">I", len(form)) + form + bytes(len(form) & 1)
    head = _at(file, begin, 12) + chunk + b"SSND" + struct.pack(">I", length)
    return Part(place, head=head)


def _chunks(file: BinaryIO, place: int, order: str) -> tuple[dict[bytes, bytes], int, int, bool]:
    """Contents of format chunks; place and length of the last chunk; whether all are padded.

    The last is that of the samples, whose content is left out.
    """
    size, padded = file.seek(0, io.SEEK_END), True
    kept: dict[bytes, bytes] = {}
    for _ in range(_CHUNKS):
        kind, length = struct.unpack(order + "4sI", _at(file, place, 8).ljust(8, b"\0"))
        place += 8
        if kind in _SAMPLES:
            kept[kind] = b""
        if kind in _SAMPLES or place >= size:
            break
        if kind in {b"fmt ", b"ds64", b"COMM"}:
            kept[kind] = _at(file, place, min(length, 1_000))
        place += length
        if length & 1:
            # Chunks begin at even bytes, but not all programs care.
            name, more = struct.unpack(order + "4sI", _at(file, place, 8).ljust(8, b"\0"))
            plausible = name.isascii() and name.decode("ascii").isprintable()
            if name in _SAMPLES or (plausible and place + more < size):
                padded = False
            else:
                place += 1
    return kept, place, length, padded


def _width(align: int, channels: int, bits: int) -> int:
    """Bytes of a sample, which may have fewer bits than fit into them; 0 if that cannot be."""
    width, rest = divmod(align, channels or 1)
    return width if channels and not rest and bits <= 8 * width <= 64 else 0


def _average(rate: int, align: int) -> int:
    """Bytes per second of plain samples, by which FFmpeg finds a time; headers may say others."""
    return min(rate * align, 0xFFFF_FFFF)


def _big_endian(part: Part, tag: int, channels: int, rate: int, width: int) -> Part:
    """The samples of a RIFX with the header of an AU, which FFmpeg reads as big-endian."""
    if (tag, width) == (_PCM, 1):  # unsigned in a WAV, signed in an AU
        form = struct.pack("<I2H2I2H", 16, tag, channels, rate, rate * channels, channels, 8)
        unknown = b"\xff\xff\xff\xff"
        head = b"RIFF" + unknown + b"WAVEfmt " + form + b"data" + unknown
        return replace(part, head=head)
    encoding = _AU.get((tag, width), 0)  # FFmpeg refuses what it does not know
    head = struct.pack(">4s6I", b".snd", 28, 0xFFFF_FFFF, encoding, rate, channels, 0)
    return replace(part, head=head)


def _right_samples(file: BinaryIO, begin: int) -> Part:
    """A W64 or CAF, with another header where FFmpeg misreads its own."""
    head = _at(file, begin, 4_096)
    right = bytearray(head)
    if head.startswith(b"riff"):
        place = head.find(_W64_FORMAT) + 24
        if place < 24 or len(head) < place + 40:
            return Part(begin)
        tag, channels, rate, _, align, bits = struct.unpack_from("<2H2I2H", head, place)
        extended = tag == _EXTENSIBLE and head[place + 28 : place + 40] == _SUBTYPE
        if extended:
            (tag,) = struct.unpack_from("<H", head, place + 24)
        pcm, places, kind = tag == _PCM, [place + 14, place + 18][: 1 + extended], "<H"
        if tag in _PLAIN:
            struct.pack_into("<I", right, place + 8, _average(rate, align))
    else:
        if head[8:12] != b"desc" or len(head) < 52:
            return Part(begin)
        flags, align, _, channels, bits = struct.unpack_from(">5I", head, 32)
        pcm, places, kind = head[28:32] == b"lpcm" and not flags & 1, [48], ">I"
    width = _width(align, channels, bits)
    if not width:
        return Part(begin)
    for place in places if pcm else []:
        struct.pack_into(kind, right, place, 8 * width)
    return Part(begin + len(head), head=bytes(right)) if right != head else Part(begin)


def _disguised(file: BinaryIO, begin: int, end: int | None) -> Part | None:
    """AC-3 or DTS where PCM should be, after any silence; None if it is PCM."""
    place = begin
    for _ in range(_LEAD_IN):
        block = _at(file, place, _BLOCK if place > begin else _SEARCHED)
        rest = len(block.lstrip(b"\0"))
        place += len(block) - rest
        if rest or not block:
            break
    found = frames_in(_at(file, place, _SEARCHED))
    return Part(place + found[0], end, format=found[1]) if found and found[1] else None


def frames_in(content: bytes) -> tuple[int, str | None] | None:
    """Place and format of the first frame of AC-3 or DTS among samples; None if they are PCM."""
    for sync, kind in _DISGUISED.items():
        first = content.find(sync)
        if first >= 0 and _are_frames(content, first, sync, kind or "spdif"):
            return first, kind
    return None


def _are_frames(found: bytes, place: int, sync: bytes, kind: str) -> bool:
    """Whether frames follow each other as their headers say: a periodic sound may look similar."""
    periods = set()
    for _ in range(_FRAMES):
        size = _frame_size(found[place : place + 8], kind)
        following = found.find(sync, place + size) if size else -1
        if following < 0 or (kind == "ac3" and following > place + size):
            return False
        periods.add(following - place)
        place = following
    return kind == "ac3" or len(periods) == 1


def _frame_size(head: bytes, kind: str) -> int:
    """Bytes of a compressed frame, at least; 0 if this is none."""
    if head[0] in _SWAPPED:
        head = bytes(head[n ^ 1] for n in range(8))
    if kind == "spdif":
        is_data, bits = head[4] & 31, int.from_bytes(head[6:8], "little")
        return 8 + bits // 8 if is_data else 0
    if kind == "ac3":
        rate, code = head[4] >> 6, head[4] & 63
        if head[5] >> 3 > 10:  # Enhanced AC-3
            return 2 * (int.from_bytes(head[2:4], "big") % 2_048 + 1)
        if rate == 3 or code // 2 >= len(_AC3_KBPS):
            return 0
        kbps = _AC3_KBPS[code // 2]
        return 2 * (2 * kbps, 320 * kbps // 147 + code % 2, 3 * kbps)[rate]
    following = int.from_bytes(head[4:], "big")
    if head[0] == 0x1F:  # 14 bits in 16
        return 96 if following >> 20 == 0x07F else 0
    return (following >> 4 & 0x3FFF) + 1 if following >> 18 & 127 >= 5 else 0


# --- Ogg ---------------------------------------------------------------------------------------


def _songs(file: BinaryIO, begin: int) -> Iterator[Part]:
    """Songs that were joined to one Ogg file; each starts the clock anew."""
    place = begin
    for count in range(_CHUNKS):
        # The streams that are played together begin together.
        after = place
        while (page := _at(file, after, _OGG_PAGE)).startswith(_OGG_FIRST) and len(page) > 26:
            lacing = page[27 : 27 + page[26]]
            after += 27 + len(lacing) + sum(lacing)
        following = _find(file, _OGG_FIRST, after) if count < _CHUNKS - 1 else None
        yield Part(place, following)
        if following is None:
            return
        place = following


def _find(file: BinaryIO, wanted: bytes, begin: int) -> int | None:
    """The next place of some bytes from ``begin`` on; None if there is none."""
    file.seek(begin)
    end = b""
    while block := file.read(_BLOCK):
        found = (end + block).find(wanted)
        if found >= 0:
            return begin - len(end) + found
        begin += len(block)
        end = block[1 - len(wanted) :]
    return None


# --- Musepack ------------------------------------------------------------------------------------


def musepack_seconds(file: BinaryIO) -> float:
    """Length of a Musepack file of version 8, whose header FFmpeg ignores; 0 of others."""
    head = _at(file, _after_id3(file), 64)
    if not head.startswith(b"MPCKSH"):
        return 0.0
    place = 6

    def number() -> int:  # seven bits a byte, the highest first
        nonlocal place
        value = 0
        while True:
            byte = head[place]
            place += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    try:
        number()  # size of what follows
        place += 5  # checksum, version
        samples, silence = number(), number()
        rate = (44_100, 48_000, 37_800, 32_000)[head[place] >> 5]
    except IndexError:
        return 0.0
    return max(0, samples - silence) / rate


# --- MP3 ---------------------------------------------------------------------------------------


def promised_mp3(file: BinaryIO) -> tuple[bool, int | None]:
    """Return (has_header, missing_bytes) of an MP3 by its Xing, Info or VBRI header.

    The second is None if no header tells how many bytes there should be.
    """
    size = file.seek(0, io.SEEK_END)
    begin = _after_id3(file)
    first = _at(file, begin, _MP3_FRAME)
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    if mark >= 0:
        flags, _, length = struct.unpack(">3I", first[mark + 4 : mark + 16].ljust(12, b"\0"))
        counted = flags & 3 == 3
    else:
        mark = first.find(b"VBRI")
        if mark < 0:
            return False, None
        length = int.from_bytes(first[mark + 10 : mark + 14], "big")
        counted = length > 0
    if not counted:
        return True, None
    missing = begin + length - size
    return True, missing if missing > _MP3_FRAME else 0


def count_mp3(file: BinaryIO) -> Mpeg | None:
    """Count the frames of an MP3, whatever its header says.

    Returns None for other files, and for those with a gap, songs of unlike rates, or a bit rate
    that the frames do not tell: FFmpeg finds its way through them.
    """
    begin = place = _after_id3(file)
    block = _at(file, place, _MP3_FRAME)
    if len(block) < 4 or block[0] != 0xFF or block[1] & 0xE6 != 0xE2:
        return None
    kind, rate = block[1] | 1, block[2] >> 2 & 3
    version = kind >> 3 & 3
    if version == 1 or rate == 3:
        return None
    hertz = _MP3_RATES[version][rate]
    samples = 1_152 if version == 3 else 576
    sizes = [  # by the third byte of a frame; 0 if it belongs to none of these frames
        samples * 125 * _KBPS[version == 3][byte >> 4] // hertz + (byte >> 1 & 1)
        if 0 < byte >> 4 < 15 and byte >> 2 & 3 == rate
        else 0
        for byte in range(256)
    ]
    # The first frame may be silence that only carries a header.
    header = any(mark in block[: sizes[block[2]]] for mark in (b"Xing", b"Info", b"VBRI"))
    count, tags, places = -header, 0, []
    while True:
        if count > 0:
            places.append((count * samples / hertz, place))
        block = _at(file, place, _MP3_STEP)
        at, last = 0, len(block) - 3
        # A loop of few steps: five minutes have eleven thousand frames.
        while (
            at < last
            and block[at] == 0xFF
            and block[at + 1] | 1 == kind
            and (length := sizes[block[at + 2]])
        ):
            at += length
            count += 1
        place += at
        if at < last:  # no frame begins here
            rest = block[at:]
            after = _after_tags(file, place)
            if after > place and tags < _CHUNKS:  # another song may follow
                place, tags = after, tags + 1
            elif len(block) < _MP3_STEP and (len(rest) < _MP3_FRAME or not rest.strip(b"\0")):
                break
            else:
                return None
        elif len(block) < _MP3_STEP:
            break
    return Mpeg(count * samples / hertz, place - begin, tuple(places)) if count > 0 else None


def _after_tags(file: BinaryIO, begin: int) -> int:
    """First byte after a tag that is at ``begin``, if there is one."""
    head = _at(file, begin, 16)
    if head.startswith(b"TAG"):
        return begin + 128
    if head.startswith(b"APETAGEX"):
        return begin + 32 + int.from_bytes(head[12:16], "little")
    return _after_id3(file, begin)
