"""Index of a table: which files its rows are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ccmusic.batch import tables
from ccmusic.batch.lines import Entry, Stamp, different, entry_of, first_line, line
from ccmusic.batch.rows import Row
from ccmusic.errors import DataError
from ccmusic.files import open_regular, replacing

_KIND = {"ccmusic_index": 1}


class Index:
    """Recordings in a table, in ``OUTPUT.index.jsonl`` beside it: a line each, without analyses.

    While a batch runs, what is finished stands in a second table, ``STEM.part.SUFFIX``; the index
    belongs to this one as long as it is there. What the table lacks counts as not there. The
    journal must be locked.

    Raises
    ------
    DataError
        If there is a table without an index, with other columns or of other options.
    """

    def __init__(
        self, output: Path, fingerprint: Mapping[str, Any], columns: Mapping[str, type]
    ) -> None:
        self.path = _path(output)
        self.part = output.with_name(f"{output.stem}.part{output.suffix}")
        self.table = next((table for table in (self.part, output) if table.exists()), None)
        """The table that it belongs to."""
        self.entries: dict[str, Entry] = {}
        self.damaged = 0
        """Lines that were there, but cannot be read."""
        self._n_there = 0
        self._columns = columns
        self._first = first_line(_KIND, fingerprint)
        if self.path.exists():
            self._read()
        elif self.table:
            raise DataError(f"{self.table}: exists already; delete it or choose another name")

    def _read(self) -> None:
        try:
            lines = open_regular(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from None
        with lines:
            others = different(self.path, lines.readline(), self._first)
            if not self.table:  # deleted, to judge everything again
                return
            if others:
                raise DataError(
                    f"{self.table}: was written with other {', '.join(others)}; use the same "
                    "options, choose another name, or delete it to judge everything again"
                )
            there = tables.paths(self.table, self._columns)
            for text in lines:
                found = entry_of(text, 0)
                if found is None:
                    self.damaged += 1
                elif tables.stored(found[0]) in there:
                    self.entries[found[0]] = found[1]
        self._n_there = len(there)

    def is_of(self, output: Path) -> bool:
        """Whether a table has the rows of the entries and no others."""
        return self.table == output and self._n_there == len(self.entries)

    def write(self, table: Path, rows: Iterable[Row], entries: Mapping[str, Entry]) -> None:
        """Write a table of what is in the index and of more, and then the index anew.

        Raises
        ------
        DataError
            If one of them cannot be written; then the journal must be kept.
        """
        if not self.table:
            self._write()  # a table without an index, or with an old one, would be refused
        keep = (path for path in self.entries if path not in entries)
        tables.write(table, self._columns, rows, old=self.table, keep=keep)
        self.table = table
        self.entries.update(entries)
        self._write()

    def remove_part(self) -> None:
        """Delete the table of what was finished so far, when all is in the other one.

        Raises
        ------
        DataError
            If it cannot be deleted; then the journal must be kept.
        """
        try:
            self.part.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{self.part}: cannot be deleted ({error.strerror})") from None

    def _write(self) -> None:
        try:
            with replacing(self.path) as beside, beside.open("wb") as file:
                file.write(self._first)
                file.writelines(line(path, e.stamp, e.failed) for path, e in self.entries.items())
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from None


def retain(output: Path, changes: Mapping[str, tuple[Stamp | None, Stamp | None]]) -> None:
    """Let the rows of files stand that were changed without changing their sound.

    Parameters
    ----------
    changes
        Stamps of files before and after; what had changed already is judged again all the same.

    Raises
    ------
    DataError
        If the index of the table cannot be written.
    """
    path = _path(output)
    if not path.exists():
        return
    try:
        with replacing(path) as beside, open_regular(path) as old, beside.open("wb") as new:
            for text in old:
                found = entry_of(text, 0)
                if found and found[0] in changes:
                    before, after = changes[found[0]]
                    if found[1].stamp == before:
                        new.write(line(found[0], after, found[1].failed))
                        continue
                new.write(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from None


def _path(output: Path) -> Path:
    return output.with_name(f"{output.name}.index.jsonl")
