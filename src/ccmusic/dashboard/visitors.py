"""What visitors brought, kept for a while: a reload is a new session to Streamlit.

A secret in a cookie tells whose it is. The address of the page says only which.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ccmusic.dashboard.gate import COOKIE
from ccmusic.dashboard.state import state

T = TypeVar("T")


def visitor() -> str:
    """Secret of the visitor; of this session alone where the browser keeps no cookie."""
    secret = state().visitor = known_visitor() or secrets.token_urlsafe(24)
    return secret


def known_visitor() -> str | None:
    """Secret of the visitor; None if nothing of theirs was ever kept."""
    return state().visitor or cookie()


def cookie() -> str | None:
    """Secret that the browser remembers, until it is closed."""
    secret: str | None = st.context.cookies.get(COOKIE)
    return secret


def largest_upload(megabytes: int) -> int:
    """Megabytes that an uploader takes: never more than the server does."""
    return min(megabytes, int(st.get_option("server.maxUploadSize")))


def release_upload() -> Callable[[str], None]:
    """Function that frees what an uploader of this session holds, by its ``file_id``.

    Streamlit itself frees it when the visitor takes it away, or the session ends. The only place
    that touches a part of Streamlit without a public name.
    """
    context = get_script_run_ctx()
    assert context is not None
    manager, session = context.uploaded_file_mgr, context.session_id

    def release(file_id: str) -> None:
        # The uploads of tests lie elsewhere.
        if isinstance(manager, MemoryUploadedFileManager):
            manager.remove_file(session, file_id)

    return release


@dataclass(frozen=True)
class _Kept(Generic[T]):
    thing: T
    size: int
    since: float


class VisitorStore(Generic[T]):
    """Things of many owners, in memory for a limited time and up to a limited size.

    Where there is too much, what was not asked for the longest goes first. May be shared between
    threads.

    Parameters
    ----------
    seconds
        How long something is kept after it was last put or got.
    most, each
        Bytes of all owners together, and of one.
    size
        Bytes of a thing.
    discard
        Called with what is no longer kept.
    clock
        Seconds that have passed, for tests.
    """

    def __init__(
        self,
        *,
        seconds: float,
        most: int,
        each: int,
        size: Callable[[T], int],
        discard: Callable[[T], None] = lambda thing: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._most, self.each = seconds, most, each
        self._size, self._discard, self._clock = size, discard, clock
        # The longest unused first, here and among the names of an owner.
        self._kept: dict[tuple[str, str], _Kept[T]] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._bytes: Counter[str] = Counter()  # of each owner
        self._total = 0
        self._lock = threading.Lock()

    def put(self, owner: str, things: Mapping[str, T]) -> None:
        """Keep things under their names; of an owner who has too many, the last ones."""
        with self._lock:
            for name, thing in things.items():
                if (owner, name) in self._kept and self._kept[owner, name].thing is not thing:
                    self._drop(owner, name)
                self._touch(owner, name, _Kept(thing, self._size(thing), self._clock()))
            self._tidy(owner)

    def get(self, owner: str) -> dict[str, T]:
        """All that is kept of an owner, by name."""
        with self._lock:
            self._tidy(owner)
            for name in list(self._names.get(owner, ())):
                self._touch(owner, name, replace(self._kept[owner, name], since=self._clock()))
            return {name: self._kept[owner, name].thing for name in self._names.get(owner, ())}

    def remove(self, owner: str, names: Iterable[str]) -> None:
        """Keep these no longer."""
        with self._lock:
            for name in names:
                if (owner, name) in self._kept:
                    self._drop(owner, name)

    def _touch(self, owner: str, name: str, kept: _Kept[T]) -> None:
        """Make it the one that was used last."""
        before = self._kept.pop((owner, name), None)
        self._kept[owner, name] = kept
        names = self._names.setdefault(owner, {})
        names.pop(name, None)
        names[name] = None
        self._bytes[owner] += kept.size - (before.size if before else 0)
        self._total += kept.size - (before.size if before else 0)

    def _tidy(self, owner: str) -> None:
        """Drop what is too old or too much: work for what goes, not for what stays."""
        oldest = self._clock() - self._seconds
        while self._kept and next(iter(self._kept.values())).since < oldest:
            self._drop(*next(iter(self._kept)))
        while self._bytes[owner] > self.each:
            self._drop(owner, next(iter(self._names[owner])))
        while self._total > self._most:
            self._drop(*next(iter(self._kept)))

    def _drop(self, owner: str, name: str) -> None:
        kept = self._kept.pop((owner, name))
        del self._names[owner][name]
        self._total -= kept.size
        self._bytes[owner] -= kept.size
        if not self._names[owner]:
            del self._names[owner], self._bytes[owner]
        self._discard(kept.thing)
