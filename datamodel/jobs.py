"""Which jobs are there, whose are they, and how far have they come? The rows of asynchronous jobs (UWS 1.1).

A job belongs to who made it: an account or, for strangers, whoever has its unguessable identifier. A row
changes its phase in one transaction that says which phases it may leave, so that of two who want
different things one is refused; all who wait for the job are told after the commit.
"""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.errors import ForbiddenError, NotFoundError
from datamodel.job_bounds import refuse_full_disk, refuse_large, refuse_many_kept, refuse_many_unfinished
from datamodel.job_rows import PHASES as PHASES
from datamodel.job_rows import UNFINISHED, Listed, read, row_of, stored
from datamodel.job_rows import Job as Job
from datamodel.job_rows import Result as Result
from datamodel.job_rows import job as job
from datamodel.notify import notices

QUEUE = "jobs"
"""The topic that tells workers of a new job to run."""

PAGE = 1000

_ID = re.compile("[0-9a-f]{32}")


def new_id() -> str:
    """An identifier that nobody can guess: 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def folder_of(archive: Archive, id: str) -> Path:
    """Where the files of a job lie; need not be there."""
    return archive.config.archive / "jobs" / id


def add(archive: Archive, new: Job, fill: Callable[[Path], None] = lambda folder: None) -> None:
    """Keep a new job, PENDING or QUEUED.

    Parameters
    ----------
    archive, new
        Where, and what.
    fill
        Puts what belongs to the job into its folder before anybody knows of the job.

    Raises
    ------
    UsageError
        Its parameters are too many or too long.
    BusyError
        The caller, or all together, have too many jobs, or the disk is full.
    """
    refuse_large(new.parameters, new.run_id)
    refuse_full_disk(archive)
    refuse_many_kept(archive, new)
    lock = archive.database.facts.lock_schema
    try:
        folder_of(archive, new.id).mkdir(parents=True)
        fill(folder_of(archive, new.id))
        with archive.database.write() as connection:
            if lock:
                connection.exec_driver_sql(lock)  # counting and adding are one step
            refuse_many_unfinished(connection, archive.config, new.who)
            connection.execute(sa.insert(job).values(**row_of(new)))
    except BaseException:
        shutil.rmtree(folder_of(archive, new.id), ignore_errors=True)
        raise
    if new.phase == "QUEUED":
        notices(archive).tell(QUEUE)


def get(archive: Archive, service: str, id: str, caller: Caller) -> Job:
    """A job, for one who may reach it.

    Raises
    ------
    NotFoundError
        There is no such job, or no more.
    ForbiddenError
        It is somebody else's.
    """
    found = None
    if _ID.fullmatch(id):  # else it is none of ours, and perhaps nothing that a database can be asked for
        with archive.database.read() as connection:
            found = read(connection, id)
    if found is None or found.service != service or found.destruction <= archive.clock():
        raise NotFoundError(f"there is no job '{id[:100]}', or no more")
    if found.owner != caller.user:
        raise ForbiddenError(f"the job '{id[:100]}' is somebody else's")
    return found


def listed(
    archive: Archive,
    service: str,
    caller: Caller,
    who: str,
    *,
    phases: Sequence[str] = (),
    after: datetime | None = None,
    last: int | None = None,
) -> Iterator[Listed]:
    """The jobs of a caller, the newest first; a stranger's are those made from the same address.

    Parameters
    ----------
    archive, service
        Where.
    caller, who
        Whose.
    phases
        Only those in one of these; without any, all but ARCHIVED ones (UWS 1.1 section 2.2.2.1).
    after
        Only those made later.
    last
        So many at the most.
    """
    wanted = [job.c.service == service, job.c.who == who, job.c.owner.is_not_distinct_from(caller.user)]
    wanted.append(job.c.destruction > archive.clock())
    wanted.append(job.c.phase.in_(phases) if phases else job.c.phase != "ARCHIVED")
    if after is not None:
        wanted.append(job.c.created > after)
    columns = (job.c.id, job.c.phase, job.c.run_id, job.c.owner, job.c.created)
    newest_first = sa.select(*columns).where(*wanted).order_by(job.c.created.desc(), job.c.id.desc())
    yield from _pages(archive, newest_first, last)


def _pages(archive: Archive, select: Any, last: int | None) -> Iterator[Listed]:
    """Page after page, each from the index, so that a slow reader holds no state of the database."""
    left, further = last, select
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with archive.database.read() as connection:
            found = connection.execute(further.limit(size)).all()
        yield from (Listed(*each) for each in found)
        if len(found) < size:
            return
        left = None if left is None else left - size
        end = found[-1]
        further = select.where(
            job.c.created <= end.created,
            sa.or_(job.c.created < end.created, job.c.id < end.id),
        )


def run(archive: Archive, which: Job) -> None:
    """Have a job run: PENDING becomes QUEUED; one that has been told so before stays as it is.

    Raises
    ------
    ForbiddenError
        It has ended.
    """
    changed = change(archive, which, ("PENDING",), phase="QUEUED", queued=archive.clock())
    if changed:
        notices(archive).tell(QUEUE)
    elif (now := _phase(archive, which.id)) not in UNFINISHED:
        raise ForbiddenError(f"the job is {now}, and cannot be run again")


def abort(archive: Archive, which: Job) -> None:
    """End a job, which needs its files no more; whoever runs it is told. One that has ended stays as it is."""
    if change(archive, which, UNFINISHED, phase="ABORTED", ended=archive.clock(), holder=None):
        shutil.rmtree(folder_of(archive, which.id), ignore_errors=True)


def add_parameters(
    archive: Archive, which: Job, new: tuple[tuple[str, str], ...], run_id: str | None = None
) -> None:
    """Give a job that has not been told to run further parameters, which replace those of the same names.

    What others add at the same time stays.

    Raises
    ------
    ForbiddenError
        It has been told to run.
    UsageError
        They are too many or too long with those that it has.
    """
    again = {name for name, _ in new}
    with archive.database.write() as connection:
        now = read(connection, which.id, holds=True)
        if now is None or now.phase != "PENDING":
            raise ForbiddenError("the job has been told to run, and takes no parameters any more")
        merged = (*(pair for pair in now.parameters if pair[0] not in again), *new)
        refuse_large(merged, run_id)
        values = stored({"parameters": merged, "run_id": run_id or now.run_id})
        connection.execute(sa.update(job).where(job.c.id == which.id).values(**values))
    notices(archive).tell(which.topic)


def change(archive: Archive, which: Job, phases: Sequence[str], **values: Any) -> bool:
    """Set values of a job that is in one of some phases, and tell of it; whether it was."""
    mine = sa.update(job).where(job.c.id == which.id, job.c.phase.in_(phases))
    with archive.database.write() as connection:
        changed = bool(connection.execute(mine.values(**stored(values))).rowcount)
    if changed:
        notices(archive).tell(which.topic)
    return changed


def remove(archive: Archive, id: str, *, expired: bool = False) -> None:
    """Forget a job and its files; whoever runs it is told.

    Parameters
    ----------
    archive, id
        Where, and which.
    expired
        Only if its time is over still; it may have been changed.
    """
    gone = sa.delete(job).where(job.c.id == id)
    if expired:
        gone = gone.where(job.c.destruction <= archive.clock())
    with archive.database.write() as connection:
        if not connection.execute(gone).rowcount:
            return
    shutil.rmtree(folder_of(archive, id), ignore_errors=True)
    notices(archive).tell(f"job {id}")


def _phase(archive: Archive, id: str) -> str | None:
    with archive.database.read() as connection:
        phase: str | None = connection.scalar(sa.select(job.c.phase).where(job.c.id == id))
    return phase
