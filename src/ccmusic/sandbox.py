"""A function and a hostile file in, its result or one clear error out; the program goes on.

Decoders are large C libraries that read whatever a stranger sends. Here they run in child
processes with a limit of memory and of time: a file that crashes, stalls or floods its decoder
costs that child, and only its own request. It is a guard against accidents and overload; the
child runs with the rights of its parent.
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
_GLANCE = 0.1  # seconds between looks at whether the answer is still wanted
_START_SECONDS = 120.0  # until a child is given up that does not start
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
            What errors call the file.
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
            # A child that died while nobody looked is no fault of this file.
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
        """Let the children go; a call that is under way fails."""
        self._closed = True
        for child in list(self._children):
            child.process.kill()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _once(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[T]:
    yield function(*args, **kwargs)


_preparation_data = spawn.get_preparation_data


def _without_main(name: str) -> dict[str, Any]:
    """Leave out the caller's main module, which a child would import.

    It holds nothing that the child needs, and a script without ``if __name__ == "__main__"`` would
    run again. For this multiprocessing has no option.
    """
    data = _preparation_data(name)
    if name == _NAME:
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data


spawn.get_preparation_data = _without_main


class _Child:
    def __init__(self, seconds: float, memory: int) -> None:
        # Not by forking: the parent has threads, and a fork of those inherits locks for ever.
        if sys.platform == "linux":
            context = multiprocessing.get_context("forkserver")
            # The server imports once what every child needs; a new child takes milliseconds.
            context.set_forkserver_preload(["ccmusic.analysis"])
        else:
            context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, seconds, memory), daemon=True, name=_NAME
        )
        try:
            self.process.start()
            other.close()  # so that the end of the child is the end of the pipe
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent says when to end
    if not sys.flags.dev_mode:
        # What C libraries print of a file tells a user nothing, and may hold what the file holds.
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    if sys.platform != "win32":
        _limit(resource.RLIMIT_CORE, 0)
    connection.send("ready")
    # One thread for linear algebra: the children are many, and the threads of each would wait for
    # a turn on the same cores.
    with threadpool_limits(1), contextlib.suppress(EOFError, OSError, MemoryError):
        while True:
            function, args = connection.recv()
            if sys.platform != "win32":
                # The parent kills what takes too long; this is for when the parent is gone.
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
