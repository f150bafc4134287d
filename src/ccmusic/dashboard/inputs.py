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
from ccmusic.dashboard.piece import Piece, Sound
from ccmusic.dashboard.state import bound, sent, state
from ccmusic.dashboard.visitors import (
    VisitorStore,
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


_KEPT = VisitorStore[_Brought](
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
    page, examples = state(), find_examples()
    pieces = _brought()
    page.shelved = bool(pieces)
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
    if any(token not in pieces for token in page.uploaded.values()):
        st.caption(translate(language, "page.upload_gone", mb=LARGEST_MB))
    # On another view of the page Streamlit forgets what the uploader holds; that removes nothing.
    held = {upload.file_id for upload in uploads}
    page.uploaded = {file: token for file, token in page.uploaded.items() if file in held}
    files = {token: piece for token, piece in pieces.items() if piece.title}
    if len(files) > 1 or set(files) - {page.own}:
        asked = page.own if page.own in files else None
        st.selectbox(
            translate(language, "page.which_upload"),
            list(files),
            format_func=lambda token: files[token].title,
            placeholder=translate(language, "page.own_files", files=len(files)),
            **bound("which", asked, lambda token: page.show(own=token), anew=True, options=files),
        )
    if examples:
        # Who wants to vote first is told nothing, not even by a colour.
        facts = {} if page.vote_first else example_facts()
        said = {stem: known.interesting(transform, language) for stem, known in facts.items()}
        st.html(_tile_colours([facts.get(stem) for stem in examples]))
        st.pills(
            translate(language, "page.examples"),
            list(examples),
            format_func=lambda stem: _tile(stem, said.get(stem, ""), language),
            required=True,  # the second half of a double click takes nothing back
            label_visibility="collapsed",
            **bound("example", page.example, lambda stem: page.show(example=stem), anew=True),
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
    if page.example is not None:
        return example(examples[page.example], language), []
    if piece := pieces.get(page.own or ""):
        several = piece.title and len(files) > 1
        return _titled(piece, language), list(files.values()) if several else []
    if page.own is None and examples:  # the file of one's own was taken away again
        page.example = next(iter(examples))
        st.rerun()
    return None, []


def choose_other(piece: Piece, language: Language) -> Piece | None:
    """Draw the choice of a second piece to compare with: examples and what the visitor brought."""
    page, examples = state(), find_examples()
    brought = {token: own for token, own in _brought().items() if token != piece.token}
    names = {s: example_title(s, language) for s in examples if s != page.example}
    names |= {token: _titled(own, language).title for token, own in brought.items()}
    if page.other not in names:
        page.other = None
    with st.popover(translate(language, "compare.open"), icon=":material/compare:"):
        st.pills(
            translate(language, "compare.other"),
            list(names),
            format_func=lambda name: plain(names[name]),
            wrap=True,
            **bound("other", page.other, partial(setattr, page, "other"), late=True),
        )
    if page.other in brought:
        return _titled(brought[page.other], language)
    return example(examples[page.other], language) if page.other else None


def hold(piece: Piece, release: Callable[[], None] = lambda: None) -> None:
    """Show a piece of the visitor's; recordings have no title, which depends on the language.

    Parameters
    ----------
    release
        Called when the piece is kept no longer.
    """
    _KEPT.put(visitor() + state().shelf, {piece.token: _Brought(piece, release)})
    state().show(own=piece.token)


def _brought() -> dict[str, Piece]:
    """The visitor's own pieces, by token."""
    secret = known_visitor()
    kept = _KEPT.get(secret + state().shelf) if secret else {}
    return {token: brought.piece for token, brought in kept.items()}


def _drop(tokens: Sequence[str]) -> None:
    """Forget pieces that the visitor took away; the newest of the others takes their place."""
    page = state()
    _KEPT.remove(visitor() + page.shelf, tokens)
    if page.own in tokens:
        page.own = next(reversed(_brought()), None)


def _take_uploads() -> None:
    """Of several files the last one that can be read is shown."""
    page = state()
    before, page.uploaded = page.uploaded, {}
    release = release_upload()
    new: list[Piece] = []
    for upload in sent("upload"):
        if upload.file_id in before:
            page.uploaded[upload.file_id] = before[upload.file_id]
        elif not isinstance(upload, DeletedFile):
            new.append(Piece(upload.name, upload.name, upload.getvalue()))
            page.uploaded[upload.file_id] = new[-1].token
            hold(new[-1], partial(release, upload.file_id))
    for piece in reversed(new) if len(new) > 1 else ():
        with suppress(CCMusicError):
            prepared(Sound(piece), page.transform)
            page.show(own=piece.token)
            break
    _drop([token for token in before.values() if token not in page.uploaded.values()])


def _take_recording() -> None:
    page, recording = state(), sent("microphone")
    if recording and not isinstance(recording, DeletedFile):
        piece = Piece("recording.wav", "", recording.getvalue())
        page.recorded = piece.token
        hold(piece, partial(release_upload(), recording.file_id))
    elif page.recorded:
        _drop([page.recorded])


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


def _tile_colours(tiles: Sequence[Facts | None]) -> str:
    """Style sheet: every tile has the colour of the genre by which it is labelled."""
    rules = "".join(
        f".st-key-example button:nth-of-type({place}) {{ --genre: {genre_colour(facts.genre)}; }}"
        for place, facts in enumerate(tiles, 1)
        if facts
    )
    return f"<style>{rules}</style>"
