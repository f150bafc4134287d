"""Many recordings in, an analysis or an error for each out, without a table."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ccmusic.analysis import Analysis
from ccmusic.batch.rows import BatchWorker, Options
from ccmusic.errors import CCMusicError
from ccmusic.panel import available_cores
from ccmusic.spectrogram import TransformChoice


def analyze_many(
    paths: Iterable[str | os.PathLike[str]],
    *,
    transform: TransformChoice = "cqt",
    models: Sequence[str] | None = None,
    workers: int | None = None,
) -> Iterator[Analysis | CCMusicError]:
    """Judge the centres of many recordings, several at once, with the workers of a batch.

    A recording that crashes its decoder, or fills memory, costs no more than its own error.

    >>> for found in analyze_many(["examples/rain.ogg", "missing.mp3"]):
    ...     print(found if isinstance(found, CCMusicError) else found.file)
    examples/rain.ogg
    missing.mp3: no such file

    Parameters
    ----------
    paths
        Recordings; read as they are needed, so there may be any number of them.
    transform, models
        As in :func:`ccmusic.analyze`.
    workers
        Processes that decode; by default as many as there are cores.

    Yields
    ------
    The analysis of each recording or the error that it met, in the order of the paths.

    Raises
    ------
    CheckpointError
        If a named model is unknown.
    """
    cores = available_cores()
    workers = workers or cores
    options = Options(transform, None if models is None else tuple(models))
    coming: deque[Future[Analysis | CCMusicError]] = deque()
    with BatchWorker(options, decoders=workers, cores=cores) as worker:
        threads = ThreadPoolExecutor(workers + cores, thread_name_prefix="ccmusic-many")
        try:
            for path in paths:
                coming.append(threads.submit(_analysis_or_error, worker, os.fspath(path)))
                if len(coming) > 2 * (workers + cores):
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:  # the consumer may have stopped: cancel what has not started
            threads.shutdown(wait=False, cancel_futures=True)


def _analysis_or_error(worker: BatchWorker, path: str) -> Analysis | CCMusicError:
    try:
        (analysis,) = worker.analyze(path, keep_sound=True)
    except CCMusicError as error:
        return error
    return analysis
