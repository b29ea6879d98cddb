"""Which jobs are there, whose are they, and how far have they come? The rows of asynchronous jobs (UWS 1.1).

A job belongs to who made it: an account or, for strangers, whoever has its unguessable identifier. A row
changes its phase in one transaction that says which phases it may leave, so that of two who want
different things one is refused; all who wait for the job are told after the commit.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.datatypes import Timestamp
from datamodel.errors import BusyError, ForbiddenError, NotFoundError
from datamodel.notify import notices
from datamodel.schema import metadata

PHASES = (
    "PENDING",
    "QUEUED",
    "EXECUTING",
    "COMPLETED",
    "ERROR",
    "ABORTED",
    "UNKNOWN",
    "HELD",
    "SUSPENDED",
    "ARCHIVED",
)
"""Of UWS 1.1 section 2.1.3; a job of ours is in one of the first six."""

UNFINISHED = ("PENDING", "QUEUED", "EXECUTING")
QUEUE = "jobs"
"""The topic that tells workers of a new job to run."""

RETRY_AFTER_S = 15
PAGE = 1000

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("service", sa.String(20), nullable=False),
    sa.Column("phase", sa.String(10), nullable=False),
    sa.Column("owner", sa.String(100)),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("created", Timestamp(), nullable=False),
    sa.Column("destruction", Timestamp(), nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("project", sa.String(100), nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("duration", sa.Integer, nullable=False),
    sa.Column("queued", Timestamp()),
    sa.Column("started", Timestamp()),
    sa.Column("ended", Timestamp()),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("holder", sa.String(36)),
    sa.Column("host", sa.String(255)),
    sa.Column("expires", Timestamp()),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("fault", sa.String(9)),
    sa.Column("message", sa.Text),
    sa.Column("plan", sa.Text),
    sa.Column("results", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Index("ix_job_list", "service", "who", "created", "id"),
    sa.Index("ix_job_queue", "phase", "who", "queued"),
    sa.Index("ix_job_destruction", "destruction"),
)
"""The jobs. What can be long stands last, so that a list need not pass over it."""


@dataclass(frozen=True)
class Result:
    """A file that a job has made.

    Attributes
    ----------
    id
        Its name in the list of results.
    mime
        For the Content-Type.
    filename
        Under which a browser would save it.
    file
        Its name in the folder of the job.
    bytes
        Its size.
    """

    id: str
    mime: str
    filename: str
    file: str
    bytes: int


@dataclass(frozen=True)
class Job:
    """A row of `job`. Instants are naive UTC, `duration` is in seconds.

    Attributes
    ----------
    owner
        The account whose it is; None for a stranger's.
    who
        As bounds per caller go: the account or the address of a stranger.
    project, level
        The rest of the context in which it was asked for.
    attempts
        How often a worker has begun it.
    rows, bytes
        What has been written so far.
    fault
        ``transient`` or ``fatal`` where `message` says what went wrong.
    plan
        How the service goes about it, for people.
    parameters
        Name and value, as they were given.
    """

    id: str
    service: str
    phase: str
    owner: str | None
    who: str
    created: datetime
    destruction: datetime
    run_id: str | None
    project: str
    level: int
    duration: int
    parameters: tuple[tuple[str, str], ...]
    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    holder: str | None = None
    host: str | None = None
    expires: datetime | None = None
    rows: int = 0
    bytes: int = 0
    fault: str | None = None
    message: str | None = None
    plan: str | None = None
    results: tuple[Result, ...] = ()

    @property
    def topic(self) -> str:
        """What notices of it are called."""
        return f"job {self.id}"

    @property
    def is_unfinished(self) -> bool:
        """Whether its phase will change."""
        return self.phase in UNFINISHED


@dataclass(frozen=True)
class Listed:
    """What the list of jobs says of one."""

    id: str
    phase: str
    run_id: str | None
    owner: str | None
    created: datetime


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
    BusyError
        The caller, or all together, have too many jobs.
    """
    config = archive.config
    lock = archive.database.facts.lock_schema
    try:
        with archive.database.read() as connection:
            _refuse_too_many_kept(connection, new, config.jobs_kept_per_caller)
        folder_of(archive, new.id).mkdir(parents=True)
        fill(folder_of(archive, new.id))
        with archive.database.write() as connection:
            if lock:
                connection.exec_driver_sql(lock)  # counting and adding are one step
            _refuse_too_many(connection, new.who, config.jobs_waiting_per_caller, config.jobs_waiting)
            connection.execute(sa.insert(job).values(**_row(new)))
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
    with archive.database.read() as connection:
        found = read(connection, id)
    if found is None or found.service != service or found.destruction <= archive.clock():
        raise NotFoundError(f"there is no job '{id[:100]}', or no more")
    if found.owner != caller.user:
        raise ForbiddenError(f"the job '{id[:100]}' is somebody else's")
    return found


