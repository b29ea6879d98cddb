"""How is one job run: watched over while it works, its results written aside and named at the end?"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel.accounts import require_member
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import BusyError, QueryTimeoutError, UsageError
from datamodel.job_bounds import refuse_full_disk
from datamodel.job_claims import FENCE_S, Holder
from datamodel.job_rows import Job, Result, read
from datamodel.jobs import folder_of
from datamodel.notify import POLL_S, Watch, notices
from vo_server import errors
from vo_server.uws.service import Output, Progress, Task, Work

log = logging.getLogger("vo_server.jobs")

LOOK_BYTES = 1 << 26
"""So often in the bytes of results it is looked whether the disk has room for more."""

STUBBORN_S = 20.0
"""A job that goes on for so long after it was told to stop ends with its process."""


class Execution:
    """One job in the hands of a worker.

    Parameters
    ----------
    archive
        Open.
    holder
        Has claimed the job.
    which
        The job.
    work
        Does it.
    stopping
        Whether the worker itself is to end.
    """

    def __init__(
        self, archive: Archive, holder: Holder, which: Job, work: Work, stopping: Callable[[], bool]
    ) -> None:
        self.archive = archive
        self.holder = holder
        self.job = which
        self.work = work
        self.stopping = stopping
        self.progress = Progress()
        self._folder = folder_of(archive, which.id)
        self._deadline = time.monotonic() + which.duration
        self._renewed = time.monotonic()
        self._lost = threading.Event()
        self._done = threading.Event()
        self._beside: dict[Path, Path] = {}

    def run(self) -> None:
        """Do the job to its end, whatever that is; nothing of it is left aside."""
        with notices(self.archive).watch(self.job.topic) as watch:
            watching = threading.Thread(
                target=self._watch, args=(watch,), name=f"job {self.job.id}", daemon=True
            )
            watching.start()
            try:
                self._finish(self._attempt())
            finally:
                self._done.set()
                watch.wake()
                watching.join()
                for path in self._beside:
                    path.unlink(missing_ok=True)

    def cancelled(self) -> bool:
        """Whether to stop: the job was ended or deleted, its time is over, or its worker is to end."""
        return self._lost.is_set() or self._interrupted() or self._time_is_over()

    def _interrupted(self) -> bool:
        """Whether another worker is to do it: this one ends, or could not say for long that it lives."""
        return self.stopping() or time.monotonic() - self._renewed > FENCE_S

    def _time_is_over(self) -> bool:
        return time.monotonic() > self._deadline

    def _attempt(self) -> list[Result] | Exception:
        """The results, or what went wrong; a bug's traceback goes to the log when it is told of."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return [self._write(output) for output in self.work(self._task())]
        except Exception as error:
            return error

    def _task(self) -> Task:
        return Task(
            archive=self.archive,
            caller=_caller(self.archive, self.job),
            who=self.job.who,
            parameters=self.job.parameters,
            folder=self._folder,
            seconds=max(self.job.duration, self.archive.config.job_seconds_limit),
            cancelled=self.cancelled,
            progress=self.progress,
        )

    def _write(self, output: Output) -> Result:
        """Write a result aside, to its last byte on disk."""
        final = self._folder / f"result-{output.id}"
        aside = final.with_name(f"{final.name}.{self.holder.id}.part")
        self._beside[aside] = final
        before = self.progress.bytes
        try:
            with aside.open("wb") as stream:
                for chunk in output.chunks:
                    self._count(len(chunk))
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
        finally:
            _close(output.chunks)
        return Result(output.id, output.mime, output.filename, final.name, self.progress.bytes - before)

    def _count(self, size: int) -> None:
        before, bound = self.progress.bytes, self.archive.config.job_bytes
        self.progress.bytes += size
        if self.progress.bytes > bound:
            raise UsageError(f"the results are larger than {bound} bytes, the most that is kept for a job")
        if before // LOOK_BYTES != self.progress.bytes // LOOK_BYTES:
            refuse_full_disk(self.archive)
        if self.cancelled():
            raise QueryTimeoutError("the job was stopped before its end")

    def _publish(self) -> None:
        for aside, final in self._beside.items():
            if aside.exists():  # not where the commit after an earlier call failed
                aside.rename(final)
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _finish(self, outcome: list[Result] | Exception) -> None:
        """Say in the row how it ended; a job that is not ours any more is left to whose it is."""
        if isinstance(outcome, Exception):
            self._look(True)  # its files may have gone with the job
        ending = self._ending(outcome)
        while not self._lost.is_set():
            try:
                ending()
                return
            except sa.exc.OperationalError:
                log.warning("the end of job %s cannot be written; trying again", self.job.id, exc_info=True)
                self._lost.wait(POLL_S)

    def _ending(self, outcome: list[Result] | Exception) -> Callable[[], object]:
        told: dict[str, Any] = {
            "rows": self.progress.rows,
            "bytes": self.progress.bytes,
            "plan": self.progress.plan,
        }
        if not isinstance(outcome, Exception):
            return lambda: self._clear(self.holder.complete(self.job, outcome, self._publish, **told))
        if self._lost.is_set():
            return lambda: None
        if self._interrupted():
            return lambda: self.holder.give_back(self.job)
        fault, message = (
            "transient" if isinstance(outcome, BusyError) else "fatal",
            errors.told(outcome).message,
        )
        phase = "ERROR"
        if isinstance(outcome, QueryTimeoutError):
            phase, message = "ABORTED", f"the job was stopped at its limit of {self.job.duration} s"
        return lambda: self._clear(self.holder.fail(self.job, phase, message, fault, **told))

    def _clear(self, ended: bool) -> None:
        """Remove what came with the request; only a job that runs again needs it."""
        results = set(self._beside.values())
        for path in self._folder.iterdir() if ended and self._folder.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path not in results:
                path.unlink(missing_ok=True)

    def _watch(self, watch: Watch) -> None:
        """Renew the lease, tell of progress, and notice when the job is not ours any more, or its time is changed."""
        while not self._done.is_set():
            told = watch.wait(POLL_S)
            if not self._done.is_set() and not self._lost.is_set():
                self._look(told)
            if not self._done.is_set() and self.cancelled():
                self._insist()
                return

    def _look(self, told: bool) -> None:
        """After a notice the row is only read; it is written once a second."""
        try:
            if not told or time.monotonic() - self._renewed > POLL_S:
                self._renew()
            else:
                with self.archive.database.read() as connection:
                    self._take(read(connection, self.job.id))
        except sa.exc.SQLAlchemyError:
            log.warning("job %s cannot be looked at; trying again", self.job.id, exc_info=True)

    def _renew(self) -> None:
        now, began = self.progress, time.monotonic()  # the lease begins before the database is waited for
        kept = self.holder.renew(self.job, rows=now.rows, bytes=now.bytes, plan=now.plan)
        self._renewed = began
        self._take(kept)

    def _take(self, now: Job | None) -> None:
        """Go on with the job as it is now, unless it is not ours any more."""
        if now is None or now.phase != "EXECUTING" or now.holder != self.holder.id:
            self._lost.set()
            return
        self._deadline += now.duration - self.job.duration
        self.job = now

    def _insist(self) -> None:
        if not self._done.wait(STUBBORN_S):
            log.error("job %s does not stop; its process ends with it", self.job.id)
            os._exit(75)


def _caller(archive: Archive, which: Job) -> Caller:
    """For whom a job is: its owner with the memberships of today, if that of its project is one of them."""
    if which.owner is None:
        return ANONYMOUS
    found = archive.caller(which.owner, which.project, which.level)
    require_member(found)
    return found


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
