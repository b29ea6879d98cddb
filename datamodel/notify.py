"""How does one process tell others that something has changed, so that none of them need ask again and again?

A topic is a short name, such as that of a job. On PostgreSQL topics travel by LISTEN and NOTIFY; on SQLite, whose
processes share a machine, by datagrams to the sockets in the archive's folder. A notice may be lost, never
made up: who waits looks again once a second (`POLL_S`) anyway.
"""

import contextlib
import logging
import os
import select
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg2
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.database import Database

log = logging.getLogger("vo_server.notify")

POLL_S = 1.0
"""How long to trust in being told."""

EVERYTHING = ""
"""The topic that wakes all who wait, after notices may have been missed."""

_CHANNEL = "vo_server"
_LONGEST_ADDRESS = 100
_LONGEST_TOPIC = 200


def notices(archive: Archive) -> "Notices":
    """The notices of an open archive, made on first use and closed with it."""
    made: Notices = archive.resource(
        "notices", lambda: Notices(archive.database, archive.config.archive / "notices")
    )
    return made


class Carrier(Protocol):
    """Takes topics from one process to others."""

    def fileno(self) -> int:
        """Readable when topics have come in."""

    def take(self) -> list[str]:
        """The topics that have come in; raises `OSError` when it is broken."""

    def close(self) -> None:
        """Stop listening."""


class Watch:
    """One who waits for a topic; a context manager.

    Whatever is told after it was entered is noticed, so look at the state of things after that.
    """

    def __init__(self, notices: "Notices", topic: str) -> None:
        self._notices = notices
        self._event = threading.Event()
        self.topic = topic

    def __enter__(self) -> "Watch":
        self._notices.add(self)
        return self

    def __exit__(self, *_error: object) -> None:
        self._notices.remove(self)

    def wait(self, seconds: float = POLL_S) -> bool:
        """Wait until somebody has told of the topic since the last time, or so long; whether somebody has."""
        told = self._event.wait(seconds)
        self._event.clear()
        return told

    def wake(self) -> None:
        """Have the one who waits look."""
        self._event.set()


class Notices:
    """What the threads of one process wait for; it listens from the first that does.

    Parameters
    ----------
    database
        Decides how topics travel.
    folder
        For sockets, where they travel by these; made when needed.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._listen, self._send = _CARRIERS[database.engine.dialect.name](database, folder)
        self._lock = threading.Lock()
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._wakeup: tuple[socket.socket, socket.socket] | None = None
        self._listening = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, topic: str) -> Watch:
        """Somebody who is going to wait for a topic."""
        return Watch(self, topic)

    def tell(self, topic: str) -> None:
        """Wake all who wait for a topic, in this process and all others; call it after the commit.

        It never fails, for what is told of has been done already: who cannot be told looks anyway.
        """
        self._wake(topic)
        try:
            self._send(topic[:_LONGEST_TOPIC])
        except (OSError, sa.exc.SQLAlchemyError) as failure:
            log.warning("others are not told of '%s': %s", topic, failure)

    def add(self, watch: Watch) -> None:
        """Have a watch woken from now on; the first has the process listen."""
        with self._lock:
            self._watches[watch.topic].add(watch)
            if self._thread is None:
                self._wakeup = socket.socketpair()
                self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()
        self._listening.wait(POLL_S)

    def remove(self, watch: Watch) -> None:
        """Have a watch woken no more."""
        with self._lock:
            self._watches[watch.topic].discard(watch)
            if not self._watches[watch.topic]:
                del self._watches[watch.topic]

    def close(self) -> None:
        """Stop listening; all who wait are woken."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and self._wakeup is not None:
            self._wakeup[1].send(b"x")
            thread.join(POLL_S)
            for end in self._wakeup:
                end.close()
        self._wake(EVERYTHING)

    def _wake(self, topic: str) -> None:
        with self._lock:
            named = self._watches.values() if topic == EVERYTHING else [self._watches.get(topic, set())]
            for watch in [each for group in named for each in group]:
                watch.wake()

    def _run(self) -> None:
        """Listen until closed; a carrier that breaks is replaced, and all are woken for what they missed."""
        assert self._wakeup is not None
        end = self._wakeup[0]
        while self._thread is not None:
            try:
                with contextlib.closing(self._listen()) as carrier:
                    self._listening.set()
                    self._hear(carrier, end)
            except OSError as failure:
                if self._thread is not None:
                    log.warning("notices are not heard for a moment: %s", failure)
                    _readable([end.fileno()], POLL_S)
            self._listening.set()
            self._wake(EVERYTHING)

    def _hear(self, carrier: Carrier, end: socket.socket) -> None:
        while self._thread is not None:
            if carrier.fileno() in _readable([carrier.fileno(), end.fileno()]):
                for topic in carrier.take():
                    self._wake(topic)


def _readable(descriptors: Sequence[int], seconds: float | None = None) -> set[int]:
    """Those that can be read, or are broken; `select.select` takes none from 1024 on, which a busy server has."""
    waiting = select.poll()
    for each in descriptors:
        waiting.register(each, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(None if seconds is None else seconds * 1000)}


Listen = Callable[[], Carrier]
Send = Callable[[str], None]


class _Sockets:
    """A socket of this process in a folder; whoever wants to tell something sends to all that are there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{new_object_id()[-12:]}.socket"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _address(self._path) as address:
            self._socket.bind(address)

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self) -> list[str]:
        topics: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                topics.append(self._socket.recv(_LONGEST_TOPIC * 4).decode(errors="replace"))
        return topics

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _address(path: Path) -> Any:
    """A name of a socket's path that is short enough for the kernel."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _send_to_sockets(folder: Path, topic: str) -> None:
    """Tell all who listen; what a killed process left behind is removed, and who is too busy looks anyway."""
    if not folder.is_dir():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in folder.glob("*.socket"):
            try:
                with _address(path) as address:
                    sender.sendto(topic.encode(), address)
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):
                continue


def _by_sockets(_database: Database, folder: Path) -> tuple[Listen, Send]:
    return lambda: _Sockets(folder), lambda topic: _send_to_sockets(folder, topic)


class _Listen:
    """A connection of its own on which PostgreSQL tells what it is told."""

    def __init__(self, database: Database) -> None:
        try:
            arguments, options = database.engine.dialect.create_connect_args(database.engine.url)
            self._connection: Any = psycopg2.connect(*arguments, **options)
            self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(f"LISTEN {_CHANNEL}")
        except psycopg2.Error as failure:
            raise ConnectionError(f"the database cannot be listened to: {failure}") from None

    def fileno(self) -> int:
        number: int = self._connection.fileno()
        return number

    def take(self) -> list[str]:
        try:
            self._connection.poll()
        except psycopg2.Error as failure:
            raise ConnectionError(f"the database ended the connection: {failure}") from None
        topics = [notice.payload for notice in self._connection.notifies]
        self._connection.notifies.clear()
        return topics

    def close(self) -> None:
        self._connection.close()


def _by_postgresql(database: Database, _folder: Path) -> tuple[Listen, Send]:
    def send(topic: str) -> None:
        with database.write() as connection:
            connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, topic)))

    return lambda: _Listen(database), send


_CARRIERS: dict[str, Callable[[Database, Path], tuple[Listen, Send]]] = {
    "sqlite": _by_sockets,
    "postgresql": _by_postgresql,
}
