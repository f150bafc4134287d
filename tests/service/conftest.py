from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from ccmusic import zoo
from ccmusic.service import Limits, create_app
from small_models import make_checkpoint

SONG = Path(__file__).parent.parent.parent / "examples" / "vibe_ace.ogg"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    for favourite in ("jazz", "rock"):
        make_checkpoint(
            tmp_path / "home" / "checkpoints",
            f"{favourite}_cqt",
            favourite=favourite,
            backbone=favourite,
        )
    return tmp_path / "home" / "checkpoints"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with opened() as client:
        yield client


def opened(token: str | None = None, **limits: float) -> TestClient:
    return TestClient(
        create_app(token=token, limits=Limits(**limits)), raise_server_exceptions=False
    )


@dataclass
class Server:
    """A service in a process of its own, as ``ccmusic serve`` runs it."""

    url: str
    process: subprocess.Popen[str]

    def memory(self) -> float:
        """Megabytes that the process and its children hold, shared pages counted once."""
        held = 0
        for process in self._family():
            smaps = Path(f"/proc/{process}/smaps_rollup").read_text()
            held += sum(int(kb) for kb in re.findall(r"Pss:\s+(\d+) kB", smaps))
        return held / 1024

    def _family(self) -> list[int]:
        group = os.getpgid(self.process.pid)
        processes = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal()]
        return [p for p in processes if _group_of(p) == group]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _group_of(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
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
        with httpx2.Client(transport=ready) as waiting:
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
