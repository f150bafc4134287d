"""Each statement of SECURITY.md has a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
_PROTECTED = _TEXT.partition("## What is protected")[2].partition("\n## ")[0]
STATEMENTS = re.split(r"^- ", _PROTECTED, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text.split("\n")[0][:40])
def test_a_statement_names_tests_that_are_there(statement: str) -> None:
    named = re.findall(r"<!-- (tests/\S+\.py)::(test_\w+) -->", statement)
    assert named, "it has no test"
    for path, test in named:
        assert f"\ndef {test}(" in (ROOT / path).read_text("utf-8"), (path, test)


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 15
