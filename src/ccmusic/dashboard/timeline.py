"""A piece in; its genres over time on the page: a strip that fills in by itself, and curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, Clip, window_starts
from ccmusic.card import titles
from ccmusic.dashboard.compute import start_piece
from ccmusic.dashboard.markdown import told
from ccmusic.dashboard.shown import Shown
from ccmusic.dashboard.signal_figures import show_figure
from ccmusic.dashboard.verdict_figures import timeline_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_colour
from ccmusic.report import clock, genre_mark
from ccmusic.texts import Language, translate
from ccmusic.whole import ranking


def has_timeline(clip: Clip) -> bool:
    """Whether a piece is so much longer than its window that its genres over time are shown."""
    return clip.info.duration >= 1.5 * CLIP_SECONDS


def timeline(
    strip: DeltaGenerator,
    curves: DeltaGenerator,
    shown: Shown,
    tell: Callable[[int, int], None],
) -> bool:
    """Draw the verdicts on the windows of the piece as they come; whether all have come.

    Any touch of the page ends the script, this loop with it; the windows are judged all the same,
    and the next run draws them.

    Parameters
    ----------
    tell
        Called with the number of windows that are judged, and of all, as long as some are not.
    """
    info, language = shown.clip.info, shown.language
    starts = window_starts(info.duration, CLIP_SECONDS)
    try:
        pending = start_piece(shown.piece, shown.transform)
        windows = [window.select(shown.on) for window in pending.results]
        strip.html(strip_of(windows, shown))
        if not pending.finished:
            tell(len(windows), len(starts))
            for done, window in enumerate(pending.follow(), 1):
                if done > len(windows):
                    windows.append(window.select(shown.on))
                    strip.html(strip_of(windows, shown))
                    tell(done, len(starts))
        windows = [window.select(shown.on) for window in pending.result().windows]
    except CCMusicError as error:
        strip.caption(escape(told(error, language)))
        return False
    title = _title(shown)
    with curves.container(), st.expander(title, key="course"):
        if info.duration > MAX_SECONDS:
            st.caption(translate(language, "timeline.longest", minutes=MAX_SECONDS / 60))
        figure = timeline_figure({w.clip.info.window_start: w.mean for w in windows}, language)
        show_figure(figure, language, shown.piece.title, title, key="timeline", alt=title)
        st.caption(translate(language, "timeline.click"))
    return True


def _title(shown: Shown) -> str:
    """What is over time: the piece as it is, whatever was done to its window."""
    return translate(shown.language, "timeline.unedited" if shown.after else "timeline.title")


def strip_of(windows: Sequence[Analysis], shown: Shown) -> str:
    """A column for each window of the piece, in the colours of its genres.

    The upper half is the mean, below is a row for each model, in the order of their lines. Windows
    that are not judged yet are hatched; the one that is shown is framed. page.js marks where the
    sound is, and tells the verdict there.
    """
    info, language = shown.clip.info, shown.language
    starts, length = window_starts(info.duration, CLIP_SECONDS), info.duration
    middles = [start + CLIP_SECONDS / 2 for start in starts]
    inner = [(a + b) / 2 for a, b in pairwise(middles)]
    edges = [starts[0], *inner, starts[-1] + CLIP_SECONDS]
    cells = [
        _cell(window, left / length, right / length, right, language)
        for window, left, right in zip(windows, edges, edges[1:], strict=False)
    ]
    if len(windows) < len(starts):
        begin = edges[len(windows)] / length
        cells.append(f'<i class="pending" style="left:{begin:.3%};right:0"></i>')
    width = (info.window_end - info.window_start) / length
    frame = (
        f'<i class="window" style="left:{info.window_start / length:.2%};width:{width:.2%}"></i>'
    )
    firsts = [window.top(1) for window in windows]
    firsts += [v.top(1) for window in windows for v in window.verdicts.values()]
    seen = dict.fromkeys(genre for first in firsts for genre, _ in first)
    legend = " ".join(genre_mark(genre, language) for genre in seen)
    names = titles(v.card for v in windows[0].verdicts.values()) if windows else {}
    rows = "".join(f"<span>{escape(name)}</span>" for name in names.values())
    label, kind = escape(_title(shown)), "unedited" if shown.after else ""
    return (
        f'<div class="strip" role="group" aria-label="{label}" data-length="{length:.3f}">'
        f'{"".join(cells)}{frame}<div class="rows" aria-hidden="true">{rows}</div></div>'
        f'<p class="legend"><b class="{kind}">{label}</b><span class="moment"></span>{legend}</p>'
    )


def _cell(window: Analysis, left: float, right: float, end: float, language: Language) -> str:
    """Button of a window, which begins and ends at these shares of the piece."""
    info = window.clip.info
    place = f"left:{left:.3%};width:calc({right - left:.3%} + 0.5px)"  # no seam to the next
    said = ranking(window.top(2), language) or translate(language, "timeline.silent")
    said = escape(f"{clock(info.window_start)}–{clock(info.window_end)}  {said}")
    data = f'data-end="{end:.3f}" data-said="{said}"'
    if not window.mean:  # no genre, no colour
        return f'<i class="silent" {data} style="{place}"></i>'
    given = [v for v in window.verdicts.values() if not v.error]
    names = titles(v.card for v in given)
    each = "\n".join(escape(f"{names[v.card.name]}: {ranking(v.top(1), language)}") for v in given)
    (genre, _), *_ = window.top(1)
    rows = "".join(
        f'<i style="background:{genre_colour(*genre) if genre else "none"}"></i>'
        for genre in ([g for g, _ in v.top(1)] for v in window.verdicts.values())
    )
    middle = (info.window_start + info.window_end) / 2
    return (
        f'<button class="at" data-at="{middle:.2f}" {data} title="{said}\n{each}" '
        f'aria-label="{said}" style="{place}"><i class="mean" style="background:'
        f'{genre_colour(genre)}"></i>{rows}</button>'
    )
