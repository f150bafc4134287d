"""The panel's answer on the page, as the models make up their minds, and its details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.agreement import ballot
from ccmusic.analysis import Analysis
from ccmusic.card import ModelCard, titles
from ccmusic.dashboard import markup
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.shown import Shown
from ccmusic.dashboard.voting import own_vote
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.report import shares_table
from ccmusic.result import PanelResult
from ccmusic.texts import Language, capitalized, translate
from ccmusic.verdict import Verdict
from ccmusic.whole import WholePiece

_CHOICES = 3  # genres of each model, and of the mean


def verdicts(
    slot: DeltaGenerator,
    shown: Shown,
    pending: Background[Any, Analysis],
    cards: Sequence[ModelCard],
    whole: WholePiece | None,
) -> Analysis | None:
    """Fill the first screen's answer as the models decide; the analysis once it stands.

    Parameters
    ----------
    cards
        Of the models that are switched on.
    whole
        What is known of the whole piece: the answer is then that of the piece.
    """
    title, language, own = shown.piece.title, shown.language, own_vote(shown.piece)
    names = titles(cards)
    if not pending.finished and not whole:
        waiting = translate(language, "page.waiting")
        rows = {n: markup.notice(text, waiting, kind="waiting") for n, text in names.items()}
        dots = {n: markup.dot(text, None, language) for n, text in names.items()}

        def show(done: int) -> None:
            said = translate(language, "page.progress", done=done, models=len(cards))
            slot.html(
                markup.progress(title, said, dots.values(), language)
                + markup.model_rows([*rows.values(), *_own(own, language)], language)
            )

        show(0)
        awaited = (v for v in pending.follow() if v.card.name in names)
        for done, verdict in enumerate(awaited, 1):
            name = verdict.card.name
            rows[name] = _line(verdict, names[name], language)
            dots[name] = _dot(verdict, names[name], language)
            show(done)
    try:
        analysis = pending.result().select(names)
    except CCMusicError as error:
        slot.html(markup.headline(title, told(error, language)))
        return None
    slot.html(panel_answer(whole or analysis, language, title=title, own=own, window=analysis))
    return analysis


def panel_answer(
    shown: PanelResult,
    language: Language,
    *,
    title: str = "",
    own: str | None = None,
    window: Analysis | None = None,
    progress: tuple[int, int] | None = None,
) -> str:
    """The answer of an analysis or of a piece, and a line for each model and the own vote.

    Parameters
    ----------
    window
        The ten seconds that are shown of a piece.
    progress
        Windows of the piece that are judged, and all.
    """
    names = titles(verdict.card for verdict in shown.verdicts.values())
    rows = [_line(v, names[name], language) for name, v in shown.verdicts.items()]
    said = opinion(shown, language)
    window = window or (shown if isinstance(shown, Analysis) else None)
    found = {w.code: w for result in filter(None, (shown, window)) for w in result.warnings}
    speech = found.pop("speech") if any(w.code == "speech" for w in shown.warnings) else None
    found.pop("silence", None)  # what is said of the window tells it
    warnings = [capitalized(w.message(language)) for w in found.values()]
    if not shown.mean:
        lines = markup.model_rows([*rows, *_own(own, language)], language) if rows else ""
        return markup.headline(title, said, warnings) + lines
    advice, why = (None, None) if speech else (shown.advice, shown.why())
    worth = advice.message(language) if advice else []
    if shown.windows and advice and advice.band:
        worth.append(translate(language, "whole.bands"))
    return markup.answer(
        title,
        shown.top(_CHOICES),
        [_dot(v, names[name], language) for name, v in shown.verdicts.items()],
        [
            said,
            *_scope(shown, window, progress, language),
            *([why.message(language)] if why else []),
        ],
        warnings,
        language,
        worthless=capitalized(speech.message(language)) if speech else "",
        sureness=markup.sureness(advice.band if advice else None, " ".join(worth), language),
    ) + markup.model_rows([*rows, *_own(own, language)], language)


def _scope(
    shown: PanelResult,
    window: Analysis | None,
    progress: tuple[int, int] | None,
    language: Language,
) -> list[str]:
    """How much of the piece the answer is about, and where the ten seconds shown differ."""
    if progress:
        done, windows = progress
        return [translate(language, "whole.progress", done=done, all=windows)]
    if not shown.windows:
        return []
    said = translate(language, "whole.scope", windows=len(shown.windows))
    if window is None or (window.top(1)[:1] and window.top(1)[0][0] == shown.top(1)[0][0]):
        return [said]
    if not window.mean:
        return [said, capitalized(window.message(language))]
    ((genre, share),) = window.top(1)
    info = window.clip.info
    differs = translate(
        language,
        "whole.differs",
        start=info.window_start,
        end=info.window_end,
        genre=genre_name(genre, language),
        share=share,
    )
    return [said, differs]


def opinion(shown: PanelResult, language: Language) -> str:
    """Sentence below the answer: the agreement of the panel, or why there is none."""
    if shown.windows and shown.agreement:
        return capitalized(shown.agreement.message(language))
    return capitalized(shown.message(language))


def _own(genre: str | None, language: Language) -> list[str]:
    return [markup.own_line(genre, language)] if genre else []


def _dot(verdict: Verdict, name: str, language: Language) -> str:
    first = verdict.top(1)
    return markup.dot(name, first[0][0] if first else None, language)


def _line(verdict: Verdict, name: str, language: Language) -> str:
    if verdict.error:
        return markup.notice(name, told(verdict.error, language), kind="failed")
    advice = verdict.advice(language, verdict.card.title())
    return markup.model_row(
        name, verdict.top(_CHOICES), language, band=verdict.band, advice=capitalized(advice)
    )


def details(shown: PanelResult, language: Language) -> None:
    """Draw, folded away, what the first screen has no room for."""
    if shown.agreement is None:
        return
    with st.expander(translate(language, "page.details"), key="details"):
        st.html(shares_table(shown, language))
        divergence, *notes = _notes(shown, language)
        st.caption(plain(divergence), help=translate(language, "term.divergence"))
        for line in notes:
            st.caption(plain(line))
        facts = (f"- {plain(_facts(v, shown, language))}" for v in shown.verdicts.values())
        st.caption("\n".join(facts))
        if shown.agreement.split:
            given = [v for v in shown.verdicts.values() if not v.error]
            st.html(markup.tie(given, shown.agreement.split, language))


def _facts(verdict: Verdict, shown: PanelResult, language: Language) -> str:
    """Name of a model, its size and time, and what each window or slice says."""
    name = verdict.card.title(with_transform=shown.transform == "both")
    if verdict.error:
        return f"{name}: {told(verdict.error, language)}"
    facts = [
        translate(
            language,
            "page.model_facts",
            latency=verdict.latency_ms,
            millions=verdict.card.parameters / 1e6,
        )
    ]
    if verdict.card.width_divisor > 1:
        facts.append(translate(language, "page.width", divisor=verdict.card.width_divisor))
    if verdict.votes:
        key = "whole.votes" if shown.windows else "page.votes"
        facts.append(translate(language, key, votes=ballot(verdict.votes.items(), language)))
    return f"{name}: {' · '.join(facts)}"


def _notes(shown: PanelResult, language: Language) -> list[str]:
    """Divergence and time, whom the mean leaves out, and what to make of it."""
    agreement = shown.agreement
    assert agreement is not None
    divergence = capitalized(agreement.divergence_message(language))
    elapsed = translate(language, "page.elapsed", seconds=shown.elapsed_ms / 1000)
    lines = [" · ".join(filter(None, (divergence, elapsed)))]
    apart = sum(not v.error for v in shown.verdicts.values()) - agreement.models
    if apart:
        lines.append(translate(language, "page.apart", models=agreement.models, apart=apart))
    advice = shown.advice
    return lines + (advice.message(language) if advice else [])
