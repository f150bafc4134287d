"""Live: the microphone's spectrogram moves, and all models say what they take it for.

The browser draws (``live.js``); Python judges the last 10 s about once a second.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.dashboard import dialog
from ccmusic.dashboard.component import component
from ccmusic.dashboard.compute import open_panel
from ccmusic.dashboard.inputs import hold
from ccmusic.dashboard.markdown import told
from ccmusic.dashboard.markup import race
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.player import wav
from ccmusic.dashboard.state import sent, state
from ccmusic.dashboard.verdicts import opinion, panel_answer
from ccmusic.errors import CCMusicError
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate

_HERE = Path(__file__).parent
_WORDS = (
    *("start", "stop", "picture", "ago", "now", "waiting", "listening"),
    *("insecure", "unsupported", "refused", "missing", "busy", "failed", "ended"),
)
_TOP_K = 5
_RATES = 3000, 768_000  # hertz, of any microphone
_microphone = component(
    "live",
    "live.js",
    html=(_HERE / "live.html").read_text("utf-8"),
    css=(_HERE / "live.css").read_text("utf-8"),
)


def live_window(transform: TransformChoice, language: Language) -> None:
    """Draw the window if it is open; whoever stops finds the last 10 s judged by all models."""
    if not dialog.is_open("live"):
        state().live_answer = (0, "", ())
    title = translate(language, "live.title")
    dialog.window("live", title, partial(_window, transform, language))


def _window(transform: TransformChoice, language: Language) -> None:
    def judge() -> None:
        sound = sent("live").sound
        if received := _samples(sound):
            *_, since = state().live_answer
            answer = _judge(*received, transform, language, since)
            state().live_answer = sound.get("number"), *answer

    def take() -> None:
        if received := _samples(sent("live").piece):
            hold(Piece("recording.wav", "", wav(*received)))
            dialog.close()

    st.caption(translate(language, "live.intro"))
    number, said, _ = state().live_answer
    _microphone(
        key="live",
        data={"answered": number, **{word: translate(language, f"live.{word}") for word in _WORDS}},
        on_sound_change=judge,
        on_piece_change=take,
    )
    if not dialog.is_open("live"):  # stopped: the whole page turns to what was heard
        st.rerun()
    st.html(f'<div class="live">{said}</div>')


def _judge(
    samples: npt.NDArray[np.int16],
    rate: int,
    transform: TransformChoice,
    language: Language,
    since: Sequence[tuple[str, float]],
) -> tuple[str, Sequence[tuple[str, float]]]:
    """What all models say, and the genres that lead in their mean.

    Parameters
    ----------
    since
        The genres that led a moment ago: the bars run from there.
    """
    try:
        analysis = open_panel(transform).analyze(Clip.from_samples(samples, rate))
    except CCMusicError as error:
        return f"<p>{escape(told(error, language))}</p>", ()
    leading = analysis.top(_TOP_K)
    if not leading:
        return f"<p>{escape(opinion(analysis, language))}</p>", ()
    bars = race(leading, since, language)
    return f"{bars}<div>{panel_answer(analysis, language)}</div>", leading


def _samples(sound: object) -> tuple[npt.NDArray[np.int16], int] | None:
    """Samples, int16 [n], 10 s at most, and their rate in hertz; None if they are none.

    Anything may come instead of what ``live.js`` sends.
    """
    rate, content = (
        (sound.get(k) for k in ("rate", "samples")) if isinstance(sound, dict) else (0, "")
    )
    if not (isinstance(rate, int | float) and isinstance(content, str)):
        return None
    if not _RATES[0] <= rate <= _RATES[1]:
        return None
    try:
        samples = np.frombuffer(base64.b64decode(content, validate=True), "<i2")
    except ValueError:  # no base64, or half a sample
        return None
    return samples[-round(CLIP_SECONDS * rate) :], int(rate)
