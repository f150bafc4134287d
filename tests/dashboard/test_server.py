"""What `ccmusic dashboard` takes from Streamlit's variables and files."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit import config, net_util
from streamlit.web.server import server_util

from ccmusic import dashboard

SECONDS = 60


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "ccmusic", "dashboard", "--port", str(port)]


def _free_port() -> int:
    with socket.create_server(("localhost", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _status(url: str) -> int:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=SECONDS) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("by_file", [False, True])
def test_a_base_path_is_honoured_and_printed(tmp_path: Path, by_file: bool) -> None:
    environment = {**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"}
    if by_file:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "a/b"\n')
    else:
        environment["STREAMLIT_SERVER_BASE_URL_PATH"] = "/a/b/"
    port = _free_port()
    with subprocess.Popen(
        _command(port), env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            assert f" http://localhost:{port}/a/b " in server.stdout.readline()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and server.poll() is None:
                with contextlib.suppress(urllib.error.URLError):
                    assert _status(f"http://localhost:{port}/a/b/_stcore/health") == 200
                    break
                time.sleep(0.2)
            assert _status(f"http://localhost:{port}/a/b/") == 200
            assert _status(f"http://localhost:{port}/_stcore/health") == 404
        finally:
            server.terminate()
            server.wait(SECONDS)


def test_a_variable_that_is_not_valid_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(_free_port()), env={**os.environ, "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "much"},
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "STREAMLIT_SERVER_MAX_UPLOAD_SIZE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_page_from_elsewhere_is_refused_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[str]()

    def ask(url: str, **_: object) -> None:
        asked.append(url)

    monkeypatch.setattr(net_util, "_make_blocking_http_get", ask)
    monkeypatch.setattr(net_util, "_external_ip", None)
    dashboard.ask_nobody_for_our_address()
    assert config.get_option("server.enableCORS")
    for origin in ("https://elsewhere.example", "null", ""):
        assert not server_util.is_url_from_allowed_origins(origin)
    assert asked == []
