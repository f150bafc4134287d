"""What to hear: an own file first, then examples as tiles, and the microphone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import DeletedFile

from ccmusic.dashboard import dialog
from ccmusic.dashboard.compute import prepared
from ccmusic.dashboard.examples import Facts, example, example_facts, example_title, find_examples
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.markup import group
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.visitors import (
    Keep,
    known_visitor,
    largest_upload,
    release_upload,
    visitor,
)
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_colour
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate

_MICROPHONE_RATE = 44_100
LARGEST_MB = 256
"""Of a piece, and of all pieces of a visitor."""


@dataclass(frozen=True)
class _Brought:
    piece: Piece
    release: Callable[[], None]
    """Frees what Streamlit's uploader holds of it."""


_KEPT = Keep[_Brought](
    seconds=3600,
    most=2**30,
    each=LARGEST_MB * 2**20,
    size=lambda brought: len(brought.piece.content),
    discard=lambda brought: brought.release(),
)
"""Own pieces of all visitors, an hour after they were last seen. They are nowhere else."""


def choose_input(
    invitation: DeltaGenerator, transform: TransformChoice, language: Language
) -> tuple[Piece | None, list[Piece]]:
    """Draw the choice; what was touched last is taken, and all files if it is one of several.

    Parameters
    ----------
    invitation
        Place of the uploader.
    transform
        The examples are announced by what its models say.
    """
    state, examples = st.session_state, find_examples()
    pieces = _brought()
    state.shelved = bool(pieces)
    state.setdefault("files", {})  # token of each file in the uploader, by Streamlit's name for it
    # Streamlit remembers a choice by its label, and labels change with the language.
    tiles, which = f"example_{language}", f"which_{language}"

    def choose() -> None:
        if state[tiles] is not None:
            state.example, state.own, state.asked_start = state[tiles], None, None

    def choose_own() -> None:
        if state[which] is not None:
            show(state[which])

    with invitation:
        uploads = st.file_uploader(
            translate(language, "page.upload"),
            accept_multiple_files=True,
            key="upload",
            on_change=_take_uploads,
            max_upload_size=largest_upload(LARGEST_MB),
            label_visibility="collapsed",
        )
    st.html(group(translate(language, "page.music")))
    if any(token not in pieces for token in state.files.values()):
        st.caption(translate(language, "page.upload_gone", mb=LARGEST_MB))
    # On another view of the page Streamlit forgets what the uploader holds; that removes nothing.
    state.files = {u.file_id: state.files[u.file_id] for u in uploads if u.file_id in state.files}
    files = {token: piece for token, piece in pieces.items() if piece.title}
    if len(files) > 1 or set(files) - {state.own}:
        state[which] = state.own if state.own in files else None
        st.selectbox(
            translate(language, "page.which_upload"),
            list(files),
            format_func=lambda token: files[token].title,
            key=which,
            on_change=choose_own,
            placeholder=translate(language, "page.own_files", files=len(files)),
        )
    if examples:
        state[tiles] = state.example
        # Who wants to vote first is told nothing, not even by a colour.
        facts = {} if state.vote_first else example_facts()
        said = {stem: known.interesting(transform, language) for stem, known in facts.items()}
        st.html(_tile_colours([facts.get(stem) for stem in examples], language))
        st.pills(
            translate(language, "page.examples"),
            list(examples),
            format_func=lambda stem: _tile(stem, said.get(stem, ""), language),
            key=tiles,
            on_change=choose,
            required=True,  # the second half of a double click takes nothing back
            label_visibility="collapsed",
        )
    with st.container(horizontal=True, key="microphones"):
        dialog.opener("live", translate(language, "live.open"), ":material/graphic_eq:")
        with st.popover(translate(language, "page.microphone"), icon=":material/mic:"):
            st.audio_input(
                translate(language, "page.microphone"),
                sample_rate=_MICROPHONE_RATE,
                key="microphone",
                on_change=_take_recording,
                label_visibility="collapsed",
            )
    if state.example is not None:
        return example(examples[state.example], language), []
    if piece := pieces.get(state.own or ""):
        several = piece.title and len(files) > 1
        return _titled(piece, language), list(files.values()) if several else []
    if state.own is None and examples:  # the file of one's own was taken away again
        state.example = next(iter(examples))
        st.rerun()
    return None, []


