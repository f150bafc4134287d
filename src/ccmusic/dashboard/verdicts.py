"""The panel's opinion on the page, as the models make up their minds, and its details."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic import zoo
from ccmusic.agreement import comparable
from ccmusic.analysis import Analysis
from ccmusic.card import titles
from ccmusic.dashboard import markup
from ccmusic.dashboard.compute import PendingAnalysis, scrap, silent
from ccmusic.dashboard.markdown import plain
from ccmusic.dashboard.signal_figures import buttons
from ccmusic.dashboard.verdict_figures import tie_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.panel import Verdict
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformName
from ccmusic.texts import Language, translate

_OTHER: dict[str, TransformName] = {"cqt": "mel", "mel": "cqt"}


def verdicts(
    slot: DeltaGenerator,
    title: str,
    pending: PendingAnalysis,
    on: Collection[str],
    language: Language,
    own: str | None = None,
) -> Analysis | None:
    """Fill the first screen's lines as the models decide; the analysis once it stands.

    Parameters
    ----------
    own
        Genre that the visitor voted for, to stand among the others.
    """
    cards = [card for card in pending.cards if card.name in on]
    names = titles(cards)
    waiting = translate(language, "page.waiting")
    rows = {name: markup.notice(text, waiting, kind="waiting") for name, text in names.items()}

    if own:
        rows["own vote"] = markup.own_line(own, language)

    def show(sentence: str, votes: Counter[str], below: str = "") -> None:
        slot.html(
            markup.headline(title, sentence, votes, language)
            + markup.lines([*rows.values(), below], language)
        )

    if not pending.finished:
        progress = {"models": len(cards)}
        show(translate(language, "page.progress", done=0, **progress), Counter())
        awaited = (v for v in pending.verdicts() if v.card.name in on)
        for done, verdict in enumerate(awaited, 1):
            name = verdict.card.name
            rows[name] = _line(verdict, names[name], language)
            show(translate(language, "page.progress", done=done, **progress), Counter())
    try:
        analysis = pending.result().select(on)
    except CCMusicError as error:
        slot.html(markup.headline(title, error.message(language), Counter(), language))
        return None
    if silent(analysis.clip):
        slot.html(markup.headline(title, translate(language, "page.silent"), Counter(), language))
        return None
    for name, verdict in analysis.verdicts.items():
        rows[name] = _line(verdict, names[name], language)
    show(opinion(analysis, language), _votes(analysis), _mean_line(analysis, language))
    return analysis


def opinion(analysis: Analysis, language: Language) -> str:
    """What the panel says as one, in a sentence."""
    if analysis.agreement is None:
        return translate(language, "page.no_verdict")
    sentence = _sentence(analysis.agreement.message(language))
    if scrap(analysis.clip):
        return translate(language, "page.doubtful", sentence=sentence)
    return sentence


def _votes(analysis: Analysis) -> Counter[str]:
    return markup.votes_of(comparable(list(analysis.verdicts.values())))


def _line(verdict: Verdict, name: str, language: Language) -> str:
    if verdict.error:
        return markup.notice(name, verdict.error.message(language), kind="failed")
    advice = verdict.advice(language, verdict.card.title())
    return markup.line(
        name, verdict.probabilities, language, band=verdict.band, advice=_sentence(advice)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mean_line(analysis: Analysis, language: Language) -> str:
    if len(comparable(list(analysis.verdicts.values()))) < 2:
        return ""
    measured = zoo.panel_card([v.card for v in analysis.verdicts.values()])
    band = measured.metrics.band(max(analysis.mean.values())) if measured else None
    return markup.line(
        translate(language, "page.mean_short"),
        analysis.mean,
        language,
        band=band,
        advice=" ".join(_advice(analysis, language)),
        kind="mean",
    )


def details(analysis: Analysis, language: Language) -> None:
    """Draw, folded away, what the first screen has no room for."""
    if analysis.agreement is None:
        return
    with st.expander(translate(language, "page.details"), key="details"):
        top_k = st.slider(
            translate(language, "page.top_k"), 1, 5, key="top_k", persist_state="session"
        )
        cards = "".join(_card(v, top_k, analysis, language) for v in analysis.verdicts.values())
        ranking = sorted(analysis.mean.items(), key=lambda item: -item[1])[:top_k]
        mean = markup.card(translate(language, "page.mean"), ranking, (), language)
        st.html(f'<div class="cards">{cards}{mean}</div>')
        st.html(markup.table(analysis, language))
        for line in _notes(analysis, language):
            st.caption(plain(line))
        if analysis.agreement.split:
            st.plotly_chart(
                tie_figure(
                    [v for v in analysis.verdicts.values() if not v.error],
                    analysis.agreement.split,
                    language,
                ),
                config=buttons(language),
                key="tie",
                alt=translate(language, "page.alt_tie"),
            )


def _card(verdict: Verdict, top_k: int, analysis: Analysis, language: Language) -> str:
    name = verdict.card.title(with_transform=analysis.transform == "both")
    if verdict.error:
        return markup.card(name, (), (verdict.error.message(language),), language)
    notes = [
        translate(
            language,
            "page.model_facts",
            latency=verdict.latency_ms,
            millions=verdict.card.parameters / 1e6,
        )
    ]
    advice = verdict.advice(language, verdict.card.title())
    if advice:
        notes.append(_sentence(advice))
    if verdict.votes:
        votes = ", ".join(
            f"{genre_name(genre, language)} {n}" for genre, n in verdict.votes.items()
        )
        notes.append(translate(language, "page.votes", votes=votes))
    return markup.card(name, verdict.top(top_k), notes, language)


def _notes(analysis: Analysis, language: Language) -> list[str]:
    """Divergence and time, whom the mean leaves out, and what to make of it."""
    agreement = analysis.agreement
    assert agreement is not None
    lines = [
        translate(
            language,
            "page.divergence",
            divergence=agreement.divergence,
            seconds=analysis.elapsed_ms / 1000,
        )
    ]
    apart = sum(not v.error for v in analysis.verdicts.values()) - agreement.models
    if apart:
        lines.append(translate(language, "page.apart", models=agreement.models, apart=apart))
    return lines + _advice(analysis, language)


def _advice(analysis: Analysis, language: Language) -> list[str]:
    """What the ensemble's probability has been worth, and whom else to ask; measured, or empty."""
    cards = [v.card for v in analysis.verdicts.values()]
    measured = zoo.panel_card(cards)
    if measured is None:
        return []
    band = measured.metrics.band(max(analysis.mean.values()))
    lines = []
    if band:
        worth = {"accuracy": band.accuracy, "recordings": band.recordings}
        lines.append(translate(language, f"advice.{band.level}", **worth))
        if band.level == "high":
            return lines
    if measured.pairs:
        pair, names = measured.pairs[0], titles(cards)
        a, b = (names[name] for name in pair.models)
        lines.append(
            translate(language, "advice.pair", a=a, b=b, accuracy=pair.accuracy, either=pair.either)
        )
    other = _OTHER.get(analysis.transform)
    together = zoo.panel_card(c.card for c in zoo.find("both")) if other else None
    if other and together and together.metrics.accuracy > measured.metrics.accuracy:
        shares = {"alone": measured.metrics.accuracy, "both": together.metrics.accuracy}
        lines.append(translate(language, "advice.other", other=TRANSFORM_TITLES[other], **shares))
    return lines
