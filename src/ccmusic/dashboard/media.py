"""Sounds and files that a browser fetches from the page.

Streamlit names what it serves by a hash of content, type and file name, but takes only three
samples of a content above 1 MiB. A type that holds the hash of the whole content makes the name
depend on all of it; browsers ignore a parameter that they do not know.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from typing import Literal

import streamlit as st

from ccmusic.dashboard.piece import Piece

# Browsers ask for names that Python's table lacks or gives otherwise.
_TYPES = {".m4a": "audio/mp4", ".opus": "audio/ogg", ".ogg": "audio/ogg", ".aac": "audio/aac"}


def media_type(name: str) -> str:
    """What a browser is told that a sound file is."""
    suffix = f".{name.lower().rpartition('.')[2]}"
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "audio/wav"


def sound(piece: Piece) -> None:
    """Draw the browser's player of a piece."""
    kind = _of_content(media_type(piece.name), piece.key[1])
    st.audio(piece.content, format=kind, alt=piece.title)


def embedded(content: bytes, kind: str) -> str:
    """A picture as the address of an image; ``kind`` is the part of its type after the slash."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def offer(
    label: str,
    content: bytes,
    *,
    file_name: str,
    mime: str,
    key: str,
    type: Literal["secondary", "tertiary"] = "secondary",
) -> None:
    """Draw a button that saves a file.

    The content is there before anybody asks for it: Streamlit deletes one that it makes on request
    as soon as two other visitors have done something, whether or not it was fetched.
    """
    st.download_button(
        label,
        content,
        file_name=file_name,
        mime=_of_content(mime, hashlib.sha256(content).hexdigest()),
        on_click="ignore",
        key=key,
        icon=":material/download:",
        type=type,
    )


def _of_content(kind: str, sha256: str) -> str:
    return f"{kind}; sha256={sha256}"
