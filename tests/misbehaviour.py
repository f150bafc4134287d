"""What a decoder may do; children import this, so it imports little."""

import contextlib
import errno
import json
import os
import pickle
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ccmusic.errors import AudioError


def die() -> None:
    os._exit(3)


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


def change(deed: str, path: str) -> str:
    """Try to change a file; return the name of the error that stopped it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    there = Path(path)
    try:
        if deed == "write":
            there.write_text("changed")
        elif deed == "append":
            with there.open("a") as file:
                file.write("more")
        elif deed == "remove":
            there.unlink()
        elif deed == "rename":
            there.rename(there.with_name("other.txt"))
        elif deed == "make":
            there.with_name("new").mkdir()
        else:
            os.truncate(there, 0)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def connect(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def environment() -> list[str]:
    return list(os.environ)


def read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def limits(name: str) -> tuple[int, int]:
    import resource

    what = getattr(resource, name)
    soft, _ = resource.getrlimit(what)
    with contextlib.suppress(ValueError, OSError):
        os.setuid(65_534)  # root may raise them again
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (soft, resource.RLIM_INFINITY))
    return resource.getrlimit(what)


class _Attack:
    def __init__(self, made: str) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.made,)


def attack(kind: str, made: str) -> None:
    """Write something else than frames to the parent."""
    heads = {
        "class": {"value": {"object": 0}, "objects": [["os.mkdir", made]], "arrays": []},
        "huge": {"value": {"array": 0}, "objects": [], "arrays": [["<f8", [1 << 50]]]},
        "text": {"value": "result", "objects": [], "arrays": []},
    }
    content = pickle.dumps(_Attack(made))
    if kind in heads:
        text = json.dumps(heads[kind]).encode()
        content = len(text).to_bytes(8, "little") + text
    for descriptor in range(3, 10):
        with contextlib.suppress(OSError):
            os.write(descriptor, content)
    os._exit(0)


def return_something() -> object:
    return _Attack("")
