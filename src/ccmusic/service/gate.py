"""Admission of requests: token, size, time, and number at the same time."""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ccmusic.service.problems import problem

# A connection that is closed on an unread upload is reset, and its client may never see why.
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """Requests above these limits are refused, with a status that tells the reason."""

    megabytes: int = 50
    """Maximum size of one upload."""
    minutes: float = 180.0
    """Maximum duration of one recording."""
    seconds: float = 120.0
    """Maximum time from the first byte of a request to the last byte of its answer."""
    decode_seconds: float = 30.0
    """Maximum time to decode one recording."""
    queue: int = 64
    """Maximum number of requests that are received, waiting, or processed."""


class Gate:
    """ASGI middleware in front of the application.

    Refusing a request costs no more than reading it: above the limit of running requests, the next
    ones are refused with a ``Retry-After`` header instead of waiting.

    What a request asks for is told by the routes themselves and not by its path, which has a prefix
    where the application is mounted or has a ``root_path``.

    Parameters
    ----------
    token
        What clients must send; None accepts all clients.
    public
        Routes for which no token is needed. It is for everything else, known or not.
    uploads
        Routes that take uploads; the limits are theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        limits: Limits,
        registry: CollectorRegistry,
        public: Sequence[BaseRoute],
        uploads: Sequence[BaseRoute],
    ) -> None:
        self._app, self._token, self._limits = app, token, limits
        self._public, self._uploads = public, uploads
        self._most_bytes = limits.megabytes * 1_000_000
        self._too_large = f"an upload has at most {limits.megabytes} MB"
        self._inside = 0
        self._pace = 0.0  # seconds between answers when busy, smoothed
        self._answered = 0.0
        self._requests = Counter(
            "ccmusic_requests", "Answers.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ccmusic_request_seconds", "From the first byte to the last.", ["path"],
            registry=registry,
        )  # fmt: skip
        inside = Gauge(
            "ccmusic_requests_inside", "Received, waiting, worked on.", registry=registry
        )
        inside.set_function(lambda: self._inside)

    # All requests pass this one place.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        admitted = self._may(headers) or _route(self._public, scope) is not None
        if scope["type"] == "websocket":  # only of whoever adds a route to the application
            await (self._app if admitted else WebSocketClose(1008))(scope, receive, send)
            return
        upload = _route(self._uploads, scope)
        started, status = time.perf_counter(), 0

        async def counted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(headers, admitted=admitted, upload=upload is not None)
            if refusal:
                if "expect" not in headers:  # such a client waits to be asked for its upload
                    await _drain(receive)
                await refusal(scope, receive, counted_send)
            elif upload:
                self._inside += 1
                try:
                    await self._limited(scope, receive, counted_send, lambda: status > 0)
                finally:
                    self._inside -= 1
                    self._note_pace()
            else:
                await self._app(scope, receive, counted_send)
        except Exception:
            status = status or HTTPStatus.INTERNAL_SERVER_ERROR  # which is answered further out
            raise
        finally:
            # Label by route: clients can ask for any path.
            label = getattr(upload or scope.get("route"), "path", "other")
            if status:  # 0: the client went before there was an answer
                self._requests.labels(label, str(int(status))).inc()
            if upload:
                self._seconds.labels(label).observe(time.perf_counter() - started)

    def _refusal(self, headers: Headers, *, admitted: bool, upload: bool) -> JSONResponse | None:
        if not admitted:
            return problem(
                HTTPStatus.UNAUTHORIZED,
                "a bearer token is needed",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not upload:
            return None
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)
        if self._inside >= self._limits.queue:
            return problem(
                HTTPStatus.TOO_MANY_REQUESTS, "too many requests at once", headers=self._later()
            )
        return None

    def _may(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        return self._token is None or (
            kind.lower() == "bearer"
            and hmac.compare_digest(given.strip().encode("latin-1"), self._token.encode())
        )

    def _later(self) -> Mapping[str, str]:
        """Seconds until about half of the running requests are finished."""
        wait = math.ceil(self._inside * self._pace / 2)
        return {"Retry-After": str(min(60, max(1, wait)))}

    def _note_pace(self) -> None:
        now = time.perf_counter()
        if self._inside:
            self._pace += 0.1 * (min(now - self._answered, 10.0) - self._pace)
        self._answered = now

    async def _limited(
        self, scope: Scope, receive: Receive, send: Send, answering: Callable[[], bool]
    ) -> None:
        size, complete = 0, False

        async def counted_receive() -> Message:
            nonlocal size, complete
            message = await receive()
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > self._most_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)
            return message

        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._app(scope, counted_receive, send)
        except TimeoutError:
            if answering():
                return  # too late for another answer; the connection is closed
            late = HTTPStatus.SERVICE_UNAVAILABLE if complete else HTTPStatus.REQUEST_TIMEOUT
            detail = f"not finished within {self._limits.seconds:.0f} s"
            await problem(late, detail, headers=self._later())(scope, receive, send)


def _route(routes: Sequence[BaseRoute], scope: Scope) -> BaseRoute | None:
    """Of these routes, the one that answers the request."""
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)


async def _drain(receive: Receive) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass
