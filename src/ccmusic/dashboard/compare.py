"""Two pieces side by side: the same transform, one colour scale, and where the means differ."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import streamlit as st

from ccmusic.analysis import Analysis
from ccmusic.dashboard.compute import prepared, start_analysis
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.markup import differences
from ccmusic.dashboard.media import sound
from ccmusic.dashboard.piece import Piece, Sound
from ccmusic.dashboard.player import window_button
from ccmusic.dashboard.shown import Shown
from ccmusic.dashboard.signal_figures import spectrogram_chart
from ccmusic.dashboard.verdicts import panel_answer
from ccmusic.dashboard.voting import ballot, is_covered, own_vote
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import Spectrogram, transforms_of
from ccmusic.texts import Language, translate

_HEIGHT = 340  # pixels of a spectrogram


def compare(shown: Shown, analysis: Analysis, other: Piece) -> None:
    """Draw the piece of the page beside another one, of which the middle is judged."""
    piece, language, choice = shown.piece, shown.language, shown.transform
    st.subheader(translate(language, "compare.title"), anchor=False)
    try:
        judged = start_analysis(Sound(other), choice).result().select(shown.on)
    except CCMusicError as error:
        st.info(plain(told(error, language)))
        return
    transforms = [Preprocessing.default(n).transform for n in transforms_of(choice)]
    first, second = shown.window, prepared(Sound(other), choice)
    sides = {"first": (piece, analysis, first), "second": (other, judged, second)}
    loudest = {
        kind: max(peak(window.spectrograms[kind]) for window in (first, second))
        for kind in transforms
    }
    with st.container(key="comparison"):
        columns = st.columns(2, gap="medium")
        for column, (side, (one, said, window)) in zip(columns, sides.items(), strict=True):
            with column.container(key=side):
                st.html(f'<h4 class="side">{escape(one.title)}</h4>')
                silent = said.judged == "silent"  # it would be black
                for kind in () if silent else transforms:
                    spectrogram_chart(
                        window,
                        kind,
                        one.title,
                        language,
                        key=side,
                        height=_HEIGHT,
                        below=loudest[kind] - peak(window.spectrograms[kind]),
                    )
                st.html(window_button(language, said.clip.info if side == "second" else None))
                if side == "second":  # not seen: the button and the spectrograms play it
                    sound(one)
                if is_covered(one):
                    st.html(f'<p class="said">{escape(translate(language, "vote.ask"))}</p>')
                    ballot(one, language)
                else:
                    st.html(panel_answer(said, language, own=own_vote(one)))
    if is_covered(other):
        return
    titles, means = (piece.title, other.title), (analysis.mean, judged.mean)
    rows = by_difference(*means)
    if rows:
        st.markdown(plain(_sentence(titles, means, rows[0], language)))
        st.html(differences(titles, rows, language))
    st.caption(translate(language, "compare.scale"))


def peak(spectrogram: Spectrogram) -> float:
    """Level of the loudest cell in dB."""
    highest = max(float(spectrogram.values.max()), float(np.finfo(np.float32).tiny))
    return spectrogram.decibels_per_decade * float(np.log10(highest))


def by_difference(
    one: Mapping[str, float], other: Mapping[str, float]
) -> list[tuple[str, int, int]]:
    """Genres with both means in per cent, the farthest apart first; none that neither has."""
    rows = [(g, round(100 * one[g]), round(100 * other[g])) for g in one if g in other]
    rows.sort(key=lambda row: (-abs(row[1] - row[2]), -row[1]))
    return [row for row in rows if row[1] or row[2]]


def _sentence(
    titles: tuple[str, str],
    means: tuple[Mapping[str, float], Mapping[str, float]],
    farthest: tuple[str, int, int],
    language: Language,
) -> str:
    """What each is by its mean, and in which genre they differ most."""
    first, second = (max(mean, key=mean.__getitem__) for mean in means)
    said = translate(
        language,
        "compare.same" if first == second else "compare.different",
        one=titles[0],
        other=titles[1],
        genre=genre_name(first, language),
        other_genre=genre_name(second, language),
    )
    genre, one, other = farthest
    if one == other:
        return said
    return said + translate(
        language, "compare.most", genre=genre_name(genre, language), one=one, other=other
    )
