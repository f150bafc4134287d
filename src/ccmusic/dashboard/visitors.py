"""What visitors brought, kept for a while: a reload is a new session to Streamlit.

A secret in a cookie tells whose it is. The address of the page says only which.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import streamlit as st

T = TypeVar("T")
_COOKIE = "ccmusic_visitor"
_SAVE = """export default function ({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.secret}; path=/; SameSite=Strict${secure}`;
}"""
_save = st.components.v2.component("ccmusic_cookie", js=_SAVE, isolate_styles=False)


def visitor() -> str:
    """Secret of the visitor, made up when something is to be kept for the first time."""
    state = st.session_state
    if "visitor" not in state:
        state.visitor = cookie() or secrets.token_urlsafe(24)
    secret: str = state.visitor
    return secret


def known_visitor() -> str | None:
    """Secret of the visitor; None if nothing of theirs was ever kept."""
    return st.session_state.get("visitor") or cookie()


def cookie() -> str | None:
    """Secret that the browser remembers, until it is closed."""
    secret: str | None = st.context.cookies.get(_COOKIE)
    return secret


def remember_visitor() -> None:
    """Let the browser remember the secret, if there is one and the browser has another."""
    secret = st.session_state.get("visitor")
    if secret and secret != cookie():
        _save(key="cookie", data={"name": _COOKIE, "secret": secret})


class Keep(Generic[T]):
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
        self._seconds, self._most, self._each = seconds, most, each
        self._size, self._discard, self._clock = size, discard, clock
        self._kept: dict[tuple[str, str], tuple[T, float]] = {}  # the longest unused first
        self._lock = threading.Lock()

    def put(self, owner: str, things: Mapping[str, T]) -> None:
        """Keep things under their names; of an owner who has too many, the last ones."""
        with self._lock:
            for name, thing in things.items():
                self._kept.pop((owner, name), None)
                self._kept[owner, name] = thing, self._clock()
            self._tidy()

    def get(self, owner: str) -> dict[str, T]:
        """All that is kept of an owner, by name."""
        with self._lock:
            self._tidy()
            found = {name: kept[0] for (its, name), kept in self._kept.items() if its == owner}
            for name, thing in found.items():
                del self._kept[owner, name]
                self._kept[owner, name] = thing, self._clock()
            return found

    def remove(self, owner: str, names: Iterable[str]) -> None:
        """Keep these no longer."""
        with self._lock:
            for name in names:
                self._drop((owner, name))

    def _tidy(self) -> None:
        for key, (_, since) in list(self._kept.items()):
            if since < self._clock() - self._seconds:
                self._drop(key)
        for owner in {owner for owner, _ in self._kept}:
            self._shrink([key for key in self._kept if key[0] == owner], self._each)
        self._shrink(list(self._kept), self._most)

    def _shrink(self, keys: list[tuple[str, str]], most: int) -> None:
        total = sum(self._size(self._kept[key][0]) for key in keys)
        for key in keys:
            if total <= most:
                return
            total -= self._size(self._kept[key][0])
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        if key in self._kept:
            self._discard(self._kept.pop(key)[0])
