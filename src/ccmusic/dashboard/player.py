"""A piece in; player, waveform and movable window on the page."""

from __future__ import annotations

from concurrent.futures import Future

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.dashboard.compute import Envelope, Piece, decode_window
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.signal_figures import buttons, waveform_figure
from ccmusic.errors import CCMusicError
from ccmusic.report import info_line, window_line
from ccmusic.texts import Language, translate

_STEP = 0.1  # seconds by which the window moves


def player(piece: Piece, clip: Clip, language: Language) -> None:
    """What there is to hear, what to know about it, and which 10 s are judged."""
    st.audio(piece.content, alt=piece.title)
    st.caption(f"{plain(info_line(clip, language))}  \n{plain(window_line(clip, language))}")
    for warning in clip.warnings:
        st.warning(plain(warning.message(language)), icon=":material/warning:")
    if clip.info.duration > CLIP_SECONDS:
        st.session_state.setdefault(_key(piece), clip.info.window_start)
        st.slider(
            translate(language, "page.move_window"),
            0.0,
            clip.info.duration - CLIP_SECONDS,
            step=_STEP,
            format="%.1f",
            key=_key(piece),
        )


def _key(piece: Piece) -> str:
    return f"window_{piece.key[1][:16]}"


def window(piece: Piece) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start: float | None = st.session_state.get(_key(piece))
    if start is None or abs(start - decode_window(piece).info.window_start) < _STEP:
        return None
    return start


def move_to(piece: Piece, clip: Clip, figure: str) -> None:
    """Put the window around the place that was clicked on in a figure of the whole piece."""
    points = st.session_state[figure].selection.points
    if points and clip.info.duration > CLIP_SECONDS:
        last = clip.info.duration - CLIP_SECONDS
        start = min(max(0.0, points[0]["x"] - CLIP_SECONDS / 2), last)
        st.session_state[_key(piece)] = round(start, 1)


def waveform(
    slot: DeltaGenerator,
    waveform_envelope: Future[Envelope],
    piece: Piece,
    clip: Clip,
    language: Language,
) -> None:
    """Draw the whole piece with its window marked; waits until it is decoded."""
    try:
        drawn = waveform_figure(waveform_envelope.result(), language, window=clip.info)
    except CCMusicError:
        return  # its window could be read and is shown; the rest is damaged beyond drawing
    slot.plotly_chart(
        drawn,
        config=buttons(language),
        key="waveform",
        on_select=lambda: move_to(piece, clip, "waveform"),
        selection_mode="points",
        alt=translate(language, "page.alt_waveform", name=piece.title),
    )
