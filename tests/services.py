"""The service in this process, and in one of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from ccmusic.service import Limits, create_app

SONG = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"


def opened(token: str | None = None, **limits: Any) -> TestClient:
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
        return of_group(os.getpgid(self.process.pid))

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def of_group(group: int) -> list[int]:
    """Processes of a group (Linux)."""
    processes = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal()]
    return [p for p in processes if _group_of(p) == group]


def _group_of(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0
