"""The example clips: where they are, in the installed package or beside the sources, and whose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ccmusic.dashboard.piece import Piece
from ccmusic.genres import genre_name
from ccmusic.spectrogram import TransformChoice, transforms_of
from ccmusic.texts import Language, catalogue, translate

FACTS = Path(__file__).with_name("examples.json")
"""Written by ``tools/examples.py``."""
_FOLDERS = (Path(__file__).parents[1] / "examples", Path(__file__).parents[3] / "examples")


@dataclass(frozen=True)
class Facts:
    """What is known about an example before it is analysed."""

    artist: str
    genre: str
    """What its makers call it."""
    seconds: float
    votes: Mapping[str, str]
    """First choice of each shipped model, measured."""

    def interesting(self, transform: TransformChoice, language: Language) -> str:
        """What the makers say, and what the shipped models of a transform; "" if there is none."""
        suffixes = tuple(f"_{name}" for name in transforms_of(transform))
        votes = Counter(said for model, said in self.votes.items() if model.endswith(suffixes))
        if not votes:
            return ""
        (said, most), models = votes.most_common(1)[0], votes.total()
        agrees = said == self.genre
        if most == models:
            key = "agreed" if agrees else "all_say"
        elif 2 * most > models:
            key = "most_agree" if agrees else "most_say"
        else:
            key = "split"
        ballot = translate(language, "agreement.and").join(
            translate(language, "example.vote", genre=genre_name(genre, language), votes=n)
            for genre, n in votes.most_common()
        )
        return translate(
            language,
            f"example.{key}",
            genre=genre_name(self.genre, language),
            said=genre_name(said, language),
            votes=most,
            models=models,
            ballot=ballot,
        )


@cache
def example_facts() -> dict[str, Facts]:
    """Facts by the stem of the clip's file."""
    known = json.loads(FACTS.read_text(encoding="utf-8"))
    return {stem: Facts(**facts) for stem, facts in known.items()}


def find_examples() -> dict[str, Path]:
    """Example clips by their file's stem; empty where none came along."""
    for folder in _FOLDERS:
        if clips := sorted(folder.glob("*.ogg")):
            return {clip.stem: clip for clip in clips}
    return {}


def example(path: Path, language: Language) -> Piece:
    """An example, ready to be shown."""
    facts = example_facts().get(path.stem)
    title = example_title(path.stem, language)
    return Piece(path.name, title, path.read_bytes(), facts.genre if facts else None)


def example_title(stem: str, language: Language) -> str:
    """The work's title; that of the file where the catalogue has none."""
    return catalogue(language).get(f"example.{stem}", stem.replace("_", " ").title())
