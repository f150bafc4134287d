"""A library of 100,000 recordings: ``python benchmarks/scale.py [--files N]``.

Needs the extra ``batch``, and Linux. The files are links to a few real ones of a second, and the
analysis of one of them stands for all: decoders and models, whose time is the same for every
recording, are left out. Folder, database and table are real. Seconds are those of one
processor, so that other programs on the machine do not count.
"""

import argparse
import json
import multiprocessing
import re
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from timing import keep

ROOT = Path(__file__).parent.parent
STEP = 10_000
NEW = 100


def make_music(folder: Path) -> list[Path]:
    """One second of each example."""
    from ccmusic.audio import load

    made = []
    for song in sorted((ROOT / "examples").glob("*.ogg")):
        path = folder / f"{song.stem}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 22_050, 0, "NONE", ""))
            file.writeframes((32_000 * load(song).samples[:22_050]).astype(np.int16).tobytes())
        made.append(path)
    return made


def link(songs: list[Path], folder: Path, numbers: range) -> None:
    for i in numbers:
        (folder / f"{i:07d}.wav").hardlink_to(songs[i % len(songs)])


def analysis(song: Path) -> list[dict[str, Any]]:
    from ccmusic.batch import local
    from ccmusic.batch.rows import Options

    ((_, documents),) = local.analyzed(Options(), [str(song)], workers=1)
    return documents


def megabytes(what: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{what}:\s+(\d+) kB", status)[0]) / 1024


def run(folder: Path, output: Path, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch, as the command runs it, in a process of its own."""
    from ccmusic import batch
    from ccmusic.batch.rows import Options

    judged = 0

    def analyzed(_: Options, files: Sequence[str], workers: int) -> Iterator[Any]:
        nonlocal judged
        for file in files:
            judged += 1
            yield file, [{**document, "file": file} for document in documents]

    batch.local.analyzed = analyzed  # type: ignore[assignment]
    database = output.with_name(f"{output.name}.sqlite")
    log = output.with_name(f"{database.name}-wal")
    steps: list[dict[str, float]] = []
    largest = 0

    def watch(summary: batch.Summary) -> None:
        nonlocal largest
        if summary.recordings % NEW == 0:
            largest = max(largest, log.stat().st_size)
        if summary.recordings % STEP == 0:
            steps.append({
                "recordings": summary.recordings,
                "seconds": time.process_time() - started,
                "megabytes": megabytes("VmRSS"),
            })  # fmt: skip

    megabytes_before = megabytes("VmRSS")
    wall, started = time.perf_counter(), time.process_time()
    files = batch.find_audio([str(folder)])
    listed = time.process_time() - started
    batch.run(files, output, Options(), on_progress=watch)
    return {
        "recordings": len(files),
        "judged": judged,
        "list_s": listed,
        "processor_s": time.process_time() - started,
        "wall_s": time.perf_counter() - wall,
        "megabytes_before": megabytes_before,
        "megabytes_at_most": megabytes("VmHWM"),
        "log_mb_at_most": largest / 1e6,
        "table_mb": output.stat().st_size / 1e6,
        "database_mb": database.stat().st_size / 1e6,
        "steps": steps,
    }


def alone(task: Callable[..., Any], *arguments: Any) -> Any:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as one:
        return one.submit(task, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--suffix", default=".parquet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, output = Path(temporary, "music"), Path(temporary, f"genres{arguments.suffix}")
        folder.mkdir()
        songs = make_music(Path(temporary))
        documents = alone(analysis, songs[0])
        link(songs, folder, range(arguments.files))
        rows = {
            "line_kb": len(json.dumps(documents)) / 1e3,
            "first": alone(run, folder, output, documents),
            "again": alone(run, folder, output, documents),
        }
        print(json.dumps(rows, indent=2), flush=True)
        link(songs, folder, range(arguments.files, arguments.files + NEW))
        rows["added"] = alone(run, folder, output, documents)
    if arguments.suffix == ".parquet":
        keep("scale", rows)
    else:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
