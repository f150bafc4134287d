"""Lines of JSON about finished recordings, of which journal and index are made."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ccmusic.errors import DataError

Stamp: TypeAlias = tuple[int, int]

_CHECK = b', "crc32": '


class Entry(NamedTuple):
    """What is remembered of a finished recording."""

    stamp: Stamp | None
    """That of the file, taken before it was read."""
    failed: bool
    start: int
    """Of its line, in bytes."""


def stamp(file: str) -> Stamp | None:
    """Size and time of change in ns, by which a file that was replaced is known; None without."""
    try:
        status = Path(file).stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def first_line(kind: Mapping[str, int], fingerprint: Mapping[str, Any]) -> bytes:
    """Line that tells the form of the others, and the options of the batch."""
    return json.dumps({**kind, **fingerprint}).encode() + b"\n"


def different(path: Path, first: bytes, wanted: bytes) -> list[str]:
    """Options in the first line of a file that differ from those of this batch.

    Raises
    ------
    DataError
        If it is no such line.
    """
    told = json.loads(wanted)
    kind, number = next(iter(told.items()))
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get(kind) != number:
        raise DataError(
            f"{path}: stands where the batch keeps its {kind.removeprefix('ccmusic_')}, but is "
            "none that this version can read; move it away, or choose another name for the table"
        )
    return [name for name in told if found.get(name) != told[name]]


def line(file: str, entry_stamp: Stamp | None, failed: bool, **more: Any) -> bytes:
    """Line of a recording, with a checksum."""
    content = {"path": file, "stamp": entry_stamp, "failed": failed, **more}
    text = json.dumps(content).encode()
    return text[:-1] + _CHECK + b"%d}\n" % zlib.crc32(text)


def entry_of(line: bytes, start: int) -> tuple[str, Entry] | None:
    """Recording and entry of a line, if the line is as it was written."""
    text, _, check = line.rpartition(_CHECK)
    if check != b"%d}\n" % zlib.crc32(text + b"}"):
        return None
    content: dict[str, Any] = json.loads(line)
    found = content["stamp"] and tuple(content["stamp"])
    return content["path"], Entry(found, content["failed"], start)
