"""Classification of music libraries into one table; an interrupted batch is resumed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from ccmusic.audio import SUFFIXES
from ccmusic.batch import local
from ccmusic.batch.journal import Journal, stamp
from ccmusic.batch.rows import Options, columns, row
from ccmusic.batch.tables import check, write
from ccmusic.errors import DataError, MissingExtraError
from ccmusic.files import clear
from ccmusic.panel import available_cores
from ccmusic.zoo import find

Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class Summary:
    """Progress of a batch."""

    recordings: int
    failures: int
    """Number of recordings with an error in a row."""
    damaged: int = 0
    """Lines of the journal that could not be read; their recordings were classified again."""


def find_audio(paths: Sequence[str], *, recursive: bool = False) -> list[str]:
    """Recordings in folders, and files that are named, each once, sorted.

    A file that is named is taken whatever its suffix; in folders those of
    :data:`ccmusic.audio.SUFFIXES` are, hidden ones left out.

    Raises
    ------
    DataError
        If a path is not there, or nothing is found.
    """
    found: set[str] = set()
    for path in paths:
        if not Path(path).is_dir():
            if not Path(path).exists():
                raise DataError(f"{path}: no such file or folder")
            found.add(path)
            continue
        for folder, below, names in os.walk(path):
            below[:] = [name for name in below if recursive and not name.startswith(".")]
            found.update(
                str(Path(folder, name))
                for name in names
                if name.lower().endswith(SUFFIXES) and not name.startswith(".")
            )
    if not found:
        hint = "" if recursive else "; folders within folders need --recursive"
        raise DataError(f"no recordings found in {', '.join(paths)}{hint}")
    return sorted(found)


def run(
    files: Iterable[str],
    output: Path,
    options: Options,
    *,
    workers: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Classify recordings and write a table.

    A journal beside the table keeps what is finished. Called again with the same options, an
    interrupted batch resumes; the table is written at the end. A recording
    whose size or time has changed since then is classified again.

    Parameters
    ----------
    output
        ``.parquet``, ``.csv`` or ``.jsonl``; must not exist.
    workers
        Decoding processes; on a cluster, cores. By default all cores.
    address
        Address of a Ray cluster; by default one is started on this machine.
    on_progress
        Called with what is finished so far, at the start and after every recording.

    Raises
    ------
    DataError
        If the output exists or cannot be written, or the journal is of other options.
    CheckpointError
        If a model cannot be used.
    SandboxError
        If no process can be started; what is finished is kept.
    """
    check(output)
    checkpoints = find(options.transform, options.models)
    for checkpoint in checkpoints:
        checkpoint.verify()  # fail now if a model is damaged, not in every row
    cards = [checkpoint.card for checkpoint in checkpoints]
    files = list(dict.fromkeys(files))
    with Journal(output, options.fingerprint(cards)) as journal:
        clear(output)  # the journal is locked: nobody else writes this table
        # Taken before any file is read: files that change meanwhile are classified again next time.
        todo = {file: of for file in files if not journal.has(file, of := stamp(file))}
        done = len(files) - len(todo)
        failures = sum(journal.failed(file) for file in files if file not in todo)
        if on_progress:
            on_progress(Summary(done, failures, journal.damaged))
        analyses = _analyzed(engine, options, list(todo), workers or available_cores(), address)
        with closing(analyses) as analyzed:
            for file, documents in analyzed:
                journal.add(file, documents, todo[file])
                done, failures = done + 1, failures + journal.failed(file)
                if on_progress:
                    on_progress(Summary(done, failures, journal.damaged))
        write(output, columns(cards), map(row, chain.from_iterable(map(journal.documents, files))))
        journal.remove()
    return Summary(done, failures, journal.damaged)


def _analyzed(
    engine: Engine, options: Options, files: list[str], workers: int, address: str | None
) -> Generator[local.Analyzed]:
    if engine == "local":
        return local.analyzed(options, files, workers=workers)
    try:
        from ccmusic.batch import cluster
    except ImportError:
        raise MissingExtraError("a batch on Ray", "ray") from None
    return cluster.analyzed(options, files, workers=workers, address=address)
