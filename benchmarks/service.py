"""Many clients at once: ``python benchmarks/service.py [--seconds S]``.

Needs the extra ``api`` and httpx2. Thirty-two clients, each with a recording of its own, ask again
as soon as they are answered; every answer is held against the one that came when nobody else was
there. Before them, as many threads ask a panel in one process, without a service: as fast as it
could be. Then two hundred clients come at the same moment and keep to what Retry-After tells them.
The clients take processor time from the service on the same machine.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx2

from batch import make_music
from ccmusic import Panel
from ccmusic.panel import available_cores
from timing import keep

CLIENTS = 32
CROWD = 200
ROUNDS = 8


def start() -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ccmusic", "serve", "--port", "0"],
        start_new_session=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    found = re.search(r"http://\S+\d", process.stdout.readline())
    assert found
    url = found[0]
    while httpx2.get(f"{url}/readyz").status_code != 200:
        time.sleep(0.1)
    return process, url


def ask(client: httpx2.Client, sound: Path) -> Any:
    answer = client.post(
        "/v1/classify", files={"file": (sound.name, sound.read_bytes())}, data={"top_k": "13"}
    )
    return answer


def panel_alone(sounds: list[Path]) -> float:
    """Recordings per second of a panel that is called by as many threads as there are clients."""

    def some(panel: Panel, rounds: int) -> None:
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(panel.analyze, rounds * sounds))

    with Panel.open("cqt", concurrency=available_cores()) as panel:
        some(panel, 1)
        started = time.perf_counter()
        some(panel, ROUNDS)
    return ROUNDS * len(sounds) / (time.perf_counter() - started)


def memory(group: int) -> float:
    """Megabytes that a group of processes holds, shared pages counted once."""
    held = 0
    for process in (p for p in Path("/proc").iterdir() if p.name.isdecimal()):
        try:
            if os.getpgid(int(process.name)) == group:
                smaps = (process / "smaps_rollup").read_text()
                held += sum(int(kb) for kb in re.findall(r"Pss:\s+(\d+) kB", smaps))
        except OSError:
            continue
    return held / 1024


def steady(url: str, group: int, sounds: list[Path], seconds: float) -> dict[str, float]:
    """Thirty-two clients for a while."""
    expected = {}
    with httpx2.Client(base_url=url, timeout=120) as client:
        alone = []
        for sound in sounds:
            started = time.perf_counter()
            expected[sound.name] = ask(client, sound).json()["mean"]
            alone.append(time.perf_counter() - started)
    waits: list[float] = []
    wrong = lost = 0
    end = time.perf_counter() + seconds

    def one(sound: Path) -> None:
        nonlocal wrong, lost
        with httpx2.Client(base_url=url, timeout=120) as client:
            while time.perf_counter() < end:
                started = time.perf_counter()
                answer = ask(client, sound)
                waits.append(time.perf_counter() - started)
                lost += answer.status_code != 200
                content = answer.json()
                wrong += (content.get("file"), content.get("mean")) != (
                    sound.name, expected[sound.name],
                )  # fmt: skip

    held = []
    with ThreadPoolExecutor(len(sounds)) as threads:
        asked = [threads.submit(one, sound) for sound in sounds]
        while time.perf_counter() < end:
            held.append(memory(group))
            time.sleep(1)
        for future in asked:
            future.result()
    tenth = max(1, len(held) // 10)
    return {
        "alone_ms": 1000 * median(alone),
        "clients": len(sounds),
        "seconds": seconds,
        "answers": len(waits),
        "answers_per_s": len(waits) / seconds,
        "lost": lost,
        "wrong": wrong,
        "median_ms": 1000 * median(waits),
        "p95_ms": 1000 * quantiles(waits, n=20)[-1],
        "p95_over_median": quantiles(waits, n=20)[-1] / median(waits),
        "memory_mb_after_a_tenth": median(held[tenth : 2 * tenth]),
        "memory_mb_at_the_end": median(held[-tenth:]),
    }


def crowd(url: str, sound: Path) -> dict[str, float]:
    """Two hundred at once, each until it has its answer."""
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def one(_: int) -> None:
        with httpx2.Client(base_url=url, timeout=120) as client:
            while True:
                answer = ask(client, sound)
                with lock:
                    statuses[answer.status_code] += 1
                if answer.status_code != 429:
                    return
                time.sleep(int(answer.headers["retry-after"]))

    started = time.perf_counter()
    with ThreadPoolExecutor(CROWD) as threads:
        list(threads.map(one, range(CROWD)))
    all_served = time.perf_counter() - started
    after = []
    with httpx2.Client(base_url=url, timeout=120) as client:
        for _ in range(10):
            started = time.perf_counter()
            assert ask(client, sound).status_code == 200
            after.append(time.perf_counter() - started)
    return {
        "crowd": CROWD,
        "crowd_answered": statuses[200],
        "crowd_sent_away": statuses[429],
        "crowd_failed": statuses.total() - statuses[200] - statuses[429],
        "crowd_s": all_served,
        "alone_after_ms": 1000 * median(after),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as temporary:
        sounds = make_music(Path(temporary), CLIENTS)
        alone = panel_alone(sounds)
        process, url = start()
        try:
            rows = steady(url, process.pid, sounds, seconds) | crowd(url, sounds[0])
            rows["panel_per_s"] = alone
            rows["over_panel"] = rows["answers_per_s"] / alone
            rows["over_cores_alone"] = (
                rows["answers_per_s"] * rows["alone_ms"] / 1000 / available_cores()
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    keep("service", rows)


if __name__ == "__main__":
    main()
