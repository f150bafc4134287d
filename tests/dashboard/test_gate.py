"""What stands before the page's server: a real one, and clients that are no browsers."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

from ccmusic.dashboard import gate
from ccmusic.errors import CCMusicError

SECONDS = 120
MEGABYTES = 2  # of an upload, and of a session
FRAME = "https://huggingface.co"


class Server:
    """A dashboard; ``log`` is what it has said so far."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._log = folder / "log.txt"
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://localhost:{port}"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ccmusic", "dashboard", "--port", str(port)],
                env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true", **environment},
                cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self._log.read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(
        tmp_path_factory.mktemp("server"), STREAMLIT_SERVER_MAX_UPLOAD_SIZE=str(MEGABYTES)
    )
    with started.process:
        yield started
        started.process.terminate()


class Visitor:
    """Cookies of a browser, and what can be done with them."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._jar)
        )
        end = time.monotonic() + SECONDS
        while True:
            try:
                self.headers = self.get("/", accept="text/html").headers
                break
            except urllib.error.URLError:  # not there yet
                assert server.process.poll() is None, server.log()
                assert time.monotonic() < end
                time.sleep(0.1)
        self.get("/_stcore/health")

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    def get(self, path: str, accept: str = "*/*") -> http.client.HTTPResponse:
        request = urllib.request.Request(self.url + path, headers={"Accept": accept})
        answer: http.client.HTTPResponse = self._opener.open(request, timeout=SECONDS)
        return answer

    def connect(self, session: str = "", **cookies: str) -> ClientConnection:
        sent = "; ".join(f"{k}={v}" for k, v in {**self.cookies, **cookies}.items() if v)
        words = ["streamlit", self.cookies["_streamlit_xsrf"], *([session] if session else ())]
        return connect(  # type: ignore[call-overload, no-any-return]
            self.url.replace("http", "ws") + "/_stcore/stream",
            subprotocols=words,
            origin=self.url,
            # What a client says of itself in the gate's own words counts for nothing.
            additional_headers={"Cookie": sent, gate.HEADER: "me"},
            max_size=None,
            proxy=None,
        )

    def put(self, session: str, file: str, size: int, method: str = "PUT") -> int:
        body = (
            b'--B\r\nContent-Disposition: form-data; name="f"; filename="a.mp3"\r\n\r\n'
            + bytes(size) + b"\r\n--B--\r\n"
        )  # fmt: skip
        request = urllib.request.Request(
            f"{self.url}/_stcore/upload_file/{session}/{file}",
            data=body if method == "PUT" else None,
            method=method,
            headers={
                "Content-Type": "multipart/form-data; boundary=B",
                "X-Xsrftoken": self.cookies["_streamlit_xsrf"],
            },
        )
        try:
            status: int = self._opener.open(request, timeout=SECONDS).status
        except urllib.error.HTTPError as error:
            return error.code
        return status


def run(stream: ClientConnection, *states: WidgetState) -> list[ForwardMsg]:
    """Let the page be drawn; gives what the server sends."""
    message = BackMsg()
    message.rerun_script.query_string = "lang=en&example=rain"
    message.rerun_script.widget_states.widgets.extend(states)
    stream.send(message.SerializeToString())
    received = list[ForwardMsg]()
    while not received or received[-1].WhichOneof("type") != "script_finished":
        message = ForwardMsg.FromString(stream.recv(SECONDS))
        # The end of an earlier run may still be on its way, to a resumed session as well.
        if received or message.WhichOneof("type") == "new_session":
            received.append(message)
    return received


def session_of(received: list[ForwardMsg]) -> str:
    return next(
        session for message in received if (session := message.new_session.initialize.session_id)
    )


def test_a_session_is_resumed_by_its_browser_alone(server: Server) -> None:
    me, other = Visitor(server), Visitor(server)
    with me.connect() as stream:
        mine = session_of(run(stream))
        for stranger in (
            other.connect(mine),
            me.connect(mine, **{gate.COOKIE: ""}),
            me.connect(mine, **{gate.COOKIE: "me"}),
        ):
            with stranger:
                assert session_of(run(stranger)) != mine
        assert run(stream)  # nobody has taken its connection either
    with me.connect(mine) as stream:
        assert session_of(run(stream)) == mine


def test_nobody_puts_files_into_the_session_of_another(server: Server) -> None:
    me, other = Visitor(server), Visitor(server)
    with me.connect() as stream:
        mine = session_of(run(stream))
        assert me.put(mine, "one", 1000) == 204
        assert other.put(mine, "two", 1000) == 403
        assert other.put(mine, "one", 0, "DELETE") == 403
        assert me.put(mine, "one", 0, "DELETE") == 204


def test_uploads_are_bounded_for_a_session_and_for_all(server: Server) -> None:
    size = 900_000  # two of them fit
    statuses = list[list[int]]()
    with contextlib.ExitStack() as open_streams:
        for _ in range(gate.FULL + 1):
            visitor = Visitor(server)
            session = session_of(run(open_streams.enter_context(visitor.connect())))
            statuses.append([visitor.put(session, str(n), size) for n in range(3)])
    assert statuses[: gate.FULL] == [[204, 204, 413]] * gate.FULL
    assert 507 in statuses[-1]


def test_the_cookie_is_for_no_script_and_comes_once(server: Server) -> None:
    visitor = Visitor(server)
    given = visitor.headers["set-cookie"]
    assert re.fullmatch(rf"{gate.COOKIE}=[\w-]{{32}}; Path=/; HttpOnly; SameSite=Lax", given)
    assert gate.COOKIE not in (visitor.get("/", accept="text/html").headers["set-cookie"] or "")


def test_a_page_says_what_it_may_load_and_that_it_is_in_no_frame(server: Server) -> None:
    visitor = Visitor(server)
    for path in ("/", "/_stcore/health"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        scripts = policy.partition("script-src ")[2].partition(";")[0]
        assert "unsafe" not in scripts.replace("'wasm-unsafe-eval'", "")
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_who_may_show_the_page_in_a_frame_is_a_setting(tmp_path: Path) -> None:
    started = Server(tmp_path, CCMUSIC_FRAME_ANCESTORS=FRAME)
    with started.process:
        headers = Visitor(started).headers
        assert headers["content-security-policy"].endswith(f"frame-ancestors {FRAME}")
        assert "x-frame-options" not in headers
        assert headers["set-cookie"].endswith("SameSite=None; Secure; Partitioned")
        started.process.terminate()


@pytest.mark.parametrize("site", ["*; script-src *", "a,b", "https://a/b", "javascript:x", "'x'"])
def test_a_frame_setting_that_is_no_site_is_refused(site: str) -> None:
    with pytest.raises(CCMusicError, match="CCMUSIC_FRAME_ANCESTORS"):
        gate.frame_ancestors(site)


def hostile(widget: str) -> Iterator[WidgetState]:
    """What no browser sends for a widget, one of each type."""
    for kind, value in {
        "string_value": "x",
        "json_value": "{",
        "json_trigger_value": "[1",
        "bytes_value": b"\xff",
        "double_value": float("nan"),
        "int_value": -(2**62),
        "bool_value": True,
    }.items():
        yield WidgetState(id=widget, **{kind: value})  # type: ignore[arg-type]
    yield WidgetState(id=widget, json_value='"x"')
    for kind, data in {
        "string_array_value": ["x", "y"],
        "double_array_value": [float("nan"), 1e300],
        "int_array_value": [-1, 99],
    }.items():
        state = WidgetState(id=widget)
        getattr(state, kind).data.extend(data)
        yield state
    for kind in ("string_array_value", "double_array_value"):  # nothing chosen
        state = WidgetState(id=widget)
        getattr(state, kind).SetInParent()
        yield state
    state = WidgetState(id=widget)
    state.file_uploader_state_value.uploaded_file_info.add(file_id="none", name="a", size=9)
    yield state


def test_hostile_values_of_widgets_leave_the_page_and_the_log_alone(server: Server) -> None:
    with Visitor(server).connect() as stream:
        drawn = b"".join(message.SerializeToString() for message in run(stream))
    widgets = sorted(set(re.findall(rb"\$\$ID-[0-9a-f]{32}-\w+", drawn)))
    assert len(widgets) > 15
    before = len(server.log())
    visitor = Visitor(server)
    with visitor.connect() as drawn_stream:
        run(drawn_stream)
        # One value of each type for all widgets at once: where they are drawn, and before they are.
        for states in zip(*(hostile(widget.decode()) for widget in widgets), strict=True):
            with visitor.connect() as new_stream:
                for stream in (drawn_stream, new_stream):
                    kinds = {m.delta.new_element.WhichOneof("type") for m in run(stream, *states)}
                    assert "exception" not in kinds, (states[0], server.log()[before:])
    said = server.log()[before:]
    assert "passed over" in said
    assert "Traceback" not in said
    assert "Error:" not in said
