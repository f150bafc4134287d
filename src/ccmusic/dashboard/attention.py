"""Attention view: the map of every model over its spectrogram."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.attention import Attention
from ccmusic.dashboard.importance import wanted
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.signal_figures import attention_figure, show_figure
from ccmusic.dashboard.state import bound, browser_switch, state
from ccmusic.genres import genre_name
from ccmusic.report import map_help, map_line
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict


def attention(
    piece: str,
    analysis: Analysis,
    language: Language,
    *,
    after: Analysis | None = None,
    settled: bool = False,
) -> tuple[bool, DeltaGenerator | None]:
    """Draw the regions that support the first choice of each model, or a chosen genre.

    Parameters
    ----------
    piece
        Title.
    after
        The analysis of the edited sound, whose maps stand below those before.
    settled
        Whether the page waits for nothing else. If what counts is measured as well, the maps are
        drawn by themselves when a choice of theirs is touched: Streamlit does that only once the
        run of the page has ended.

    Returns
    -------
    Whether one of the maps is opened large; and room to tell how far what counts is measured, if
    it is to be.
    """
    known = all(each.measured for each in (analysis, after) if each)
    alone = settled and (known or state().activation_maps)
    draw = st.fragment(_draw) if alone else _draw
    return draw(piece, analysis, language, after, pending=alone and not known)


def _draw(
    piece: str, analysis: Analysis, language: Language, after: Analysis | None, *, pending: bool
) -> tuple[bool, DeltaGenerator | None]:
    """As :func:`attention`; ``pending`` is whether measured maps take a run of the page."""
    state().write_address()  # a fragment runs without the page, which writes it
    explain: Callable[[Analysis, str, str | None], Attention | None] = (
        Analysis.attention if state().activation_maps else Analysis.evidence
    )
    given = {n: v for n, v in analysis.verdicts.items() if v.error is None}
    if not given:
        return False, None
    firsts = [explain(analysis, name, None) for name in given]
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(translate(language, "attention.title"), anchor=False)
    choices, asked = ["", *analysis.genres], state().map_genre
    known = asked if asked in choices else ""
    chosen = chooser.selectbox(
        translate(language, "attention.genre"),
        choices,
        format_func=lambda genre: (
            genre_name(genre, language) if genre else translate(language, "attention.first")
        ),
        help=map_help("attention.map_help", firsts, language),
        **bound(
            "map_genre",
            known,
            partial(setattr, state(), "map_genre"),
            anew=True,
            options=choices,
        ),
    )
    genre = chosen or None
    maps = {name: explain(analysis, name, genre) for name in given}
    strongest = max((float(m.coarse.max()) for m in maps.values() if m), default=0.0)
    with st.container(horizontal=True, vertical_alignment="center"):
        # The style sheet fades the maps; nothing has to be asked of the server.
        word = escape(translate(language, "attention.opacity"))
        st.html(
            f'<label class="opacity">{word} <input type="range" class="map-opacity" min="0" '
            f'max="100" value="100"></label>',
            width="content",
        )
        browser_switch("one_scale", translate(language, "attention.one_scale"))
        measured = wanted(language)
    if pending and measured:
        st.rerun()
    progress = st.empty() if measured else None
    both = analysis.transform == "both"
    # The first of each transform: the others beside it have the same axis.
    labelled = {given[name].card.transform: name for name in reversed(maps) if maps[name]}.values()

    def draw(name: str, key: str, verdict: Verdict, evidence: Attention | None) -> None:
        if evidence:
            large = key == "large"
            figure = attention_figure(
                evidence,
                language,
                strongest=strongest,
                large=large,
                labelled=name in labelled,
            )
            title = given[name].card.title(with_transform=both)
            show_figure(
                figure,
                language,
                piece,
                title,
                translate(language, "attention.title"),
                key=f"{key}_{name}",
                alt=translate(language, "page.alt_attention", name=title),
            )
        st.html(_region(verdict, evidence, language))

    word = translate(language, "attention.enlarge")
    opened = False
    with st.container(key="maps"):
        for name, evidence in maps.items():
            title_of = plain(given[name].card.title(with_transform=both))
            with st.container(border=True):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{title_of}**")
                    enlarged = evidence and st.button(
                        word,
                        key=f"enlarge_{name}",
                        icon=":material/open_in_full:",
                        type="tertiary",
                        help=word,
                    )
                draw(name, "map", given[name], evidence)
                if after and name in after.verdicts:
                    st.caption(translate(language, "what_if.after"))
                    draw(name, "map_after", after.verdicts[name], explain(after, name, genre))
                opened |= bool(enlarged)
                if enlarged:  # the style sheet gives it what height there is
                    st.dialog(title_of, width="large")(draw)(name, "large", given[name], evidence)
    return opened, progress


def _region(verdict: Verdict, evidence: Attention | None, language: Language) -> str:
    """Where a model saw the genre, and a button to hear just that; page.js plays it."""
    said = f'<p class="region-line">{escape(map_line(verdict, evidence, language))}</p>'
    if evidence is None or evidence.region is None or evidence.everywhere:
        return said
    region = evidence.region
    data = {
        "start": region.start,
        "end": region.end,
        "low": region.lowest,
        "high": region.highest,
    }
    attributes = " ".join(f'data-{key}="{value:.3f}"' for key, value in data.items())
    word = escape(translate(language, "player.region"))
    return f'{said}<button class="play-region" {attributes}>{word}</button>'
