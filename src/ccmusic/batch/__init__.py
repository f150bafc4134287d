"""Classification of music libraries into one table, which is resumed and added to."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ccmusic.audio import SUFFIXES
from ccmusic.batch import local, store
from ccmusic.batch.rows import Options, columns
from ccmusic.batch.tables import check
from ccmusic.errors import DataError, MissingExtraError
from ccmusic.files import is_hidden
from ccmusic.panel import available_cores
from ccmusic.zoo import find

Engine = Literal["local", "ray"]

_RECORDINGS_AT_ONCE = 1_000
# Other music that people have in folders: lossless, old, encrypted by shops, notes without sound.
# fmt: off
_OTHER_SUFFIXES = (
    ".ofr", ".shn", ".dts", ".ac3", ".eac3", ".mp2", ".mpga", ".ra", ".rm", ".amr", ".3gp", ".spx",
    ".snd", ".voc", ".rf64", ".aifc", ".alac", ".m4p", ".aax", ".ncm", ".qmc0", ".qmc3",
    ".qmcflac", ".mflac", ".mgg", ".kgm", ".kwm", ".mid", ".midi",
)
# fmt: on


@dataclass(frozen=True)
class Summary:
    """Progress of a batch."""

    recordings: int
    failures: int
    """Number of recordings with an error in a row."""
    damaged: int = 0
    """Recordings whose rows could not be read again; they were classified again."""


def find_audio(
    paths: Sequence[str],
    *,
    recursive: bool = False,
    on_passed_over: Callable[[str], None] | None = None,
) -> list[str]:
    """Recordings in folders, and files that are named, each once, sorted.

    A file that is named is taken whatever its suffix; in folders those of
    :data:`ccmusic.audio.SUFFIXES` are, hidden ones left out. Links to folders are not followed.

    Parameters
    ----------
    on_passed_over
        Called with each file that looks like music, but has another suffix, and with each link
        to a folder that would have been searched.

    Raises
    ------
    DataError
        If a path is empty or not there, or nothing is found.
    """
    found: set[str] = set()
    passed_over: list[str] = []
    for path in paths:
        if not path:
            raise DataError("the name of a file or folder is empty")
        if not Path(path).is_dir():
            if not Path(path).exists():
                raise DataError(f"{path}: no such file or folder")
            found.add(path)
            continue
        for folder, below, names in os.walk(path):
            start = str(Path(folder, "_"))[:-1]  # a Path for each file takes most of the time
            below[:] = [name for name in below if recursive and not is_hidden(name)]
            seen = [start + name for name in names if not is_hidden(name)]
            found.update(file for file in seen if file.lower().endswith(SUFFIXES))
            passed_over += [start + name for name in below if Path(folder, name).is_symlink()]
            passed_over += [file for file in seen if file.lower().endswith(_OTHER_SUFFIXES)]
    if on_passed_over:
        for path in passed_over:
            on_passed_over(path)
    if not found:
        hint = "" if recursive else "; folders within folders need `recursive`"
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
    the table. All rows are kept in a database beside the table, ``OUTPUT.sqlite``, from which the
    table is written when all are finished. Until then a second table, ``STEM.part.SUFFIX``,
    is written anew from time to time.

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
        If the output exists and is of no batch, of other options, changed by somebody, or of
        recordings that are there but not named; if it cannot be written.
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
    with store.opened(output, options.fingerprint(cards), columns(cards)) as kept:

        def summary() -> Summary:
            return Summary(kept.done, kept.failures, kept.damaged)

        todo = kept.compare(list(dict.fromkeys(files)))
        if on_progress:
            on_progress(summary())
        due = _due(kept.done)
        analyses = _analyzed(engine, options, todo, workers or available_cores(), address)
        with closing(analyses) as analyzed:
            for file, documents in analyzed:
                kept.add(file, documents)
                if kept.done >= due:
                    kept.export_part()
                    due = _due(kept.done)
                if on_progress:
                    on_progress(summary())
        kept.finish()
        return summary()


def _due(done: int) -> int:
    """Recordings for which the part is written anew: each row is written ten times in all."""
    return done + max(_RECORDINGS_AT_ONCE, done // 10)


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
