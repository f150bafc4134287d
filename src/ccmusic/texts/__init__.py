"""All sentences for users: one catalogue per language, ``zh.json`` and ``en.json``."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


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
