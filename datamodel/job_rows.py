"""What is kept of an asynchronous job (UWS 1.1)? Its row, and that row as the program knows it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.datatypes import Timestamp
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


def read(connection: sa.Connection, id: str, *, holds: bool = False) -> Job | None:
    """The row of a job, whosever it is; None where there is none.

    Parameters
    ----------
    connection, id
        Where, and which.
    holds
        Whether nobody else may change it before the end of the transaction, which is one that writes.
    """
    select = sa.select(job).where(job.c.id == id)
    found = connection.execute(select.with_for_update() if holds else select).mappings().first()
    return None if found is None else _job(found)


def stored(values: dict[str, Any]) -> dict[str, Any]:
    """Values as the row has them."""
    written = dict(values)
    if "parameters" in values:
        written["parameters"] = json.dumps(values["parameters"])
    if "results" in values:
        written["results"] = json.dumps([vars(each) for each in values["results"]])
    return written


def row_of(new: Job) -> dict[str, Any]:
    """A job as its row has it."""
    return stored(dict(vars(new)))


def _job(row: Any) -> Job:
    parameters = tuple((name, value) for name, value in json.loads(row["parameters"]))
    results = tuple(Result(**each) for each in json.loads(row["results"]))
    return Job(**{**row, "parameters": parameters, "results": results})
