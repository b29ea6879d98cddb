"""How many jobs may there be, and how large? What goes beyond is refused."""

import shutil
import threading
from collections.abc import Iterable

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError, UsageError
from datamodel.job_rows import UNFINISHED, Job, job

MOST_PARAMETERS = 1000
MOST_CHARACTERS = 4 << 20
"""Of names and values of all parameters; as much as a request may have."""

MOST_RUN_ID_CHARACTERS = 200
"""DALI 1.1 means 64 characters to be enough; the list of jobs has one for each."""

RETRY_AFTER_S = 15

_SHARES = 16
_MOST_CALLERS = 1000


def refuse_large(parameters: Iterable[tuple[str, str]], run_id: str | None) -> None:
    """Refuse more parameters than a job may have.

    Raises
    ------
    UsageError
        They are too many or too long.
    """
    sizes = [len(name) + len(value) for name, value in parameters]
    if len(sizes) > MOST_PARAMETERS:
        raise UsageError(f"a job has {len(sizes)} parameters, expected {MOST_PARAMETERS} at the most")
    if sum(sizes) > MOST_CHARACTERS:
        raise UsageError(
            f"the parameters of a job have {sum(sizes)} characters, expected {MOST_CHARACTERS} at the most"
        )
    if run_id is not None and len(run_id) > MOST_RUN_ID_CHARACTERS:
        raise UsageError(f"RUNID has {len(run_id)} characters, expected {MOST_RUN_ID_CHARACTERS} at the most")


def refuse_full_disk(archive: Archive) -> None:
    """Refuse to write more where the disk is nearly full.

    Raises
    ------
    BusyError
        There is less room than the setting ``spare_bytes``.
    """
    if shutil.disk_usage(archive.config.archive).free < archive.config.spare_bytes:
        raise BusyError("the disk for results of jobs and for tables is full; try again later", RETRY_AFTER_S)


def refuse_many_unfinished(connection: sa.Connection, config: Config, who: str) -> None:
    """Refuse another job where so many have not ended; holds until the end of the transaction.

    Raises
    ------
    BusyError
        The caller has as many as one may, or all callers together have.
    """
    waiting = job.c.phase.in_(UNFINISHED)
    count = sa.select(sa.func.count()).select_from(job)
    bound = config.jobs_waiting_per_caller
    if (connection.scalar(count.where(waiting, job.c.who == who)) or 0) >= bound:
        raise BusyError(
            f"{bound} unfinished jobs are kept for one caller, and there are as many; wait, or delete some",
            RETRY_AFTER_S,
        )
    if (connection.scalar(count.where(waiting)) or 0) >= config.jobs_waiting:
        raise BusyError(
            f"{config.jobs_waiting} unfinished jobs are kept, and there are as many; try again later",
            RETRY_AFTER_S,
        )


def refuse_many_kept(archive: Archive, new: Job) -> None:
    """Refuse another job where as many are kept for its caller as may be.

    Raises
    ------
    BusyError
        There are; some have to be deleted first.

    Notes
    -----
    To count many jobs takes long, so they are counted only now and then: where there is room for n more, not
    again before one sixteenth of n have been added by this process.
    """
    bound = archive.config.jobs_kept_per_caller
    known: _Room = archive.resource("room for jobs", _Room)
    caller = (new.service, new.who, bound)
    if known.is_enough(caller):
        return
    kept = sa.select(job.c.created).where(job.c.service == new.service, job.c.who == new.who)
    counted = sa.select(sa.func.count()).select_from(kept.limit(bound).subquery())
    with archive.database.read() as connection:
        left = bound - (connection.scalar(counted) or 0)
    if left <= 0:
        raise BusyError(
            f"{bound} jobs are kept for one caller, and there are as many; delete some", RETRY_AFTER_S
        )
    known.found(caller, left)


class _Room:
    """How many more jobs of each caller need not be counted."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str, int], int] = {}
        self._lock = threading.Lock()

    def is_enough(self, caller: tuple[str, str, int]) -> bool:
        """Whether one more goes without counting; it is reckoned on."""
        with self._lock:
            left = self._left.get(caller, 0)
            if left:
                self._left[caller] = left - 1
            return left > 0

    def found(self, caller: tuple[str, str, int], left: int) -> None:
        """So many more were found to fit."""
        with self._lock:
            if len(self._left) >= _MOST_CALLERS:
                self._left.clear()
            self._left[caller] = left // _SHARES
