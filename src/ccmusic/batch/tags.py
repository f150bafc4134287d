"""Genres of a table written into the tags of the recordings; every copy is read back."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags
from mutagen.id3 import ID3, TCON
from mutagen.mp4 import MP4Tags

from ccmusic import audio
from ccmusic.batch.store import retaining, stamp
from ccmusic.batch.tables import read
from ccmusic.errors import CCMusicError, DataError
from ccmusic.files import open_regular, sync, temporary_sibling
from ccmusic.genres import genre_name
from ccmusic.sandbox import Sandbox

_MEAN = "mean_"
_INFO = "RIFF INFO (stays)"


@dataclass(frozen=True)
class Change:
    """Current and new genre of a recording."""

    path: str
    before: str
    """All that is replaced, with the names of the tags if there are several; empty without."""
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
                share = _share(table, value)
                shares[row["path"]][name.removeprefix(_MEAN)].append(share)
    for path, genres in shares.items():
        genre = max(genres, key=lambda name: float(np.mean(genres[name])))
        probability = float(np.mean(genres[genre]))
        if probability < threshold:
            continue
        try:
            before = sandbox.run(path, _genres, Path(path))
        except CCMusicError as error:
            yield error
            continue
        after = genre_name(genre, "en")
        if {text for name, text in before.items() if name != _INFO} != {after}:
            told = [f"{name}: {text}" for name, text in before.items() if text]
            only = "; ".join(before.values()) if len(before) == 1 else " | ".join(told)
            yield Change(path, only, after, probability)


def _share(table: Path, value: Any) -> float:
    """Probability in a table; a spreadsheet may have written it with a comma."""
    try:
        share = float(str(value).replace(",", "."))
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise DataError(
            f"{table}: cannot be read as a table ({value!r} is no probability; a spreadsheet may "
            "have taken it for something else)"
        )
    return share


def apply(
    changes: Iterable[Change], table: Path, *, sandbox: Sandbox
) -> Iterator[Change | CCMusicError]:
    """Write the tags of recordings, whose rows in the table stay, for their sound does.

    Yields
    ------
    Each change when it is written, or the error of :func:`write`.

    Raises
    ------
    DataError
        If the database of the table is in use, damaged, or cannot be written.
    """
    with retaining(table) as retain:
        for change in changes:
            before = stamp(change.path)
            try:
                write(change, sandbox=sandbox)
            except CCMusicError as error:
                yield error
            else:
                retain(change.path, before)
                yield change


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
        with temporary_sibling(path) as copy:
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
    """Write the genre into a copy; runs in a child of the sandbox."""
    shutil.copy2(path, copy)
    tagged = _open(path)
    for owner in [*_further(path, tagged.tags), tagged]:
        _set_genre(owner, genre)
        tags = getattr(owner, "tags", owner)
        old = isinstance(tags, ID3) and (1, 1) < tags.version < (2, 4)
        owner.save(copy, **({"v2_version": 3, "v23_sep": None} if old else {}))
    _keep_id3v1(path, copy, genre)
    read_back = _genres_in(copy, _load(type(tagged), copy))  # by type: the copy has no suffix
    read_back.pop(_INFO, None)
    same = (
        set(read_back.values()) == {genre}
        and audio.digest(copy) == audio.digest(path)
        and np.array_equal(audio.load(copy).samples, audio.load(path).samples)
    )
    if not same:
        raise DataError(f"{path}: a tagged copy does not read back the same; nothing was changed")


def _genres(path: Path) -> dict[str, str]:
    """Genres in the tags of a recording, by the name of the tag; runs in a child of the sandbox."""
    _complain_of_kept(path.resolve())
    return _genres_in(path, _open(path))


def _open(path: Path) -> Any:
    try:
        open_regular(path).close()
        file = mutagen.File(path)
        file = file if file is None else _load(type(file), path)
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


def _load(kind: Any, path: Path) -> Any:
    """A file, or its tags of one kind. Old ID3 is not translated to ID3v2.4."""
    loaded = kind(path)
    tags = getattr(loaded, "tags", loaded)
    version = tags.version[:2] if isinstance(tags, ID3) else None
    if version == (2, 2):  # which Mutagen cannot write
        return kind(path, v2_version=3)
    return kind(path, translate=False) if version == (2, 3) else loaded


def _further(path: Path, main: Any) -> Iterator[Any]:
    """Tags of other kinds that hold a genre too: APEv2 after an MP3, ID3 before a FLAC."""
    for kind in (APEv2, ID3):
        if not isinstance(main, kind):
            with contextlib.suppress(mutagen.MutagenError):
                tags = _load(kind, path)
                # Not for an ID3v1: it would become an ID3v2, before what is no MP3.
                if _genre_in(tags) and getattr(tags, "version", (2,)) > (1, 1):
                    yield tags


def _genres_in(path: Path, file: Any) -> dict[str, str]:
    """Genres of all tags by their names, that of the format first."""
    found = {}
    for owner in (file, *_further(path, file.tags)):
        tags = getattr(owner, "tags", owner)
        id3 = isinstance(tags, ID3) and "ID3v{}.{}".format(*tags.version)
        found[id3 or type(owner).__name__] = _genre_in(tags)
    if info := _info_genre(path):
        found[_INFO] = info
    return found


def _genre_in(tags: Any) -> str:
    found = tags.get(_key(tags), []) if tags is not None else []
    return "; ".join(map(str, found.genres if isinstance(found, TCON) else found))


def _set_genre(owner: Any, genre: str) -> None:
    tags = getattr(owner, "tags", owner)  # of a file, or tags by themselves
    tags[_key(tags)] = TCON(encoding=3, text=[genre]) if isinstance(tags, ID3) else [genre]  # type: ignore[no-untyped-call]


def _key(tags: Any) -> str:
    names = {ID3: "TCON", MP4Tags: "\xa9gen", ASFTags: "WM/Genre"}
    return next((name for kind, name in names.items() if isinstance(tags, kind)), "genre")


def _info_genre(path: Path) -> str:
    """Genre in the INFO list of a WAV, which Mutagen cannot write."""
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return ""
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"LIST" and file.read(4) == b"INFO":
                continue  # its chunks follow
            if name == b"IGNR":
                text = file.read(min(size, 1000)).split(b"\0")[0]
                return text.decode("utf-8", "replace").strip()
            file.seek(size + size % 2 - 4 * (name == b"LIST"), os.SEEK_CUR)
    return ""


def _keep_id3v1(path: Path, copy: Path, genre: str) -> None:
    """Put an ID3v1 tag to the end of the copy again: it goes when an APEv2 tag is written."""
    old, new = (_last_bytes(file, 128) for file in (path, copy))
    if old.startswith(b"TAG") and not new.startswith(b"TAG"):
        number = TCON.GENRES.index(genre) if genre in TCON.GENRES else 255
        with copy.open("ab") as file:
            file.write(old[:-1] + bytes([number]))


def _last_bytes(path: Path, n: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - n))
        return file.read()
