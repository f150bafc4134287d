"""How every benchmark times and where it keeps its result."""

import json
import platform
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from ccmusic.panel import available_cores

INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
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


def processor() -> str:
    """Name of the processor and what it has for matrices; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    told = dict(re.split(r"\s*: ?", line, maxsplit=1) for line in lines if ":" in line)
    sets = [name for name in INSTRUCTIONS if name in told.get("flags", "").split()]
    return ", ".join([told.get("model name", platform.processor()), *sets])


def keep(name: str, rows: Any) -> None:
    """Print, and write ``results/NAME.json``, from which README and docs take their figures."""
    print(json.dumps(rows, indent=2))
    RESULTS.mkdir(exist_ok=True)
    machine = {
        "cores": available_cores(),
        "processor": processor(),
        "machine": platform.machine(),
        "system": platform.system(),
        "date": date.today().isoformat(),
    }
    text = json.dumps({"machine": machine, "result": rows}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
