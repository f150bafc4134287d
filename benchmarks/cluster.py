"""Ray with two, four and eight workers on this machine: ``python benchmarks/cluster.py``.

Needs the extras ``batch`` and ``ray``. The same hundred recordings go through the local engine and
through Ray, whose workers are more than the cores here: what is measured is what Ray costs, not
what a cluster brings. The tables must be equal.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pyarrow.parquet
import ray

from batch import make_music
from ccmusic.batch import Engine, find_audio, run
from ccmusic.batch.rows import Options
from ccmusic.panel import available_cores
from timing import keep

WORKERS = (2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100)
    n = parser.parse_args().files
    started = time.perf_counter()
    ray.init(num_cpus=max(WORKERS), log_to_driver=False)
    start_s = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "music")
        folder.mkdir()
        make_music(folder, n)
        files = find_audio([str(folder)])
        runs, tables = [], []
        engines: list[tuple[Engine, int]] = [("local", available_cores())]
        engines += [("ray", workers) for workers in WORKERS]
        for engine, workers in engines:
            output = Path(temporary, f"{engine}{workers}.parquet")
            started = time.perf_counter()
            run(files, output, Options(), workers=workers, engine=engine)
            per_s = n / (time.perf_counter() - started)
            runs.append({"engine": engine, "workers": workers, "per_s": per_s})
            tables.append(pyarrow.parquet.read_table(output).sort_by("path"))
    assert all(table.equals(tables[0]) for table in tables), "the tables differ"
    keep("cluster", {
        "files": n, "cores": available_cores(), "told": max(WORKERS), "start_s": start_s,
        "runs": runs,
    })  # fmt: skip


if __name__ == "__main__":
    main()
