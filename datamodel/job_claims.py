"""Who runs a job? One worker at a time, that holds it by a lock and a lease; if it dies, another begins again.

On one machine a worker proves that it lives by the lock on a file of its own, which the system takes away with
the process however that ends: a job whose holder is dead is free at once, and one whose holder is
merely slow never is. Of workers of other machines only their lease is known; they give up a job
themselves when they could not renew it for `FENCE_S`.
"""

import contextlib
import fcntl
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.job_rows import Job, Result, job, read, stored
from datamodel.jobs import QUEUE
from datamodel.notify import notices

LEASE_S = 120.0
FENCE_S = 90.0
ATTEMPTS = 3
"""How often a job is begun at the most; what ends its worker so often is its own fault."""

CLAIMED = crash.declare("job.claimed", "a worker has the job, and has written nothing")
NAMED = crash.declare("job.named", "the files of the results have their names, but no row points at them")


class Holder:
    """One worker as a holder of jobs; a context manager.

    Parameters
    ----------
    archive
        In whose folder its lock lies.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.id = new_object_id()
        self.host = socket.gethostname()
        self._path = _lock_path(archive, self.id)
        self._file: int | None = None
        self._is_unsure = False

    def __enter__(self) -> "Holder":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)

    def claim(self, services: Sequence[str]) -> Job | None:
        """The job that is next, now EXECUTING by this holder; None where none waits that may run.

        Of the callers who have jobs waiting, and fewer under way than the configuration lets them have, those
        with the fewest under way come first, then those who have waited longest.
        """
        if self._is_unsure:
            self._let_go()
        with self.archive.database.read() as connection:
            waiting = sa.select(job.c.id).where(job.c.phase == "QUEUED").limit(1)
            if connection.scalar(waiting) is None:
                return None
        self._is_unsure = True  # a commit that fails may have been done all the same
        with self.archive.database.write() as connection:
            lock = self.archive.database.facts.lock_schema
            if lock:
                connection.exec_driver_sql(lock)
            id = _next(connection, services, self.archive.config.jobs_per_caller)
            claimed = None if id is None else self._take(connection, id)
        self._is_unsure = False
        if claimed is not None:
            crash.reach(CLAIMED)
            notices(self.archive).tell(claimed.topic)
        return claimed

    def renew(self, which: Job, *, rows: int, bytes: int, plan: str | None) -> Job | None:
        """Keep a job, and say how far it is; as it is now, or None where it is not this holder's any more."""
        values: dict[str, Any] = {"rows": rows, "bytes": bytes, "plan": plan, "expires": self._lease()}
        with self.archive.database.write() as connection:
            kept = connection.execute(self._mine(which).values(**values)).rowcount
            return read(connection, which.id) if kept else None

    def complete(
        self, which: Job, results: Sequence[Result], publish: Callable[[], None], **values: Any
    ) -> bool:
        """End a job well; whether it still was this holder's.

        Parameters
        ----------
        which, results
            The job and what it has made.
        publish
            Gives the files their names, while nobody else can have the job.
        **values
            Further columns of the row.
        """
        ended = {"phase": "COMPLETED", "ended": self.archive.clock(), "results": results, **values}
        with self.archive.database.write() as connection:
            done = bool(connection.execute(self._mine(which).values(**stored(ended))).rowcount)
            if done:
                publish()
                crash.reach(NAMED)
        self._tell(which, done)
        return done

    def fail(self, which: Job, phase: str, message: str, fault: str = "fatal", **values: Any) -> bool:
        """End a job as ERROR or ABORTED; whether it still was this holder's."""
        ended = {"phase": phase, "ended": self.archive.clock(), "message": message, "fault": fault, **values}
        return self._put(which, ended)

    def give_back(self, which: Job) -> bool:
        """Leave a job that was interrupted to another worker, as if this one had never begun."""
        done = self._put(which, _FREE | {"attempts": which.attempts - 1})
        if done:
            notices(self.archive).tell(QUEUE)
        return done

    def _let_go(self) -> None:
        """Leave to others what this holder has without knowing of it; it is at no job now."""
        held = sa.update(job).where(job.c.phase == "EXECUTING", job.c.holder == self.id)
        with self.archive.database.write() as connection:
            connection.execute(held.values(**_FREE, attempts=job.c.attempts - 1))
        self._is_unsure = False

    def _put(self, which: Job, values: dict[str, Any]) -> bool:
        with self.archive.database.write() as connection:
            done = bool(connection.execute(self._mine(which).values(**values)).rowcount)
        self._tell(which, done)
        return done

    def _tell(self, which: Job, done: bool) -> None:
        if done:
            notices(self.archive).tell(which.topic)
            notices(self.archive).tell(QUEUE)  # its caller may have another one run

    def _take(self, connection: sa.Connection, id: str) -> Job | None:
        now = self.archive.clock()
        values = {
            "phase": "EXECUTING",
            "started": now,
            "holder": self.id,
            "host": self.host,
            "expires": self._lease(),
            "attempts": job.c.attempts + 1,
        }
        taken = sa.update(job).where(job.c.id == id, job.c.phase == "QUEUED").values(**values)
        return read(connection, id) if connection.execute(taken).rowcount else None

    def _mine(self, which: Job) -> Any:
        return sa.update(job).where(job.c.id == which.id, job.c.phase == "EXECUTING", job.c.holder == self.id)

    def _lease(self) -> Any:
        return self.archive.clock() + timedelta(seconds=LEASE_S)


