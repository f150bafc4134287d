"""Several recordings in; a table of what the panel says of each on the page, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from typing import NamedTuple

import streamlit as st

from ccmusic.agreement import ballot
from ccmusic.dashboard.compute import cached_analysis
from ccmusic.dashboard.markdown import told
from ccmusic.dashboard.media import offer
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.state import sent, state
from ccmusic.dashboard.voting import is_covered
from ccmusic.errors import CCMusicError
from ccmusic.escaping import cell
from ccmusic.genres import genre_name
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate


class _Row(NamedTuple):
    file: str
    genre: str = ""
    votes: str = ""
    share: float | None = None
    sureness: str = ""
    warnings: str = ""


_COLUMNS = _Row._fields


def files_table(
    pieces: Sequence[Piece],
    transform: TransformChoice,
    on: Collection[str],
    language: Language,
) -> None:
    """Draw the table as it fills, sortable; who clicks a row sees that recording above."""
    st.subheader(translate(language, "files.title"), anchor=False)
    slot = st.empty()
    words = [translate(language, f"files.{column}") for column in _COLUMNS]
    rows: list[_Row] = []
    for piece in pieces:
        slot.caption(translate(language, "files.progress", done=len(rows), all=len(pieces)))
        rows.append(_row(piece, transform, on, language))

    def picked() -> None:
        if chosen := sent("files_table").selection.rows:
            state().show(own=pieces[chosen[0]].token)

    slot.dataframe(
        [
            dict(zip(words, row._replace(share=row.share and 100 * row.share), strict=True))
            for row in rows
        ],
        hide_index=True,
        key="files_table",
        on_select=picked,
        selection_mode="single-row",
        column_config={
            words[3]: st.column_config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100)
        },
    )
    offer(
        translate(language, "files.download"),
        _csv(words, rows),
        file_name="ccmusic.csv",
        mime="text/csv",
        key="files_csv",
    )


def _row(piece: Piece, transform: TransformChoice, on: Collection[str], language: Language) -> _Row:
    try:
        analysis = cached_analysis(piece, transform).select(on)
    except CCMusicError as error:
        return _Row(piece.title, warnings=told(error, language))
    if is_covered(piece):
        return _Row(piece.title, translate(language, "vote.ask"))
    said = translate(language, "list.parts").join(w.message(language) for w in analysis.warnings)
    if analysis.agreement is None:
        return _Row(piece.title, warnings=analysis.message(language))
    genre, share = max(analysis.mean.items(), key=lambda item: item[1])
    advice = analysis.advice
    band = advice.band if advice else None
    return _Row(
        piece.title,
        genre_name(genre, language),
        ballot(analysis.agreement.camps, language),
        share,
        translate(language, f"sureness.{band.level}") if band else "",
        said,
    )


def _csv(words: Sequence[str], rows: Sequence[_Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(words)
    writer.writerows(map(cell, row) for row in rows)
    return text.getvalue().encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
