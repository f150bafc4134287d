"""What a decoder may do; children import this, so it imports little."""

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ccmusic.errors import AudioError


def die() -> None:
    os._exit(3)


def die_at_once(*_: object) -> None:
    os._exit(3)


def run_inside(connection: Connection, folder: str, *files: str) -> None:
    """Run a batch in a process that may have no children; send what it says."""
    from ccmusic import batch
    from ccmusic.batch.rows import Options

    try:
        batch.run(files, Path(folder, "out.jsonl"), Options(models=("jazz", "rock")))
    except Exception as error:
        connection.send((type(error).__name__, str(error)))


def whisper() -> None:
    os.write(2, b"a C library has an opinion\n")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    time.sleep(600)


def spin() -> None:
    while True:
        pass


def devour() -> None:
    np.ones(1 << 40)


def stumble() -> None:
    raise OSError("two\nlines")


def refuse(file: str) -> None:
    raise AudioError("cannot_open", file=file, reason=OSError("no"))


def child(_: object = None) -> int:
    return os.getpid()


def count(n: int, wait: float = 0.0) -> Iterator[int]:
    for i in range(n):
        time.sleep(wait)
        yield i
