"""Vote first: verdicts on a piece are covered until the visitor has said what it is."""

from __future__ import annotations

import streamlit as st

from ccmusic.dashboard.piece import Piece
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import Language, translate


def is_covered(piece: Piece) -> bool:
    """Whether the visitor wants to vote first, and has not yet."""
    return st.session_state.vote_first and piece.key not in st.session_state.votes


def own_vote(piece: Piece) -> str | None:
    """Genre that the visitor voted for, to stand among the others."""
    state = st.session_state
    return state.votes.get(piece.key) if state.vote_first else None


def ballot(piece: Piece, language: Language) -> None:
    """Draw the genres to choose from."""
    state, key = st.session_state, f"vote_{language}_{piece.token}"

    def vote() -> None:
        state.votes[piece.key] = state[key]

    st.pills(
        translate(language, "vote.ask"),
        list(GENRES),
        format_func=lambda genre: genre_name(genre, language),
        key=key,
        on_change=vote,
        label_visibility="collapsed",
    )
