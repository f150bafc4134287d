"""A piece in; genre over time on the page, computed on demand and kept as far as it came."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from ccmusic.audio import LONGEST_PIECE, SECONDS, Clip
from ccmusic.dashboard.charts import timeline_figure
from ccmusic.dashboard.figures import buttons
from ccmusic.dashboard.hearing import Piece
from ccmusic.dashboard.sound import move_to
from ccmusic.panel import Panel
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, say
from ccmusic.timeline import Timeline

_HOPS = (2, 5, 10)


def whole(
    piece: Piece,
    clip: Clip,
    transform: TransformChoice,
    panel: Panel,
    on: Collection[str],
    language: Language,
) -> None:
    """Draw the button, the progress and the curves of a piece that is longer than its window."""
    if clip.facts.duration < 1.5 * SECONDS:
        return
    title, chooser, button = st.columns([3, 1, 1], vertical_alignment="bottom")
    title.subheader(say(language, "timeline.title"), anchor=False)
    hop = chooser.selectbox(
        say(language, "timeline.hop"), _HOPS, index=1, key="hop", format_func=lambda s: f"{s} s"
    )
    courses = st.session_state.setdefault("courses", {})
    asked = tuple(card.name for card in panel.cards if card.name in on)
    course = courses.setdefault((piece.key, transform, hop, asked), {})
    place = st.empty()
    if button.button(say(language, "timeline.begin"), key="begin_timeline"):
        # Any touch ends a running script, this button's too; what was found stays.
        place.button(say(language, "timeline.cancel"), key="cancel_timeline")
        bar = st.progress(0.0, say(language, "timeline.working"))
        timeline = Timeline(piece.open(), hop=hop, transform=transform, panel=panel.only(asked))
        course.clear()
        for done, analysis in enumerate(timeline, 1):
            course[analysis.clip.facts.window_start] = analysis.mean
            bar.progress(done / len(timeline), say(language, "timeline.working"))
        bar.empty()
        place.empty()
    if clip.facts.duration > LONGEST_PIECE:
        st.caption(say(language, "timeline.longest", minutes=LONGEST_PIECE / 60))
    if not course:
        st.caption(say(language, "timeline.hint"))
        return
    st.plotly_chart(
        timeline_figure(course, language),
        config=buttons(language),
        key="timeline",
        on_select=lambda: move_to(piece, clip, "timeline"),
        selection_mode="points",
        alt=say(language, "timeline.title"),
    )
    st.caption(say(language, "timeline.click"))
