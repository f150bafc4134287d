"""Tables as Parquet, CSV, or JSONL files: writing and reading."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from ccmusic.batch.rows import Row
from ccmusic.errors import DataError, MissingExtraError, reason_of
from ccmusic.escaping import cell, text_of
from ccmusic.files import open_regular

SUFFIXES = (".parquet", ".csv", ".jsonl")
Values: TypeAlias = Sequence[str | int | float | bool | None]
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


def values(row: Row, columns: Iterable[str]) -> Values:
    """Values of a row in the order of the columns, as they stand in a table.

    File names need not be valid text, but what is in a table must be.
    """
    return [_valid(value) if isinstance(value := row.get(n), str) else value for n in columns]


def _valid(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def write(path: Path, suffix: str, columns: Mapping[str, type], rows: Iterable[Values]) -> None:
    """Write a table.

    Parameters
    ----------
    suffix
        Form of the table; the path may have another suffix.
    columns
        Names and types; missing values are left empty.
    rows
        :func:`values` of each row.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if suffix == ".parquet":
        _write_parquet(path, columns, iter(rows))
    elif suffix == ".csv":
        # The mark tells spreadsheets that it is UTF-8.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(map(cell, row) for row in rows)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            for row in rows:
                full = dict(zip(columns, row, strict=True))
                file.write(json.dumps(full, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: Mapping[str, type], rows: Iterator[Values]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float32(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    with ParquetWriter(path, schema) as writer:
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            arrays = map(pa.array, zip(*some, strict=True), schema.types)
            writer.write_table(pa.Table.from_arrays(list(arrays), schema=schema))


def read(table: Path) -> Iterator[dict[str, Any]]:
    """Rows of a table; numbers of a CSV file stay text, what is empty is left out.

    A spreadsheet may have saved it again, with semicolons or tabs between its cells.

    Raises
    ------
    DataError
        If it cannot be read, or has rows without a path.
    """
    check(table)
    rows = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}[table.suffix]
    try:
        open_regular(table).close()
        for row in rows(table):
            if not isinstance(row, dict) or not isinstance(row.get("path"), str):
                raise ValueError("it has no column of paths")
            yield row
    except UnicodeDecodeError:
        raise DataError(
            f"{table}: is not in UTF-8; save it as .csv in UTF-8, in Excel as 'CSV UTF-8'"
        ) from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a table ({reason_of(error)})") from None


def _read_parquet(table: Path) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(table) as parquet:
        for piece in parquet.iter_batches(_ROWS_AT_ONCE):
            yield from piece.to_pylist()


def _read_jsonl(table: Path) -> Iterator[Any]:
    with table.open(encoding="utf-8", newline="") as lines:
        yield from map(json.loads, lines)


def _read_csv(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
        if header.startswith("sep="):  # a hint for spreadsheets
            header = lines.readline()
        for separator in ",;\t":
            names = next(csv.reader([header], delimiter=separator), [])
            if "path" in names:
                break
        else:
            raise ValueError("it has no column of paths")
        for cells in csv.reader(lines, delimiter=separator):
            if any(cells[len(names) :]):
                raise ValueError(f"a row has more cells than there are columns: {cells[0]}")
            # Spreadsheets write rows of nothing, and no cells where the last ones are empty.
            row = {name: text_of(text) for name, text in zip(names, cells, strict=False) if text}
            if row:
                yield row
