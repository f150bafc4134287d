"""Typical pictures: what the panel is surest of, genre by genre, to compare one's own with."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.genres import GENRES, genre_name
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
    probability: float
    """Of the genre, mean of all shipped models."""
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
    state, key = st.session_state, f"typical_genre_{language}"
    if state.get("typical_first") != first:
        state.typical_first = state.typical_genre = first
    state[key] = state.typical_genre

    def choose() -> None:
        state.typical_genre = state[key]

    label = translate(language, "typical.open", genre=genre_name(first, language))
    with slot.popover(label, icon=":material/gallery_thumbnail:", key="typical"):
        genre = st.selectbox(
            translate(language, "typical.genre"),
            genres,
            format_func=lambda genre: genre_name(genre, language),
            key=key,
            on_change=choose,
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
            turned = transform == "cqt" and (both or state.turned)
            st.html(_figures(genre, transform, language, turned=turned))


def _figures(genre: str, transform: TransformName, language: Language, *, turned: bool) -> str:
    """Pictures side by side, time to the right if they are turned, each with its credit."""
    found = typical_pictures()[genre]
    name = genre_name(genre, language)
    figures = ""
    for place, one in enumerate(found):
        content = base64.b64encode(picture_path(genre, place, transform).read_bytes()).decode()
        alt = translate(
            language,
            "typical.alt",
            transform=TRANSFORM_TITLES[transform],
            genre=name,
            place=place + 1,
            all=len(found),
        )
        generated = translate(language, "typical.generated") if one.generated else ""
        facts = (one.title, one.credit, generated, one.licence, f"{one.probability:.0%}")
        figures += (
            f'<figure><img alt="{escape(alt)}" src="data:image/webp;base64,{content}"'
            f"{' class=turned' if turned else ''}>"
            f"<figcaption>{escape(' · '.join(filter(None, facts)))}</figcaption></figure>"
        )
    return f'<div class="typical">{figures}</div>'
