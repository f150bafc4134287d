"""Work that goes on while the page is drawn again, for example in another language."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Background(Generic[T, R]):
    """A function in a thread of its own, whose results several runs of the page can follow.

    Parameters
    ----------
    work
        Called with a function that it calls with each intermediate result; returns the last one.
    """

    def __init__(self, work: Callable[[Callable[[T], None]], R]) -> None:
        self._news = threading.Condition()
        self._results: list[T] = []
        self._outcome: tuple[R | None, Exception | None] | None = None
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[[Callable[[T], None]], R]) -> None:
        outcome: tuple[R | None, Exception | None]
        try:
            outcome = work(self._tell), None
        except Exception as error:  # raised again where someone waits for it
            outcome = None, error
        with self._news:
            self._outcome = outcome
            self._news.notify_all()

    def _tell(self, result: T) -> None:
        with self._news:
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
        while True:
            with self._news:
                while not self.finished and len(self._results) == seen:
                    self._news.wait()
                fresh = self._results[seen:]
            if not fresh:
                return
            yield from fresh
            seen += len(fresh)

    def result(self) -> R:
        """Wait for the last result, and raise what the function raised."""
        with self._news:
            self._news.wait_for(lambda: self.finished)
        assert self._outcome is not None
        result, error = self._outcome
        if error:
            raise error
        return result  # type: ignore[return-value]
