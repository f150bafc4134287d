"""What stands before Streamlit's server: whose a session is, and how much it may send.

A cookie that scripts cannot read tells browsers apart. Streamlit resumes a session only for the
identity that began it, and takes that from a header; here the cookie becomes that header.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import secrets
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.state.common import WidgetMetadata, unpack_widget_state_value
from streamlit.runtime.state.session_state import Serialized, SessionState, WStates

from ccmusic.errors import CCMusicError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)
COOKIE = "ccmusic_visitor"
HEADER = "x-ccmusic-visitor"
"""For ``server.trustedUserHeaders``; what a client sends under this name is dropped."""
FULL = 4
"""Uploads of the largest size that the server holds, of all sessions; of one session, one."""

_SECRET = re.compile(r"[\w-]{32}")
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")
_ANCESTOR = re.compile(r"'self'|(https?://)?(\*\.)?[a-zA-Z0-9.-]+(:(\d+|\*))?")


def frame_ancestors(given: str) -> str:
    """Sites that may show the page in a frame, as the header names them: none by default.

    Raises
    ------
    CCMusicError
        If one is not the address of a site.
    """
    for site in given.split():
        if not _ANCESTOR.fullmatch(site):
            raise CCMusicError(
                f"CCMUSIC_FRAME_ANCESTORS: {site!r} is no site such as https://example.org"
            )
    return " ".join(given.split()) or "'none'"


class Gate:
    """ASGI middleware around the whole of Streamlit's server.

    Parameters
    ----------
    ancestors
        As :func:`frame_ancestors` gives them. Where there are some, browsers are asked to send the
        cookie from their frames.
    """

    def __init__(self, app: ASGIApp, ancestors: str = "'none'") -> None:
        self._app, self._framed = app, ancestors != "'none'"
        self._headers = [
            (b"content-security-policy", _policy(ancestors).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]
        if not self._framed:  # the old header knows none of several sites
            self._headers.append((b"x-frame-options", b"DENY"))
        self._owners: dict[str, str] = {}  # secret by session, while it is connected
        self._arriving: Counter[str] = Counter()  # bytes of unfinished uploads, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Without a cookie nobody is anybody's visitor, nor the same one twice.
        secret = _secret(scope) or secrets.token_urlsafe(24)
        headers = [(name, value) for name, value in scope["headers"] if name != HEADER.encode()]
        scope = {**scope, "headers": [*headers, (HEADER.encode(), secret.encode())]}
        session = ""

        async def noting(message: Message) -> None:
            nonlocal session
            if not session and message.get("bytes"):
                sent = ForwardMsg.FromString(message["bytes"])
                session = sent.new_session.initialize.session_id
                if session:
                    self._owners[session] = secret
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._owners.pop(session, None)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        secret, accept = _secret(scope), HTTPConnection(scope).headers.get("accept", "")
        added = list(self._headers)
        if secret is None and "text/html" in accept:
            added.append((b"set-cookie", self._cookie(scope).encode()))

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        upload = _UPLOAD.search(scope["path"])
        if not upload or scope["method"] == "OPTIONS":
            await self._app(scope, receive, guarded)
        elif secret is None or self._owners.get(upload[1]) != secret:
            refusal = PlainTextResponse("This session is another visitor's.", 403)
            await refusal(scope, receive, guarded)
        else:
            await self._upload(upload[1], scope, receive, guarded)

    async def _upload(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            length = len(message.get("body", b""))
            received += length
            self._arriving[session] += length
            most = st.get_option("server.maxUploadSize") * 2**20
            held = _held() + self._arriving
            if held[session] > most:
                raise HTTPException(413, "This session holds too much already.")
            if held.total() > FULL * most:
                raise HTTPException(507, "The server holds too much already.")
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._arriving[session] -= received
            self._arriving += Counter()  # drops zeros

    def _cookie(self, scope: Scope) -> str:
        """A new secret, until the browser is closed."""
        proxied = HTTPConnection(scope).headers.get("x-forwarded-proto", "")
        secure = scope["scheme"] == "https" or proxied == "https"
        where = "SameSite=Lax" + "; Secure" * secure
        if self._framed:
            where = "SameSite=None; Secure; Partitioned"
        return f"{COOKIE}={secrets.token_urlsafe(24)}; Path=/; HttpOnly; {where}"


def pass_over_bad_values() -> None:
    """Keep the value that a widget has where a client sends one that it cannot have.

    Streamlit raises in the middle of the page, with a traceback in the log, and has no other place
    to check what it is sent: when it comes, and for a widget not yet drawn, when that is.
    """
    take, learn = WStates.set_widget_from_proto, SessionState._set_widget_metadata

    def checked_take(states: WStates, sent: WidgetState) -> None:
        take(states, sent)
        _check(states, sent.id)

    def checked_learn(state: SessionState, known: WidgetMetadata[Any]) -> None:
        learn(state, known)
        _check(state._new_widget_state, known.id)

    WStates.set_widget_from_proto = checked_take  # type: ignore[assignment, method-assign]
    SessionState._set_widget_metadata = checked_learn  # type: ignore[assignment, method-assign]


def _check(states: WStates, widget: str) -> None:
    """Forget what was sent for a widget, if it is none of its values."""
    state, known = states.states.get(widget), states.widget_metadata.get(widget)
    if not isinstance(state, Serialized) or known is None:
        return
    try:
        if state.value.WhichOneof("value") not in (None, known.value_type):
            raise TypeError
        value = unpack_widget_state_value(state.value)
        if known.value_type == "json_value" and not isinstance(value, dict | None):
            raise TypeError  # Streamlit's components log a traceback of their own
        known.deserializer(value)
    except Exception as error:  # of whatever kind: the value is a stranger's
        reason = type(error).__name__
        _LOG.warning("a value that a browser sent is passed over (%s)", reason)
        del states[widget]


def _secret(scope: Scope) -> str | None:
    given = HTTPConnection(scope).cookies.get(COOKIE, "")
    return given if _SECRET.fullmatch(given) else None


def _held() -> Counter[str]:
    """Bytes of the uploads that Streamlit holds, by session."""
    manager = get_instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    return Counter(
        {
            session: sum(len(file.data) for file in list(files.values()))
            for session, files in list(manager.file_storage.items())
        }
    )


def _policy(ancestors: str) -> str:
    """Content security policy that Streamlit and the page's own scripts need, no more."""
    index = Path(st.__file__).with_name("static") / "index.html"
    inline = re.findall(r"<script>(.*?)</script>", index.read_text("utf-8"), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in inline]
    return "; ".join(
        [
            "default-src 'none'",
            # Streamlit makes a blob of each component's script, and compiles WebAssembly.
            " ".join(
                [
                    "script-src 'self' blob: 'wasm-unsafe-eval'",
                    *(f"'sha256-{code}'" for code in hashes),
                ]
            ),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' blob: data:",
            "font-src 'self' data:",
            "media-src 'self' blob: data:",
            "connect-src 'self' blob: data:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {ancestors}",
        ]
    )
