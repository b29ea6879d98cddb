"""Is an archive that was backed up and restored the same: rows, files, answers, on either database?"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive, event
from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.keeping.verifying import compare_with_archive, verify_archive
from datamodel.schema import metadata, table_of, tables_of_classes
from datamodel.session import Session
from datamodel.upgrading import upgrade
from processing.bias_frame import BiasFrame
from processing.opening import open_archive, operator
from tests import keeping
from tests.catalogues import ask
from tests.databases import ON_POSTGRESQL, Databases
from tests.keeping import (
    KeptThing,
    add_thing,
    assert_same_files,
    backed_up,
    opened,
    order_of,
    quiet,
    restored,
    rows_of,
    shape_of,
)
from tests.old_archives import thaw
from vo_server.app import create_app

full, kept, furnished = keeping.full, keeping.kept, keeping.furnished

QUERIES = [
    "SELECT * FROM kept.stars ORDER BY number, hpx29",
    "SELECT COUNT(*) AS n, MAX(mag) AS faint FROM kept.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 10, 60))",
    "SELECT n FROM kept.regions WHERE 1 = CONTAINS(POINT(10.5, 10.4), s_region)",
    "SELECT table_name, column_name, datatype FROM tap_schema.columns ORDER BY 1, 2",
]


@pytest.fixture(params=["the same database", *(["sqlite"] if ON_POSTGRESQL else [])])
def config_there(request: pytest.FixtureRequest, tmp_path: Path, new_database: Databases) -> Config:
    """Where an archive may be restored to."""
    url = new_database() if request.param == "the same database" else ""
    return Config(archive=tmp_path / "restored", database_url=url)


@pytest.fixture
def elsewhere(kept: Path, config_there: Config, clock: Any) -> Iterator[Archive]:
    """The archive, after it was backed up and restored."""
    restored(kept, config_there)
    there = opened(config_there, clock)
    yield there
    there.close()


def test_a_restored_archive_has_the_same_rows_and_files_and_answers(
    furnished: Archive, elsewhere: Archive, kept: Path
) -> None:
    here, there = rows_of(furnished), rows_of(elsewhere)
    assert here.keys() == there.keys()
    for name, rows in here.items():
        assert there[name] == rows, name
    assert len(here["kept_thing"]) == 3
    assert len(here["event"]) == 5
    assert_same_files(furnished.config.archive, elsewhere.config.archive)
    for query in QUERIES:
        assert ask(elsewhere, query) == ask(furnished, query)
    assert len(ask(elsewhere, QUERIES[2])) == 1
    assert order_of(elsewhere, "kept.stars") == order_of(furnished, "kept.stars")
    assert verify_archive(elsewhere.config, quiet) == []
    assert compare_with_archive(kept, elsewhere.config, quiet) == []


def test_a_restored_archive_is_worked_with(elsewhere: Archive, tmp_path: Path) -> None:
    with elsewhere.database.read() as connection:
        last = connection.scalar(sa.select(sa.func.max(event.c.id)))
    with Session(elsewhere, elsewhere.caller("A", "P")) as session:
        thing = add_thing(session, tmp_path, "third")
        (tmp_path / "retrieved").mkdir()
        assert thing.retrieve(tmp_path / "retrieved").read_text() == "the bytes of third"
        assert len(KeptThing.select_all()) == 4
    with elsewhere.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(event.c.id))) == last + 1


def test_the_next_number_is_that_which_the_original_would_give_out(
    archive: Archive, tmp_path: Path, new_database: Databases, clock: Any
) -> None:
    """PostgreSQL remembers numbers that were given out and are gone, SQLite takes the one after the largest."""
    for _ in range(3):
        _next_number(archive)
    with archive.database.write() as connection:
        connection.execute(sa.delete(event))
    backed_up(archive.config, tmp_path / "backup")
    config = Config(archive=tmp_path / "restored", database_url=new_database())
    restored(tmp_path / "backup", config)
    there = opened(config, clock)
    assert _next_number(there) == _next_number(archive)
    there.close()


def _next_number(archive: Archive) -> int:
    with archive.database.write() as connection:
        connection.execute(sa.insert(event).values(at=archive.clock(), kind="made"))
        return int(connection.scalar(sa.select(sa.func.max(event.c.id))))


def test_a_restore_to_the_default_database_needs_no_setting(kept: Path, tmp_path: Path) -> None:
    config = Config(archive=tmp_path / "restored")
    inside = replace(config, database_url=f"sqlite:///{tmp_path}/restored/inner/x.sqlite")
    made = restored(kept, config)
    assert (tmp_path / "restored" / "archive.sqlite").is_file()
    assert made.database.endswith("restored/archive.sqlite")
    with pytest.raises(Exception, match="no folder"):
        restored(
            kept,
            replace(inside, archive=tmp_path / "again", database_url=f"sqlite:///{tmp_path}/again/inner/x"),
        )


def test_the_tables_of_a_restored_archive_are_as_the_program_makes_them(
    archive: Archive, tmp_path: Path, config_there: Config, clock: Any
) -> None:
    """As those of a new archive on that database: keys, references, indexes, what may be NULL."""
    archive.database.create([t for t in _tables() if not _is_there(archive, t)])
    backed_up(archive.config, tmp_path / "backup")
    restored(tmp_path / "backup", config_there)
    there = opened(config_there, clock)
    native = opened(Config(archive=tmp_path / "native"), clock) if _differ(archive, there) else archive
    native.database.create([t for t in _tables() if not _is_there(native, t)])
    assert shape_of(there) == shape_of(native)
    there.close()
    native.close()


def _tables() -> list[sa.Table]:
    """All there are, but for those of classes that have been declared anew by some test."""
    current = set(tables_of_classes())
    return [t for t in metadata.sorted_tables if "class" not in t.info or t in current]


def _differ(here: Archive, there: Archive) -> bool:
    return here.database.engine.dialect.name != there.database.engine.dialect.name


def _is_there(archive: Archive, table: sa.Table) -> bool:
    with archive.database.read() as connection:
        return sa.inspect(connection).has_table(table.name)


def test_a_made_product_is_known_as_up_to_date_after_a_restore(
    observatory: Archive, session: Session, tmp_path: Path, lent: Callable[[], object]
) -> None:
    keys = {"date": "2003-02-14", "chip": "A5382"}
    bias = BiasFrame.get(**keys)
    backed_up(observatory.config, tmp_path / "backup")
    config = Config(archive=tmp_path / "restored")
    restored(tmp_path / "backup", config)
    there = open_archive(config)
    with Session(there, operator(there)):
        again = BiasFrame.get(**keys)
        assert again.object_id == bias.object_id
        assert list(again.why()) == []
        assert there.store.path(again.filename, bias.file_sha256)
    answers = [_answer(each) for each in (observatory, there)]
    assert answers[0] == answers[1]
    assert b"obs_publisher_did" in answers[0]
    there.close()


def _answer(archive: Archive) -> bytes:
    client = create_app(archive).test_client()
    asked = {
        "LANG": "ADQL",
        "FORMAT": "csv",
        "QUERY": "SELECT * FROM ivoa.obscore ORDER BY obs_publisher_did",
    }
    return bytes(client.post("/tap/sync", data=asked, buffered=True).data)


def test_tables_and_columns_that_no_class_has_any_more_are_kept(
    archive: Archive, tmp_path: Path, config_there: Config, clock: Any
) -> None:
    table = table_of(KeptThing).name
    opened(archive.config, clock).close()
    with archive.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE old_class (id VARCHAR(36) PRIMARY KEY, at VARCHAR(26), n BIGINT)"
        )
        connection.exec_driver_sql(
            "INSERT INTO old_class VALUES ('a', 'not an instant', 5), ('b', NULL, NULL)"
        )
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN gone DOUBLE PRECISION")
        connection.exec_driver_sql("CREATE INDEX ix_old ON old_class (n)")
    with Session(archive, archive.caller("A", "P")):
        KeptThing(count=1).commit()
    with archive.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET gone = 0.1")
    backed_up(archive.config, tmp_path / "backup")
    restored(tmp_path / "backup", config_there)
    there = opened(config_there, clock)
    with there.database.read() as connection:
        old = connection.exec_driver_sql("SELECT * FROM old_class ORDER BY id").all()
        assert [tuple(row) for row in old] == [("a", "not an instant", 5), ("b", None, None)]
        assert connection.exec_driver_sql(f"SELECT gone FROM {table}").scalar() == 0.1
        assert [i["name"] for i in sa.inspect(connection).get_indexes("old_class")] == ["ix_old"]
    there.close()


def test_an_archive_that_must_be_upgraded_first_is_backed_up_and_restored_as_it_is(
    database_url: str, tmp_path: Path, clock: Any, config_there: Config
) -> None:
    """And upgraded after that, on whichever database it is then."""
    old = Archive(Config(archive=tmp_path / "archive", database_url=database_url), clock)
    thaw(old)
    made = backed_up(old.config, tmp_path / "backup").manifest
    old.close()
    assert made.revision == "0"
    restored(tmp_path / "backup", config_there)
    with pytest.raises(UsageError, match="vo-server upgrade"):
        opened(config_there, clock)
    there = Archive(config_there, clock)
    upgrade(there)
    there.close()
    opened(config_there, clock).close()
