"""Does a thread that has done its work wait for more, and is nothing of that left to the child of a fork?"""

import os
import threading
from queue import SimpleQueue

import pytest

from datamodel import standby


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that other work has left are not here."""
    monkeypatch.setattr(standby, "_idle", [])


def _where() -> threading.Thread:
    found: SimpleQueue[threading.Thread] = SimpleQueue()
    standby.begin(lambda: found.put(threading.current_thread()))
    return found.get(timeout=10)


def _waiting(count: int) -> None:
    while len(standby._idle) < count:
        os.sched_yield()


def test_the_next_work_is_done_by_the_thread_that_waits() -> None:
    first = _where()
    _waiting(1)
    assert _where() is first
    assert first.daemon


def test_work_that_comes_while_others_is_done_has_a_thread_of_its_own() -> None:
    go, done = threading.Event(), SimpleQueue[int]()
    for number in range(3):
        standby.begin(lambda number=number: (go.wait(10), done.put(number)))  # type: ignore[misc]
    go.set()
    assert {done.get(timeout=10) for _ in range(3)} == {0, 1, 2}
    _waiting(3)


def test_no_more_wait_than_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "MOST_IDLE", 0)
    _where().join(10)
    assert not standby._idle
