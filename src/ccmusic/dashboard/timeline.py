"""A piece in; genre over time on the page, computed on demand and kept as far as it came."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, Clip
from ccmusic.dashboard.compute import Piece
from ccmusic.dashboard.player import move_to
from ccmusic.dashboard.signal_figures import buttons
from ccmusic.dashboard.verdict_figures import timeline_figure
from ccmusic.panel import Panel
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate

_HOPS = (2, 5, 10)


def timeline(
    piece: Piece,
    clip: Clip,
    transform: TransformChoice,
    panel: Panel,
    on: Collection[str],
    language: Language,
) -> None:
    """Draw the button, the progress and the curves of a piece that is longer than its window."""
    if clip.info.duration < 1.5 * CLIP_SECONDS:
        return
    title, chooser, button = st.columns([3, 1, 1], vertical_alignment="bottom")
    title.subheader(translate(language, "timeline.title"), anchor=False)
    hop = chooser.selectbox(
        translate(language, "timeline.hop"),
        _HOPS,
        index=1,
        key="hop",
        format_func=lambda s: f"{s} s",
    )
    courses = st.session_state.setdefault("courses", {})
    asked = tuple(card.name for card in panel.cards if card.name in on)
    course = courses.setdefault((piece.key, transform, hop, asked), {})
    place = st.empty()
    if button.button(translate(language, "timeline.begin"), key="begin_timeline"):
        # Any touch ends a running script, this button's too; what was found stays.
        place.button(translate(language, "timeline.cancel"), key="cancel_timeline")
        bar = st.progress(0.0, translate(language, "timeline.working"))
        windows = panel.select(asked).timeline(piece.open(), hop=hop)
        course.clear()
        for done, analysis in enumerate(windows, 1):
            course[analysis.clip.info.window_start] = analysis.mean
            bar.progress(done / len(windows), translate(language, "timeline.working"))
        bar.empty()
        place.empty()
    if clip.info.duration > MAX_SECONDS:
        st.caption(translate(language, "timeline.longest", minutes=MAX_SECONDS / 60))
    if not course:
        st.caption(translate(language, "timeline.hint"))
        return
    st.plotly_chart(
        timeline_figure(course, language),
        config=buttons(language),
        key="timeline",
        on_select=lambda: move_to(piece, clip, "timeline"),
        selection_mode="points",
        alt=translate(language, "timeline.title"),
    )
    st.caption(translate(language, "timeline.click"))
