"""A piece in; its genres over time on the page: a strip that fills in by itself, and curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from itertools import pairwise

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, Clip
from ccmusic.dashboard.compute import WholePiece, whole_piece
from ccmusic.dashboard.markdown import told
from ccmusic.dashboard.markup import genre_mark
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.signal_figures import buttons
from ccmusic.dashboard.verdict_figures import timeline_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_colour, genre_name
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate


def has_course(clip: Clip) -> bool:
    """Whether a piece is so much longer than its window that it has a course."""
    return clip.info.duration >= 1.5 * CLIP_SECONDS


def timeline(
    strip: DeltaGenerator,
    curves: DeltaGenerator,
    piece: Piece,
    clip: Clip,
    transform: TransformChoice,
    on: Collection[str],
    language: Language,
) -> None:
    """Draw the verdicts on the windows of the piece as they come.

    Any touch of the page ends the script, this loop with it; the windows are judged all the same,
    and the next run draws them.
    """
    try:
        whole = whole_piece(piece, transform)
        strip.html(_strip(whole, clip, on, language))
        for _ in whole.follow():
            strip.html(_strip(whole, clip, on, language))
        whole.result()
    except CCMusicError as error:
        strip.caption(escape(told(error, language)))
        return
    with curves.container(), st.expander(translate(language, "timeline.title"), key="course"):
        if clip.info.duration > MAX_SECONDS:
            st.caption(translate(language, "timeline.longest", minutes=MAX_SECONDS / 60))
        st.plotly_chart(
            timeline_figure(whole.course(on), language),
            config=buttons(language, piece.title, translate(language, "timeline.title")),
            key="timeline",
            alt=translate(language, "timeline.title"),
        )
        st.caption(translate(language, "timeline.click"))


def _strip(whole: WholePiece, clip: Clip, on: Collection[str], language: Language) -> str:
    """Windows side by side, each in the colour of its genre; the judged one is framed."""
    course, starts, length = whole.course(on), whole.starts, clip.info.duration
    middles = [start + CLIP_SECONDS / 2 for start in starts]
    inner = [(a + b) / 2 for a, b in pairwise(middles)]
    edges = [starts[0], *inner, starts[-1] + CLIP_SECONDS]
    cells = "".join(
        _cell(start, course.get(start), left / length, (right - left) / length, language)
        for start, left, right in zip(starts, edges[:-1], edges[1:], strict=True)
    )
    info = clip.info
    width = (info.window_end - info.window_start) / length
    frame = (
        f'<i class="window" style="left:{info.window_start / length:.2%};width:{width:.2%}"></i>'
    )
    seen = dict.fromkeys(max(mean, key=mean.__getitem__) for mean in course.values() if mean)
    legend = " ".join(genre_mark(genre, language) for genre in seen)
    state = (
        ""
        if whole.finished
        else translate(language, "timeline.progress", done=len(course), all=len(starts))
    )
    label = escape(translate(language, "timeline.title"))
    return (
        f'<div class="strip" role="group" aria-label="{label}">{cells}{frame}</div>'
        f'<p class="legend"><b>{label}</b>{legend} <span>{escape(state)}</span></p>'
    )


def _cell(
    start: float, mean: Mapping[str, float] | None, left: float, width: float, language: Language
) -> str:
    place = f"left:{left:.3%};width:calc({width:.3%} + 0.5px)"  # no seam to the next
    if mean is None:
        return f'<i class="pending" style="{place}"></i>'
    if not mean:  # silence: no genre, no colour
        return ""
    genre = max(mean, key=mean.__getitem__)
    middle = start + CLIP_SECONDS / 2
    name = escape(
        translate(
            language,
            "timeline.cell",
            minutes=int(middle // 60),
            seconds=int(middle % 60),
            genre=genre_name(genre, language),
            share=mean[genre],
        )
    )
    return (
        f'<button class="at" data-at="{middle:.2f}" title="{name}" aria-label="{name}" '
        f'style="{place};background:{genre_colour(genre)}"></button>'
    )
