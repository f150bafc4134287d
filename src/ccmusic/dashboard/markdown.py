"""Text for the page: Markdown escaping, and errors for visitors."""

from __future__ import annotations

import re

from ccmusic.errors import CCMusicError, without_paths
from ccmusic.texts import Language


def plain(text: str) -> str:
    """Text that Markdown leaves as it is: file names are anything."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~$:&-])", r"\\\1", text)


def told(error: CCMusicError, language: Language) -> str:
    """What visitors are told of an error: folders of the server are none of their business."""
    return without_paths(error).message(language)
