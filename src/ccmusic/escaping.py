"""Untrusted text made harmless for terminals and spreadsheets."""

from __future__ import annotations

import re
from typing import TypeVar

T = TypeVar("T")

# Control characters, line and paragraph separators, and what turns the direction of a line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# What a spreadsheet takes for a formula. Apostrophes before it were added here, or there already.
_FORMULA = re.compile("'*[=+\\-@\t\r\n]")


def printable(text: str) -> str:
    """Write control characters as Python does; what comes out is one line and harmless."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cell(value: T) -> T | str:
    """Value for a CSV file: a text that a spreadsheet would compute gets an apostrophe before it.

    >>> cell("=1+1"), cell(-1.5), cell("blues")
    ("'=1+1", -1.5, 'blues')
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def text_of(cell: str) -> str:
    """The text that :func:`cell` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
