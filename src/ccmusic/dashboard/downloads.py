"""Download buttons: an analysis as HTML, JSON, and CSV."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath

import streamlit as st

from ccmusic import report
from ccmusic.analysis import Analysis
from ccmusic.texts import Language, translate

_KINDS: dict[report.Kind, str] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
}


def downloads(analysis: Analysis, language: Language) -> None:
    """Draw a button for each kind of report; each is written when it is asked for."""
    st.subheader(translate(language, "report.title"), anchor=False)
    stem = PurePath(analysis.file).stem
    with st.container(horizontal=True):
        for kind, mime in _KINDS.items():
            st.download_button(
                translate(language, f"report.{kind}"),
                partial(report.render, analysis, kind, language),
                file_name=f"{stem}-{analysis.transform}.{kind}",
                mime=mime,
                on_click="ignore",
                key=f"report_{kind}",
                icon=":material/download:",
            )
    st.caption(translate(language, "report.png"))
