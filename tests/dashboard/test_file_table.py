import csv
import io

import pytest

pytest.importorskip("streamlit")

from ccmusic.dashboard.files import _COLUMNS, _csv, _Row


def test_a_file_name_is_no_formula_in_a_spreadsheet() -> None:
    content = _csv(_COLUMNS, [_Row("=1+1.wav", "rock", "rock 5", 0.5)])
    head, row = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert head == list(_COLUMNS)
    assert row == ["'=1+1.wav", "rock", "rock 5", "0.5", "", ""]
