"""Whatever is killed at whatever moment: no row without bytes, no half file, and the next call completes it."""

import os
import subprocess
import sys

import pytest
import sqlalchemy as sa

from datamodel import job_claims
from datamodel.archive import Archive
from datamodel.crash import CRASH_POINTS
from datamodel.dataobject import DataObject
from datamodel.provenance import activity
from datamodel.session import Session
from processing import bootstrap, classes
from processing.bias_frame import BiasFrame
from processing.claims import claim
from processing.opening import operator

IN_INGEST = {"ingest.stored", "ingest.file"}  # with the points of store and commit, in test_ingest.py
IN_JOBS = {job_claims.CLAIMED, job_claims.NAMED}  # in test_uws_survival.py
IN_GET = ["make.claimed", "make.computed", "make.recorded", "commit.rows"]
LATER = ["store.staged", "store.named", "commit.done"]  # with the points of commit, in test_commit.py too
IN_CATALOGUES = {"catalogue.loaded", "catalogue.registered", "catalogue.done"}  # in test_catalogue_crashes.py
IN_TELLING = {"qc.sent"}  # in test_quality_events.py
IN_CHOOSING = {"favourite.rows", "default.rows", "waiver.rows"}  # in test_choosing_killed.py
IN_BOOTSTRAP = {"bootstrap.made"}  # in test_bootstrap.py
IN_ACCOUNTS = {"accounts.written", "accounts.done"}  # in test_accounts.py
IN_LOGINS = {"login.key_written", "login.key_kept"}  # in test_log_in_pages.py
IN_UPGRADES = {
    "tables.adapted",
    "upgrade.step",
    "upgrade.done",
}  # in test_evolution.py, test_upgrading_killed.py
IN_DELETING = {"delete.rows", "vacuum.removed"}  # in test_deletion.py and test_vacuum.py
IN_PUBLISHING = {
    "publish.levels",
    "publish.done",
    "retract.written",
}  # in test_publishing.py, test_retraction.py
IN_ROW_SECURITY = {"protect.policies"}  # in test_row_security.py
IN_STANDINGS = {"standings.followed", "standings.step"}  # in test_standing.py
IN_VIEWS = {"standings.settled", "standings.forgotten"}  # in test_standing_views.py
IN_KEEPING = ("backup.", "restore.", "move.")  # in test_keeping_crashes.py
FAST = "make.recorded"
TO_HIT = [FAST, *(pytest.param(p, marks=pytest.mark.killing) for p in (*IN_GET, *LATER) if p != FAST)]


def test_every_crash_point_is_hit_by_a_test() -> None:
    assert classes.TARGET_CLASSES
    assert bootstrap.MADE
    elsewhere = (
        IN_CATALOGUES
        | IN_CHOOSING
        | IN_TELLING
        | IN_BOOTSTRAP
        | IN_ACCOUNTS
        | IN_LOGINS
        | IN_UPGRADES
        | IN_DELETING
        | IN_PUBLISHING
        | IN_ROW_SECURITY
        | IN_STANDINGS
        | IN_VIEWS
    )
    here = {point for point in CRASH_POINTS if not point.startswith(IN_KEEPING)}
    assert here - elsewhere == IN_INGEST | IN_JOBS | set(IN_GET) | set(LATER)
    assert all(doc for doc in CRASH_POINTS.values())


@pytest.mark.parametrize("point", TO_HIT)
def test_a_get_killed_at_any_point_is_completed_by_the_next(observatory: Archive, point: str) -> None:
    config = observatory.config
    environment = {**os.environ, "VO_CRASH_AT": point, "VO_LOG_LEVEL": "ERROR"}
    environment |= {"VO_DATABASE_URL": config.database_url, "VO_WORKERS": "1"}
    at = ["--archive", str(config.archive)]
    keys = ["--chip", "A5382", "--date", "2003-02-14"]
    command = [sys.executable, "-m", "vo_server.cli", "get", "BiasFrame", *at, *keys]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == 137, killed.stderr.decode()
    with Session(observatory, operator(observatory)) as session:
        for stored in DataObject.select_all():
            if stored.filename:
                observatory.store.path(stored.filename, stored.file_sha256)
        bias = BiasFrame.get(date="2003-02-14", chip="A5382")
        assert bias.uptodate()
        assert len(BiasFrame.select_all()) == 1
        observatory.store.path(bias.filename, bias.file_sha256)
        with session.connection() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(claim)) == 0
            recorded = set(connection.scalars(sa.select(activity.c.object_id)))
            assert recorded == {o.object_id for cls in classes.TARGET_CLASSES for o in cls.select_all()}
