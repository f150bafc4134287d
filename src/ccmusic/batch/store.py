"""Database of a batch: the rows of finished recordings, from which the table is exported."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

from ccmusic.batch import tables
from ccmusic.batch.rows import Document, error_of, row
from ccmusic.errors import DataError
from ccmusic.files import clear, open_regular, replacing

_BUSY_SECONDS = 1.0
_SYNC_SECONDS = 5.0
_FORM = 0x43434D01  # of the tables below; another number is another form
_SCHEMA = (
    f"PRAGMA application_id = {_FORM}",
    "CREATE TABLE batch (state TEXT)",
    "INSERT INTO batch VALUES ('{}')",
    # The path is a BLOB because a file name need not be valid text; the rows are compressed JSON.
    "CREATE TABLE recordings (path BLOB PRIMARY KEY, stamp TEXT, position INTEGER, failed INTEGER,"
    " rows BLOB, checksum INTEGER)",
    "CREATE INDEX in_order ON recordings (position)",
)
_STRANGE = (
    "stands where the batch keeps its database, but is none that this version can read; move it "
    "away, or choose another name for the table"
)
_DAMAGED = (
    "is damaged; put back a copy of it, or delete it and its table to classify everything again"
)
_IN_USE = "another batch is writing it, or its folder cannot lock files"
_KNOWN_ERRORS = {
    **dict.fromkeys(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"), _IN_USE),
    "SQLITE_NOTADB": _STRANGE,
    "SQLITE_CORRUPT": _DAMAGED,
}
_CHECKSUM = "checksum_of(path, stamp, position, failed, rows)"


class Store:
    """Rows of finished recordings, in ``OUTPUT.sqlite`` beside the table; see :func:`opened`.

    A recording is kept as soon as it is added, whatever happens to the process; a power cut costs
    the last seconds. The table is no more than an export.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        output: Path,
        columns: Mapping[str, type],
        state: Mapping[str, Any],
    ) -> None:
        self._database, self._output, self._columns = database, output, columns
        self._state = {
            "tables": [],  # digests that the table may have, as it was written
            "complete": False,  # whether it has all recordings, and no others
            "last": 0,  # position of the last one in it
            **state,
        }
        self._synced = time.monotonic()
        self.done = 0
        self.failures = 0
        """How many of those that are done have an error."""
        self.damaged = 0
        """Recordings that could not be read; they count as new."""

    def compare(self, files: Sequence[str]) -> list[str]:
        """Recordings that are new, or have changed since they were added.

        Parameters
        ----------
        files
            All that the table is to have, each once, in its order. What is new or has changed
            comes after what is in the table already.

        Raises
        ------
        DataError
            If others are known whose files are still there: their rows are not to be lost by a
            mistake. If the table is to be written anew, but somebody has changed it.
        """
        execute = self._database.execute
        with self._database:
            execute("BEGIN")
            execute("CREATE TEMP TABLE named (path BLOB PRIMARY KEY, stamp TEXT, position INTEGER)")
            # Stamps are taken before a file is read: if it changes meanwhile, it counts as changed.
            self._database.executemany(
                "INSERT INTO named VALUES (?, ?, ?)",
                ((_key(f), stamp(f), n) for n, f in enumerate(files, self._state["last"] + 1)),
            )
            damaged = execute(f"DELETE FROM recordings WHERE checksum IS NOT {_CHECKSUM}")
            self.damaged = damaged.rowcount
            gone = self._paths("recordings WHERE path NOT IN (SELECT path FROM named)")
            if there := sorted(filter(stamp, gone)):
                raise DataError(
                    f"{self._output}: holds {len(there)} recordings that are still there, but are "
                    f"not named now, such as {there[0]}; name them too, or choose another name for "
                    "the table"
                )
            execute(
                "DELETE FROM recordings WHERE path IN (SELECT path FROM named) AND stamp IS NOT"
                " (SELECT stamp FROM named WHERE path = recordings.path)"
            )
            new = "named WHERE path NOT IN (SELECT path FROM recordings) ORDER BY position"
            todo = self._paths(new)
            if todo or gone or not self._output.exists():
                self._set(complete=False)
            if not self._state["complete"]:
                self._check_unchanged()
            self.done, self.failures = execute(
                "SELECT count(*), ifnull(sum(failed), 0) FROM recordings JOIN named USING (path)"
            ).fetchone()
        return todo

    def add(self, file: str, documents: Sequence[Document]) -> None:
        """Keep the analyses of a recording."""
        rows = [tables.values(row(document), self._columns) for document in documents]
        failed = any(map(error_of, documents))
        self._database.execute(
            f"INSERT OR REPLACE INTO recordings SELECT *, {_CHECKSUM} FROM"
            " (SELECT path, stamp, position, ? AS failed, ? AS rows FROM named WHERE path = ?)",
            [failed, zlib.compress(json.dumps(rows).encode()), _key(file)],
        )
        self.done += 1
        self.failures += failed
        if time.monotonic() - self._synced > _SYNC_SECONDS:  # nothing else waits for the disk
            self._database.execute("PRAGMA wal_checkpoint")
            self._synced = time.monotonic()

    def export_part(self) -> None:
        """Write what is finished so far into ``STEM.part.SUFFIX``, if that is possible now."""
        # Windows replaces no file that somebody reads; then it is done later.
        with suppress(OSError), replacing(_part(self._output)) as temporary:
            self._write(temporary)

    def finish(self) -> None:
        """Write the table if it lacks anything, and forget files that are gone.

        Raises
        ------
        DataError
            If it cannot be written, or somebody has changed it.
        """
        try:
            if not self._state["complete"]:
                self._export()
            _part(self._output).unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{self._output}: cannot be written ({error.strerror})") from None

    def _export(self) -> None:
        self._check_unchanged()
        with replacing(self._output) as temporary:
            self._write(temporary)
            digest = _digest(temporary)
            # A kill may come on either side of the replacement: both tables are known.
            self._set(tables=[*self._state["tables"], digest])
        with self._database as database:
            database.execute("BEGIN")
            database.execute("DELETE FROM recordings WHERE path NOT IN (SELECT path FROM named)")
            (last,) = database.execute("SELECT max(position) FROM recordings").fetchone()
            self._set(tables=[digest], complete=True, last=last or 0)

    def _write(self, path: Path) -> None:
        found = self._database.execute(  # by the index, which spares sorting the rows
            "SELECT rows FROM recordings INDEXED BY in_order CROSS JOIN named USING (path)"
            " ORDER BY recordings.position"
        )
        rows = (values for (packed,) in found for values in json.loads(zlib.decompress(packed)))
        tables.write(path, self._output.suffix, self._columns, rows)

    def _check_unchanged(self) -> None:
        if self._output.exists() and _digest(self._output) not in self._state["tables"]:
            raise DataError(
                f"{self._output}: has been changed since it was written, and would be replaced; "
                "rename or delete it, then run the same command again"
            )

    def _set(self, **changes: Any) -> None:
        self._state |= changes
        self._database.execute("UPDATE batch SET state = ?", [json.dumps(self._state)])

    def _paths(self, found: str) -> list[str]:
        paths = self._database.execute(f"SELECT path FROM {found}")
        return [path.decode("utf-8", "surrogatepass") for (path,) in paths]


