"""Tables as Parquet, CSV, or JSONL files: writing and reading."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ccmusic.batch.rows import Row
from ccmusic.errors import DataError, MissingExtraError, reason_of
from ccmusic.escaping import cell, text_of
from ccmusic.files import open_regular, replacing

SUFFIXES = (".parquet", ".csv", ".jsonl")
_ROWS_AT_ONCE = 5_000


def check(output: Path) -> None:
    """Check before the work begins that a table can be written.

    Raises
    ------
    DataError
        If the suffix is unknown.
    MissingExtraError
        If the library for it is not installed.
    """
    if output.suffix not in SUFFIXES:
        raise DataError(f"{output}: a table ends in {', '.join(SUFFIXES)}")
    if output.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("a Parquet table", "batch")


def write(
    output: Path,
    columns: Mapping[str, type],
    rows: Iterable[Row],
    *,
    old: Path | None = None,
    keep: Iterable[str] = (),
) -> None:
    """Write a table; it appears when it is complete.

    Parameters
    ----------
    columns
        Names and types, the path first; missing values are left empty.
    old
        Table with the same columns, which may be the one that is replaced.
    keep
        Recordings whose rows are copied from the old table, before the others.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    writer = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}
    kept = {stored(path) for path in keep}
    try:
        with replacing(output) as beside:
            copied = _copied(old, columns, kept) if old and kept else iter(())
            writer[output.suffix](beside, columns, copied, map(_printable, rows))
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror})") from None


def paths(table: Path, columns: Mapping[str, type]) -> set[str]:
    """Recordings of a table, as they are :func:`stored`.

    Raises
    ------
    DataError
        If it cannot be read, or has other columns.
    """
    return {path for some, _ in _parts(table, columns, only_paths=True) for path in some}


def stored(path: str) -> str:
    """Path as it stands in a table: file names need not be valid text, but its values must be."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()


def read(table: Path) -> Iterator[Row]:
    """Rows of a table; numbers of a CSV file stay text, what is empty is left out.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        open_regular(table).close()
        if table.suffix == ".parquet":
            from pyarrow.parquet import ParquetFile

            with ParquetFile(table) as parquet:
                for piece in parquet.iter_batches(_ROWS_AT_ONCE):
                    yield from piece.to_pylist()
            return
        with table.open(encoding="utf-8", newline="") as lines:
            if table.suffix == ".csv":
                for row in csv.DictReader(lines):
                    yield {name: text_of(value or "") for name, value in row.items()}
            else:
                yield from map(json.loads, lines)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a table ({reason_of(error)})") from None


def _printable(row: Row) -> Row:
    return {n: stored(value) if isinstance(value, str) else value for n, value in row.items()}


def _copied(table: Path, columns: Mapping[str, type], kept: set[str]) -> Iterator[Any]:
    """Rows of some recordings in the form of the table's file."""
    for some, part in _parts(table, columns):
        mask = [path in kept for path in some]
        if all(mask):
            yield part
        elif any(mask):  # only a part of Parquet has several rows
            yield part.filter(mask)


def _parts(
    table: Path, columns: Mapping[str, type], *, only_paths: bool = False
) -> Iterator[tuple[list[str], Any]]:
    """Paths of some rows at once, and these rows in the form of the file: Arrow, cells, a line."""
    try:
        open_regular(table).close()
        if table.suffix == ".parquet":
            from pyarrow.parquet import ParquetFile

            with ParquetFile(table) as parquet:
                _check_same(table, parquet.schema_arrow, _schema(columns))
                names = ["path"] if only_paths else None
                for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=names):
                    yield batch["path"].to_pylist(), batch
        elif table.suffix == ".csv":
            with table.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                _check_same(table, next(rows, []), list(columns))
                for cells in rows:
                    yield [text_of(cells[0])], cells
        else:
            with table.open(encoding="utf-8", newline="") as lines:
                for line in lines:
                    content = json.loads(line)
                    _check_same(table, list(content), list(columns))
                    yield [content["path"]], line.rstrip("\r\n") + "\n"
    except (OSError, ValueError, LookupError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a table ({reason_of(error)})") from None


def _check_same(table: Path, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise DataError(
            f"{table}: has other columns than this batch writes; choose another name, or delete "
            "it to judge everything again"
        )


def _write_jsonl(
    path: Path, columns: Mapping[str, type], copied: Iterator[str], rows: Iterable[Row]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(copied)
        for row in rows:
            full = {name: row.get(name) for name in columns}
            file.write(json.dumps(full, ensure_ascii=False) + "\n")


def _write_csv(
    path: Path, columns: Mapping[str, type], copied: Iterator[list[str]], rows: Iterable[Row]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(copied)
        writer.writerows([cell(row.get(name)) for name in columns] for row in rows)


def _write_parquet(
    path: Path, columns: Mapping[str, type], copied: Iterator[Any], rows: Iterable[Row]
) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = _schema(columns)
    left = iter(rows)
    # A thousand rows as Python objects take megabytes; in Arrow a group of them takes two.
    new = iter(lambda: list(islice(left, _ROWS_AT_ONCE // 5)), [])
    batches = chain(copied, (pa.RecordBatch.from_pylist(some, schema) for some in new))
    with ParquetWriter(path, schema) as writer:
        group: list[Any] = []
        for batch in batches:
            group.append(batch)
            if sum(map(len, group)) >= _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_batches(group))
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group))


def _schema(columns: Mapping[str, type]) -> Any:
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float32(), bool: pa.bool_()}
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