def choose_other(piece: Piece, language: Language) -> Piece | None:
    """Draw the choice of a second piece to compare with: examples and what the visitor brought."""
    state, examples = st.session_state, find_examples()
    brought = {token: own for token, own in _brought().items() if token != piece.token}
    names = {s: example_title(s, language) for s in examples if s != state.example}
    names |= {token: _titled(own, language).title for token, own in brought.items()}
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
            format_func=lambda name: plain(names[name]),
            key=key,
            on_change=choose,
            wrap=True,
        )
    if state.other in brought:
        return _titled(brought[state.other], language)
    return example(examples[state.other], language) if state.other else None


def hold(piece: Piece, release: Callable[[], None] = lambda: None) -> None:
    """Show a piece of the visitor's; recordings have no title, which depends on the language.

    Parameters
    ----------
    release
        Called when the piece is kept no longer.
    """
    _KEPT.put(visitor() + st.session_state.shelf, {piece.token: _Brought(piece, release)})
    show(piece.token)


def _brought() -> dict[str, Piece]:
    """The visitor's own pieces, by token."""
    secret = known_visitor()
    kept = _KEPT.get(secret + st.session_state.shelf) if secret else {}
    return {token: brought.piece for token, brought in kept.items()}


def show(token: str) -> None:
    """Show one of the pieces that the visitor brought."""
    state = st.session_state
    state.own, state.example, state.asked_start = token, None, None


def _drop(tokens: Sequence[str]) -> None:
    """Forget pieces that the visitor took away; the newest of the others takes their place."""
    state = st.session_state
    _KEPT.remove(visitor() + state.shelf, tokens)
    if state.own in tokens:
        state.own = next(reversed(_brought()), None)


def _take_uploads() -> None:
    """Of several files the last one that can be read is shown."""
    state = st.session_state
    before, state.files = state.files, {}
    release = release_upload()
    new: list[Piece] = []
    for upload in state.upload:
        if upload.file_id in before:
            state.files[upload.file_id] = before[upload.file_id]
        elif not isinstance(upload, DeletedFile):
            new.append(Piece(upload.name, upload.name, upload.getvalue()))
            state.files[upload.file_id] = new[-1].token
            hold(new[-1], partial(release, upload.file_id))
    for piece in reversed(new) if len(new) > 1 else ():
        with suppress(CCMusicError):
            prepared(piece, state.transform)
            show(piece.token)
            break
    _drop([token for token in before.values() if token not in state.files.values()])


def _take_recording() -> None:
    state = st.session_state
    if state.microphone and not isinstance(state.microphone, DeletedFile):
        piece = Piece("recording.wav", "", state.microphone.getvalue())
        state.recorded = piece.token
        hold(piece, partial(release_upload(), state.microphone.file_id))
    else:
        _drop([state.recorded] if "recorded" in state else [])


def _titled(piece: Piece, language: Language) -> Piece:
    """Piece of the visitor's with the title that a recording has in this language."""
    return piece if piece.title else replace(piece, title=translate(language, "page.recording"))


def _tile(stem: str, said: str, language: Language) -> str:
    """Title, artist and length, and what makes it interesting, each on a line of its own."""
    lines, facts = [f"**{plain(example_title(stem, language))}**"], example_facts().get(stem)
    if facts:
        minutes, seconds = divmod(round(facts.seconds), 60)
        lines.append(plain(f"{facts.artist} · {minutes}:{seconds:02d}"))
    return "\n".join([*lines, plain(said)] if said else lines)


def _tile_colours(tiles: Sequence[Facts | None], language: Language) -> str:
    """Style sheet: every tile has the colour of the genre by which it is labelled."""
    rules = "".join(
        f".st-key-example_{language} button:nth-of-type({place}) "
        f"{{ --genre: {genre_colour(facts.genre)}; }}"
        for place, facts in enumerate(tiles, 1)
        if facts
    )
    return f"<style>{rules}</style>"
