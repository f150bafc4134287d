"""What there is to choose from: examples, files of one's own, the microphone."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from ccmusic.audio import SUFFIXES
from ccmusic.dashboard.compute import Piece
from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import Language, catalogue, translate

_UPLOADS = [suffix.removeprefix(".") for suffix in SUFFIXES]
_MICROPHONE_RATE = 44_100


def choose_input(language: Language) -> Piece | None:
    """Draw the choice; what was touched last is taken."""
    state, examples = st.session_state, find_examples()
    if "example" not in state:
        asked = st.query_params.get("example")
        state.example = asked if asked in examples else next(iter(examples), None)
        state.own = "upload"
    # Streamlit remembers a choice by its label, and labels change with the language.
    key = f"example_{language}"

    def prefer(own: Literal["upload", "microphone"]) -> None:
        state.own = own
        state.example = state[key] = None

    if examples:
        state.example = st.pills(
            translate(language, "page.examples"),
            list(examples),
            format_func=lambda stem: _example_title(stem, language),
            default=state.example,
            key=key,
            wrap=True,
        )
    uploads = st.file_uploader(
        translate(language, "page.upload"),
        _UPLOADS,
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
            key=f"which_{len(uploads)}",
            on_change=prefer,
            args=("upload",),
        )
    recording = st.audio_input(
        translate(language, "page.microphone"),
        sample_rate=_MICROPHONE_RATE,
        key="microphone",
        on_change=prefer,
        args=("microphone",),
    )
    if state.example is not None:
        path = examples[state.example]
        return Piece(path.name, _example_title(path.stem, language), path.read_bytes())
    if recording and (state.own == "microphone" or not upload):
        return Piece("recording.wav", translate(language, "page.recording"), recording.getvalue())
    return Piece(upload.name, upload.name, upload.getvalue()) if upload else None


def _example_title(stem: str, language: Language) -> str:
    return catalogue(language).get(f"example.{stem}", stem.replace("_", " ").title())
