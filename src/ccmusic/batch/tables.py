"""Tables as Parquet, CSV, or JSONL files: writing and reading."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

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


def write(output: Path, columns: Mapping[str, type], rows: Iterable[Row]) -> None:
    """Write a table; it appears when it is complete.

    Parameters
    ----------
    columns
        Names and types; missing values are left empty.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    writer = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}
    try:
        with replacing(output) as beside:
            writer[output.suffix](beside, columns, map(_printable, rows))
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror})") from None


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
    """File names need not be valid text, but values of a table must be."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _write_jsonl(path: Path, columns: Mapping[str, type], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            full = {name: row.get(name) for name in columns}
            file.write(json.dumps(full, ensure_ascii=False) + "\n")


def _write_csv(path: Path, columns: Mapping[str, type], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)


def _write_parquet(path: Path, columns: Mapping[str, type], rows: Iterable[Row]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float32(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    left = iter(rows)
    with ParquetWriter(path, schema) as writer:
        while some := list(islice(left, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
