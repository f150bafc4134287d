"""Nothing leaves the machine, and nothing is left in the home of whoever runs the program.

Connections of Python are seen by an audit hook, those of C++ libraries by strace where it is there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from offline.sitecustomize import own
from services import SONG

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals groups of processes")

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds


@functools.cache
def _strace() -> tuple[str, ...]:
    found = shutil.which("strace")
    command = (
        found or "",
        "--follow-forks",
        "-qq",
        "--trace=connect,sendto,sendmsg,sendmmsg",
        "-o",
    )
    if found and not subprocess.run([*command, os.devnull, "true"], capture_output=True).returncode:
        return command
    return ()


@dataclass
class Machine:
    """What a program does to a machine with an empty home."""

    folder: Path
    tracer: tuple[str, ...] = field(default_factory=_strace)
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "home").mkdir()
        kept = ("CCMUSIC_HOME", "ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED")
        passed = {name: value for name, value in os.environ.items() if name not in kept}
        paths = [str(ROOT / "tests" / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {
            **{name: value for name, value in passed.items() if not name.startswith("XDG_")},
            "HOME": str(self.folder / "home"),
            "OFFLINE_LOG": str(self.folder / "log"),
            "PYTHONPATH": os.pathsep.join(paths),
            "STREAMLIT_SERVER_HEADLESS": "true",  # else it looks for a browser
        }

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start Python; it is ended if it has not ended by itself."""
        tracer = [*self.tracer, str(self.folder / "trace")] if self.tracer else []
        with subprocess.Popen(
            [*tracer, sys.executable, *arguments], env=self.environment, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(PATIENCE)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, *arguments: str) -> str:
        """Run Python to its end; gives its output."""
        with self.running(*arguments) as process:
            output, _ = process.communicate(timeout=3 * PATIENCE)
        assert process.returncode == 0, output
        return output

    def left(self) -> list[str]:
        """Files and folders in the home."""
        home = self.folder / "home"
        return sorted(path.relative_to(home).as_posix() for path in home.rglob("*"))

    def addresses(self) -> set[str]:
        """Names that were looked up, and addresses outside of this machine."""
        log, trace = self.folder / "log", self.folder / "trace"
        found = set(log.read_text().splitlines()) if log.exists() else set()
        assert bool(self.tracer) == trace.exists()
        told = trace.read_text(errors="replace") if trace.exists() else ""
        for four, six in re.findall(r'inet_addr\("([^"]+)"|inet_pton\(AF_INET6, "([^"]+)"', told):
            if not own(four or six.removeprefix("::ffff:")):
                found.add(four or six)
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _is_untouched(machine: Machine) -> None:
    assert machine.left() == []
    assert machine.addresses() == set()


@pytest.mark.parametrize("command", ["classify", "doctor", "models"])
def test_the_command_line(machine: Machine, command: str) -> None:
    machine.run("-m", "ccmusic", command, *([str(SONG)] if command == "classify" else []))
    _is_untouched(machine)


@pytest.mark.parametrize("value", [None, ""])
def test_the_library(machine: Machine, value: str | None) -> None:
    """An empty variable, as a container may pass it on, is none."""
    if value is not None:
        machine.environment["ORT_DISABLE_TELEMETRY"] = value
    code = "import sys, ccmusic; print(ccmusic.analyze(sys.argv[1]).agreement.top)"
    assert machine.run("-c", code, str(SONG))
    _is_untouched(machine)


def test_the_service(machine: Machine) -> None:
    pytest.importorskip("fastapi")
    with machine.running("-m", "ccmusic", "serve", "--port", "0") as server:
        assert server.stdout
        url = re.search(r"http://\S+\d", server.stdout.readline())
        assert url
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="song.ogg"\r\n\r\n'
        request = urllib.request.Request(
            f"{url[0]}/v1/classify",
            data=body + SONG.read_bytes() + b"\r\n--b--\r\n",
            headers={"content-type": "multipart/form-data; boundary=b"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert direct.open(request, timeout=PATIENCE).status == 200
    _is_untouched(machine)


def test_the_server_of_the_dashboard(machine: Machine) -> None:
    pytest.importorskip("streamlit")
    with socket.create_server(("localhost", 0)) as free:
        port = str(free.getsockname()[1])
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with machine.running("-m", "ccmusic", "dashboard", "--port", port) as server:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                assert direct.open(f"http://localhost:{port}/_stcore/health").status == 200
                break
            assert server.poll() is None and time.monotonic() < end
            time.sleep(0.2)
    _is_untouched(machine)


def test_the_page(machine: Machine) -> None:
    pytest.importorskip("streamlit")
    page = ROOT / "src" / "ccmusic" / "dashboard" / "app.py"
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file(sys.argv[1], default_timeout={PATIENCE})\n"
        "app.query_params['example'] = 'rain'\n"
        "assert not app.run().exception\n"
    )
    machine.run("-c", code, str(page))
    _is_untouched(machine)


def test_one_module_alone_imports_onnx_runtime() -> None:
    """It must be told to be silent before its first import, by tests and tools as well."""
    direct = re.compile(r"^\s*(import onnxruntime|from onnxruntime)", re.MULTILINE)
    folders = ("src", "tests", "references", "benchmarks", "tools", "examples")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = [path.relative_to(ROOT) for path in files if direct.search(path.read_text("utf-8"))]
    assert found == [Path("src/ccmusic/runtime.py")]


@pytest.mark.parametrize("file", ["Dockerfile", "deploy/space/Dockerfile", "docs/service.md"])
def test_what_starts_servers_says_so_too(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert "ORT_DISABLE_TELEMETRY=1" in text
    assert "XSRF" not in text


@pytest.mark.slow
def test_a_batch_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    machine = Machine(tmp_path, tracer=())  # which slows Ray down until its processes give up
    table = str(tmp_path / "table.csv")
    machine.run("-m", "ccmusic", "batch", str(SONG), "-o", table, "--engine", "ray")
    assert set(machine.left()) <= {".ray", ".ray/auth_token"}  # which its processes show each other
    assert machine.addresses() == set()


def test_it_would_be_seen(machine: Machine) -> None:
    """The other tests of this file can fail."""
    machine.run("-c", "import pathlib; pathlib.Path.home().joinpath('left').touch()")
    assert machine.left() == ["left"]
    for address in ("192.0.2.99", "somewhere.invalid"):
        code = f"import socket; socket.create_connection(('{address}', 9))"
        with pytest.raises(AssertionError, match="PermissionError"):
            machine.run("-c", code)
    assert len(machine.addresses()) == 2
