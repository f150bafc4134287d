"""The child side of :mod:`ccmusic.sandbox`: it gives up rights, and answers requests."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from threadpoolctl import threadpool_limits

from ccmusic import frames
from ccmusic.errors import CCMusicError

if sys.platform != "win32":
    import resource

_LIFE = 3600  # seconds of processor time, after which a child is replaced by a new one
# Linux, the same on all processors: include/uapi/linux/{prctl,landlock}.h
_NO_NEW_PRIVILEGES = 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
# By version of Landlock: rights to change files (write, remove, make, refer, truncate), to bind
# and connect TCP, and to reach abstract sockets and signal processes outside.
_CHANGES = 0b1_1111_1111_0010
_FROM_VERSION = {1: _CHANGES, 2: 1 << 13 | _CHANGES, 3: 0b11 << 13 | _CHANGES}


def serve(answers: BinaryIO) -> None:
    """Answer requests on standard input until the parent is gone."""
    requests = sys.stdin.buffer
    setup = pickle.load(requests)
    for module in setup["modules"]:
        import_module(module)
    # One thread for linear algebra per child: all children share the same cores. Before the rights
    # go, because threadpoolctl 3.5 looks for the C library with a temporary file.
    threadpool_limits(1)
    confine(setup["memory"], writable=setup["writable"])
    frames.write(answers, ("ready", None))
    with contextlib.suppress(EOFError, OSError, MemoryError):
        while True:
            function, args = pickle.load(requests)
            started = time.process_time()
            # The parent kills slow children; this limit holds if the parent is gone.
            _limit("RLIMIT_CPU", started + setup["seconds"] + 1, for_good=False)
            for answer in _answers(function, args):
                try:
                    frames.write(answers, answer)
                except TypeError as error:
                    frames.write(answers, ("failed", str(error)))
                    break
            tired = time.process_time() + setup["seconds"] > _LIFE
            frames.write(answers, ("end", tired))


def _answers(
    function: Callable[..., Iterable[object]], args: tuple[Any, ...]
) -> Iterator[tuple[str, object]]:
    try:
        for result in function(*args):
            yield "result", result
    except CCMusicError as error:
        yield "error", error
    except MemoryError:
        yield "memory", None
    except Exception as error:
        yield "failed", f"{type(error).__name__}: {error}".splitlines()[0]


def confine(memory: int, *, writable: bool) -> None:
    """Give up, for good, what decoding does not need.

    On Linux: memory beyond what the child needs to start, core files, new privileges; unless files
    are to be written, also their change, processes and threads (without the rights of root), and
    TCP connections, as far as the kernel has Landlock. On other systems with POSIX limits, core
    files alone.
    """
    _limit("RLIMIT_CORE", 0)
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _limit("RLIMIT_AS", pages * resource.getpagesize() + memory)
    _limit("RLIMIT_CPU", _LIFE)
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if writable:
        return
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_NPROC", 0)
    version = system.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return
    rules = struct.pack(
        "QQQ",
        _FROM_VERSION.get(version, _FROM_VERSION[3]),
        0b11 if version >= 4 else 0,
        0b11 if version >= 6 else 0,
    )[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = system.syscall(_LANDLOCK_CREATE, rules, len(rules), 0)
    if ruleset >= 0:
        system.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
        os.close(ruleset)


def _limit(name: str, wanted: float, *, for_good: bool = True) -> None:
    """Set a limit as far as the hard one allows, and the hard one with it if for good."""
    if sys.platform == "win32":
        return
    what = getattr(resource, name)
    _, most = resource.getrlimit(what)
    wanted = int(wanted) if most == resource.RLIM_INFINITY else min(int(wanted), most)
    resource.setrlimit(what, (wanted, wanted if for_good else most))
