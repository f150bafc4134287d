"""Results that all visitors share.

Streamlit has such a cache; but any visitor's browser may ask Streamlit to empty it for everybody.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from inspect import signature
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Cached(Generic[P, R]):
    """A function whose last results are kept; errors are not.

    Who asks for a result that somebody else is computing waits for it.

    Parameters
    ----------
    function
        What is computed.
    most
        Number of results that are kept; those that were not asked for the longest go first.
    key
        What tells an argument from others; by default itself.
    """

    def __init__(
        self, function: Callable[P, R], most: int, key: Callable[[object], Hashable]
    ) -> None:
        wraps(function)(self)
        self._function, self._most, self._key = function, most, key
        self._signature = signature(function)
        self._slots: OrderedDict[Hashable, _Slot[R]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result for these arguments, computed if it is not kept."""
        key = self._key_of(args, kwargs)
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if not slot.results:
                slot.results.append(self._function(*args, **kwargs))
            return slot.results[0]

    def _key_of(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Hashable:
        given = self._signature.bind(*args, **kwargs)
        given.apply_defaults()  # what is left out is no other question
        return tuple(map(self._key, given.arguments.values()))

    def known(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result for these arguments if it is kept; nothing is computed."""
        with self._lock:
            slot = self._slots.get(self._key_of(args, kwargs))
        return slot.results[0] if slot and slot.results else None

    def clear(self) -> None:
        """Keep none of the results."""
        with self._lock:
            self._slots.clear()


class _Slot(Generic[R]):
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.results: list[R] = []
