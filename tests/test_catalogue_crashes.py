"""Whatever moment an import is killed at: the catalogue is there whole, or nothing of it is, and nothing is left."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import catalogues, tap_schema
from datamodel.archive import Archive
from datamodel.catalogue_workshop import LEAST_GRACE_S, sweep, workshop
from datamodel.crash import CRASH_POINTS
from vo_server.catalogue import importing
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.sweeping import sweep_catalogues
from vo_server.uws.worker import CHORES

POINTS = ["catalogue.loaded", "catalogue.registered", "catalogue.done"]
KILLED = [
    ("catalogue.registered", False),
    *(
        pytest.param(point, False, marks=pytest.mark.killing)
        for point in ("catalogue.loaded", "catalogue.done")
    ),
    *(pytest.param(point, True, marks=pytest.mark.killing) for point in POINTS),
]

BRING = """
import sys
from pathlib import Path
import pyarrow as pa
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.config import Config
from datamodel.context import Caller
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.formats.reading import Reading

folder, url, replaces = sys.argv[1:]
columns = (Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
batch = pa.RecordBatch.from_arrays([pa.array([3.0] * 500), pa.array([4.0] * 500)], names=["ra", "dec"])
archive = Archive(Config(archive=Path(folder), database_url=url))
bring(archive, Reading(columns, iter([batch])), Given("test.stars"), Caller("A"), "x", replaces=bool(replaces))
"""


def bring(archive: Archive, at: str = "", replaces: bool = False) -> int:
    """Bring a catalogue in a process that ends at a crash point; gives its exit code."""
    command = [sys.executable, "-c", BRING, str(archive.config.archive), archive.config.database]
    environment = {**os.environ, "VO_CRASH_AT": at}
    place = Path(__file__).parent.parent
    return subprocess.run(
        [*command, "yes" if replaces else ""], env=environment, cwd=place, check=False
    ).returncode


def sql_tables(archive: Archive) -> set[str]:
    with archive.database.read() as connection:
        found = sa.inspect(connection).get_table_names()
    return {n for n in found if n.startswith("catalogue_")} - {t.name for t in catalogues.TABLES}


def test_every_crash_point_of_catalogues_is_hit_here() -> None:
    assert importing.bring
    assert sorted(POINTS) == sorted(point for point in CRASH_POINTS if point.startswith("catalogue."))


@pytest.mark.parametrize(("point", "replaces"), KILLED)
def test_an_import_killed_at_any_point_is_whole_or_nothing(
    archive: Archive, point: str, replaces: bool
) -> None:
    update_tap_schema(archive, tables(archive.config))
    if replaces:
        assert bring(archive) == 0
    before, told = sql_tables(archive), tap_schema.version(archive)
    assert bring(archive, point, replaces) == 137
    there = point == "catalogue.done"
    names = [t.name for s in tap_schema.read(archive) for t in s.tables if s.name == "test"]
    assert bool(names) == (there or replaces)
    assert (tap_schema.version(archive) != told) == there
    with archive.database.read() as connection:
        entries = catalogues.entries(connection)
    assert [e.name for e in entries] == names
    assert len(sql_tables(archive)) == len(before) + 1
    sweep(archive)
    assert len(sql_tables(archive)) == len(before) + there
    assert {e.sql.name for e in entries} <= sql_tables(archive)
    folder = archive.config.archive / catalogues.FOLDER
    assert [path for path in folder.iterdir() if path.is_dir()] == []


def test_what_an_import_under_way_has_made_is_left_alone(archive: Archive) -> None:
    with workshop(archive) as (id, folder):
        (folder / "run-000001.arrow").write_bytes(b"rows")
        with archive.database.write() as connection:
            connection.exec_driver_sql(f"CREATE TABLE {catalogues.sql_name(id)} (a INTEGER)")
        assert sweep(archive) == 0
        assert (folder / "run-000001.arrow").exists()
        assert sql_tables(archive) == {catalogues.sql_name(id)}
    assert not folder.exists()
    assert sql_tables(archive) == set()


def test_a_catalogue_that_was_replaced_before_its_import_ended_keeps_its_rows_for_a_while(
    archive: Archive,
) -> None:
    """A query may have begun on them."""
    with workshop(archive) as (id, _), archive.database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {catalogues.sql_name(id)} (a INTEGER)")
        connection.execute(sa.insert(catalogues.retired).values(id=id, at=archive.clock()))
    assert sql_tables(archive) == {catalogues.sql_name(id)}


def test_a_folder_that_another_process_has_just_removed_is_passed_over(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = archive.config.archive / catalogues.FOLDER
    with workshop(archive):
        pass
    gone = folder / "gone"
    gone.mkdir()
    seen = Path.is_dir

    def is_dir_and_goes(path: Path) -> bool:
        there = seen(path)
        if path == gone:
            path.rmdir()
        return there

    monkeypatch.setattr(Path, "is_dir", is_dir_and_goes)
    assert sweep(archive) == 0
    assert not gone.exists()


def test_workers_remove_the_rows_of_catalogues_that_were_replaced(archive: Archive, clock: Any) -> None:
    with workshop(archive) as (id, _), archive.database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {catalogues.sql_name(id)} (a INTEGER)")
        connection.execute(sa.insert(catalogues.retired).values(id=id, at=archive.clock()))
    assert sweep_catalogues in CHORES
    assert sweep_catalogues(archive) == 0
    clock.advance(seconds=max(LEAST_GRACE_S, archive.config.query_seconds))
    with (archive.config.archive / catalogues.FOLDER / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert sweep_catalogues(archive) == 0, "another process is at it"
    assert sweep_catalogues(archive) == 1
    assert sql_tables(archive) == set()
