"""An analysis in; every model's map over its spectrogram on the page, all on one scale."""

from __future__ import annotations

import streamlit as st

from ccmusic.analysis import Analysis
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.signal_figures import attention_figure, buttons
from ccmusic.genres import genre_name
from ccmusic.report import region_line
from ccmusic.texts import Language, translate


def attention(analysis: Analysis, language: Language) -> None:
    """Draw where each model saw its first choice, or a genre of the user's choice."""
    given = {n: v for n, v in analysis.verdicts.items() if v.error is None}
    if not given:
        return
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(translate(language, "attention.title"), anchor=False)
    genre = chooser.selectbox(
        translate(language, "attention.genre"),
        [None, *analysis.genres],
        format_func=lambda genre: (
            genre_name(genre, language) if genre else translate(language, "attention.first")
        ),
        key=f"map_genre_{language}",
        help=translate(language, "attention.help"),
    )
    looked = {name: analysis.attention(name, genre) for name in given}
    strongest = max((float(m.coarse.max()) for m in looked.values() if m), default=0.0)
    both = analysis.transform == "both"
    with st.container(key="maps"):
        for name, looked_at in looked.items():
            title_of = given[name].card.title(with_transform=both)
            with st.container(border=True):
                st.markdown(f"**{plain(title_of)}**")
                if looked_at:
                    st.plotly_chart(
                        attention_figure(looked_at, language, strongest=strongest),
                        config=buttons(language),
                        key=f"map_{name}",
                        alt=translate(language, "page.alt_attention", name=title_of),
                    )
                st.caption(plain(region_line(analysis, name, genre, language)))
