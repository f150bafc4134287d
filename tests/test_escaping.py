"""Names and tags of strangers, on a terminal and in a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ccmusic.batch.tables import read, values, write
from ccmusic.escaping import cell, printable, text_of

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''-1")


@pytest.mark.parametrize("text", [*FORMULAS, "blues", "'n", "", "a=b", "风-1"])
def test_a_cell_is_no_formula_and_gives_its_text_back(text: str) -> None:
    safe = cell(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert text_of(safe) == text
    assert (safe == text) == (text not in FORMULAS)


@pytest.mark.parametrize("value", [-1.5, 0, True, None])
def test_numbers_stay_numbers(value: object) -> None:
    assert cell(value) is value


def test_what_is_printed_is_one_harmless_line() -> None:
    assert printable("a\x1b[2J\nb\r\x9b\u202e\u2028") == r"a\x1b[2J\nb\r\x9b\u202e\u2028"
    assert printable("风 ñ 　🎵") == "风 ñ 　🎵"


def test_a_table_holds_no_formula_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    table, columns = tmp_path / "a.csv", {"path": str, "mean_jazz": float}
    write(
        table, ".csv", columns, [values({"path": f, "mean_jazz": -0.5}, columns) for f in FORMULAS]
    )
    with table.open(newline="", encoding="utf-8-sig") as lines:
        written = list(csv.DictReader(lines))
    assert all(row["path"][0] == "'" for row in written)
    assert {row["mean_jazz"] for row in written} == {"-0.5"}
    assert [row["path"] for row in read(table)] == list(FORMULAS)
