"""An archive with something of everything, and what must be the same of it after it was kept: for tests of keeping."""

import filecmp
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel import catalogues, custody, projects
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.config import Config
from datamodel.context import WORLD
from datamodel.dataobject import DataObject
from datamodel.job_rows import Job, job, row_of
from datamodel.keeping.backup import Made, backup
from datamodel.keeping.restoring import Restored, restore
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.schema import metadata
from datamodel.session import Session
from tests.catalogues import made_up
from tests.catalogues import reading as read_as
from tests.databases import Databases
from tests.templates import BARE, FrozenClock, Templates
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.tap import tap_schema

NOW = datetime(2026, 2, 3, 4, 5, 6)
TRIANGLE = "10.0 10.0 11.0 10.0 10.5 11.0"
HARD_TEXT = 'a "quoted", text\nwith Ünï ☉, \\N and ~'


class KeptThing(DataObject):
    """A thing with a value of each type that is hard to keep."""

    count = persistent("A whole number", int)
    size = persistent("A number", float)
    truth = persistent("Yes or no", bool)
    seen = persistent("When", datetime)
    words = persistent("A text", str, mutable=True)
    sizes = persistent("Numbers", [float])
    other = persistent("Another thing", "KeptThing")
    others = persistent("Other things", ["KeptThing"])


