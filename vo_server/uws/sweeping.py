"""Which jobs are over and done with? What is past its time is deleted, with whatever was left without a row."""

import re
import shutil
import time

import sqlalchemy as sa

from datamodel import jobs
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
        jobs.remove(archive, id)
    return len(ids)


def sweep_strays(archive: Archive, older_than_s: float = STRAY_S) -> int:
    """Remove folders of jobs that there are not, as a killed process may leave them; how many they were."""
    folder, limit = archive.config.archive / "jobs", time.time() - older_than_s
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _ID.fullmatch(path.name) or path.stat().st_mtime > limit:
            continue
        with archive.database.read() as connection:
            known = connection.scalar(sa.select(job.c.id).where(job.c.id == path.name))
        if known is None:
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed
