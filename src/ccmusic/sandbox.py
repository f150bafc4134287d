"""Functions on untrusted files in child processes with limits.

Decoders are large C libraries. A file that crashes or stalls its decoder, or exhausts its memory,
ends that child and fails only its own request. The child has an empty environment and few rights
(:func:`ccmusic.child.confine`), and its answers are data (:mod:`ccmusic.frames`): a decoder that a
file takes over can read what this user can read, and return a wrong result.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, ParamSpec, TypeVar

from ccmusic import frames
from ccmusic.errors import AudioError, CCMusicError, SandboxError, reason_of

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
MEMORY = 2 << 30
_GLANCE = 0.1  # seconds between checks for cancellation
_START_SECONDS = 120.0  # until a child must have started
# What a child needs to find libraries, and to decode file names as its parent does.
_ENVIRONMENT = (
    *("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE"),
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "TMPDIR", "TEMP", "TMP"),
)
# What libraries print goes nowhere: their output does not help users, and may be content of files.
_WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)
_PROGRAM = """
import os, pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
from ccmusic import child
child.serve(answers)
"""


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
    writable
        Whether the functions may write files and start threads.
    modules
        What a child imports before its first call, outside the time of that.
    """

    def __init__(
        self,
        workers: int,
        *,
        seconds: float = TIMEOUT_SECONDS,
        memory: int = MEMORY,
        writable: bool = False,
        modules: Sequence[str] = (),
    ) -> None:
        self.seconds, self.memory = seconds, memory
        self._setup = {
            "seconds": seconds,
            "memory": memory,
            "writable": writable,
            "modules": tuple(modules),
        }
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
            Of a module. It and its arguments are pickled; the result is what
            :mod:`ccmusic.frames` can carry.

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
            if child is None or child.process.poll() is not None:
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
        failure: Exception | None = None
        try:
            child.ask(request)
            while True:
                kind, value = child.answer(self.seconds, cancelled)
                if kind == "result":
                    yield value
                elif kind == "memory":  # such a child is not used again
                    raise AudioError("decoder_memory", file=file, megabytes=self.memory >> 20)
                elif kind == "end":
                    child.idle = not value
                    break
                elif isinstance(value, CCMusicError):
                    failure = value
                else:
                    failure = AudioError("decoder_failed", file=file, reason=value)
        except TimeoutError:
            raise AudioError("decoder_slow", file=file, seconds=self.seconds) from None
        except (EOFError, OSError):
            if not (cancelled and cancelled.is_set()):
                raise AudioError("decoder_died", file=file) from None
        if failure:
            raise failure

    def _start(self, dead: _Child | None) -> _Child:
        if dead:
            self._discard(dead)
        child = _Child(self._setup)
        self._children.add(child)
        if self._closed:
            self._discard(child)
        return child

    def _discard(self, child: _Child) -> None:
        self._children.discard(child)
        child.kill()

    def close(self) -> None:
        """End the children; a running call fails."""
        self._closed = True
        for child in list(self._children):
            child.process.kill()
            child.process.wait()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _once(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[T]:
    yield function(*args, **kwargs)


class _Child:
    def __init__(self, setup: dict[str, Any]) -> None:
        try:
            # Not by forking: the parent has threads, whose locks a fork would keep locked.
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if sys.flags.dev_mode else subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                # Ctrl-C reaches the parent alone, which ends its children.
                start_new_session=True,
                creationflags=_WINDOWS_FLAGS,
            )
        except OSError as error:
            raise SandboxError("sandbox_start", reason=reason_of(error)) from None
        self.idle = True
        try:
            pickle.dump(sys.path, self._requests)
            self.ask(setup)
            self.answer(_START_SECONDS)
        except (EOFError, OSError) as error:
            self.kill()
            slow = isinstance(error, TimeoutError)
            reason = f"not ready in {_START_SECONDS:.0f} s" if slow else "it ended at once"
            raise SandboxError("sandbox_start", reason=reason) from None

    @property
    def _requests(self) -> BinaryIO:
        assert self.process.stdin
        return self.process.stdin  # type: ignore[return-value]

    def ask(self, request: Any) -> None:
        """Send a request; errors as :meth:`answer`."""
        try:
            self._requests.write(pickle.dumps(request))
            self._requests.flush()
        except ValueError:  # closed by another thread just now
            raise EOFError from None

    def answer(self, seconds: float, cancelled: threading.Event | None = None) -> tuple[str, Any]:
        """Wait for an answer.

        Raises
        ------
        TimeoutError
            If it took too long.
        EOFError, OSError
            If the child has ended, or was ended because the call is cancelled.
        """
        answered, slow = threading.Event(), threading.Event()

        def watch() -> None:
            deadline = time.monotonic() + seconds
            while not answered.wait(_GLANCE if cancelled else seconds):
                if time.monotonic() >= deadline:
                    slow.set()
                if slow.is_set() or (cancelled and cancelled.is_set()):
                    self.process.kill()
                    return

        threading.Thread(target=watch, daemon=True, name="ccmusic-watch").start()
        try:
            kind, value = frames.read(self.process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError, TypeError, ValueError):
            raise TimeoutError if slow.is_set() else EOFError from None
        finally:
            answered.set()
        return kind, value

    def kill(self) -> None:
        """End the child, and forget it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
