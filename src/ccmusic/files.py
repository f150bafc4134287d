"""Writing files as a whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ccmusic.errors import CCMusicError

# Of macOS, Windows, Linux, and storage by Synology and QNAP; in lower case.
# fmt: off
_SYSTEM = frozenset((
    "__macosx", "$recycle.bin", "system volume information", "lost+found",
    "@eadir", "#recycle", "#snapshot", "@recycle",
))
# fmt: on
_LONGEST = 50  # characters of a name in that of a temporary file, which has at most 255 bytes


class NotAFileError(OSError):
    """A folder, pipe, socket or device where a file was expected."""

    def __init__(self) -> None:
        super().__init__("not a regular file")
        self.strerror = "not a regular file"


class NoNameError(OSError):
    """An empty name, which would be taken for that of the current folder."""

    def __init__(self) -> None:
        super().__init__("the name is empty")
        self.strerror = "the name is empty"


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read it. A pipe would block for ever, and a device may never end.

    Raises
    ------
    NoNameError
        If the path is an empty string.
    NotAFileError
        If it is a pipe, a socket or a device.
    OSError
        If it cannot be opened.
    """
    if not os.fspath(path):
        raise NoNameError
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):  # opening one raises PermissionError on Windows
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise NotAFileError
    return Path(path).open("rb")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that systems hide, of which nobody's music is a part."""
    return name.startswith(".") or name.lower() in _SYSTEM


@contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """Create an empty file with a unique name in the folder of another; removed at the end."""
    # Not by the tempfile module: the file is to have the mode of any new file.
    temporary = path.with_name(f".{path.name[:_LONGEST]}.{uuid.uuid4().hex}.part")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def clear(*paths: Path) -> None:
    """Remove temporary files of killed writers of one folder; no other writer may be running."""
    names = "|".join(re.escape(path.name[:_LONGEST]) for path in paths)
    left = re.compile(rf"\.({names})\.[0-9a-f]{{32}}\.part")
    with os.scandir(paths[0].parent) as entries:  # there may be a hundred thousand
        found = [entry.path for entry in entries if left.fullmatch(entry.name)]
    for file in found:
        Path(file).unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write beside, then rename: a failure leaves the old file whole and nothing half-written.

    Several writers use different temporary files, and the last one wins. The mode of the old file
    is kept. The target of a symbolic link is replaced, not the link. Pipes and devices such as
    ``/dev/null`` are written to directly.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        yield path
        return
    target = Path(os.path.realpath(path))
    with temporary_sibling(target) as temporary:
        yield temporary
        sync(temporary)
        if mode is not None:
            shutil.copymode(target, temporary)
        temporary.replace(target)
        _sync_folder(target.parent)


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, as far as the system can tell."""
    if sys.platform != "win32":
        with suppress(OSError):  # some network disks cannot, and some folders may not be read
            opened = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def write(path: Path, content: bytes) -> None:
    """Write a whole file, or nothing.

    Raises
    ------
    CCMusicError
        If it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise CCMusicError(f"{path}: cannot be written ({error.strerror})") from None
