from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from services import Server, opened


@pytest.fixture(autouse=True)
def _small_models(home: Path) -> None:
    """No test of the service needs the shipped ones."""


@pytest.fixture
def client() -> Iterator[TestClient]:
    with opened() as client:
        yield client


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    if sys.platform == "win32":
        pytest.skip("no signal asks a process to end")
    started: list[Server] = []
    log = (tmp_path / "log").open("w+")

    def start(*options: str, environment: dict[str, str] | None = None) -> Server:
        process = subprocess.Popen(
            [sys.executable, "-m", "ccmusic", "serve", "--port", "0", *options],
            stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        assert process.stdout is not None
        url = re.search(r"http://\S+\d", process.stdout.readline())
        assert url, (tmp_path / "log").read_text()
        server = Server(url[0], process)
        started.append(server)
        ready = httpx2.HTTPTransport(retries=10)
        with httpx2.Client(transport=ready, timeout=60) as waiting:
            while waiting.get(f"{server.url}/readyz").status_code != 200:
                pass
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
    log.close()
    assert "Traceback" not in (tmp_path / "log").read_text()
