"""What does a protocol hand over, so that its requests can be jobs?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import flask

from datamodel.archive import Archive
from datamodel.context import Caller


@dataclass
class Progress:
    """How far a job is; written by who does it, read by who tells of it.

    Attributes
    ----------
    rows, bytes
        Of the results, as far as they are made.
    plan
        How it is gone about, for people; never SQL.
    """

    rows: int = 0
    bytes: int = 0
    plan: str | None = None


@dataclass(frozen=True)
class Task:
    """A job at work, as its protocol sees it.

    Attributes
    ----------
    archive
        Open.
    caller
        For whom.
    who
        The same as bounds per caller and the log go: an account, or an address.
    parameters
        Names and values as they were given.
    folder
        Where files are that came with the request.
    seconds
        It may take at the most, however its time is changed while it runs.
    cancelled
        Whether to stop, because its time is over or else; to be asked some times a second.
    progress
        To be told how far it is.
    """

    archive: Archive
    caller: Caller
    who: str
    parameters: tuple[tuple[str, str], ...]
    folder: Path
    seconds: float
    cancelled: Callable[[], bool]
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Output:
    """One result on its way.

    Attributes
    ----------
    id
        Its name among the results; a plain word.
    mime
        For the Content-Type.
    filename
        Under which a browser would save it.
    chunks
        Its bytes, made as they are read; they raise where they cannot be made whole.
    """

    id: str
    mime: str
    filename: str
    chunks: Iterator[bytes]


Work = Callable[[Task], Iterable[Output]]
"""Does a job: checks its parameters, makes its results. What it raises is the job's error."""


@dataclass(frozen=True)
class Craft:
    """How the jobs of a protocol are done.

    Attributes
    ----------
    work
        See `Work`.
    rehearse
        Does something small and forgets it, so that the first job finds everything ready.
    """

    work: Work
    rehearse: Callable[[Archive], None] = lambda archive: None


Receive = Callable[[flask.Request, Path], None]
"""Takes the files that came with a request into the folder of a new job."""


@dataclass(frozen=True)
class Service:
    """A protocol that has jobs, as its web side sees it.

    Attributes
    ----------
    name
        What its rows are called.
    path
        Of the list of jobs, such as ``/tap/async``.
    receive
        See `Receive`.
    error
        The document that tells of an error, from its message.
    """

    name: str
    path: str
    receive: Receive
    error: Callable[[str], flask.Response]
