"""How are there always as many workers as configured? Processes of their own, replaced when one ends."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import fields

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.notify import POLL_S
from vo_server.uws.service import Craft
from vo_server.uws.worker import Worker

log = logging.getLogger("vo_server.jobs")

FAREWELL_S = 8.0
AGAIN_S = 5.0
"""A worker is not started more often than this, lest one that cannot begin takes all the time there is."""


class Crew:
    """Worker processes of this machine; looked after by whoever calls `mend` now and then.

    They are started afresh, never forked, and end by themselves when this process does.

    Parameters
    ----------
    config
        Of the program; `job_workers` says how many there are to be.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * config.job_workers
        self._started = [-AGAIN_S] * config.job_workers

    def mend(self) -> None:
        """Start what is missing."""
        for number, process in enumerate(self._processes):
            ended = process is None or process.poll() is not None
            if ended and time.monotonic() - self._started[number] >= AGAIN_S:
                if process is not None:
                    log.warning("a worker of jobs has ended; another is started")
                self._processes[number] = self._start()
                self._started[number] = time.monotonic()

    def close(self) -> None:
        """Have all end; the jobs they are at are left to whoever comes next."""
        running = [each for each in self._processes if each is not None and each.poll() is None]
        for each in running:
            each.terminate()
        deadline = time.monotonic() + FAREWELL_S
        for each in running:
            try:
                each.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "vo_server.cli", "worker", "--attached"]
        environment = os.environ | settings(self.config)
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, process_group=0)


def settings(config: Config) -> dict[str, str]:
    """A configuration as the environment of another process of this program has it."""
    return {f"VO_{field.name.upper()}": str(getattr(config, field.name)) for field in fields(config)}


def work(archive: Archive, crafts: Mapping[str, Craft], attached: bool = False) -> None:
    """Be a worker until told to end by SIGTERM or SIGINT.

    Parameters
    ----------
    archive
        Open and prepared; who opened it closes it.
    crafts
        What there is to do, by the name of the rows.
    attached
        End, too, when the process that started this one has ended.
    """
    worker = Worker(archive, crafts)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda _number, _frame: worker.stop())
    if attached:
        threading.Thread(target=_follow, args=(worker, os.getppid()), name="parent", daemon=True).start()
    worker.rehearse()
    worker.run()


def _follow(worker: Worker, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    worker.stop()
