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
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.media import sound
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.shown import STEP, Shown
from ccmusic.dashboard.signal_figures import show_figure, waveform_figure
from ccmusic.dashboard.state import bound, state
from ccmusic.errors import CCMusicError
from ccmusic.report import info_line, window_line
from ccmusic.texts import Language, translate


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


def play_button(language: Language) -> None:
    """Button for the 10 s that are judged, and whether they are repeated; page.js moves them."""
    st.html(
        f'<div class="play">{window_button(language)}'
        f'<label><input type="checkbox" class="loop" checked> '
        f"{escape(translate(language, 'player.loop'))}</label></div>"
    )


def window_button(
    language: Language, info: AudioInfo | None = None, *, play: str = "player.play"
) -> str:
    """The button alone; with ``info`` it plays the window of a sound that is not the page's."""
    keys = {"play": play, "pause": "player.pause"}
    words = {word: escape(translate(language, key)) for word, key in keys.items()}
    edges = (
        f' data-start="{info.window_start:.3f}" data-end="{info.window_end:.3f}"' if info else ""
    )
    return (
        f'<button class="play-window" data-play="{words["play"]}" '
        f'data-pause="{words["pause"]}"{edges}>{words["play"]}</button>'
    )


def player(shown: Shown) -> None:
    """What to know about the piece, and for the keyboard the whole of it and its window.

    Who sees the waveform has a button and the window there; the style sheet hides the browser's own
    player and the slider until they have the focus.
    """
    clip, language = shown.clip, shown.language
    with st.container(key="plain_controls"):
        if clip.info.duration > CLIP_SECONDS:
            _slider(shown.piece, clip, language)
        sound(shown.piece)
    st.caption(f"{plain(info_line(clip, language))} · {plain(window_line(clip, language))}")


def _slider(piece: Piece, clip: Clip, language: Language) -> None:
    """First second of the window."""
    page = state()
    chosen = page.example, page.own

    def move(start: float) -> None:
        # Streamlit takes the slider of the piece before for moved when clicks are quick.
        if (page.example, page.own) == chosen:
            page.start = start

    st.slider(
        translate(language, "page.move_window"),
        0.0,
        clip.info.duration - CLIP_SECONDS,
        step=STEP,
        format="%.1f",
        **bound(f"window_{piece.token}", clip.info.window_start, move, anew=True),
    )


def move_to(clip: Clip, middle: float) -> None:
    """Put the window around a second of the piece."""
    if clip.info.duration > CLIP_SECONDS:
        last = clip.info.duration - CLIP_SECONDS
        start = min(max(0.0, middle - CLIP_SECONDS / 2), last)
        state().start = round(start, 1)


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
    show_figure(
        drawn,
        language,
        piece.title,
        translate(language, "figure.waveform"),
        key="waveform",
        alt=translate(language, "page.alt_waveform", name=piece.title),
        slot=slot,
    )
