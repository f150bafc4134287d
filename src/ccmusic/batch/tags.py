"""Genres of a table written into the tags of the recordings; every copy is read back."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
from mutagen.id3 import ID3, TCON

from ccmusic import audio
from ccmusic.batch.tables import read
from ccmusic.errors import CCMusicError, DataError
from ccmusic.files import beside, open_regular, sync
from ccmusic.genres import genre_name
from ccmusic.sandbox import Sandbox

_MEAN = "mean_"


@dataclass(frozen=True)
class Change:
    """Current and new genre of a recording."""

    path: str
    before: str
    """Empty without a genre."""
    after: str
    probability: float
    """Probability of the genre in the mean of all models and windows."""


def plan(table: Path, *, threshold: float, sandbox: Sandbox) -> Iterator[Change | CCMusicError]:
    """Compare the tags of recordings with a table; nothing is written.

    Parameters
    ----------
    table
        What :func:`ccmusic.batch.run` has written.
    threshold
        Least probability of a genre that is worth writing.

    Yields
    ------
    Each difference; an error for a recording whose tags cannot be read.

    Raises
    ------
    DataError
        If the table cannot be read.
    """
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in read(table):
        for name, value in row.items():
            if name.startswith(_MEAN) and value not in (None, ""):
                shares[str(row["path"])][name.removeprefix(_MEAN)].append(float(value or 0))
    for path, genres in shares.items():
        genre = max(genres, key=lambda name: float(np.mean(genres[name])))
        probability = float(np.mean(genres[genre]))
        if probability < threshold:
            continue
        try:
            before = sandbox.run(path, _genre, Path(path))
        except CCMusicError as error:
            yield error
            continue
        after = genre_name(genre, "en")
        if before != after:
            yield Change(path, before, after, probability)


def write(change: Change, *, sandbox: Sandbox) -> None:
    """Tag a copy, read it back, and only then put it in the place of the recording.

    The copy is renamed where that loses nothing. A recording that has other names (hard links), or
    an owner that a new file cannot be given, is overwritten with the copy, which stays beside it
    until that is done: a sudden end leaves one of them whole.

    Raises
    ------
    CCMusicError
        If the copy cannot be made, tagged or read back with the same sound; then the recording is
        as it was. If the recording cannot be overwritten to its end; then the copy stays.
    """
    path = Path(change.path).resolve()  # a link stays a link
    try:
        _complain_of_kept(path)
        with beside(path) as copy:
            sandbox.run(change.path, _tagged_copy, path, copy, change.after)
            sync(copy)
            if _can_replace(copy, path):
                copy.replace(path)
            else:
                _overwrite(path, copy)
    except OSError as error:
        raise DataError(f"{change.path}: cannot be written ({error.strerror})") from None


def _kept(path: Path) -> Path:
    """Where a whole copy lies while a recording is overwritten."""
    return path.with_name(f".{path.name}.tagged")


def _complain_of_kept(path: Path) -> None:
    kept = _kept(path)
    if kept.exists():
        raise DataError(
            f"{path}: was being tagged when that was stopped, and may be damaged; its whole copy "
            f"is {kept}: copy that over it (cp), then delete the copy"
        )


def _can_replace(copy: Path, path: Path) -> bool:
    """Whether nothing is lost if a copy takes the place of a file; it is given the same owner."""
    status = path.stat()
    if status.st_nlink > 1:
        return False
    if sys.platform != "win32":
        with contextlib.suppress(PermissionError):
            os.chown(copy, status.st_uid, status.st_gid)
            copy.chmod(stat.S_IMODE(status.st_mode))  # a change of owner takes bits away
    made = copy.stat()
    return (made.st_uid, made.st_gid) == (status.st_uid, status.st_gid)


def _overwrite(path: Path, copy: Path) -> None:
    """Write a copy into a file, which keeps its names, owner and mode."""
    with path.open("rb+") as file:
        size = copy.stat().st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows before the first byte
        kept = copy.rename(_kept(path))  # not while it is open: Windows refuses that
        with kept.open("rb") as content:
            shutil.copyfileobj(content, file)
        file.truncate()
        file.flush()
        os.fsync(file)
    kept.unlink()


def _tagged_copy(path: Path, copy: Path, genre: str) -> None:
    """Write the tag into a copy; runs in a child of the sandbox."""
    shutil.copy2(path, copy)
    kind = type(_open(path))  # by name too: the copy has another
    tagged = kind(copy)
    _set_genre(tagged, genre)
    tagged.save()
    same = (
        _genre_in(kind(copy)) == genre
        and audio.digest(copy) == audio.digest(path)
        and np.array_equal(audio.load(copy).samples, audio.load(path).samples)
    )
    if not same:
        raise DataError(f"{path}: a tagged copy does not read back the same; nothing was changed")


def _genre(path: Path) -> str:
    _complain_of_kept(path.resolve())
    return _genre_in(_open(path))


def _open(path: Path) -> Any:
    try:
        open_regular(path).close()
        file = mutagen.File(path, easy=True)
    except (mutagen.MutagenError, OSError) as error:
        raise DataError(f"{path}: its tags cannot be read ({error})") from None
    if file is None:
        raise DataError(f"{path}: cannot be tagged, its format is not known to hold a genre")
    if file.tags is None:
        try:
            file.add_tags()
        except (mutagen.MutagenError, NotImplementedError):
            raise DataError(f"{path}: cannot be tagged, its format holds no tags") from None
    return file


def _genre_in(file: Any) -> str:
    if isinstance(file.tags, ID3):
        return "; ".join(file.tags["TCON"].genres) if "TCON" in file.tags else ""
    return "; ".join(file.tags.get("genre", [])) if file.tags else ""


def _set_genre(file: Any, genre: str) -> None:
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):  # WAV and AIFF, which have no simpler way
        file.tags.add(TCON(encoding=3, text=[genre]))  # type: ignore[no-untyped-call]
    else:
        file.tags["genre"] = [genre]
