"""What a decoder may do; children import this, so it imports little."""

import os
import signal
import time
from collections.abc import Iterator

import numpy as np

from ccmusic.errors import AudioError


def die() -> None:
    os._exit(3)


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
