"""Which queries of a caller run in the background, and how far are they? Facts only; the template shows them."""

from dataclasses import dataclass
from functools import lru_cache

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.errors import NotFoundError
from vo_server.adql_layout import laid_out
from vo_server.web.values import text

SERVICE = "tap"
SHOWN = 30
SUMMARY_CHARACTERS = 120
QUERY_CHARACTERS = 4000
"""Of a query at the most; a query may be as long as a million characters, and many are on one page."""

_TONES = {"COMPLETED": "good", "ERROR": "stale", "ABORTED": "stale"}


@dataclass(frozen=True)
class ShownJob:
    """One job for people.

    Attributes
    ----------
    id, phase
        As UWS has them.
    tone
        Whether that is ``good`` or ``stale``; empty for neither.
    when
        When it began, or was asked for; in UTC.
    took
        How long it took or has taken so far, and how many rows it made.
    query
        Laid out; its beginning where it is too long to be shown.
    is_whole
        Whether that is all of it.
    message
        What went wrong; empty where nothing did.
    results
        Names and file names of what it made.
    """

    id: str
    phase: str
    tone: str
    when: str
    took: str
    query: str
    is_whole: bool
    message: str
    results: tuple[tuple[str, str], ...]
    is_unfinished: bool

    @property
    def summary(self) -> str:
        """The query in a line."""
        line = " ".join(self.query.split())
        return line if len(line) <= SUMMARY_CHARACTERS else f"{line[:SUMMARY_CHARACTERS]} …"

    @property
    def state(self) -> str:
        """Differs where anything that is shown differs."""
        return f"{self.phase} {self.took}"


def shown_jobs(archive: Archive, caller: Caller, who: str) -> list[ShownJob]:
    """The last jobs of a caller, the newest first."""
    listed = jobs.listed(archive, SERVICE, caller, who, last=SHOWN)
    found = (_get(archive, each.id, caller) for each in listed)
    return [_shown(archive, job) for job in found if job is not None]


def _get(archive: Archive, id: str, caller: Caller) -> jobs.Job | None:
    """The job; None where it was deleted since it was listed."""
    try:
        return jobs.get(archive, SERVICE, id, caller)
    except NotFoundError:
        return None


def _shown(archive: Archive, job: jobs.Job) -> ShownJob:
    query = next((value for name, value in job.parameters if name.upper() == "QUERY"), "")
    return ShownJob(
        job.id,
        job.phase,
        _TONES.get(job.phase, ""),
        text(job.started or job.created),
        _took(archive, job),
        _laid_out(query[:QUERY_CHARACTERS]),
        len(query) <= QUERY_CHARACTERS,
        job.message or "",
        tuple((result.id, result.filename) for result in job.results),
        job.is_unfinished,
    )


_laid_out = lru_cache(4 * SHOWN)(laid_out)
"""The list is asked for again and again while jobs run."""


def _took(archive: Archive, job: jobs.Job) -> str:
    if job.started is None:
        return ""
    seconds = ((job.ended or archive.clock()) - job.started).total_seconds()
    return f"{seconds:.1f} s, {job.rows:,} {'row' if job.rows == 1 else 'rows'}"
