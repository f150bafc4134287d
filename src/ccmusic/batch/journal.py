"""Journal of a batch: one line of JSON per finished recording."""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from ccmusic.batch.rows import Document, error_of
from ccmusic.errors import DataError
from ccmusic.files import open_regular

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Stamp: TypeAlias = tuple[int, int]

_SYNC_SECONDS = 5.0
_KIND = {"ccmusic_batch": 2}  # begins the first line; another number is another form of lines
# Windows locks bytes, and nobody else may read them: one that no journal ever reaches.
_LOCKED_BYTE = (1 << 31) - 2
_CHECK = b', "crc32": '


def stamp(file: str) -> Stamp | None:
    """Size and time of change in ns, by which a file that was replaced is known; None without."""
    try:
        status = Path(file).stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


class Journal(AbstractContextManager["Journal"]):
    """Finished recordings of a batch, in ``OUTPUT.part.jsonl`` beside its table.

    The first line tells the options, each other one holds all analyses of a recording, in the
    form of :mod:`ccmusic.schema`, its size and time, and a checksum of the line. A
    damaged or incomplete line is skipped, and its recording is classified again.

    Raises
    ------
    DataError
        If the table is complete already; if the journal belongs to other options or to a batch
        that is running, cannot be written, or is no journal.
    """

    def __init__(self, output: Path, fingerprint: Mapping[str, Any]) -> None:
        self.path = output.with_name(f"{output.name}.part.jsonl")
        self.damaged = 0
        """Lines that were there, but cannot be read."""
        self._lines: dict[str, tuple[int, bool, Stamp | None]] = {}
        if output.exists() and not self.path.exists():
            raise DataError(f"{output}: exists already; delete it or choose another name")
        try:
            if self.path.exists():
                open_regular(self.path).close()
            self._file = self.path.open("ab", buffering=0)
            self._reader = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        try:
            self._lock()
            self._read({**_KIND, **json.loads(json.dumps(fingerprint))})
        except BaseException:
            self.close()
            raise
        self._synced = time.monotonic()

    def _lock(self) -> None:
        try:
            if sys.platform == "win32":
                self._file.seek(_LOCKED_BYTE)
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{self.path}: another batch is writing it") from None

    def _read(self, wanted: dict[str, Any]) -> None:
        first = self._reader.readline()
        # All there is may be the beginning of a first line.
        if (json.dumps(wanted).encode() + b"\n").startswith(first):
            if not first.endswith(b"\n"):
                self._file.truncate(0)
                self._write(wanted)
                return
        else:
            _compare(self.path, first, wanted)
        end = len(first)
        for line in self._reader:
            if not line.endswith(b"\n"):  # torn by a sudden end
                self._file.truncate(end)
                break
            content = _checked(line)
            if content is None:
                self.damaged += 1
            else:
                found = content["stamp"] and tuple(content["stamp"])
                self._lines[content["path"]] = (end, content["failed"], found)
            end += len(line)

    def has(self, file: str, of: Stamp | None) -> bool:
        """Whether a recording is finished, and was the same file then."""
        return file in self._lines and self._lines[file][2] == of

    def failed(self, file: str) -> bool:
        """Whether something went wrong with a recording."""
        return self._lines[file][1]

    def documents(self, file: str) -> list[Document]:
        """Analyses of a recording that is finished."""
        self._reader.seek(self._lines[file][0])
        documents: list[Document] = json.loads(self._reader.readline())["documents"]
        return documents

    def add(self, file: str, documents: list[Document], of: Stamp | None) -> None:
        """Keep the analyses of a recording, and the stamp that it had before it was read.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        failed = any(error_of(document) for document in documents)
        start = self._write({"path": file, "stamp": of, "failed": failed, "documents": documents})
        self._lines[file] = (start, failed, of)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def _write(self, content: Mapping[str, Any]) -> int:
        start = self._file.seek(0, os.SEEK_END)
        line = json.dumps(content).encode()
        if "path" in content:
            line = line[:-1] + _CHECK + b"%d}" % zlib.crc32(line)
        line += b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        if written != len(line):
            raise DataError(f"{self.path}: cannot be written (the disk is full)")
        return start

    def remove(self) -> None:
        """Delete the journal when the table is complete."""
        if sys.platform == "win32":
            self.close()  # no open file is deleted there; elsewhere the lock is kept to the end
        self.path.unlink()

    def close(self) -> None:
        """Close the file; it stays for the next run."""
        self._file.close()
        self._reader.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _checked(line: bytes) -> dict[str, Any] | None:
    """Content of a line, if it is as it was written."""
    text, _, check = line.rpartition(_CHECK)
    if check != b"%d}\n" % zlib.crc32(text + b"}"):
        return None
    content: dict[str, Any] = json.loads(line)
    return content


def _compare(path: Path, first: bytes, wanted: dict[str, Any]) -> None:
    """Raise an error if the first line is of another batch."""
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not _KIND.items() <= found.items():
        raise DataError(
            f"{path}: stands where the batch keeps its journal, but is none that this version "
            "can read; move it away, or choose another name for the table"
        )
    different = [name for name in wanted if found.get(name) != wanted[name]]
    if different:
        raise DataError(
            f"{path}: an unfinished batch with other {', '.join(different)}; "
            "use the same options, or delete this file to start again"
        )
