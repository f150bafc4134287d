"""Work in the background goes on while somebody follows it, and is given up afterwards."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("streamlit")

from ccmusic.dashboard.background import Background


class Counting:
    """Tells 0, 1, 2, ..., each as soon as it may; counts how often it began and ended early."""

    def __init__(self, most: int) -> None:
        self.most, self.begun = most, 0
        self.may = threading.Semaphore(0)
        self.ended = threading.Event()

    def __call__(self, tell: Callable[[int], None]) -> str:
        self.begun += 1
        try:
            for number in range(self.most):
                self.may.acquire()
                tell(number)
        finally:
            self.ended.set()
        return "done"


def first(following: Iterator[Any]) -> Any:
    return next(following)


def test_work_that_nobody_follows_is_given_up_and_begins_anew_with_who_does() -> None:
    counting = Counting(3)
    work = Background(counting, patience=0)
    counting.may.release(2)
    assert counting.ended.wait(60)
    assert not work.finished
    assert work.results == []
    counting.may.release(9)
    assert list(work.follow()) == [0, 1, 2]
    assert work.result() == "done"
    assert counting.begun == 2


def test_who_stops_following_ends_the_work_and_who_goes_on_does_not() -> None:
    counting = Counting(3)
    work = Background(counting, patience=0)
    one, other = work.follow(), work.follow()
    threads = [threading.Thread(target=first, args=[each]) for each in (one, other)]
    for thread in threads:
        thread.start()
    while work._followers < 2:
        pass
    counting.may.release()
    for thread in threads:
        thread.join()
    one.close()  # type: ignore[attr-defined]
    counting.may.release()
    assert next(other) == 1
    other.close()  # type: ignore[attr-defined]
    counting.may.release()
    assert counting.ended.wait(60)
    assert not work.finished
    assert counting.begun == 1


def test_who_waits_for_the_last_result_follows() -> None:
    counting = Counting(2)
    found: list[str] = []
    work = Background(counting, patience=0)
    waiting = threading.Thread(target=lambda: found.append(work.result()))
    waiting.start()
    while not work._followers:
        pass
    counting.may.release(2)
    waiting.join()
    assert found == ["done"]


def test_by_default_it_is_done_whoever_follows() -> None:
    counting = Counting(2)
    work = Background(counting)
    counting.may.release(2)
    assert counting.ended.wait(60)
    assert work.result() == "done"
    assert counting.begun == 1
