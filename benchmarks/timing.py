"""How every benchmark times and where it keeps its result."""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ccmusic.panel import available_cores

RESULTS = Path(__file__).parent / "results"


def median_ms(*tasks: Callable[[], object], repeats: int) -> list[float]:
    """Median milliseconds of each task, called in turns so that a noisy machine hits all alike."""
    times: list[list[float]] = [[] for _ in tasks]
    for task in tasks:
        task()
    for _ in range(repeats):
        for kept, task in zip(times, tasks, strict=True):
            started = time.perf_counter()
            task()
            kept.append(1000 * (time.perf_counter() - started))
    return [median(kept) for kept in times]


def keep(name: str, rows: Any) -> None:
    """Print, and write ``results/NAME.json``, from which README and docs take their figures."""
    print(json.dumps(rows, indent=2))
    RESULTS.mkdir(exist_ok=True)
    machine = {
        "cores": available_cores(),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    text = json.dumps({"machine": machine, "result": rows}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
