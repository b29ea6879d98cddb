"""Is an archive that was backed up and restored the same: rows, files, answers, on either database?"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive, event
from datamodel.config import Config
from datamodel.errors import BusyError, UsageError
from datamodel.keeping import manifest as manifests
from datamodel.keeping.backup import backup
from datamodel.keeping.restoring import restore
from datamodel.keeping.verifying import compare_with_archive, verify_archive, verify_backup
from datamodel.schema import metadata, table_of, tables_of_classes
from datamodel.session import Session
from datamodel.upgrading import upgrade
from processing.bias_frame import BiasFrame
from processing.opening import open_archive, operator
from tests.catalogues import ask
from tests.keeping import (
    NOW,
    KeptThing,
    add_thing,
    assert_same_files,
    backed_up,
    furnish,
    opened,
    order_of,
    quiet,
    restored,
    rows_of,
    shape_of,
)
from tests.old_archives import thaw
from vo_server.app import create_app

QUERIES = [
    "SELECT * FROM kept.stars ORDER BY number, hpx29",
    "SELECT COUNT(*) AS n, MAX(mag) AS faint FROM kept.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 10, 60))",
    "SELECT n FROM kept.regions WHERE 1 = CONTAINS(POINT(10.5, 10.4), s_region)",
    "SELECT table_name, column_name, datatype FROM tap_schema.columns ORDER BY 1, 2",
]


@pytest.fixture(params=["the same database", "sqlite"])
def config_there(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> Config:
    """Where an archive may be restored to."""
    url = new_database() if request.param == "the same database" else ""
    return Config(archive=tmp_path / "restored", database_url=url)


@pytest.fixture
def furnished(archive: Archive, tmp_path: Path) -> Archive:
    furnish(archive, tmp_path)
    return archive


@pytest.fixture
def elsewhere(furnished: Archive, tmp_path: Path, config_there: Config, clock: Any) -> Iterator[Archive]:
    """The archive, after it was backed up and restored."""
    backed_up(furnished.config, tmp_path / "backup")
    restored(tmp_path / "backup", config_there)
    there = opened(config_there, clock)
    yield there
    there.close()


def test_a_restored_archive_has_the_same_rows_and_files_and_answers(
    furnished: Archive, elsewhere: Archive, tmp_path: Path
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
    assert compare_with_archive(tmp_path / "backup", elsewhere.config, quiet) == []


def test_a_restored_archive_is_worked_with(elsewhere: Archive, tmp_path: Path) -> None:
    with elsewhere.database.read() as connection:
        last = connection.scalar(sa.select(sa.func.max(event.c.id)))
    with Session(elsewhere, elsewhere.caller("A", "P")) as session:
        thing = add_thing(session, tmp_path, "third")
        assert thing.retrieve(tmp_path / "backup").read_text() == "the bytes of third"
        assert len(KeptThing.select_all()) == 4
    with elsewhere.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(event.c.id))) == last + 1


def test_numbers_that_were_given_out_and_are_gone_are_not_given_out_again(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    """On PostgreSQL, which remembers them."""
    if archive.database.facts.begin_write:
        pytest.skip("SQLite takes the number after the largest that is there")
    with archive.database.write() as connection:
        for _ in range(3):
            connection.execute(sa.insert(event).values(at=archive.clock(), kind="made"))
        connection.execute(sa.delete(event))
    backed_up(archive.config, tmp_path / "backup")
    config = Config(archive=tmp_path / "restored", database_url=new_database())
    restored(tmp_path / "backup", config)
    there = opened(config, clock)
    with there.database.write() as connection:
        connection.execute(sa.insert(event).values(at=archive.clock(), kind="made"))
        assert connection.scalar(sa.select(event.c.id)) == 4
    there.close()


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


WRITE = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.session import Session
from datamodel.upgrading import upgrade
from datamodel.dataobject import DataObject

folder, url, aside = sys.argv[1:]
archive = Archive(Config(archive=Path(folder), database_url=url, project="P"))
archive.prepare()
with Session(archive, archive.caller("A", "P")):
    for number in range(100_000):
        path = Path(aside, f"{number}.dat")
        path.write_bytes(b"%d" % number * 100)
        new = DataObject(pathname=path)
        new.store()
        new.commit()
        print(number, flush=True)
"""


