"""Cards, opinion, table and advice on the page, as the models make up their minds."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.advice import advise
from ccmusic.agreement import Agreement
from ccmusic.analysis import Analysis
from ccmusic.card import titles
from ccmusic.dashboard.compute import PendingAnalysis
from ccmusic.dashboard.markdown import plain, sentence
from ccmusic.dashboard.signal_figures import buttons
from ccmusic.dashboard.verdict_figures import bars_figure, genre_colours, table_figure, tie_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict

_STILL = {"staticPlot": True}


def verdicts(pending: PendingAnalysis, on: Collection[str], language: Language) -> Analysis | None:
    """The panel's opinion above, and each model's as it comes; the analysis once it stands."""
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(translate(language, "page.verdicts"), anchor=False)
    top_k = chooser.slider(translate(language, "page.top_k"), 1, 5, 3, key="top_k")
    headline = st.empty()
    cards = [card for card in pending.cards if card.name in on]
    names = titles(cards)
    slots: dict[str, DeltaGenerator] = {}
    with st.container(key="cards"):
        for card in cards:
            with st.container(border=True):
                st.markdown(f"**{plain(names[card.name])}**")
                slots[card.name] = st.empty()

    if not pending.finished:
        for slot in slots.values():
            slot.caption(translate(language, "page.waiting"))
        progress = {"models": len(cards)}
        headline.info(translate(language, "page.progress", done=0, **progress))
        awaited = (v for v in pending.verdicts() if v.card.name in on)
        for done, verdict in enumerate(awaited, 1):
            colours = genre_colours([verdict])
            _verdict(slots[verdict.card.name], verdict, colours, top_k, language, stage="first")
            headline.info(translate(language, "page.progress", done=done, **progress))
    try:
        analysis = pending.result().select(on)
    except CCMusicError as error:
        headline.error(plain(error.message(language)))
        return None
    # Only now is it known which genres are someone's first choice: all cards share the colours.
    colours = genre_colours(list(analysis.verdicts.values()))
    if not analysis.verdicts:
        headline.info(sentence(analysis.message(language)))
        for slot in slots.values():
            slot.empty()
        return analysis
    if analysis.agreement is None:
        headline.error(sentence(analysis.message(language)))
    else:
        _headline(headline, analysis, analysis.agreement, colours, top_k, language)
    for name, verdict in analysis.verdicts.items():
        _verdict(slots[name], verdict, colours, top_k, language, stage="final")
    if analysis.agreement is None:
        return analysis
    with st.expander(translate(language, "page.table"), expanded=True):
        st.plotly_chart(
            table_figure(analysis, language),
            config=buttons(language),
            key="table",
            alt=translate(language, "page.table"),
        )
    return analysis


def _verdict(
    slot: DeltaGenerator,
    verdict: Verdict,
    colours: Mapping[str, str],
    top_k: int,
    language: Language,
    *,
    stage: str,
) -> None:
    if verdict.error:
        slot.error(plain(verdict.error.message(language)))
        return
    name = verdict.card.title()
    with slot.container():
        st.plotly_chart(
            bars_figure(verdict.top(top_k), colours, language),
            config=_STILL,
            key=f"{stage}_{verdict.card.name}",
            alt=translate(language, "page.alt_bars", name=name),
        )
        st.caption(
            translate(
                language,
                "page.model_facts",
                latency=verdict.latency_ms,
                millions=verdict.card.parameters / 1e6,
            )
        )
        advice = verdict.advice(language, name)
        if advice:
            st.caption(sentence(advice))
        if verdict.votes:
            votes = ", ".join(
                f"{genre_name(genre, language)} {n}" for genre, n in verdict.votes.items()
            )
            st.caption(translate(language, "page.votes", votes=plain(votes)))


def _headline(
    slot: DeltaGenerator,
    analysis: Analysis,
    agreement: Agreement,
    colours: Mapping[str, str],
    top_k: int,
    language: Language,
) -> None:
    """What the panel says as one: the sentence, the ensemble's mean, and what to make of it."""
    given = [v for v in analysis.verdicts.values() if not v.error]
    ranking = sorted(analysis.mean.items(), key=lambda item: -item[1])[:top_k]
    with slot.container(key="headline"):
        words, mean = st.columns([2, 1], gap="large", vertical_alignment="center")
        with words:
            st.markdown(f"### {sentence(analysis.message(language))}")
            st.caption(
                translate(
                    language,
                    "page.divergence",
                    divergence=agreement.divergence,
                    seconds=analysis.elapsed_ms / 1000,
                )
            )
            apart = len(given) - agreement.models
            if apart:
                st.caption(translate(language, "page.apart", models=agreement.models, apart=apart))
            advice = advise(analysis)
            for line in advice.message(language) if advice else ():
                st.caption(plain(line))
        with mean:
            st.caption(translate(language, "page.mean"))
            st.plotly_chart(
                bars_figure(ranking, colours, language),
                config=_STILL,
                key="mean",
                alt=translate(language, "page.alt_bars", name=translate(language, "page.mean")),
            )
        if agreement.split:
            st.plotly_chart(
                tie_figure(given, agreement.split, language),
                config=buttons(language),
                key="tie",
                alt=translate(language, "page.alt_tie"),
            )