_FREE: dict[str, Any] = {
    "phase": "QUEUED",
    "started": None,
    "holder": None,
    "host": None,
    "expires": None,
    "rows": 0,
    "bytes": 0,
}


def mend(archive: Archive) -> int:
    """Have jobs whose worker is dead run again, or say so where that has been tried often enough; how many."""
    with archive.database.read() as connection:
        held = sa.select(job.c.id, job.c.holder, job.c.host, job.c.expires, job.c.attempts)
        found = connection.execute(held.where(job.c.phase == "EXECUTING")).all()
    lost = [each for each in found if not _lives(archive, each)]
    for each in lost:
        with archive.database.write() as connection:
            same = sa.update(job).where(
                job.c.id == each.id, job.c.phase == "EXECUTING", job.c.holder == each.holder
            )
            connection.execute(same.values(**_after_loss(archive, each.attempts)))
        notices(archive).tell(f"job {each.id}")
        _lock_path(archive, each.holder).unlink(missing_ok=True)
    if lost:
        notices(archive).tell(QUEUE)
    return len(lost)


def _after_loss(archive: Archive, attempts: int) -> dict[str, Any]:
    if attempts < ATTEMPTS:
        return _FREE | {"queued": archive.clock()}  # behind those that have ended no worker
    text = f"the process that ran the job ended {attempts} times before the job did"
    return {"phase": "ERROR", "ended": archive.clock(), "message": text, "fault": "fatal"}


def _lives(archive: Archive, held: Any) -> bool:
    """Whether the holder of a job may be alive."""
    if held.host == socket.gethostname():
        return _is_locked(_lock_path(archive, held.holder))
    return bool(held.expires > archive.clock())


def _is_locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
    return False


def _lock_path(archive: Archive, holder: str) -> Path:
    return archive.config.archive / "jobs" / "workers" / f"{holder}.lock"


def _next(connection: sa.Connection, services: Sequence[str], per_caller: int) -> str | None:
    count, first = sa.func.count(), sa.func.min(job.c.queued)
    running = (
        sa.select(job.c.who, count.label("number")).where(job.c.phase == "EXECUTING").group_by(job.c.who)
    )
    busy = Counter({each.who: each.number for each in connection.execute(running)})
    ours = sa.and_(job.c.phase == "QUEUED", job.c.service.in_(services))
    waiting = connection.execute(sa.select(job.c.who, first).where(ours).group_by(job.c.who)).all()
    allowed = [(busy[who], queued, who) for who, queued in waiting if busy[who] < per_caller]
    if not allowed:
        return None
    who = min(allowed)[2]
    of_them = sa.select(job.c.id).where(ours, job.c.who == who).order_by(job.c.queued).limit(1)
    id: str | None = connection.scalar(of_them)
    return id
