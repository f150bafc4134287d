"""Analyses of recordings in order, computed on this machine."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from typing import TypeAlias

from ccmusic.batch.rows import Document, Options
from ccmusic.engine import Engine
from ccmusic.errors import attempt
from ccmusic.panel import Panel, available_cores, in_order
from ccmusic.schema import ErrorDocument
from ccmusic.whole import WholePiece

Analyzed: TypeAlias = tuple[str, list[Document]]


def analyzed(options: Options, files: Iterable[str], *, workers: int) -> Generator[Analyzed]:
    """Classify several recordings at once: some are decoded while others are in the models.

    Pictures of several recordings are not stacked into one inference: on CPUs that is not faster
    (``benchmarks/batch.py``).
    """
    cores = available_cores()
    with (
        Panel.open(options.transform, options.models, concurrency=cores) as panel,
        Engine(workers) as engine,
    ):
        classify = partial(documents, engine, panel, options)
        yield from in_order(classify, files, workers=workers + cores)


def documents(engine: Engine, panel: Panel, options: Options, file: str) -> Analyzed:
    """Analysis of a recording, of the whole before those of its windows; or the error.

    Raises
    ------
    SandboxError
        If no child process can be started.
    """
    found: list[Document] = []

    def judge() -> None:
        if options.crop == "whole":
            windows = []
            for window in engine.windows(panel, file):
                found.append(window.to_dict())
                windows.append(window.compact())
            found.insert(0, WholePiece.of(windows).to_dict())
        else:
            found.append(engine.run(panel, file, crop=options.crop).to_dict())

    if error := attempt(judge, file):
        found.append(ErrorDocument(file=file, error=str(error)).to_dict())
    return file, found
