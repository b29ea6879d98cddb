"""Does the thread that has answered take the next request, if it comes at once, and leave threads to others?"""

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker

from vo_server.kept_connections import KeptConnections


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> KeptConnections:
    """One whose requests are a byte each; it has four threads."""
    monkeypatch.setattr(
        ThreadWorker, "__init__", lambda self: setattr(self, "cfg", SimpleNamespace(threads=4))
    )
    monkeypatch.setattr(ThreadWorker, "handle", lambda _self, conn: conn.sock.recv(1) != b"e")
    made = KeptConnections()
    made.alive = True
    return made


def _asked(requests: bytes, run: Callable[[Any], Any]) -> tuple[Any, bytes]:
    """What is told of a connection on which all this is asked, and what was not answered."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(requests)
        told = run(SimpleNamespace(sock=ours))
        ours.setblocking(False)
        try:
            return told, ours.recv(100)
        except BlockingIOError:
            return told, b""


def test_all_that_comes_at_once_is_answered_by_one_thread(worker: KeptConnections) -> None:
    assert _asked(b"rrr", worker.handle) == (True, b"")


def test_after_the_last_request_of_a_connection_nothing_is_read(worker: KeptConnections) -> None:
    assert _asked(b"rre.", worker.handle) == (False, b".")


def test_half_of_the_threads_wait_at_the_most(worker: KeptConnections) -> None:
    for _ in range(2):
        worker._waiting.acquire()
    assert _asked(b"rr", worker.handle) == (True, b"r")


def test_a_server_that_ends_waits_for_nobody(worker: KeptConnections) -> None:
    worker.alive = False
    assert _asked(b"rr", worker.handle) == (True, b"r")
