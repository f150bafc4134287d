"""Functions on untrusted files in child processes with limits.

Decoders are large C libraries. A file that crashes or stalls its decoder, or exhausts its memory,
ends that child and fails only its own request. This protects against accidents and overload; it is
no security boundary, because the child has the rights of its parent.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import spawn
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

from ccmusic.errors import AudioError, CCMusicError, SandboxError, reason_of

if sys.platform != "win32":
    import resource

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
MEMORY = 2 << 30
_GLANCE = 0.1  # seconds between checks for cancellation
_START_SECONDS = 120.0  # seconds until a child must have started
_NAME = "ccmusic-decoder"


class Sandbox(contextlib.AbstractContextManager["Sandbox"]):
    """Child processes that call functions on files. May be shared between threads.

    >>> from ccmusic import audio
    >>> with Sandbox(2) as sandbox:
    ...     sandbox.run("rain.ogg", audio.load, "examples/rain.ogg").info.codec
    'vorbis'

    Parameters
    ----------
    workers
        Children that run at the same time at most; each starts when it is first needed, and a
        caller that finds all of them busy waits.
    seconds
        How long a result may take until its child is killed; of processor time, a call.
    memory
        Bytes that a call may need beyond what the child needs to start (Linux).
    """

    def __init__(
        self, workers: int, *, seconds: float = TIMEOUT_SECONDS, memory: int = MEMORY
    ) -> None:
        self.seconds, self.memory = seconds, memory
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._children: set[_Child] = set()
        self._closed = False

    def run(self, file: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a child.

        Parameters
        ----------
        file
            Name of the file in errors.
        function
            Of a module; arguments and result go between processes by pickling.

        Raises
        ------
        AudioError
            If the child died, or exceeded its time or memory.
        SandboxError
            If no child can be started.
        CCMusicError
            That the function raised.
        """
        (result,) = self.stream(file, _once, function, args, kwargs)
        return result  # type: ignore[no-any-return]

    def stream(
        self,
        file: str,
        function: Callable[..., Iterable[T]],
        *args: Any,
        cancelled: threading.Event | None = None,
    ) -> Iterator[T]:
        """Iterate in a child; as :meth:`run`, but every result comes as soon as it is there.

        Parameters
        ----------
        cancelled
            Set from another thread, it ends the iteration, and what the child was doing.
        """
        child = self._idle.get()
        try:
            # A child that died between requests is not the fault of this file.
            if child is None or not child.process.is_alive():
                child = self._start(child)
            yield from self._ask(child, file, (function, args), cancelled)
        finally:
            if child is not None and not child.idle:
                self._discard(child)
                child = None
            self._idle.put(child)

    def _ask(
        self, child: _Child, file: str, request: Any, cancelled: threading.Event | None
    ) -> Iterator[Any]:
        child.idle = False
        try:
            child.connection.send(request)
            while True:
                deadline = time.monotonic() + self.seconds
                while not child.connection.poll(_GLANCE):
                    if cancelled and cancelled.is_set():
                        return
                    if time.monotonic() > deadline:
                        raise AudioError("decoder_slow", file=file, seconds=self.seconds)
                kind, value = child.connection.recv()
                if kind == "result":
                    yield value
                    continue
                if kind == "memory":  # such a child is not used again
                    raise AudioError("decoder_memory", file=file, megabytes=self.memory >> 20)
                child.idle = True
                if kind == "error":
                    raise value
                if kind == "failed":
                    raise AudioError("decoder_failed", file=file, reason=value)
                return
        except (EOFError, OSError):
            raise AudioError("decoder_died", file=file) from None

    def _start(self, dead: _Child | None) -> _Child:
        if dead:
            self._discard(dead)
        child = _Child(self.seconds, self.memory)
        self._children.add(child)
        if self._closed:
            self._discard(child)
        return child

    def _discard(self, child: _Child) -> None:
        self._children.discard(child)
        child.process.kill()
        child.process.join()
        child.connection.close()

    def close(self) -> None:
        """End the children; a running call fails."""
        self._closed = True
        for child in list(self._children):
            child.process.kill()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _once(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[T]:
    yield function(*args, **kwargs)


_preparation_data = spawn.get_preparation_data


def _without_main(name: str) -> dict[str, Any]:
    """Keep a child from importing the caller's main module.

    The child does not need it, and a script without ``if __name__ == "__main__"`` would run again.
    multiprocessing has no option for this.
    """
    data = _preparation_data(name)
    if name == _NAME:
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data


spawn.get_preparation_data = _without_main


class _Child:
    def __init__(self, seconds: float, memory: int) -> None:
        # Not by forking: the parent has threads, whose locks a fork would keep locked.
        if sys.platform == "linux":
            context = multiprocessing.get_context("forkserver")
            # The server imports everything once; a new child then takes milliseconds.
            context.set_forkserver_preload(["ccmusic.analysis"])
        else:
            context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, seconds, memory), daemon=True, name=_NAME
        )
        try:
            self.process.start()
            other.close()  # so that the pipe ends with the child
            if not self.connection.poll(_START_SECONDS):
                raise TimeoutError(f"it did not start within {_START_SECONDS:.0f} s")
            self.connection.recv()
        except Exception as error:  # also assertions of multiprocessing
            if self.process.pid is not None:
                self.process.kill()
                self.process.join()
            self.connection.close()
            reason = "it ended at once" if isinstance(error, EOFError) else reason_of(error)
            raise SandboxError("sandbox_start", reason=reason) from None
        self.idle = True


def _serve(connection: Connection, seconds: float, memory: int) -> None:
    """Answer requests until the parent is gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes; the parent ends its children
    if not sys.flags.dev_mode:
        # Output of C libraries does not help users, and may contain content of the file.
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    if sys.platform != "win32":
        _limit(resource.RLIMIT_CORE, 0)
    connection.send("ready")
    # One thread for linear algebra per child: all children share the same cores.
    with threadpool_limits(1), contextlib.suppress(EOFError, OSError, MemoryError):
        while True:
            function, args = connection.recv()
            if sys.platform != "win32":
                # The parent kills slow children; this limit holds if the parent is gone.
                _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds) + 1)
            for answer in _answers(function, args):
                connection.send(answer)


if sys.platform != "win32":

    def _limit(what: int, wanted: int) -> None:
        """Set a soft limit, as far as the hard one allows."""
        _, most = resource.getrlimit(what)
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        resource.setrlimit(what, (wanted, most))


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
    else:
        yield "end", None
