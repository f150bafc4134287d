"""Journal of a batch: one line of JSON per recording that is finished and not in the table."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ccmusic.batch.lines import Entry, Stamp, different, entry_of, first_line, line
from ccmusic.batch.rows import Document, error_of
from ccmusic.errors import DataError
from ccmusic.files import open_regular

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_SYNC_SECONDS = 5.0
_KIND = {"ccmusic_batch": 2}  # begins the first line; another number is another form of lines
# Windows locks bytes, and nobody else may read them: one that no journal ever reaches.
_LOCKED_BYTE = (1 << 31) - 2


class Journal(AbstractContextManager["Journal"]):
    """Finished recordings that are not in the table yet, in ``OUTPUT.part.jsonl`` beside it.

    The first line tells the options, each other one holds all analyses of a recording, in the
    form of :mod:`ccmusic.schema`, its size and time, and a checksum of the line. A
    damaged or incomplete line is skipped, and its recording is classified again.

    Raises
    ------
    DataError
        If the journal belongs to other options or to a batch that is running, cannot be written,
        or is no journal.
    """

    def __init__(self, output: Path, fingerprint: Mapping[str, Any]) -> None:
        self.path = output.with_name(f"{output.name}.part.jsonl")
        self.damaged = 0
        """Lines that were there, but cannot be read."""
        self.entries: dict[str, Entry] = {}
        self._first = first_line(_KIND, fingerprint)
        try:
            if self.path.exists():
                open_regular(self.path).close()
            self._file = self.path.open("ab", buffering=0)
            self._reader = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        try:
            self._lock()
            self._read()
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
                if os.fstat(self._file.fileno()).st_nlink == 0:
                    raise OSError  # a batch that ended just now has deleted it
        except OSError:
            raise DataError(f"{self.path}: another batch is writing it") from None

    def _read(self) -> None:
        first = self._reader.readline()
        # All there is may be the beginning of a first line.
        if self._first.startswith(first):
            if not first.endswith(b"\n"):
                self._file.truncate(0)
                self._write(self._first)
                return
        elif others := different(self.path, first, self._first):
            raise DataError(
                f"{self.path}: an unfinished batch with other {', '.join(others)}; "
                "use the same options, or delete this file to start again"
            )
        end = len(first)
        for text in self._reader:
            if not text.endswith(b"\n"):  # torn by a sudden end
                self._file.truncate(end)
                break
            found = entry_of(text, end)
            if found is None:
                self.damaged += 1
            else:
                self.entries[found[0]] = found[1]
            end += len(text)

    def documents(self, file: str) -> list[Document]:
        """Analyses of a recording that is finished."""
        self._reader.seek(self.entries[file].start)
        documents: list[Document] = json.loads(self._reader.readline())["documents"]
        return documents

    def add(self, file: str, documents: list[Document], of: Stamp | None) -> bool:
        """Keep the analyses of a recording, and the stamp that it had before it was read.

        Returns
        -------
        Whether something went wrong with it.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        failed = any(error_of(document) for document in documents)
        start = self._write(line(file, of, failed, documents=documents))
        self.entries[file] = Entry(of, failed, start)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file)
            self._synced = time.monotonic()
        return failed

    def _write(self, line: bytes) -> int:
        start = self._file.seek(0, os.SEEK_END)
        try:
            written = self._file.write(line)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        if written != len(line):
            raise DataError(f"{self.path}: cannot be written (the disk is full)")
        return start

    def clear(self) -> None:
        """Empty the journal when what was in it is in the table."""
        self._file.truncate(len(self._first))
        self._reader.close()  # it has read ahead
        self._reader = self.path.open("rb")
        self.entries.clear()

    def remove(self) -> None:
        """Delete the journal when all is in the table."""
        if sys.platform == "win32":
            self.close()  # no open file is deleted there; elsewhere the lock is kept to the end
        self.path.unlink()

    def close(self) -> None:
        """Close the file; it stays for the next run."""
        self._file.close()
        self._reader.close()

    def __exit__(self, *exception: object) -> None:
        self.close()