@contextmanager
def opened(
    output: Path, options: Mapping[str, Any], columns: Mapping[str, type]
) -> Iterator[Store]:
    """Open the store of a table, which only one process can at a time.

    Parameters
    ----------
    options
        What must be the same whenever the batch goes on.
    columns
        Names and types of the columns of the table.

    Raises
    ------
    DataError
        If the database is of other options, in use, damaged, or none of a batch; if it cannot be
        written, then or later; if there is a table without it.
    """
    path, options = _path(output), {**options, "columns": list(columns)}
    for table in (output, _part(output)):
        if table.exists() and not path.exists():
            raise DataError(
                f"{table}: exists already, without the database {path.name} that tells what it "
                "holds; delete it or choose another name"
            )
    with _opened(path) as (database, state):
        found = state.get("options", options)
        if others := [name for name in options if found.get(name) != options[name]]:
            raise DataError(
                f"{path}: was written with other {', '.join(others)}; use the same options, "
                "choose another name, or delete it and its table to classify everything again"
            )
        clear(output, _part(output))  # nobody else writes them now
        yield Store(database, output, columns, {**state, "options": options})


@contextmanager
def retaining(output: Path) -> Iterator[Callable[[str, str | None], None]]:
    """Let the rows of files stand that are changed without changing their sound.

    Yields
    ------
    Function to be called after a change, with the file and the stamp that it had before. What
    others had changed by then is classified again all the same.

    Raises
    ------
    DataError
        If the database of the table is in use, damaged, or cannot be written.
    """
    if not _path(output).exists():  # a table from elsewhere
        yield lambda file, before: None
        return
    with _opened(_path(output)) as (database, _):

        def retain(file: str, before: str | None) -> None:
            database.execute(
                "UPDATE recordings SET stamp = ?1, checksum ="
                f" {_CHECKSUM.replace('stamp', '?1')} WHERE path = ?2 AND stamp IS ?3",
                [stamp(file), _key(file), before],
            )

        yield retain


