"""What leaves the page: an analysis as HTML, JSON, CSV and as a card to share, and its link."""

from __future__ import annotations

from html import escape

import streamlit as st

from ccmusic import report
from ccmusic.analysis import Analysis
from ccmusic.dashboard.media import offer
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.share import share_card
from ccmusic.dashboard.signal_figures import file_name
from ccmusic.dashboard.state import state
from ccmusic.texts import Language, translate
from ccmusic.whole import WholePiece

_KINDS: dict[report.Kind, str] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
}


def downloads(
    piece: Piece, analysis: Analysis, whole: WholePiece | None, language: Language
) -> None:
    """Draw a button for each kind of report, for the card, and for the link of an example.

    They are about the whole where it is known; the page then has the window as well, with its
    pictures. A file of the visitor's has no link that others could follow: they are sent the
    report.
    """
    st.subheader(translate(language, "report.title"), anchor=False)
    stem = file_name(piece.title, analysis.transform)
    quick: tuple[report.Kind, ...] = "json", "csv"
    shown, window = (whole, analysis) if whole else (analysis, None)
    written = {kind: report.render(shown, kind, language) for kind in quick}
    page, told = state(), (analysis.clip.info, analysis.measured, written)
    # These take a tenth of a second. The other two hold all times, which no analysis shares.
    if page.written[0] != told:
        html = report.render(shown, "html", language, window=window)
        picture = next(iter(analysis.spectrograms.values()))
        drawn = share_card(piece.title, shown, picture, language) if shown.mean else None
        page.written = told, html, drawn
    _, html, card = page.written
    with st.container(horizontal=True, vertical_alignment="center"):
        for kind, mime in _KINDS.items():
            content = html if kind == "html" else written[kind]
            offer(
                translate(language, f"report.{kind}"),
                content.encode(),
                file_name=f"{stem}.{kind}",
                mime=mime,
                key=f"report_{kind}",
            )
        if card:
            offer(
                translate(language, "share.card"),
                card,
                file_name=f"{stem}.png",
                mime="image/png",
                key="share_card",
            )
        if page.own is None:
            words = {w: escape(translate(language, f"share.{w}")) for w in ("link", "copied")}
            st.html(
                f'<button class="copy-link" data-copied="{words["copied"]}">'
                f"{words['link']}</button>",
                width="content",
            )
    if page.own is not None:
        st.caption(translate(language, "share.own"))
    st.caption(translate(language, "report.png"))
