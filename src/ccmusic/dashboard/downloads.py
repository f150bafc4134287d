"""Download buttons: an analysis as HTML, JSON, and CSV."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from ccmusic import report
from ccmusic.analysis import Analysis
from ccmusic.dashboard.media import offer
from ccmusic.texts import Language, translate
from ccmusic.whole import WholePiece

_KINDS: dict[report.Kind, str] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
}


def downloads(analysis: Analysis, piece: WholePiece | None, language: Language) -> None:
    """Draw a button for each kind of report: of the piece where it is known, else of the window.

    The page has the window as well, with its pictures.
    """
    st.subheader(translate(language, "report.title"), anchor=False)
    stem = PurePath(analysis.file).stem
    quick: tuple[report.Kind, ...] = "json", "csv"
    shown, window = (piece, analysis) if piece else (analysis, None)
    written = {kind: report.render(shown, kind, language) for kind in quick}
    state = st.session_state
    # The page takes a third of a second. The other two hold all times, which no analysis shares.
    told = language, analysis.clip.info, written
    if state.get("report_of") != told:
        state.report = report.render(shown, "html", language, window=window)
        state.report_of = told
    with st.container(horizontal=True):
        for kind, mime in _KINDS.items():
            content = state.report if kind == "html" else written[kind]
            offer(
                translate(language, f"report.{kind}"),
                content.encode(),
                file_name=f"{stem}-{analysis.transform}.{kind}",
                mime=mime,
                key=f"report_{kind}",
            )
    st.caption(translate(language, "report.png"))
