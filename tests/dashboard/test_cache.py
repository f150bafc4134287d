"""Results that visitors share are computed once, and nobody takes them from the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("streamlit")

from streamlit.runtime.caching import cache_data, cache_resource

from ccmusic.dashboard.cache import Cached


def test_a_result_is_computed_once_and_the_longest_unused_goes_first() -> None:
    calls = list[int]()

    def double(n: int) -> int:
        calls.append(n)
        return 2 * n

    cached = Cached(double, 2, lambda value: value)
    assert [cached(1), cached(2), cached(1), cached(3), cached(1), cached(2)] == [2, 4, 2, 6, 2, 4]
    assert calls == [1, 2, 3, 2]
    # What a visitor's browser may ask of Streamlit.
    cache_data.clear()
    cache_resource.clear()
    assert cached(2) == 4
    assert calls == [1, 2, 3, 2]
    cached.clear()
    cached(2)
    assert calls == [1, 2, 3, 2, 2]


def test_however_the_arguments_are_written_the_question_is_one() -> None:
    calls = list[tuple[int, int]]()

    def divide(n: int, by: int = 2) -> int:
        calls.append((n, by))
        return n // by

    cached = Cached(divide, 4, lambda value: value)
    assert [cached(8), cached(8, 2), cached(n=8), cached(8, by=4)] == [4, 4, 4, 2]
    assert cached.known(8, by=2) == 4
    assert calls == [(8, 2), (8, 4)]


def test_an_error_is_not_kept() -> None:
    answers: Iterator[ValueError | int] = iter([ValueError("no"), 7])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    cached = Cached(ask, 1, hash)
    with pytest.raises(ValueError, match="no"):
        cached()
    assert cached() == 7


def test_who_comes_meanwhile_waits_for_the_same_result() -> None:
    calls = list[int]()

    def slow(n: int) -> object:
        calls.append(n)
        time.sleep(0.2)
        return object()

    cached, got = Cached(slow, 4, hash), list[object]()
    threads = [threading.Thread(target=lambda: got.append(cached(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, got))) == 1
    assert calls == [1]
