"""Token and limits hold wherever the application is served: alone, mounted, or under a prefix."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from ccmusic.service import Limits, create_app
from services import SONG

RIGHT = {"authorization": "Bearer secret"}
PUBLIC = ("/healthz", "/readyz", "/docs", "/docs/oauth2-redirect", "/openapi.json")
UPLOADS = ("/v1/classify", "/v1/classify/events", "/v1/spectrogram")
PRIVATE = ("/v1/models", "/metrics")


def _mounted(app: ASGIApp, *prefixes: str) -> FastAPI:
    for prefix in reversed(prefixes):
        parent = FastAPI()
        parent.mount(prefix, app)
        app = parent
    return parent


def _alone(app: FastAPI) -> tuple[ASGIApp, str, str]:
    return app, "", ""


# Application, its root_path, and what stands before the route in a request.
PLACES: dict[str, Callable[[FastAPI], tuple[ASGIApp, str, str]]] = {
    "alone": _alone,
    "mounted": lambda app: (_mounted(app, "/music"), "", "/music"),
    "mounted twice": lambda app: (_mounted(app, "/a", "/music"), "", "/a/music"),
    "mounted by Starlette": lambda app: (Starlette(routes=[Mount("/m", app)]), "", "/m"),
    "mounted by its own names": lambda app: (_mounted(app, "/healthz", "/v1"), "", "/healthz/v1"),
    "root_path, passed on by the proxy": lambda app: (app, "/music", "/music"),
    "root_path, cut off by the proxy": lambda app: (app, "/music", ""),
    "root_path of its own names": lambda app: (app, "/healthz", "/healthz"),
    "mounted under a root_path": lambda app: (_mounted(app, "/b"), "/music", "/music/b"),
}


@pytest.fixture(params=PLACES)
def served(request: pytest.FixtureRequest) -> tuple[TestClient, str]:
    """A client, and what stands before the routes; the token is ``secret``, the limit 1 MB."""
    app = create_app(token="secret", limits=Limits(megabytes=1, queue=1))
    there, root_path, prefix = PLACES[request.param](app)
    return TestClient(there, root_path=root_path, follow_redirects=False), prefix


def _song(content: bytes | None = None) -> dict[str, tuple[str, bytes]]:
    return {"file": ("song.ogg", content if content is not None else SONG.read_bytes())}


def test_the_token_is_asked_for(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    for headers in ({}, {"authorization": "Bearer wrong"}):
        for route in UPLOADS:
            answer = client.post(prefix + route, files=_song(), headers=headers)
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"] == "Bearer"
        for route in PRIVATE:
            assert client.get(prefix + route, headers=headers).status_code == 401, route
    for route in PRIVATE:
        assert client.get(prefix + route, headers=RIGHT).status_code == 200, route
    answer = client.post(prefix + UPLOADS[0], files=_song(), headers=RIGHT)
    assert answer.status_code == 200
    assert len(answer.json()["models"]) == 2


def test_everything_else_needs_the_token_too(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    for route in ("/", "/v1", "/v2/x", "/v1/models/", "/healthz/", "/HEALTHZ", "/x/healthz"):
        assert client.get(prefix + route).status_code == 401, route
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        for route in (*UPLOADS, *PRIVATE):
            assert client.request(method, prefix + route).status_code == 401, (method, route)


def test_health_and_document_are_public(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    for route in PUBLIC:
        assert client.get(prefix + route).status_code in (200, 503), route  # 503: not yet ready
        assert b"bearer token" not in client.get(prefix + route).content


def test_the_document_finds_its_parts(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    page = client.get(f"{prefix}/docs").text
    parts = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", page)
    assert len(parts) >= 4
    for part in ("".join(both) for both in parts):
        assert client.get(part).status_code == 200, part


@pytest.mark.parametrize("route", UPLOADS)
def test_the_limits_hold(served: tuple[TestClient, str], route: str) -> None:
    client, prefix = served
    large = client.post(prefix + route, files=_song(bytes(3_000_000)), headers=RIGHT)
    assert large.status_code == 413

    def without_length():
        for _ in range(2000):
            yield bytes(1000)

    kind = {"content-type": "multipart/form-data; boundary=b", **RIGHT}
    assert client.post(prefix + route, content=without_length(), headers=kind).status_code == 413


def test_answers_are_counted_by_route(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    client.post(prefix + UPLOADS[0], headers=RIGHT)
    client.get(prefix + "/nowhere", headers=RIGHT)
    text = client.get(f"{prefix}/metrics", headers=RIGHT).text
    assert 'ccmusic_requests_total{path="/v1/classify",status="422"} 1.0' in text
    assert 'status="404"} 1.0' in text
    assert "nowhere" not in text


def test_a_route_that_is_added_needs_the_token() -> None:
    app = create_app(token="secret")

    @app.get("/mine")
    def mine() -> str:
        return "mine"

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    client = TestClient(app)
    assert client.get("/mine").status_code == 401
    assert client.get("/mine", headers=RIGHT).json() == "mine"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk"):
        pass
    with client.websocket_connect("/talk", headers=RIGHT) as socket:
        assert socket.receive_text() == "hello"


def test_without_a_token_everybody_is_let_in() -> None:
    client = TestClient(_mounted(create_app(), "/music"))
    assert client.get("/music/v1/models").status_code == 200
    assert "security" not in json.dumps(client.get("/music/openapi.json").json())


def test_the_document_says_which_routes_need_no_token(served: tuple[TestClient, str]) -> None:
    client, prefix = served
    document = client.get(f"{prefix}/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"]
    open_ones = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if operation.get("security") != [{scheme: []}]
    }
    assert open_ones == {"/healthz", "/readyz"}


def test_a_mounted_application_ends_in_the_lifespan_of_the_other() -> None:
    app = create_app()
    # As docs/service.md shows it.
    lifespan: Any = lambda _: app.router.lifespan_context(app)  # noqa: E731
    parent = FastAPI(lifespan=lifespan)
    parent.mount("/music", app)
    with TestClient(parent) as client:
        assert client.post(f"/music{UPLOADS[0]}", files=_song()).status_code == 200
        assert app.state.close.alive
    assert not app.state.close.alive


_EMBEDDING = """
import pathlib, sys
from fastapi import FastAPI
from fastapi.testclient import TestClient
from ccmusic.service import create_app

parent = FastAPI()
parent.mount("/music", create_app())
song = pathlib.Path(sys.argv[1]).read_bytes()
answer = TestClient(parent).post("/music/v1/classify", files={"file": ("song.ogg", song)})
assert answer.status_code == 200
print("answered", flush=True)
sys.stdin.read()
"""


def _children_of(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_decoder_outlives_the_interpreter() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _EMBEDDING, SONG], start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as embedding:  # fmt: skip
        assert embedding.stdout and embedding.stdin and embedding.stderr
        assert embedding.stdout.readline() == "answered\n"
        decoders = _children_of(embedding.pid)
        assert decoders
        embedding.stdin.close()
        assert embedding.wait(60) == 0
        end = time.monotonic() + 10
        while any(Path(f"/proc/{decoder}").exists() for decoder in decoders):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert embedding.stderr.read() == ""
