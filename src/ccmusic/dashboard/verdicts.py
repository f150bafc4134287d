"""The panel's opinion on the page, as the models make up their minds, and its details."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.agreement import comparable
from ccmusic.analysis import Analysis
from ccmusic.card import ModelCard, titles
from ccmusic.dashboard import markup
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.signal_figures import buttons
from ccmusic.dashboard.verdict_figures import tie_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict


def verdicts(
    slot: DeltaGenerator,
    title: str,
    pending: Background[Verdict, Analysis],
    cards: Sequence[ModelCard],
    language: Language,
    own: str | None = None,
) -> Analysis | None:
    """Fill the first screen's lines as the models decide; the analysis once it stands.

    Parameters
    ----------
    cards
        Of the models that are switched on.
    own
        Genre that the visitor voted for, to stand among the others.
    """
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
        awaited = (v for v in pending.follow() if v.card.name in names)
        for done, verdict in enumerate(awaited, 1):
            name = verdict.card.name
            rows[name] = _line(verdict, names[name], language)
            show(translate(language, "page.progress", done=done, **progress), Counter())
    try:
        analysis = pending.result().select(names)
    except CCMusicError as error:
        slot.html(markup.headline(title, told(error, language), Counter(), language))
        return None
    if not analysis.verdicts:
        slot.html(markup.headline(title, opinion(analysis, language), Counter(), language))
        return analysis
    for name, verdict in analysis.verdicts.items():
        rows[name] = _line(verdict, names[name], language)
    show(opinion(analysis, language), _votes(analysis), _mean_line(analysis, language))
    return analysis


def panel_lines(analysis: Analysis, language: Language, own: str | None) -> str:
    """The panel's sentence and a line per model, of an analysis that stands; and the own vote."""
    names = titles(verdict.card for verdict in analysis.verdicts.values())
    rows = [_line(v, names[name], language) for name, v in analysis.verdicts.items()]
    said = f'<p class="said">{escape(opinion(analysis, language))}</p>'
    if own:
        rows.append(markup.own_line(own, language))
    return said + markup.lines([*rows, _mean_line(analysis, language)], language)


def opinion(analysis: Analysis, language: Language) -> str:
    """Sentence for the headline: the agreement of the panel, or why there is none."""
    return _sentence(analysis.message(language))


def _votes(analysis: Analysis) -> Counter[str]:
    return markup.votes_of(comparable(list(analysis.verdicts.values())))


def _line(verdict: Verdict, name: str, language: Language) -> str:
    if verdict.error:
        return markup.notice(name, told(verdict.error, language), kind="failed")
    advice = verdict.advice(language, verdict.card.title())
    return markup.line(
        name, verdict.probabilities, language, band=verdict.band, advice=_sentence(advice)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mean_line(analysis: Analysis, language: Language) -> str:
    if len(comparable(list(analysis.verdicts.values()))) < 2:
        return ""
    advice = analysis.advice
    return markup.line(
        translate(language, "page.mean_short"),
        analysis.mean,
        language,
        band=advice.band if advice else None,
        advice=" ".join(advice.message(language)) if advice else "",
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
        divergence, *notes = _notes(analysis, language)
        st.caption(plain(divergence), help=translate(language, "term.divergence"))
        for line in notes:
            st.caption(plain(line))
        if analysis.agreement.split:
            st.plotly_chart(
                tie_figure(
                    [v for v in analysis.verdicts.values() if not v.error],
                    analysis.agreement.split,
                    language,
                ),
                config=buttons(language, analysis.file, translate(language, "page.alt_tie")),
                key="tie",
                alt=translate(language, "page.alt_tie"),
            )


def _card(verdict: Verdict, top_k: int, analysis: Analysis, language: Language) -> str:
    name = verdict.card.title(with_transform=analysis.transform == "both")
    if verdict.error:
        return markup.card(name, (), (told(verdict.error, language),), language)
    notes = [
        translate(
            language,
            "page.model_facts",
            latency=verdict.latency_ms,
            millions=verdict.card.parameters / 1e6,
        )
    ]
    if verdict.card.width_divisor > 1:
        notes.append(translate(language, "page.width", divisor=verdict.card.width_divisor))
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
    divergence = _sentence(agreement.divergence_message(language))
    elapsed = translate(language, "page.elapsed", seconds=analysis.elapsed_ms / 1000)
    lines = [" · ".join(filter(None, (divergence, elapsed)))]
    apart = sum(not v.error for v in analysis.verdicts.values()) - agreement.models
    if apart:
        lines.append(translate(language, "page.apart", models=agreement.models, apart=apart))
    advice = analysis.advice
    return lines + (advice.message(language) if advice else [])
