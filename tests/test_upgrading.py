"""Does an older archive say how it is upgraded, and is it then as if it had been begun now?"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import custody
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import NotFoundError, UsageError
from datamodel.history import event
from datamodel.revisions import alembic_version, known, newest
from datamodel.schema import metadata
from datamodel.session import Session
from datamodel.upgrading import plan, upgrade
from processing import classes
from tests import old_archives
from tests.old_archives import FIRST, SECOND, OldRemark, changes, revision
from vo_server import awe, cli
from vo_server.tap import tap_schema

old, two = old_archives.old, old_archives.two
assert tap_schema.tables  # so that all tables are known here
FIRST_STEP = "0001  Write no value as NULL, and instants as ISO 8601, in the log of events"


@pytest.fixture
def command(
    old: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``vo-server`` on the old archive; gives its exit code and what it said."""
    monkeypatch.setenv("VO_DATABASE_URL", old.config.database_url)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main([*words, "--archive", str(old.config.archive)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def events(archive: Archive, *attributes: str) -> list[tuple[Any, ...]]:
    wanted = sa.select(event.c.old, event.c.new).where(event.c.attribute.in_(attributes))
    with archive.database.read() as connection:
        return [tuple(row) for row in connection.execute(wanted.order_by(event.c.id))]


def test_an_old_archive_says_its_revision_and_the_command(old: Archive) -> None:
    at = old.config.archive
    with pytest.raises(UsageError) as refused:
        old.prepare()
    assert str(refused.value) == (
        f"the archive at '{at}' has revision 0 (it was begun before revisions were counted), and this program "
        f"works with {newest()}: back the archive up, end what uses it, and run 'vo-server upgrade --archive {at}' "
        "(with --dry-run it only shows what would be done)"
    )


@pytest.mark.parametrize(
    "words",
    ["status", "get BiasFrame --chip A5382", "catalogue list", "worker", "serve", "ingest /nowhere/x.fits"],
)
def test_every_command_refuses_an_old_archive_and_changes_nothing(
    old: Archive, command: Callable[..., tuple[int, str, str]], words: str, tmp_path: Path
) -> None:
    (tmp_path / "x.fits").write_bytes(b"")
    code, _, said = command(*words.replace("/nowhere", str(tmp_path)).split())
    assert code == 2
    assert (
        f"has revision 0 (it was begun before revisions were counted), and this program works with {newest()}"
        in said
    )
    assert f"run 'vo-server upgrade --archive {old.config.archive}'" in said
    with old.database.read() as connection:
        assert not sa.inspect(connection).has_table(alembic_version.name)


def test_the_prompt_refuses_an_old_archive(
    old: Archive, command: Callable[..., tuple[int, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert awe.main(["--archive", str(old.config.archive), "-c", "print(1)"]) == 2
    assert "run 'vo-server upgrade --archive" in capsys.readouterr().err


def test_a_dry_run_shows_the_plan_and_does_nothing(
    old: Archive, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, said, _ = command("upgrade", "--dry-run")
    assert code == 0
    assert f"to come to {newest()}, there is to do:\n  {FIRST_STEP}\n" in said
    assert "have a backup" in said
    code, said, _ = command("upgrade", "--dry-run", "--json")
    told = json.loads(said)
    assert (code, told["found"], told["newest"], told["done"]) == (0, "0", newest(), False)
    assert told["steps"][0] == {"revision": "0001", "what": FIRST_STEP.removeprefix("0001  ")}
    assert revision(old) == "0"


def test_an_upgraded_archive_opens_and_a_second_upgrade_does_nothing(
    old: Archive, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_PROJECT", "P")
    code, said, _ = command("upgrade")
    assert (code, said.splitlines()[-1]) == (0, f"it has revision {newest()} now")
    before = changes(old)
    what = [row.what for row in before]
    assert what[: len(known())] == ["migrated"] * len(known())
    assert "migrated" not in what[len(known()) :]  # it was opened, to be listed in ObsCore again
    code, said, _ = command("upgrade")
    assert (
        said
        == f"the archive at '{old.config.archive}' has revision {newest()}, the newest: there is nothing to do\n"
    )
    assert (code, changes(old)) == (0, before)
    assert json.loads(command("upgrade", "--json")[1]) == {
        "found": newest(),
        "newest": newest(),
        "steps": [],
        "done": True,
    }
    assert command("status")[0] == 0


def test_the_objects_of_an_upgraded_archive_are_there_and_can_be_changed(old: Archive, clock: Any) -> None:
    upgrade(old)
    old.prepare(classes.TABLES)
    with Session(old, old.caller("A", "P")):
        first = OldRemark(object_id=FIRST)
        assert (first.words, first.seen, first.about) == (
            "clouds",
            datetime(2025, 12, 3, 4, 5, 6, 700000),
            None,
        )
        first.is_valid = 1
        first.commit()
    assert events(old, "is_valid") == [("1", "0"), ("0", "1")]


def test_the_log_of_events_says_no_value_as_null_but_leaves_what_people_wrote(old: Archive) -> None:
    upgrade(old)
    assert events(old, "seen") == [
        (None, "2025-12-02T00:00:00.000000"),
        ("2025-12-02T00:00:00.000000", "2025-12-03T04:05:06.700000"),
    ]
    assert events(old, "about") == [(None, SECOND), (SECOND, None)]
    assert events(old, "is_valid", "_privileges") == [("1", "0"), ("1", "2")]
    assert events(old, "words") == [
        ("first", "None"),
        ("None", "None"),
        ("None", "clouds"),
        ("None", "None"),
    ]


@pytest.mark.parametrize(
    ("day", "seen", "about", "is_valid"),
    [
        (3, None, None, 1),
        (4, datetime(2025, 12, 2), None, 1),
        (5, datetime(2025, 12, 2), SECOND, 1),
        (6, datetime(2025, 12, 3, 4, 5, 6, 700000), None, 1),
        (7, datetime(2025, 12, 3, 4, 5, 6, 700000), None, 0),
    ],
)
def test_what_was_before_the_upgrade_is_seen_as_it_was(
    old: Archive, day: int, seen: datetime | None, about: str | None, is_valid: int
) -> None:
    upgrade(old)
    old.prepare(classes.TABLES)
    caller = old.caller("A", "P").at(as_of=datetime(2025, 12, day, 20))
    with Session(old, caller):
        first = OldRemark(object_id=FIRST)
        assert (first.seen, first.about and first.about.object_id, first.is_valid) == (seen, about, is_valid)


def tables_of(archive: Archive) -> dict[str, Any]:
    """What the database says of all tables that are not of classes, as far as it can be compared."""
    archive.prepare(classes.TABLES)
    fixed = [table for table in metadata.tables.values() if "class" not in table.info]
    archive.database.create(fixed)
    found: dict[str, Any] = {}
    with archive.database.read() as connection:
        inspector = sa.inspect(connection)
        for table in fixed:
            columns = {
                c["name"]: (str(c["type"].compile(connection.dialect)), c["nullable"], c["default"])
                for c in inspector.get_columns(table.name)
            }
            keys = {
                (tuple(k["constrained_columns"]), k["referred_table"], tuple(k["referred_columns"]))
                for k in inspector.get_foreign_keys(table.name)
            }
            indices = {
                (i["name"], tuple(i["column_names"]), i["unique"]) for i in inspector.get_indexes(table.name)
            }
            unique = {tuple(u["column_names"]) for u in inspector.get_unique_constraints(table.name)}
            primary = tuple(inspector.get_pk_constraint(table.name)["constrained_columns"])
            found[table.name] = {
                "columns": columns,
                "foreign keys": keys,
                "indices": indices,
                "unique": unique,
                "primary key": primary,
            }
    return found


def test_an_upgraded_archive_has_the_tables_of_one_that_is_begun_now(
    old: Archive, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """Where this fails, a table of `metadata` was changed without a migration: see docs/migrations.md."""
    upgrade(old)
    fresh = Archive(Config(archive=tmp_path / "fresh", database_url=new_database()))
    try:
        expected, upgraded = tables_of(fresh), tables_of(old)
    finally:
        fresh.close()
    assert {"account", "event", "job", "observation", "tap_schema_columns", "catalogue_entry"} <= set(
        expected
    )
    for name, table in expected.items():
        assert upgraded[name] == table, f"a migration is missing for '{name}'"


def test_a_new_archive_is_of_the_newest_revision(archive: Archive) -> None:
    assert revision(archive) == newest()
    assert [(row.what, row.told) for row in changes(archive)] == [("begun", newest())]
    assert upgrade(archive).steps == ()


@pytest.mark.parametrize(
    "action", [lambda archive: archive.prepare(), plan, upgrade], ids=["open", "plan", "upgrade"]
)
def test_an_archive_that_a_later_program_upgraded_is_refused(
    archive: Archive, action: Callable[[Archive], Any]
) -> None:
    with archive.database.write() as connection:
        connection.execute(sa.update(alembic_version).values(version_num="9000"))
    with pytest.raises(UsageError, match=f"has revision 9000, .* only those up to {newest()}: it is too old"):
        action(archive)
    assert revision(archive) == "9000"


def test_where_no_archive_was_begun_there_is_nothing_to_upgrade(database_url: str, tmp_path: Path) -> None:
    empty = Archive(Config(archive=tmp_path / "archive", database_url=database_url))
    with pytest.raises(NotFoundError, match="there is no archive in the database"):
        upgrade(empty)
    empty.close()


def test_a_table_that_others_refer_to_is_made_anew_with_its_rows(old: Archive, two: Path, clock: Any) -> None:
    done = upgrade(old, two)
    assert [(step.revision, step.what) for step in done.steps] == [
        ("0001", "Do rename"),
        ("0002", "Do narrow"),
    ]
    assert [row.at for row in changes(old)] == [clock(), clock()]
    with old.database.write() as connection:
        assert list(connection.exec_driver_sql("SELECT name, told, maximum_privileges FROM project")) == [
            ("P", "", 5)
        ]
        assert connection.exec_driver_sql("SELECT count(*) FROM membership").scalar() == 2
    with pytest.raises(sa.exc.IntegrityError), old.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM project")
    with pytest.raises(sa.exc.IntegrityError), old.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO project VALUES ('Q', '', 5)")


def test_a_database_of_another_archive_is_not_upgraded(
    old: Archive, command: Callable[..., tuple[int, str, str]]
) -> None:
    told = custody.Custody("another", "postgresql://db/archive", "2026-01-01T00:00:00")
    custody.write(old.config.archive / custody.BELONGS, told)
    for words in (("upgrade", "--dry-run"), ("upgrade",)):
        code, _, err = command(*words)
        assert code == 2
        assert "does not belong to" in err
    assert revision(old) == "0"
