"""Input chooser: examples, files, microphone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from ccmusic.dashboard.compute import Piece
from ccmusic.dashboard.examples import EXAMPLE_GENRES, find_examples
from ccmusic.texts import Language, catalogue, translate

_MICROPHONE_RATE = 44_100


def choose_input(language: Language) -> tuple[Piece | None, list[Piece]]:
    """Draw the choice; what was touched last is taken, and all files if it is one of several."""
    state, examples = st.session_state, find_examples()
    # Streamlit remembers a choice by its label, and labels change with the language.
    key = f"example_{language}"

    def prefer(own: Literal["upload", "microphone"]) -> None:
        state.own = own
        state.example = state[key] = state.asked_start = None

    def choose() -> None:
        if state[key] is not None:
            state.example, state.asked_start = state[key], None

    if examples:
        state[key] = state.example
        st.pills(
            translate(language, "page.examples"),
            list(examples),
            format_func=lambda stem: _example_title(stem, language),
            key=key,
            on_change=choose,
            wrap=True,
        )
    uploads = st.file_uploader(
        translate(language, "page.upload"),
        accept_multiple_files=True,
        key="upload",
        on_change=prefer,
        args=("upload",),
    )
    upload = uploads[-1] if uploads else None
    if len(uploads) > 1:
        upload = st.selectbox(
            translate(language, "page.which_upload"),
            uploads,
            index=len(uploads) - 1,
            format_func=lambda file: file.name,
            key=which_key(len(uploads)),
            on_change=prefer,
            args=("upload",),
        )
    with st.expander(translate(language, "page.microphone"), icon=":material/mic:"):
        recording = st.audio_input(
            translate(language, "page.microphone"),
            sample_rate=_MICROPHONE_RATE,
            key="microphone",
            on_change=prefer,
            args=("microphone",),
            label_visibility="collapsed",
        )
    if state.example is not None:
        return _example(examples[state.example], language), []
    if recording and (state.own == "microphone" or not upload):
        return Piece(
            "recording.wav", translate(language, "page.recording"), recording.getvalue()
        ), []
    if upload:
        pieces = [Piece(u.name, u.name, u.getvalue()) for u in uploads]
        return pieces[uploads.index(upload)], pieces if len(pieces) > 1 else []
    if examples:  # the file of one's own was taken away again
        state.example = next(iter(examples))
        st.rerun()
    return None, []


def choose_other(piece: Piece, language: Language) -> Piece | None:
    """Draw the choice of a second piece to compare with: examples and uploads, but the first."""
    state, examples = st.session_state, find_examples()
    here = piece.name, len(piece.content)
    uploads = {u.file_id: u for u in state.upload or () if (u.name, u.size) != here}
    names = {s: _example_title(s, language) for s in examples if s != state.example}
    names |= {place: upload.name for place, upload in uploads.items()}
    if state.other not in names:
        state.other = None
    key = f"other_{language}"

    def choose() -> None:
        state.other = state[key]

    state[key] = state.other
    with st.popover(translate(language, "compare.open"), icon=":material/compare:"):
        st.pills(
            translate(language, "compare.other"),
            list(names),
            format_func=names.__getitem__,
            key=key,
            on_change=choose,
            wrap=True,
        )
    if state.other in uploads:
        upload = uploads[state.other]
        return Piece(upload.name, upload.name, upload.getvalue())
    return _example(examples[state.other], language) if state.other else None


def choose_upload(place: int) -> None:
    """Take one of several uploads."""
    state = st.session_state
    state[which_key(len(state.upload))] = state.upload[place]


def which_key(uploads: int) -> str:
    """Key of the choice among so many uploads."""
    return f"which_{uploads}"


def _example(path: Path, language: Language) -> Piece:
    title, genre = _example_title(path.stem, language), EXAMPLE_GENRES.get(path.stem)
    return Piece(path.name, title, path.read_bytes(), genre)


def _example_title(stem: str, language: Language) -> str:
    return catalogue(language).get(f"example.{stem}", stem.replace("_", " ").title())
