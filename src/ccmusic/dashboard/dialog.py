"""Windows over the page, one at a time, each with the button that opens it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ccmusic.dashboard.state import state


def opener(name: str, label: str, icon: str) -> None:
    """Button that opens a window."""

    def ask() -> None:
        state().dialog = name

    st.button(label, icon=icon, key=f"open_{name}", on_click=ask)


def window(name: str, title: str, content: Callable[[], None]) -> None:
    """Draw a window that was asked for; what is touched in it does not run the page again."""
    if not is_open(name):
        return

    # Streamlit tells windows apart by the names of their functions.
    @st.dialog(title, width="large", on_dismiss=close)
    def draw() -> None:
        content()

    draw()


def is_open(name: str | None = None) -> bool:
    """Whether this window is open, or any."""
    shown = state().dialog
    return shown is not None and name in (None, shown)


def close() -> None:
    """Close the window with the next run of the page."""
    state().dialog = None
