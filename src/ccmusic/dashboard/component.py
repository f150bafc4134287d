"""Scripts of the page, as components of Streamlit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def component(name: str, *scripts: str, **parts: Any) -> Any:
    """Make a component of scripts that lie here, the last of which exports its function.

    Parameters
    ----------
    parts
        What else Streamlit's own function takes: ``html`` and ``css``.
    """
    js = "".join((_HERE / script).read_text("utf-8") for script in ("component.js", *scripts))
    return st.components.v2.component(f"ccmusic_{name}", js=js, **parts)
