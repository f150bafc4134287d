"""Markdown escaping."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text that Markdown leaves as it is: file names are anything."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~$:&-])", r"\\\1", text)


def sentence(text: str) -> str:
    """Plain text with a capital; the catalogue's sentences begin small, for the command line."""
    return plain(text[0].upper() + text[1:])
