"""All sentences for users: one catalogue per language, ``zh.json`` and ``en.json``.

What the command line says stands in English where it is used, as Typer wants it, and in Chinese in
``sentences.zh.json``, by the English sentence.
"""

from __future__ import annotations

import json
import locale
import os
import re
from functools import cache
from importlib import resources
from string import Formatter
from typing import Any, Literal

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
    if language not in LANGUAGES:
        raise ValueError(f"language cannot be {language!r}; it must be {' | '.join(LANGUAGES)}")
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
    return _Sentences().vformat(catalogue(language)[key], (), values)


def number(value: float, form: str) -> str:
    """Number for readers, with a minus sign: a hyphen is shorter, and lines break after it.

    >>> number(-43.2, ".0f")
    '−43'
    """
    return format(value, form).replace("-", "−")


class _Sentences(Formatter):
    """Only what a sentence gives a form is a number; the others may be names, or code."""

    def format_field(self, value: Any, form: str) -> str:
        return number(value, form) if form else format(value)


def capitalized(text: str) -> str:
    """Text as a sentence begins; that of the catalogues may stand within one.

    >>> capitalized("no such file: a.WAV")
    'No such file: a.WAV'
    """
    return text[:1].upper() + text[1:]


@cache
def chinese_sentences() -> dict[str, str]:
    """Chinese of the sentences that stand in the program, by the English, ``{}`` around values."""
    text = resources.files(__package__).joinpath("sentences.zh.json").read_text("utf-8")
    sentences: dict[str, str] = json.loads(text)
    return sentences


def localized(english: str, language: Language | None = None) -> str:
    """Text of the command line in a language, by default the user's; if unknown, in English.

    Parameters
    ----------
    english
        Paragraphs that ``sentences.zh.json`` has, with their values filled in. Values called
        ``reason``, ``source`` or ``feature`` may be sentences of it themselves.

    >>> localized("music: no such folder", "zh")
    'music：文件夹不存在'
    """
    if (language or default_language()) == "en":
        return english
    return "\n\n".join(map(_chinese, english.split("\n\n")))


def _chinese(paragraph: str) -> str:
    whole = chinese_sentences().get(" ".join(paragraph.split()))
    if whole is not None:
        return whole
    for names, literals, sentence in _templates():
        if found := _between(literals, paragraph):
            values = dict(zip(names, found, strict=True))
            for name in {"reason", "source", "feature"} & values.keys():
                values[name] = _chinese(values[name])
            return sentence.format_map(values)
    return paragraph


@cache
def _templates() -> list[tuple[list[str], list[str], str]]:
    """Names of the values, what stands around them, Chinese; those with the most words first."""
    found = []
    for english in sorted(chinese_sentences(), key=len, reverse=True):
        literals = re.split(r"\{\w+\}", english)
        if len(literals) > 1:
            found.append(
                (re.findall(r"\{(\w+)\}", english), literals, chinese_sentences()[english])
            )
    return found


def _between(literals: list[str], text: str) -> list[str]:
    """What stands between literals in a text, each as short as can be; nothing if one is missing.

    A regular expression would try all ways, which strangers' names of files can make endless.
    """
    first, *middle, last = literals
    if not (text.startswith(first) and text.endswith(last)):
        return []
    values, at, stop = [], len(first), len(text) - len(last)
    for literal in middle:
        end = text.find(literal, at + 1, stop)
        if end < 0:
            return []
        values.append(text[at:end])
        at = end + len(literal)
    return [*values, text[at:stop]] if at < stop else []
