"""Rows in as they are ready, rows out after a restart: a line in a file for each recording."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ccmusic.batch.rows import Document, error_of
from ccmusic.errors import DataError

if sys.platform != "win32":
    import fcntl

_SYNC_SECONDS = 5.0


class Journal(AbstractContextManager["Journal"]):
    """What a batch has finished, in ``OUTPUT.part.jsonl`` beside its table.

    The first line tells the options, each other one holds all analyses of a recording, in the
    form of :mod:`ccmusic.schema`. A line that a sudden end has torn is cut off, and its recording
    is judged again.

    Raises
    ------
    DataError
        If the table is complete already; if the journal belongs to other options, to a batch that
        is running, or cannot be written.
    """

    def __init__(self, output: Path, fingerprint: Mapping[str, Any]) -> None:
        self.path = output.with_name(f"{output.name}.part.jsonl")
        self._lines: dict[str, tuple[int, bool]] = {}
        if output.exists() and not self.path.exists():
            raise DataError(f"{output}: is there already; delete it or choose another name")
        try:
            self._file = self.path.open("ab", buffering=0)
            self._reader = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        try:
            self._lock()
            self._read(json.loads(json.dumps(fingerprint)))
        except BaseException:
            self.close()
            raise
        self._synced = time.monotonic()

    def _lock(self) -> None:
        if sys.platform != "win32":
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataError(f"{self.path}: another batch is writing it") from None

    def _read(self, fingerprint: dict[str, Any]) -> None:
        end = 0
        for line in self._reader:
            try:
                content = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                content = None
            if not isinstance(content, dict):
                break
            if end == 0:
                _compare(self.path, content, fingerprint)
            else:
                self._lines[content["path"]] = (end, content["failed"])
            end += len(line)
        self._file.truncate(end)
        if end == 0:
            self._write(fingerprint)

    def __contains__(self, file: str) -> bool:
        return file in self._lines

    def failed(self, file: str) -> bool:
        """Whether something went wrong with a recording."""
        return self._lines[file][1]

    def documents(self, file: str) -> list[Document]:
        """Analyses of a recording that is finished."""
        self._reader.seek(self._lines[file][0])
        documents: list[Document] = json.loads(self._reader.readline())["documents"]
        return documents

    def add(self, file: str, documents: list[Document]) -> None:
        """Keep the analyses of a recording.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        failed = any(error_of(document) for document in documents)
        start = self._write({"path": file, "failed": failed, "documents": documents})
        self._lines[file] = (start, failed)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def _write(self, content: Mapping[str, Any]) -> int:
        start = self._file.seek(0, os.SEEK_END)
        line = json.dumps(content).encode() + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None
        if written != len(line):
            raise DataError(f"{self.path}: cannot be written (the disk is full)")
        return start

    def remove(self) -> None:
        """Delete the journal, for the table is complete."""
        self.path.unlink()

    def close(self) -> None:
        """Let the file go; it stays for the next time."""
        self._file.close()
        self._reader.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _compare(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    different = [name for name in wanted if found.get(name) != wanted[name]]
    if different:
        raise DataError(
            f"{path}: an unfinished batch with other {', '.join(different)}; "
            "go on with the same, or delete this file to begin anew"
        )
