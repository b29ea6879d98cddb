"""Whatever moment the making, filling or removing of one's own table is killed at: it is whole, or as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datamodel import catalogues
from datamodel.archive import Archive
from datamodel.catalogue_workshop import sweep
from tests.test_catalogue_crashes import POINTS, sql_tables
from vo_server.tap.tap_schema import tables, update_tap_schema

DO = """
import sys
from pathlib import Path
import pyarrow as pa
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.config import Config
from vo_server.formats.reading import Reading
from vo_server.mydb import tables

folder, url, what = sys.argv[1:]
batch = pa.RecordBatch.from_arrays([pa.array([1.0, 2.0])], names=["x"])
reading = Reading((Column("x", "DOUBLE"),), iter([batch]))
archive = Archive(Config(archive=Path(folder), database_url=url))
caller = archive.caller("A")
if what == "create":
    tables.create(archive, caller, "stars", reading, "x")
elif what == "append":
    tables.append(archive, caller, "stars", lambda: reading)
elif what == "index":
    tables.index(archive, caller, "stars", "x")
else:
    tables.drop(archive, caller, "stars")
"""
CHANGING = POINTS[1:]
STEPS = [
    *(("create", point) for point in POINTS),
    *(("append", point) for point in POINTS),
    *((what, point) for what in ("index", "drop") for point in CHANGING),
]


def do(archive: Archive, what: str, at: str = "") -> int:
    command = [sys.executable, "-c", DO, str(archive.config.archive), archive.config.database, what]
    environment = {**os.environ, "VO_CRASH_AT": at}
    return subprocess.run(command, env=environment, cwd=Path(__file__).parent.parent, check=False).returncode


def state(archive: Archive) -> list[tuple[int, bool]]:
    with archive.database.read() as connection:
        return [(each.rows, each.columns[0].indexed) for each in catalogues.entries(connection)]


@pytest.mark.parametrize(
    ("what", "point"), [pytest.param(*step, marks=pytest.mark.killing) for step in STEPS]
)
def test_a_change_killed_at_any_point_is_whole_or_nothing(archive: Archive, what: str, point: str) -> None:
    update_tap_schema(archive, tables(archive.config))
    if what != "create":
        assert do(archive, "create") == 0
    before = state(archive)
    after = {"create": [(2, False)], "append": [(4, False)], "index": [(2, True)], "drop": []}[what]
    assert do(archive, what, point) == 137
    assert state(archive) == (after if point == "catalogue.done" else before)
    sweep(archive)
    with archive.database.read() as connection:
        known = {each.sql.name for each in catalogues.entries(connection)}
    retired = point == "catalogue.done" and what in ("append", "drop")
    assert len(sql_tables(archive) - known) == retired
