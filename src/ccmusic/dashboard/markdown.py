"""Markdown escaping."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text that Markdown leaves as it is: file names are anything."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~$:&-])", r"\\\1", text)
