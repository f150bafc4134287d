"""Classification of music libraries into one table, which is resumed and added to."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from ccmusic.audio import SUFFIXES
from ccmusic.batch import local
from ccmusic.batch.index import Index
from ccmusic.batch.journal import Journal
from ccmusic.batch.lines import Stamp, stamp
from ccmusic.batch.rows import Options, columns, row
from ccmusic.batch.tables import check
from ccmusic.errors import DataError, MissingExtraError
from ccmusic.files import clear
from ccmusic.panel import available_cores
from ccmusic.zoo import find

Engine = Literal["local", "ray"]

_RECORDINGS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Summary:
    """Progress of a batch."""

    recordings: int
    failures: int
    """Number of recordings with an error in a row."""
    damaged: int = 0
    """Lines of journal or index that could not be read; their recordings were classified again."""


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
            start = str(Path(folder, "_"))[:-1]  # a Path for each file takes most of the time
            found.update(
                start + name
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

    Called again with the same options, an interrupted batch resumes, and a finished one adds
    recordings that are new, or whose size or time has changed; rows of files that are gone leave
    the table. It appears when all are finished. What is finished so far is in a second table,
    ``STEM.part.SUFFIX``, written anew from time to time.

    Parameters
    ----------
    output
        ``.parquet``, ``.csv`` or ``.jsonl``; may be the table of an earlier run. New rows are at
        its end.
    workers
        Decoding processes; on a cluster, cores. By default all cores.
    address
        Address of a Ray cluster; by default one is started on this machine.
    on_progress
        Called with what is finished so far, at the start and after every recording.

    Raises
    ------
    DataError
        If the output exists and is of no batch, of other options, or of recordings that are there
        but not named; if it cannot be written.
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
    fingerprint = options.fingerprint(cards)
    with Journal(output, fingerprint) as journal:
        try:  # the journal is locked: nobody else writes this table
            index = Index(output, fingerprint, columns(cards))
            gone = _gone(output, files, journal, index)
        except DataError:
            if not journal.entries:
                journal.remove()
            raise
        clear(output, index.part, index.path)
        for file in journal.entries:
            index.entries.pop(file, None)  # a kill came between the index and the journal
        todo = _todo(files, journal, index)
        done, damaged = len(files) - len(todo), journal.damaged + index.damaged
        known = chain(journal.entries.items(), index.entries.items())
        failures = sum(entry.failed for file, entry in known if file not in gone)
        if on_progress:
            on_progress(Summary(done, failures, damaged))

        def save(table: Path) -> None:
            new = filter(journal.entries.__contains__, chain(files, gone))
            rows = map(row, chain.from_iterable(map(journal.documents, new)))
            index.write(table, rows, journal.entries)

        due = _due(index)
        analyses = _analyzed(engine, options, list(todo), workers or available_cores(), address)
        with closing(analyses) as analyzed:
            for file, documents in analyzed:
                failures += journal.add(file, documents, todo[file])
                done += 1
                if len(journal.entries) >= due:
                    # Windows replaces no file that somebody reads; then it is done later.
                    with suppress(DataError):
                        save(index.part)
                        journal.clear()
                    due = len(journal.entries) + _due(index)
                if on_progress:
                    on_progress(Summary(done, failures, damaged))
        # Not before the end: under a wrong path all are gone, until somebody notices.
        for file in gone:
            journal.entries.pop(file, None)
            index.entries.pop(file, None)
        if journal.entries or not index.is_of(output):
            save(output)
        index.remove_part()
        journal.remove()
    return Summary(done, failures, damaged)


def _gone(output: Path, files: list[str], journal: Journal, index: Index) -> set[str]:
    """Recordings that are known, but whose files are not there any more.

    Raises
    ------
    DataError
        If files are there, but not named: their rows are not to be lost by a mistake.
    """
    named = set(files)
    gone = {file for file in chain(journal.entries, index.entries) if file not in named}
    there = sorted(file for file in gone if stamp(file))
    if there:
        raise DataError(
            f"{output}: holds {len(there)} recordings that are still there, but are not named now, "
            f"such as {there[0]}; name them too, or choose another name for the table"
        )
    return gone


def _todo(files: list[str], journal: Journal, index: Index) -> dict[str, Stamp | None]:
    """Recordings that are new or have changed, with their stamps; what was known of them goes."""
    todo = {}
    for file in files:
        now = stamp(file)  # before it is read: if it changes meanwhile, it is classified again
        known = journal.entries.get(file) or index.entries.get(file)
        if known is None or known.stamp != now:
            todo[file] = now
            journal.entries.pop(file, None)
            index.entries.pop(file, None)
    return todo


def _due(index: Index) -> int:
    """Finished recordings for which the table is written anew: each is copied ten times in all."""
    return max(_RECORDINGS_AT_ONCE, len(index.entries) // 10)


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
