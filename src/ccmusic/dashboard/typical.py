"""Typical pictures: what the panel is surest of, genre by genre, to compare one's own with.

Those of the examples can be heard as well; of the others only the picture came along.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS
from ccmusic.axes import note_name
from ccmusic.dashboard.examples import example, find_examples
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.media import embedded, sound
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.state import field_of_state, state
from ccmusic.genres import GENRES, genre_name
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformChoice, TransformName, transforms_of
from ccmusic.texts import Language, translate

FOLDER = Path(__file__).with_name("typical_pictures")
"""Pictures and ``typical.json``, written by ``tools/typical.py``."""
PER_GENRE = 4


@dataclass(frozen=True)
class Typical:
    """A recording of which the panel is sure; its pictures are named after genre and place."""

    title: str
    """Empty if it was generated and has none."""
    credit: str
    licence: str
    """SPDX identifier."""
    generated: bool


@cache
def typical_pictures() -> dict[str, list[Typical]]:
    """By genre, the surest first; a genre without material that may be shown has none."""
    index = json.loads((FOLDER / "typical.json").read_text(encoding="utf-8"))
    return {genre: [Typical(**one) for one in found] for genre, found in index.items()}


def picture_path(genre: str, place: int, transform: TransformName) -> Path:
    """Picture of the genre's first, second … recording."""
    return FOLDER / f"{genre}-{place + 1}-{transform}.webp"


def typical(slot: DeltaGenerator, analysis: Analysis, language: Language) -> None:
    """Draw, folded away, the typical pictures of the panel's first genre, or of another."""
    if analysis.transform == "chroma" or not analysis.mean:
        return
    # Imported networks may have classes of their own.
    genres = list(GENRES)
    first = max(genres, key=lambda genre: analysis.mean.get(genre, 0.0))
    if state().typical_first != first:
        state().typical_first = state().typical_genre = first
    label = translate(language, "typical.open", genre=genre_name(first, language))
    with slot.popover(label, icon=":material/gallery_thumbnail:", key="typical"):
        genre = st.selectbox(
            translate(language, "typical.genre"),
            genres,
            format_func=lambda genre: genre_name(genre, language),
            **field_of_state("typical_genre", late=True, options=genres),
        )
        if typical_pictures()[genre]:
            st.caption(translate(language, "typical.intro"))
        else:
            st.info(translate(language, "typical.none"))
        both = analysis.transform == "both"
        choice = cast("TransformChoice", analysis.transform)  # checkpoints of files name ours
        for transform in transforms_of(choice):
            if both:
                st.markdown(f"**{TRANSFORM_TITLES[transform]}**")
            st.html(_figures(genre, transform, language))
        for piece in _examples_of(genre, language):
            st.caption(plain(piece.title))
            sound(piece)


def _figures(genre: str, transform: TransformName, language: Language) -> str:
    """Pictures side by side, each with its credit; the style turns a CQT as the page's are."""
    found = typical_pictures()[genre]
    name = genre_name(genre, language)
    figures, axes = "", _axes(transform)
    for place, one in enumerate(found):
        content = picture_path(genre, place, transform).read_bytes()
        alt = translate(
            language,
            "typical.alt",
            transform=TRANSFORM_TITLES[transform],
            genre=name,
            place=place + 1,
            all=len(found),
        )
        generated = translate(language, "typical.generated") if one.generated else ""
        facts = (one.title, one.credit, generated, one.licence)
        figures += (
            f'<figure><div class="framed {transform}">{axes}'
            f'<img alt="{escape(alt)}" src="{embedded(content, "webp")}"></div>'
            f"<figcaption>{escape(' · '.join(filter(None, facts)))}</figcaption></figure>"
        )
    return f'<div class="typical">{figures}</div>'


def _axes(transform: TransformName) -> str:
    """Ends of both axes: the lowest and highest pitch, and the ten seconds."""
    frequencies = Preprocessing.default(transform).transform.frequencies
    named = note_name if transform == "cqt" else "{:.0f} Hz".format
    low, high = (named(float(frequencies[end])) for end in (0, -1))
    ends = {"high": high, "low": low, "begin": "0 s", "end": f"{CLIP_SECONDS:.0f} s"}
    return "".join(f'<i class="{name}">{escape(text)}</i>' for name, text in ends.items())


def _examples_of(genre: str, language: Language) -> list[Piece]:
    """The examples among the recordings of a genre."""
    titles = [one.title for one in typical_pictures()[genre]]
    shown = (example(path, language) for path in find_examples().values())
    return sorted((p for p in shown if p.title in titles), key=lambda p: titles.index(p.title))