def stamp(file: str) -> str | None:
    """Size and time of change, by which a file that was replaced is known; None without a file."""
    try:
        status = Path(file).stat()
    except (OSError, ValueError):
        return None
    return f"{status.st_size} {status.st_mtime_ns}"  # ns after 2262 are no integer of SQLite


@contextmanager
def _opened(path: Path) -> Iterator[tuple[sqlite3.Connection, dict[str, Any]]]:
    """Open or make a database, and lock it. All its errors, until it is closed, are explained."""
    # Not opened to look at it: closing a file takes away the locks that the process has on it.
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is not a regular file")
    if path.exists() and path.stat().st_size == 1:  # to SQLite this is an empty file
        raise DataError(f"{path}: {_STRANGE}")
    try:
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        with closing(database):
            try:
                # First of all: then WAL shares no memory, which network disks cannot.
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
                database.execute("BEGIN EXCLUSIVE")
                if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                    for statement in _SCHEMA:
                        database.execute(statement)
                database.execute("COMMIT")
                if database.execute("PRAGMA application_id").fetchone() != (_FORM,):
                    raise DataError(f"{path}: {_STRANGE}")
                # A disk that cannot have this mode keeps the usual one, as safe and slower.
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")
                database.execute("PRAGMA temp_store = MEMORY")
                if database.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                    raise ValueError
                state = json.loads(*database.execute("SELECT state FROM batch").fetchone())
            except (TypeError, ValueError):  # not whole; no row, no text, no JSON
                raise DataError(f"{path}: {_DAMAGED}") from None
            database.create_function("checksum_of", 5, _checksum)
            yield database, state
    except sqlite3.Error as error:
        told = _KNOWN_ERRORS.get("_".join(getattr(error, "sqlite_errorname", "").split("_")[:2]))
        raise DataError(f"{path}: {told or f'cannot be written ({error})'}") from None


def _checksum(*values: object) -> int:
    return zlib.crc32(repr(values).encode())


def _path(output: Path) -> Path:
    return output.with_name(f"{output.name}.sqlite")


def _part(output: Path) -> Path:
    return output.with_name(f"{output.stem}.part{output.suffix}")


def _digest(path: Path) -> str:
    with open_regular(path) as file:
        return file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _key(file: str) -> bytes:
    return file.encode("utf-8", "surrogatepass")
