"""Live: the microphone's spectrogram moves, and a small model says what it takes it for.

The browser draws (``live.js``); Python judges the last 10 s about once a second.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.dashboard import dialog
from ccmusic.dashboard.compute import open_panel
from ccmusic.dashboard.inputs import hold
from ccmusic.dashboard.markup import card
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.player import wav
from ccmusic.errors import CCMusicError
from ccmusic.spectrogram import TransformChoice, transforms_of
from ccmusic.texts import Language, translate

_HERE = Path(__file__).parent
_WORDS = (
    *("start", "stop", "picture", "ago", "now", "waiting", "listening"),
    *("insecure", "unsupported", "refused", "missing", "busy", "failed", "ended"),
)
_TOP_K = 3
_microphone = st.components.v2.component(
    "ccmusic_live",
    html=(_HERE / "live.html").read_text("utf-8"),
    css=(_HERE / "live.css").read_text("utf-8"),
    js=(_HERE / "live.js").read_text("utf-8"),
)


def live_window(transform: TransformChoice, language: Language) -> None:
    """Draw the window if it is open; whoever stops finds the last 10 s judged by all models."""
    if not dialog.is_open("live"):
        st.session_state.live_answer = (0, "")
    title = translate(language, "live.title")
    dialog.window("live", title, partial(_window, transform, language), width="large")


def _window(transform: TransformChoice, language: Language) -> None:
    state = st.session_state

    def judge() -> None:
        if sound := state.live.sound:
            state.live_answer = sound["number"], _judge(sound, transform, language)

    def take() -> None:
        if state.live.piece:
            hold(Piece("recording.wav", "", wav(*_samples(state.live.piece))))
            dialog.close()

    st.caption(translate(language, "live.intro"))
    number, said = state.live_answer
    _microphone(
        key="live",
        data={"answered": number, **{word: translate(language, f"live.{word}") for word in _WORDS}},
        on_sound_change=judge,
        on_piece_change=take,
    )
    if not dialog.is_open("live"):  # stopped: the whole page turns to what was heard
        st.rerun()
    st.html(f'<div class="cards live">{said}</div>')


def _judge(sound: Mapping[str, Any], transform: TransformChoice, language: Language) -> str:
    """What the smallest model of each transform says, as a card."""
    samples, rate = _samples(sound)
    cards = []
    try:
        clip = Clip.from_samples(samples, rate)
        for name in transforms_of(transform):
            panel = open_panel(name)
            model = min(panel.cards, key=lambda known: known.multiply_adds)
            analysis = panel.select([model.name]).analyze(clip)
            title = model.title(with_transform=transform == "both")
            verdict = analysis.verdicts.get(model.name)
            if verdict is None:
                cards.append(card(title, (), [analysis.message(language)], language))
            elif verdict.error:
                cards.append(card(title, (), [verdict.error.message(language)], language))
            else:
                cards.append(card(title, verdict.top(_TOP_K), (), language))
    except CCMusicError as error:
        return f"<p>{escape(error.message(language))}</p>"
    return "".join(cards)


def _samples(sound: Mapping[str, Any]) -> tuple[npt.NDArray[np.int16], int]:
    """Samples, int16 [n], 10 s at most, and their rate in hertz."""
    rate = int(sound["rate"])
    content = base64.b64decode(sound["samples"])
    return np.frombuffer(content, "<i2")[-round(CLIP_SECONDS * rate) :], rate
