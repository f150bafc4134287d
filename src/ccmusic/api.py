"""Functions for single calls; each opens and closes a :class:`~ccmusic.panel.Panel`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ccmusic.analysis import Analysis
from ccmusic.audio import Clip, Crop, Source
from ccmusic.batch.rows import BatchWorker, Options
from ccmusic.errors import CCMusicError
from ccmusic.panel import Panel, available_cores
from ccmusic.spectrogram import TransformChoice
from ccmusic.verdict import Verdict


def analyze(
    source: Source | Clip,
    *,
    transform: TransformChoice | None = None,
    models: Sequence[str] | None = None,
    crop: Crop | float = "center",
    panel: Panel | None = None,
    on_verdict: Callable[[Verdict], None] | None = None,
) -> Analysis:
    """Analyse a recording.

    >>> analyze("examples/rain.ogg", models=["mobilenet_v3_large"]).transform
    'cqt'

    Parameters
    ----------
    source, crop, on_verdict
        As in :meth:`Panel.analyze <ccmusic.panel.Panel.analyze>`.
    transform
        Transform of the models: CQT by default, ``both`` for all of CQT and Mel.
    models
        Names of checkpoints or backbones; all of the transform by default.
    panel
        An open panel to reuse; ``transform`` and ``models`` are left out then.

    Raises
    ------
    AudioError
        If the file cannot be read.
    CheckpointError
        If a named model is unknown. A model that fails later has its error in its verdict.
    ValueError
        If ``transform`` or ``models`` contradict the panel.
    """
    if panel is None:
        with Panel.open(transform or "cqt", models) as opened:
            return opened.analyze(source, crop=crop, on_verdict=on_verdict)
    if models is not None:
        raise ValueError("an open panel has its models: use panel.select(models) for some of them")
    if transform not in (None, panel.transform):
        raise ValueError(
            f"the open panel looks at {panel.transform}, not at {transform}: "
            "leave transform out, or open another panel"
        )
    return panel.analyze(source, crop=crop, on_verdict=on_verdict)


def analyze_many(
    paths: Iterable[str | os.PathLike[str]],
    *,
    transform: TransformChoice = "cqt",
    models: Sequence[str] | None = None,
    workers: int | None = None,
) -> Iterator[Analysis | CCMusicError]:
    """Analyse the centres of many recordings, several at once, with the workers of a batch.

    A recording that crashes its decoder or exhausts the memory gives an error; the others continue.

    >>> for found in analyze_many(["examples/rain.ogg", "missing.mp3"]):
    ...     print(found if isinstance(found, CCMusicError) else found.file)
    examples/rain.ogg
    missing.mp3: no such file

    Parameters
    ----------
    paths
        Recordings; read as they are needed, so there may be any number of them.
    transform, models
        As in :func:`analyze`.
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
