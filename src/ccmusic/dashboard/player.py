"""Player, waveform, and movable window."""

from __future__ import annotations

import io
import wave
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.audio import CLIP_SECONDS, AudioInfo, Clip, Envelope, Samples
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.compute import prepared
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.media import sound
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.signal_figures import buttons, waveform_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.prepare import Prepared
from ccmusic.report import info_line, window_line
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate

_STEP = 0.1  # seconds by which the window moves


def wav(samples: npt.NDArray[np.int16], rate: int) -> bytes:
    """Content of a WAV file of one channel; ``samples`` are int16 [n], ``rate`` is in hertz."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def sixteen(samples: Samples) -> npt.NDArray[np.int16]:
    """Samples of 16 bits, for listening; the exact array is offered as well."""
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def play_button(piece: Piece, language: Language) -> None:
    """Button for the 10 s that are judged, and whether they are repeated; page.js moves them."""
    makers = ""
    if piece.genre:
        name = genre_name(piece.genre, language)
        makers = f"<span>{escape(translate(language, 'page.makers_genre', genre=name))}</span>"
    st.html(
        f'<div class="play">{window_button(language)}'
        f'<label><input type="checkbox" class="loop" checked> '
        f"{escape(translate(language, 'player.loop'))}</label>{makers}</div>"
    )


def window_button(language: Language, info: AudioInfo | None = None) -> str:
    """The button alone; with ``info`` it plays the window of a piece that is not the page's."""
    words = {word: escape(translate(language, f"player.{word}")) for word in ("play", "pause")}
    edges = (
        f' data-start="{info.window_start:.3f}" data-end="{info.window_end:.3f}"' if info else ""
    )
    return (
        f'<button class="play-window" data-play="{words["play"]}" '
        f'data-pause="{words["pause"]}"{edges}>{words["play"]}</button>'
    )


def player(piece: Piece, window: Prepared, language: Language) -> None:
    """The whole piece to hear, what to know about it, and which 10 s are judged."""
    clip = window.clip
    if clip.info.duration > CLIP_SECONDS:
        state, key = st.session_state, f"window_{piece.key[1][:16]}"
        state[key] = clip.info.window_start
        chosen = state.example, state.own

        def move() -> None:
            # Streamlit takes the slider of the piece before for moved when clicks are quick.
            if (state.example, state.own) == chosen:
                state.asked_start = state[key]

        st.slider(
            translate(language, "page.move_window"),
            0.0,
            clip.info.duration - CLIP_SECONDS,
            step=_STEP,
            format="%.1f",
            key=key,
            on_change=move,
        )
    sound(piece)
    st.caption(f"{plain(info_line(clip, language))}  \n{plain(window_line(clip, language))}")
    for warning in window.warnings:
        if warning.code != "silence":  # the headline says so
            st.caption(f":material/warning: {plain(warning.message(language))}")


def window_start(piece: Piece, transform: TransformChoice) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start: float | None = st.session_state.asked_start
    if start is None:
        return None
    middle = prepared(piece, transform).clip.info
    last = max(0.0, middle.duration - CLIP_SECONDS)
    start = min(max(0.0, start), last)
    return None if abs(start - middle.window_start) < _STEP else start


def move_to(clip: Clip, middle: float) -> None:
    """Put the window around a second of the piece."""
    if clip.info.duration > CLIP_SECONDS:
        last = clip.info.duration - CLIP_SECONDS
        start = min(max(0.0, middle - CLIP_SECONDS / 2), last)
        st.session_state.asked_start = round(start, 1)


def waveform(
    slot: DeltaGenerator,
    whole: Background[None, Envelope],
    piece: Piece,
    clip: Clip,
    language: Language,
) -> None:
    """Draw the whole piece with its window marked; waits until it is decoded."""
    try:
        drawn = waveform_figure(whole.result(), language, window=clip.info)
    except CCMusicError:
        return  # its window could be read and is shown; the rest is damaged beyond drawing
    slot.plotly_chart(
        drawn,
        config=buttons(language),
        key="waveform",
        alt=translate(language, "page.alt_waveform", name=piece.title),
    )