def test_a_backup_of_an_archive_that_is_written_to_is_as_at_one_moment(
    archive: Archive, tmp_path: Path, clock: Any
) -> None:
    (tmp_path / "aside").mkdir()
    given = [str(archive.config.archive), archive.config.database, str(tmp_path / "aside")]
    place = Path(__file__).parent.parent
    command = [sys.executable, "-c", WRITE, *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=place, env={**os.environ}) as writing:
        assert writing.stdout is not None
        for _ in range(20):
            writing.stdout.readline()
        made = backed_up(archive.config, tmp_path / "backup")
        writing.stdout.readline()
        writing.kill()
    assert made.manifest.lost == ()
    assert verify_backup(tmp_path / "backup", quiet) == []
    rows = {name: each.rows for name, each in made.manifest.tables.items()}
    assert rows["data_object"] == rows["dbobject"] == rows["event"] == len(made.manifest.files) >= 20
    config = Config(archive=tmp_path / "restored")
    restored(tmp_path / "backup", config)
    there = opened(config, clock)
    assert verify_archive(config, quiet) == []
    with there.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM data_object")) == rows["data_object"]
    there.close()


def test_a_writer_is_not_held_up_by_a_backup(archive: Archive, tmp_path: Path) -> None:
    """Its transaction ends while the backup has begun and has not ended."""
    waited: list[float] = []

    def write_meanwhile(doing: str, *_told: object) -> None:
        if not waited and doing == "reading tables":
            began = time.monotonic()
            archive.add_account("D", "P")
            waited.append(time.monotonic() - began)

    made = backup(archive.config, tmp_path / "backup", write_meanwhile, now=NOW, program="test")
    assert waited[0] < 5
    assert made.manifest.tables["account"].rows == 3
    with archive.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM account")) == 4


def test_one_backup_or_restore_at_a_time_is_made_at_a_place(archive: Archive, tmp_path: Path) -> None:
    config = Config(archive=tmp_path / "restored")
    refused: list[str] = []

    def another(doing: str, *_told: object) -> None:
        begin = (
            partial(backed_up, archive.config) if doing == "reading tables" else lambda f: restored(f, config)
        )
        with pytest.raises(BusyError) as busy:
            begin(tmp_path / "backup")
        refused.append(str(busy.value))

    backup(archive.config, tmp_path / "backup", another, now=NOW, program="test")
    restore(tmp_path / "backup", config, another, now=NOW)
    assert set(refused) == {
        f"another backup into '{tmp_path}/backup' is under way",
        f"another restore to '{tmp_path}/restored' is under way",
    }


def test_a_second_backup_adds_only_what_is_new_and_removes_what_is_gone(
    furnished: Archive, tmp_path: Path
) -> None:
    first = backed_up(furnished.config, tmp_path / "backup")
    again = backed_up(furnished.config, tmp_path / "backup")
    assert again.new_bytes == 0
    assert again.manifest.tables == first.manifest.tables
    (furnished.config.archive / "quarantine" / "strange.fits").unlink()
    with Session(furnished, furnished.caller("A", "P")) as session:
        thing = add_thing(session, tmp_path, "third")
    third = backed_up(furnished.config, tmp_path / "backup").manifest
    assert set(first.manifest.files) - set(third.files) == {"quarantine/strange.fits"}
    assert [Path(name).name for name in set(third.files) - set(first.manifest.files)] == [thing.filename]
    there = {
        p.relative_to(tmp_path / "backup").as_posix() for p in (tmp_path / "backup").rglob("*") if p.is_file()
    }
    assert there == third.stored | {manifests.NAME, "lock"}
    assert verify_backup(tmp_path / "backup", quiet) == []


