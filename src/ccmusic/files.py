"""A path in, a path to write to out, which becomes the file only when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ccmusic.errors import CCMusicError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write beside, then rename: a failure leaves the old file whole and nothing half-written."""
    beside = path.with_name(f".{path.name}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Write a whole file, or nothing.

    Raises
    ------
    CCMusicError
        If it cannot be written.
    """
    try:
        with replacing(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise CCMusicError(f"{path}: cannot be written ({error.strerror})") from None
