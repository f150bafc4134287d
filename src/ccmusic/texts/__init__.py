"""All sentences for users: one catalogue per language, ``zh.json`` and ``en.json``."""

from __future__ import annotations

import json
import locale
import os
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def default_language() -> Language:
    """Language of ``CCMUSIC_LANGUAGE`` (``zh`` or ``en``), else that of the user's locale."""
    asked = os.environ.get("CCMUSIC_LANGUAGE")
    if asked in LANGUAGES:
        return asked
    spoken = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), None)
    spoken = spoken or locale.getlocale()[0] or ""
    return "zh" if spoken.lower().startswith(("zh", "chinese")) else "en"


@cache
def catalogue(language: Language) -> dict[str, str]:
    """All sentences of a language by key."""
    text = resources.files(__package__).joinpath(f"{language}.json").read_text("utf-8")
    sentences: dict[str, str] = json.loads(text)
    return sentences


def translate(language: Language, key: str, /, **values: object) -> str:
    """Sentence of the catalogue with its values filled in.

    Raises
    ------
    KeyError
        If the catalogue has no such key, or a value of the sentence is missing.
    """
    return catalogue(language)[key].format_map(values)
