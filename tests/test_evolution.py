"""Do the tables follow the classes, is each change written down with it, and is nothing ever dropped?"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import ADAPTED, Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.objects import DBMeta, DBObject
from datamodel.persistent import persistent
from datamodel.schema_changes import schema_change
from datamodel.session import Session


def declare(**attributes: Any) -> Any:
    return DBMeta("EvolvingThing", (DBObject,), {"__doc__": "Declared several times.", **attributes})


@pytest.fixture(autouse=True)
def _forgotten() -> Any:
    """The class is not declared otherwise when other tests open their archives."""
    declare(name=persistent("Name", str))
    yield
    declare(name=persistent("Name", str))


def recorded(archive: Archive) -> list[tuple[Any, ...]]:
    """What was written down of the class."""
    columns = (schema_change.c.what, schema_change.c.attribute, schema_change.c.told)
    wanted = sa.select(*columns).where(schema_change.c.class_name == "EvolvingThing")
    with archive.database.read() as connection:
        return [tuple(row) for row in connection.execute(wanted.order_by(schema_change.c.id))]


def test_a_new_attribute_and_a_new_list_are_written_down(archive: Archive, clock: Any) -> None:
    now = clock.advance(days=1)
    declare(name=persistent("Name", str), size=persistent("Size", int, 3), parts=persistent("Parts", [str]))
    archive.prepare()
    archive.prepare()
    assert recorded(archive) == [
        ("attribute added", "size", "evolving_thing.size BIGINT"),
        ("attribute added", "parts", "evolving_thing__parts"),
    ]
    with archive.database.read() as connection:
        last = connection.execute(sa.select(schema_change).order_by(schema_change.c.id.desc()).limit(1)).one()
    assert (last.at, last.version) == (now, version("vo-server"))


def test_a_new_class_is_written_down_once(archive: Archive) -> None:
    made = DBMeta("EvolvingNew", (DBObject,), {"parts": persistent("Parts", [str])})
    with Session(archive, archive.caller("A", "P")):
        made(parts=["a"]).commit()
    with archive.database.read() as connection:
        rows = connection.execute(
            sa.select(schema_change.c.what).where(schema_change.c.class_name == "EvolvingNew")
        )
        assert rows.scalars().all() == ["class added"]


def test_an_attribute_that_has_gone_is_hidden_and_its_values_are_kept(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    caller = archive.caller("A", "P")
    both = {
        "name": persistent("Name", str),
        "old_name": persistent("Old", str),
        "parts": persistent("P", [int]),
    }
    thing = declare(**both)
    with Session(archive, caller):
        thing(name="a", old_name="b", parts=[1, 2]).commit()
    less = declare(name=persistent("Name", str))
    archive.prepare()
    archive.prepare()
    hidden = [("attribute hidden", "old_name", ""), ("attribute hidden", "parts", "")]
    assert recorded(archive)[2:] == hidden
    assert (
        "EvolvingThing has no attribute 'old_name' any more: its values are kept, and hidden" in caplog.text
    )
    assert "python -m datamodel.migrations new" in caplog.text
    with Session(archive, caller):
        less(name="c").commit()
        assert [o.name for o in less.select_all().order_by("name")] == ["a", "c"]
    again = declare(**both)
    archive.prepare()
    archive.prepare()
    assert recorded(archive)[4:] == [("attribute shown again", n, "") for n in ("old_name", "parts")]
    with Session(archive, caller):
        assert [(o.old_name, list(o.parts)) for o in again.select_all().order_by("name")] == [
            ("b", [1, 2]),
            (None, []),
        ]


@pytest.mark.parametrize(
    "attributes",
    [{"name": persistent("Name", int)}, {"name": persistent("Names", [str])}],
    ids=["another type", "a list"],
)
def test_what_needs_a_migration_says_how_to_write_one(archive: Archive, attributes: dict[str, Any]) -> None:
    declare(**attributes)
    with pytest.raises(
        UsageError, match=r"write a migration: 'python -m datamodel.migrations new .*docs/migrations.md"
    ):
        archive.prepare()
    assert recorded(archive) == []


OPEN = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.objects import DBObject
from datamodel.persistent import persistent

class EvolvingThing(DBObject):
    name = persistent("Name", str)
    size = persistent("Size", int, 3)

archive = Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2]))
archive.prepare()
"""


@pytest.mark.killing
def test_a_process_killed_while_tables_follow_leaves_them_and_the_record_as_they_were(
    archive: Archive,
) -> None:
    command = [sys.executable, "-c", OPEN, str(archive.config.archive), archive.config.database]
    environment = {**os.environ, "VO_CRASH_AT": ADAPTED}
    place = Path(__file__).parent.parent
    assert subprocess.run(command, env=environment, cwd=place, check=False).returncode == 137
    with archive.database.read() as connection:
        assert "size" not in {c["name"] for c in sa.inspect(connection).get_columns("evolving_thing")}
    assert recorded(archive) == []
    declare(name=persistent("Name", str), size=persistent("Size", int, 3))
    archive.prepare()
    assert recorded(archive) == [("attribute added", "size", "evolving_thing.size BIGINT")]


@contextmanager
def full_disk() -> Iterator[None]:
    """What is done within fails after all is written and before it is committed."""

    def fail(name: str) -> None:
        if name == ADAPTED:
            raise RuntimeError("the disk is full")

    stop = crash.watch(fail)
    try:
        with pytest.raises(RuntimeError, match="the disk is full"):
            yield
    finally:
        stop()


def test_tables_that_could_not_follow_are_as_they_were_and_follow_the_next_time(archive: Archive) -> None:
    declare(name=persistent("Name", str), size=persistent("Size", int, 3))
    with full_disk():
        archive.prepare()
    assert recorded(archive) == []
    archive.prepare()
    assert recorded(archive) == [("attribute added", "size", "evolving_thing.size BIGINT")]


def test_an_archive_whose_beginning_failed_was_not_begun(database_url: str, tmp_path: Path) -> None:
    fresh = Archive(Config(archive=tmp_path / "archive", database_url=database_url))
    with full_disk():
        fresh.prepare()
    assert not fresh.exists()
    fresh.prepare()
    assert fresh.exists()
    fresh.close()
