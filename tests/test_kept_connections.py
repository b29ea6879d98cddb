"""Does the thread that has answered take the next request, if it comes at once, and leave threads to others?"""

import io
import os
import signal
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker

from vo_server.kept_connections import Fellows, KeptConnections


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> KeptConnections:
    """One whose requests are a byte each; it has four threads."""
    monkeypatch.setattr(
        ThreadWorker, "__init__", lambda self: setattr(self, "cfg", SimpleNamespace(threads=4))
    )
    monkeypatch.setattr(ThreadWorker, "handle", lambda _self, conn: conn.sock.recv(1) != b"e")
    made = KeptConnections()
    made.alive, made.nr_conns = True, 4
    return made


def _asked(
    requests: bytes, run: Callable[[Any], Any], buffered: io.BytesIO | None = None
) -> tuple[Any, bytes]:
    """What is told of a connection on which all this is asked, and what was not answered."""
    buffered = buffered or io.BytesIO()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(requests)
        parser = SimpleNamespace(unreader=SimpleNamespace(buf=buffered))
        told = run(SimpleNamespace(sock=ours, parser=parser))
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


def test_with_more_connections_than_threads_nobody_waits_behind_those_that_ask_again(
    worker: KeptConnections,
) -> None:
    worker.nr_conns = 5
    assert _asked(b"rr", worker.handle) == (True, b"r")


def test_what_was_read_along_is_answered_though_others_wait(worker: KeptConnections) -> None:
    buffered = io.BytesIO()
    buffered.write(b"r")
    worker.nr_conns = 5
    assert _asked(b"rre.", worker.handle, buffered) == (False, b".")


def test_a_server_that_ends_waits_for_nobody(worker: KeptConnections) -> None:
    worker.alive = False
    assert _asked(b"rr", worker.handle) == (True, b"r")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on: threads do not live on
def test_a_process_knows_whether_another_one_has_fewer_connections() -> None:
    fellows = Fellows()
    assert not fellows.has_fewer(5)
    fellows.tell(1, 0)
    assert not fellows.has_fewer(5), "which is itself"
    leave, left = os.pipe()
    other = os.fork()
    if not other:
        fellows.tell(2 + 64, 3)
        os.write(left, b"told")
        signal.pause()
    try:
        assert os.read(leave, 4) == b"told"
        assert fellows.has_fewer(4)
        assert not fellows.has_fewer(3)
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    assert not fellows.has_fewer(4), "it does not live any more"


def test_who_has_more_connections_lets_another_process_accept(
    worker: KeptConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(ThreadWorker, "accept", lambda _self, listener: done.append(listener))
    monkeypatch.setattr("time.sleep", lambda _: done.append("waited"))
    for connections in (2, 3):
        worker.nr_conns = connections
        monkeypatch.setattr(Fellows, "has_fewer", lambda _self, own: own > 2)
        worker.accept(f"accepted by one with {connections}")
    assert done == ["accepted by one with 2", "waited", "accepted by one with 3"]