@pytest.fixture(scope="module")
def full(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Where an archive with something of everything is; to be copied, never opened."""
    folder = tmp_path_factory.mktemp("furnished")
    archive = templates.opened(BARE, folder / "archive", FrozenClock(), project="P")
    for account, project in (("A", "P"), ("B", "P"), ("C", "Q")):
        archive.add_account(account, project)
    furnish(archive, folder)
    archive.close()
    return archive.config


@pytest.fixture
def furnished(full: Config, new_database: Databases, tmp_path: Path, clock: FrozenClock) -> Iterator[Archive]:
    """A copy of it."""
    shutil.copytree(full.archive, tmp_path / "archive")
    url = new_database(like=full.database_url, at=tmp_path / "archive.sqlite")
    archive = opened(replace(full, archive=tmp_path / "archive", database_url=url), clock)
    yield archive
    archive.close()
    new_database.drop(url)


@pytest.fixture(scope="module")
def kept(full: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, with copies of all bytes; nobody writes there."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    backed_up(full, folder, link=False)
    return folder


def quiet(*_told: object) -> None:
    """Progress that nobody wants to know of."""


def add_thing(session: Session, folder: Path, name: str, **values: Any) -> KeptThing:
    """A thing with a file."""
    path = folder / f"{name}.txt"
    path.write_text(f"the bytes of {name}")
    thing = KeptThing(pathname=path, **values)
    thing.store()
    thing.commit()
    return thing


def furnish(archive: Archive, folder: Path) -> None:
    """Put something of everything into an archive."""
    tap_schema.update_tap_schema(archive, tap_schema.tables(archive.config))
    projects.set_member(archive, "P", "A", is_manager=True)
    with Session(archive, archive.caller("A", "P", WORLD)) as session:
        first = add_thing(session, folder, "first", count=2**62, size=0.1, truth=True, words=HARD_TEXT)
        values: dict[str, Any] = {"count": -1, "size": float("inf"), "truth": False, "words": ""}
        seen = datetime(1987, 2, 24, 1, 2, 3, 4)
        second = add_thing(session, folder, "second", seen=seen, other=first, sizes=[1.5, -1e-300], **values)
        DBObject().commit()
        KeptThing(others=[second, first]).commit()
        first.words = "changed"
        first.commit()
        everything = made_up(300, 7)
        bring(
            archive,
            read_as(everything),
            Given("kept.stars", level=WORLD, index=("mag",)),
            session.caller,
            "x",
        )
        columns = (Column("n", "BIGINT"), Column("s_region", "VARCHAR", ucd="pos.outline"))
        regions = {"n": [1, 2, 3], "s_region": [TRIANGLE, None, "CIRCLE ICRS 20 20 1"]}
        bring(archive, read_as(regions, columns), Given("kept.regions", level=WORLD), session.caller, "y")
    _add_job(archive)
    _add_others(archive.config.archive)


def _add_job(archive: Archive) -> None:
    id, now = "0123456789abcdef" * 2, archive.clock()
    archive.database.create([job])
    asked = Job(
        id, "tap", "COMPLETED", "A", "A", now, datetime(2026, 3, 1), None, "P", 1, 60, (("QUERY", "x"),)
    )
    with archive.database.write() as connection:
        connection.execute(sa.insert(job).values(**row_of(asked)))
    (archive.config.archive / "jobs" / id).mkdir(parents=True)
    (archive.config.archive / "jobs" / id / "result-result").write_bytes(b"rows" * 1000)
    (archive.config.archive / "jobs" / id / "result-result.somebody.part").write_bytes(b"unfinished")
    (archive.config.archive / "jobs" / "workers").mkdir()
    (archive.config.archive / "jobs" / "workers" / "somebody.lock").touch()


def _add_others(folder: Path) -> None:
    (folder / "quarantine").mkdir()
    (folder / "quarantine" / "strange.fits").write_bytes(b"no FITS")
    (folder / "quarantine" / "strange.fits.reason.txt").write_text("it is no FITS file")
    (folder / "session.key").write_bytes(b"secret")
    (folder / "session.key").chmod(0o600)


OTHERS = {
    f"jobs/{'0123456789abcdef' * 2}/result-result",
    "quarantine/strange.fits",
    "quarantine/strange.fits.reason.txt",
    "session.key",
}
"""What there is beside the store."""


def backed_up(config: Config, folder: Path, **options: Any) -> Made:
    """Back an archive up."""
    return backup(config, folder, quiet, now=NOW, program="test", **options)


def restored(folder: Path, config: Config, **options: Any) -> Restored:
    """Restore a backup."""
    return restore(folder, config, quiet, now=NOW, **options)


def opened(config: Config, clock: Any) -> Archive:
    """The archive, prepared as programs do."""
    made = Archive(replace(config, project="P"), clock)
    try:
        made.prepare()
    except BaseException:
        made.close()
        raise
    return made


def rows_of(archive: Archive) -> dict[str, list[str]]:
    """All rows of all tables, as this program reads them, whatever the database is."""
    with archive.database.read() as connection:
        names = set(sa.inspect(connection).get_table_names()) - {custody.custody.name}
        brought = catalogues.entries(connection) if catalogues.entry.name in names else ()
        tables = [metadata.tables[name] for name in names & set(metadata.tables)]
        tables += [each.sql for each in brought]
        tables += [table for each in brought if each.region for table in each.region_tables]
        assert {table.name for table in tables} == names
        return {table.name: sorted(map(repr, _rows(connection, table))) for table in tables}


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[list[Any]]:
    """A REAL is what its 32 bits are: a driver may give the shortest number that stands for them."""
    convert = [np.float32 if isinstance(c.type, sa.REAL) else None for c in table.columns]
    for row in connection.execute(sa.select(table)):
        pairs = zip(row, convert, strict=True)
        yield [v if to is None or v is None else float(to(v)) for v, to in pairs]


def order_of(archive: Archive, name: str) -> list[Any]:
    """The index of the sky of a catalogue's rows, as they lie."""
    with archive.database.read() as connection:
        found = catalogues.named(catalogues.entries(connection), name).sql
        return [row.hpx29 for row in connection.execute(sa.select(found))]  # all columns: no index has them


def files_of(folder: Path) -> Iterator[str]:
    """The files that matter of an archive's folder."""
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        is_ours = below.parts[0] == "files" or below.as_posix() in OTHERS
        if path.is_file() and is_ours:
            yield below.as_posix()


def assert_same_files(here: Path, there: Path) -> None:
    """Two archives have the same bytes, with the same rights."""
    names = list(files_of(here))
    assert names == list(files_of(there))
    for name in names:
        assert filecmp.cmp(here / name, there / name, shallow=False), name
        assert (here / name).stat().st_mode == (there / name).stat().st_mode, name


def shape_of(archive: Archive) -> str:
    """What the database says of its tables, but for the names of what is numbered by chance."""
    with archive.database.read() as connection:
        inspector = sa.inspect(connection)
        told = {
            name: {
                "columns": [
                    [c["name"], str(c["type"]), c["nullable"], str(c["default"])]
                    for c in inspector.get_columns(name)
                ],
                "key": inspector.get_pk_constraint(name),
                "references": sorted(map(str, inspector.get_foreign_keys(name))),
                "unique": sorted(map(str, inspector.get_unique_constraints(name))),
                "indexes": sorted(map(str, inspector.get_indexes(name))),
                "checks": inspector.get_check_constraints(name),
            }
            for name in sorted(inspector.get_table_names())
            if name != custody.custody.name
        }
    return json.dumps(told, indent=1, default=str)