def read(connection: sa.Connection, id: str) -> Job | None:
    """The row of a job, whosever it is; None where there is none."""
    found = connection.execute(sa.select(job).where(job.c.id == id)).mappings().first()
    return None if found is None else _job(found)


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
    """End a job; whoever runs it is told. One that has ended stays as it is."""
    change(archive, which, UNFINISHED, phase="ABORTED", ended=archive.clock(), holder=None)


def change(archive: Archive, which: Job, phases: Sequence[str], **values: Any) -> bool:
    """Set values of a job that is in one of some phases, and tell of it; whether it was."""
    mine = sa.update(job).where(job.c.id == which.id, job.c.phase.in_(phases))
    with archive.database.write() as connection:
        changed = bool(connection.execute(mine.values(**stored(values))).rowcount)
    if changed:
        notices(archive).tell(which.topic)
    return changed


def remove(archive: Archive, id: str) -> None:
    """Forget a job and its files; whoever runs it is told."""
    with archive.database.write() as connection:
        connection.execute(sa.delete(job).where(job.c.id == id))
    shutil.rmtree(folder_of(archive, id), ignore_errors=True)
    notices(archive).tell(f"job {id}")


def stored(values: dict[str, Any]) -> dict[str, Any]:
    """Values as the row has them."""
    written = dict(values)
    if "parameters" in values:
        written["parameters"] = json.dumps(values["parameters"])
    if "results" in values:
        written["results"] = json.dumps([vars(each) for each in values["results"]])
    return written


def _row(new: Job) -> dict[str, Any]:
    return stored(dict(vars(new)))


def _job(row: Any) -> Job:
    parameters = tuple((name, value) for name, value in json.loads(row["parameters"]))
    results = tuple(Result(**each) for each in json.loads(row["results"]))
    return Job(**{**row, "parameters": parameters, "results": results})


def _phase(archive: Archive, id: str) -> str | None:
    with archive.database.read() as connection:
        phase: str | None = connection.scalar(sa.select(job.c.phase).where(job.c.id == id))
    return phase


def _refuse_too_many(connection: sa.Connection, who: str, per_caller: int, together: int) -> None:
    waiting = job.c.phase.in_(UNFINISHED)
    count = sa.select(sa.func.count()).select_from(job)
    if (connection.scalar(count.where(waiting, job.c.who == who)) or 0) >= per_caller:
        raise BusyError(
            f"{per_caller} unfinished jobs are kept for one caller, and there are as many; wait, or delete some",
            RETRY_AFTER_S,
        )
    if (connection.scalar(count.where(waiting)) or 0) >= together:
        raise BusyError(
            f"{together} unfinished jobs are kept, and there are as many; try again later", RETRY_AFTER_S
        )


def _refuse_too_many_kept(connection: sa.Connection, new: Job, bound: int) -> None:
    kept = sa.select(job.c.created).where(job.c.service == new.service, job.c.who == new.who)
    if connection.scalar(kept.limit(1).offset(bound - 1)) is not None:
        raise BusyError(
            f"{bound} jobs are kept for one caller, and there are as many; delete some", RETRY_AFTER_S
        )
