"""Which jobs are over and done with? What is past its time is deleted, and what is left of jobs and catalogues."""

import re
import shutil
import time
from pathlib import Path

import sqlalchemy as sa

from datamodel import catalogue_workshop, jobs, login_failures, tokens
from datamodel.archive import Archive
from datamodel.jobs import job

AT_A_TIME = 500
STRAY_S = 3600.0
"""A folder without a row may belong to a request that is just being taken; after so long it does not."""

_ID = re.compile(r"[0-9a-f]{32}")


def sweep(archive: Archive) -> int:
    """Delete the jobs whose destruction time has come; how many they were."""
    with archive.database.read() as connection:
        due = sa.select(job.c.id).where(job.c.destruction <= archive.clock()).limit(AT_A_TIME)
        ids = list(connection.scalars(due))
    for id in ids:
        jobs.remove(archive, id, expired=True)
    return len(ids)


def sweep_strays(archive: Archive, older_than_s: float = STRAY_S) -> int:
    """Remove folders of jobs that there are not, as a killed process may leave them; how many they were."""
    folder, limit = archive.config.archive / "jobs", time.time() - older_than_s
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if _ID.fullmatch(path.name) and _is_older(path, limit) and not _is_known(archive, path.name):
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def sweep_catalogues(archive: Archive) -> int:
    """Remove the rows of catalogues that were replaced or dropped and are read no more; how many these were."""
    return catalogue_workshop.sweep(archive, wait=False)


def sweep_logins(archive: Archive) -> int:
    """Forget log-ins that failed long ago, and tokens that ended long ago; how many."""
    return login_failures.sweep(archive) + tokens.sweep(archive)


def _is_older(path: Path, limit: float) -> bool:
    """Whether a folder was changed before an instant; one that another process has just removed was not."""
    try:
        return path.stat().st_mtime <= limit
    except FileNotFoundError:
        return False


def _is_known(archive: Archive, id: str) -> bool:
    with archive.database.read() as connection:
        return connection.scalar(sa.select(job.c.id).where(job.c.id == id)) is not None
