"""What does a worker do? It takes the job that is next, runs it, and looks after the jobs of the dead."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.errors import ArchiveError
from datamodel.job_claims import Holder, mend
from datamodel.jobs import QUEUE
from datamodel.notify import POLL_S, notices
from processing.standing_check import check_some
from processing.upkeep import keep_up
from vo_server.uws.execution import Execution
from vo_server.uws.service import Craft
from vo_server.uws.sweeping import AT_A_TIME, sweep, sweep_catalogues, sweep_logins, sweep_strays

log = logging.getLogger("vo_server.jobs")

SWEEP_S = 10.0
STRAYS_S = 3600.0
LOGINS_S = 600.0
CATALOGUES_S = 60.0
KEEPING_S = 10.0
CHECKING_S = 20.0
ENDING_S = 5.0
"""For chores under way, which may be killed at any moment."""


class Worker:
    """Runs jobs, one at a time.

    Parameters
    ----------
    archive
        Open.
    crafts
        How the jobs of each protocol are done, by the name of its rows.
    """

    def __init__(self, archive: Archive, crafts: Mapping[str, Craft]) -> None:
        self.archive = archive
        self.crafts = crafts
        self._stop = threading.Event()

    def stop(self) -> None:
        """End soon: a job under way is interrupted and left to another worker. May be called from a signal."""
        self._stop.set()

    def rehearse(self) -> None:
        """Load and prepare what the first job would otherwise wait for."""
        for name, craft in self.crafts.items():
            try:
                craft.rehearse(self.archive)
            except (ArchiveError, sa.exc.SQLAlchemyError):
                log.warning("jobs of %s could not be rehearsed", name, exc_info=True)

    def run(self) -> None:
        """Take jobs until stopped."""
        minding = [
            threading.Thread(target=self._mind, args=each, name="minder", daemon=True)
            for each in ((CHORES, 0.0), (LONG_CHORES, KEEPING_S))
        ]
        for each in minding:
            each.start()
        with Holder(self.archive) as holder, notices(self.archive).watch(QUEUE) as watch:
            while not self._stop.is_set():
                if not self.run_one(holder):
                    watch.wait(POLL_S)
        for each in minding:
            each.join(ENDING_S)

    def run_one(self, holder: Holder) -> bool:
        """Run the job that is next; whether there was one."""
        try:
            job = holder.claim(tuple(self.crafts))
        except sa.exc.OperationalError:
            log.warning("no job can be taken; trying again", exc_info=True)
            return False
        if job is None:
            return False
        Execution(self.archive, holder, job, self.crafts[job.service].work, self._stop.is_set).run()
        return True

    def _mind(self, chores: Mapping[Callable[[Archive], int], float], after_s: float = 0.0) -> None:
        """Every second, do the chores that are due; none in the first seconds, when jobs and queries come first.

        A worker whose chores come to an unforeseen end stops as well, so that another takes its place.
        """
        due: dict[Callable[[Archive], int], float] = dict.fromkeys(chores, time.monotonic() + after_s)
        try:
            while not self._stop.wait(POLL_S):
                for chore, every in chores.items():
                    if time.monotonic() >= due[chore]:
                        due[chore] = time.monotonic() + (0 if self._do(chore) >= AT_A_TIME else every)
        finally:
            self._stop.set()

    def _do(self, chore: Callable[[Archive], int]) -> int:
        try:
            return chore(self.archive)
        except (OSError, ArchiveError, sa.exc.SQLAlchemyError):
            log.warning("%s has to wait", chore.__name__, exc_info=True)
            return 0


CHORES: dict[Callable[[Archive], int], float] = {
    mend: POLL_S,
    sweep: SWEEP_S,
    sweep_catalogues: CATALOGUES_S,
    sweep_logins: LOGINS_S,
    sweep_strays: STRAYS_S,
}
"""What every worker looks after besides its job, and how often, in seconds; at once where much was to be done."""

LONG_CHORES: dict[Callable[[Archive], int], float] = {keep_up: KEEPING_S, check_some: CHECKING_S}
"""The same, where it may take long."""