def test_bytes_are_the_same_on_disk_unless_copies_are_asked_for(furnished: Archive, tmp_path: Path) -> None:
    linked = backed_up(furnished.config, tmp_path / "linked").manifest
    copied = backed_up(furnished.config, tmp_path / "copied", link=False).manifest
    assert {n: (f.sha256, f.mode) for n, f in linked.files.items()} == {
        n: (f.sha256, f.mode) for n, f in copied.files.items()
    }
    for name, stored in linked.files.items():
        original = furnished.config.archive / name
        fixed = name.startswith("files/")
        assert os.path.samefile(original, tmp_path / "linked" / stored.file) == fixed
        assert not os.path.samefile(original, tmp_path / "copied" / copied.files[name].file)
    assert (tmp_path / "linked").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_lost_is_named_and_the_rest_is_backed_up(furnished: Archive, tmp_path: Path) -> None:
    with Session(furnished, furnished.caller("A", "P")):
        lost, damaged = (t.path() for t in KeptThing.select_all() if t.filename)
    lost.unlink()
    damaged.chmod(0o644)
    damaged.write_text("other bytes")
    made = backed_up(furnished.config, tmp_path / "backup").manifest
    assert sorted(made.lost) == sorted(
        [
            f"the bytes of '{lost.name}' are not in the store",
            f"the bytes of '{damaged.name}' have changed in the store",
        ]
    )
    wrong = verify_backup(tmp_path / "backup", quiet)
    assert len(wrong) == 2
    assert all(line.startswith("when the backup was made: ") for line in wrong)
    assert len(verify_archive(furnished.config, quiet)) == 2


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


def test_the_manifest_says_what_a_backup_has(furnished: Archive, tmp_path: Path) -> None:
    backed_up(furnished.config, tmp_path / "backup")
    told = json.loads((tmp_path / "backup" / manifests.NAME).read_text())
    assert told["made"] == "2026-02-03T04:05:06"
    assert list(told["tables"]) == sorted(told["tables"])
    assert {"rows", "sha256", "digest", "size", "file", "table"} == set(told["tables"]["event"])
    key = told["files"]["session.key"]
    assert (key["size"], oct(key["mode"])) == (6, "0o600")
    assert manifests.read(tmp_path / "backup").tables["event"].table.counted == "id"


@pytest.mark.parametrize("what", ["table", "file", "other", "manifest"])
def test_one_byte_that_was_changed_is_found_and_named(furnished: Archive, tmp_path: Path, what: str) -> None:
    made = backed_up(furnished.config, tmp_path / "backup", link=False).manifest
    name, where = {
        "table": ("table 'kept_thing'", made.tables["kept_thing"].file),
        "file": (f"file '{min(made.files)}'", made.files[min(made.files)].file),
        "other": ("file 'session.key'", made.files["session.key"].file),
        "manifest": (manifests.NAME, manifests.NAME),
    }[what]
    path = tmp_path / "backup" / where
    whole = bytearray(path.read_bytes())
    middle = whole.index(b'"rows": ') + 8 if what == "manifest" else len(whole) // 2
    whole[middle] ^= 1
    path.chmod(0o644)
    path.write_bytes(whole)
    config = Config(archive=tmp_path / "restored")
    with pytest.raises(Exception, match="has changed") as refused:
        restored(tmp_path / "backup", config)
    assert name in str(refused.value)
    assert not config.archive.exists()
    assert not list(tmp_path.glob("restored*"))
    if what != "manifest":
        (wrong,) = verify_backup(tmp_path / "backup", quiet)
        assert wrong.startswith(name)


def test_what_differs_between_a_backup_and_an_archive_is_named(furnished: Archive, tmp_path: Path) -> None:
    backed_up(furnished.config, tmp_path / "backup")
    furnished.add_account("D", "P")
    (furnished.config.archive / "session.key").write_bytes(b"Secret")
    (furnished.config.archive / "new.txt").write_text("new")
    wrong = compare_with_archive(tmp_path / "backup", furnished.config, quiet)
    named = [line.partition(":")[0] for line in wrong]
    assert named == ["table 'account'", "table 'membership'", "file 'new.txt'", "file 'session.key'"]


def test_a_restore_to_the_default_database_needs_no_setting(furnished: Archive, tmp_path: Path) -> None:
    backed_up(furnished.config, tmp_path / "backup")
    config = Config(archive=tmp_path / "restored")
    inside = replace(config, database_url=f"sqlite:///{tmp_path}/restored/inner/x.sqlite")
    made = restored(tmp_path / "backup", config)
    assert (tmp_path / "restored" / "archive.sqlite").is_file()
    assert made.database.endswith("restored/archive.sqlite")
    with pytest.raises(Exception, match="no folder"):
        restored(
            tmp_path / "backup",
            replace(inside, archive=tmp_path / "again", database_url=f"sqlite:///{tmp_path}/again/inner/x"),
        )
