"""Less to send: Streamlit's scripts and style sheets compressed, and no download before a click.

Streamlit sends scripts as they are, for to compress them anew each time costs more than it gains.
Their names hold a hash of their content, so that what was compressed once is right for ever.

Streamlit's page fetches whatever a download button offers as soon as the button is drawn, only to
see whether it is there: to that the status is answer enough.
"""

from __future__ import annotations

import asyncio
import gzip
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TEXT = re.compile(r"(?:/[\w-]+)*/static/(?:js|css)/[\w.-]+\.(?:js|css)")
_LEVEL = 6


class Compressed:
    """ASGI middleware: scripts leave as gzip where that is accepted, checks get no content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, tuple[Message, bytes]] = {}  # by path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if _checks(scope):
            return await self._app(scope, receive, _emptied(send))
        if not _asks_for_text(scope):
            return await self._app(scope, receive, send)
        path = scope["path"]
        if path not in self._kept:
            start, body = await self._answer(scope, receive)
            headers = dict(start["headers"])
            if start["status"] != 200 or b"content-encoding" in headers:
                await send(start)
                return await send({"type": "http.response.body", "body": body})
            content = await asyncio.to_thread(gzip.compress, body, _LEVEL)
            headers |= {
                b"content-encoding": b"gzip",
                b"content-length": str(len(content)).encode(),
                b"vary": b"Accept-Encoding",
            }
            self._kept[path] = ({**start, "headers": list(headers.items())}, content)
        start, content = self._kept[path]
        # A copy: middleware around this one adds headers of its own, for this visitor alone.
        await send({**start, "headers": [*start["headers"]]})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """First message and whole body of the answer of the application."""
        starts: list[Message] = []
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                starts.append(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, collect)
        return starts[0], b"".join(parts)


def _checks(scope: Scope) -> bool:
    """Whether a script of the page fetches a download; who clicks navigates to it."""
    if scope["type"] != "http" or scope["method"] != "GET" or "/media/" not in scope["path"]:
        return False
    headers = dict(scope["headers"])
    return headers.get(b"sec-fetch-mode") == b"cors" and headers.get(b"sec-fetch-dest") == b"empty"


def _emptied(send: Send) -> Send:
    """Send answers without their content, which browsers shall not keep."""
    told = {b"content-length": b"0", b"cache-control": b"no-store"}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {**dict(message["headers"]), **told}
            message = {**message, "headers": list(headers.items())}
        elif message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sending


def _asks_for_text(scope: Scope) -> bool:
    """Whether a request is for a whole script or style sheet, and takes it compressed."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    headers = dict(scope["headers"])
    if b"range" in headers or b"if-none-match" in headers:
        return False
    accepted = headers.get(b"accept-encoding", b"").decode("latin-1").lower()
    return "gzip" in accepted and _TEXT.fullmatch(scope["path"]) is not None
