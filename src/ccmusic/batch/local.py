"""Analyses of recordings as they are ready, computed on this machine."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeAlias

from ccmusic.batch.rows import BatchWorker, Document, Options
from ccmusic.panel import available_cores

Analyzed: TypeAlias = tuple[str, list[Document]]


def analyzed(options: Options, files: Sequence[str], *, workers: int) -> Generator[Analyzed]:
    """Classify several recordings at once: some are decoded while others are in the models.

    Pictures of several recordings are not stacked into one inference: on CPUs that is not faster
    (``benchmarks/batch.py``).
    """
    cores = available_cores()
    with BatchWorker(options, decoders=workers, cores=cores) as worker:
        threads = ThreadPoolExecutor(workers + cores, thread_name_prefix="ccmusic-batch")
        try:
            waiting = iter(files)
            # Submit few at a time: a library may have a million recordings.
            pending: dict[Future[list[Document]], str] = {}
            while True:
                for file in islice(waiting, 2 * (workers + cores) - len(pending)):
                    pending[threads.submit(worker, file)] = file
                if not pending:
                    return
                for ready in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(ready), ready.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
