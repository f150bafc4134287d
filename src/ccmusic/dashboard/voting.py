"""Vote first: verdicts on a piece are covered until the visitor, or a class, said what it is."""

from __future__ import annotations

from collections import Counter
from functools import partial
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.state import bound, state
from ccmusic.genres import GENRES, genre_name
from ccmusic.report import genre_mark
from ccmusic.texts import Language, translate


def is_covered(piece: Piece) -> bool:
    """Whether the visitor wants to vote first, and has not yet."""
    return state().vote_first and piece.key not in state().votes


def own_vote(piece: Piece) -> str | None:
    """Genre that the visitor voted for, to stand among the others."""
    return state().votes.get(piece.key) if state().vote_first else None


def ballot(piece: Piece, language: Language) -> None:
    """Draw the genres to choose from, or to count hands for."""
    if state().vote_many:
        # Each tap runs this alone, not the page: hands are counted quickly.
        st.fragment(_count_hands)(piece, language)
        return
    st.pills(
        translate(language, "vote.ask"),
        list(GENRES),
        format_func=lambda genre: genre_name(genre, language),
        label_visibility="collapsed",
        **bound(f"vote_{piece.token}", None, partial(state().votes.__setitem__, piece.key)),
    )


def _count_hands(piece: Piece, language: Language) -> None:
    hands = state().hands.setdefault(piece.key, Counter())

    def ask() -> None:
        state().votes[piece.key] = hands.most_common(1)[0][0]

    with st.container(key=f"hands_{piece.token}", horizontal=True):
        for genre in GENRES:
            name, counted = genre_name(genre, language), hands[genre]
            st.button(
                f"{name} **{counted}**" if counted else name,
                key=f"hand_{genre}_{piece.token}",
                on_click=hands.update,
                args=[[genre]],
            )
    with st.container(horizontal=True):
        if st.button(
            translate(language, "vote.reveal", hands=hands.total()),
            key=f"reveal_{piece.token}",
            type="primary",
            disabled=not hands.total(),
            on_click=ask,
        ):
            st.rerun()  # all of the page
        st.button(
            translate(language, "vote.anew"),
            key=f"anew_{piece.token}",
            on_click=hands.clear,
            disabled=not hands.total(),
        )


def against_the_panel(
    slot: DeltaGenerator, piece: Piece, analysis: Analysis, language: Language
) -> None:
    """Draw the class's vote beside the panel's in large type, and the score so far."""
    hands, score = state().hands.get(piece.key), state().score
    if not (state().vote_many and own_vote(piece) and hands and analysis.mean):
        return
    ours, raised = hands.most_common(1)[0]
    theirs, share = analysis.top(1)[0]
    if piece.genre:
        score[piece.key] = ours == piece.genre, theirs == piece.genre
    said = [
        (translate(language, "vote.class"), ours, f"{raised}/{hands.total()}"),
        (translate(language, "vote.panel"), theirs, f"{share:.0%}"),
    ]
    columns = "".join(
        f"<div><small>{escape(who)}</small>{genre_mark(genre, language)}"
        f"<span>{escape(figure)}</span></div>"
        for who, genre, figure in said
    )
    won = [sum(side) for side in zip(*score.values(), strict=True)] or [0, 0]
    told = translate(language, "vote.score", ours=won[0], theirs=won[1], pieces=len(score))
    unnamed = "" if piece.genre else f"{escape(translate(language, 'vote.no_label'))}<br>"
    slot.html(
        f'<div class="versus">{columns}</div><p class="score">{unnamed}<b>{escape(told)}</b></p>'
    )
