"""Work that goes on while the page is drawn again, for example in another language."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _NobodyFollowsError(Exception):
    """The work is given up."""


class Background(Generic[T, R]):
    """A function in a thread of its own, whose results several runs of the page can follow.

    Parameters
    ----------
    work
        Called with a function that it calls with each intermediate result; returns the last one.
    patience
        Seconds for which the work goes on while nobody follows it. After that it is given up at
        its next intermediate result, and begins anew with the next who follows.
    """

    def __init__(
        self, work: Callable[[Callable[[T], None]], R], *, patience: float = math.inf
    ) -> None:
        self._work, self._patience = work, patience
        self._news = threading.Condition()
        self._followers = 0
        self._start()

    def _start(self) -> None:
        self._results: list[T] = []
        self._outcome: tuple[R | None, Exception | None] | None = None
        self._given_up = False
        self._alone_since = time.monotonic()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        outcome: tuple[R | None, Exception | None]
        try:
            outcome = self._work(self._tell), None
        except _NobodyFollowsError:
            return
        except Exception as error:  # raised again where someone waits for it
            outcome = None, error
        with self._news:
            self._outcome = outcome
            self._news.notify_all()

    def _tell(self, result: T) -> None:
        with self._news:
            alone = 0 if self._followers else time.monotonic() - self._alone_since
            if alone > self._patience:
                self._given_up = True
                raise _NobodyFollowsError
            self._results.append(result)
            self._news.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the last result is there, or an error."""
        return self._outcome is not None

    @property
    def results(self) -> list[T]:
        """The intermediate results so far."""
        with self._news:
            return self._results.copy()

    def follow(self) -> Iterator[T]:
        """Every intermediate result, those that are there at once and the others as they come."""
        seen = 0
        with self._news:
            self._followers += 1
            if self._given_up:
                self._start()
        try:
            while True:
                with self._news:
                    while not self.finished and len(self._results) == seen:
                        self._news.wait()
                    fresh = self._results[seen:]
                if not fresh:
                    return
                yield from fresh
                seen += len(fresh)
        finally:
            with self._news:
                self._followers -= 1
                self._alone_since = time.monotonic()

    def result(self) -> R:
        """Wait for the last result, and raise what the function raised."""
        deque(self.follow(), maxlen=0)
        assert self._outcome is not None
        result, error = self._outcome
        if error:
            raise error
        return result  # type: ignore[return-value]
