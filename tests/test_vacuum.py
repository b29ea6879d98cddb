"""Do bytes go that no row names, and never one that a row names or is just going to, whoever does what meanwhile?"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datamodel import vacuum
from datamodel.archive import Archive
from datamodel.dataobject import DataObject
from datamodel.errors import BusyError, UsageError
from datamodel.keeping.backup import backup
from datamodel.session import Session
from datamodel.store import Store
from datamodel.vacuum import Reclaimed, look, reclaim
from tests.keeping import NOW, quiet
from vo_server import commands

OLD_S = 3 * 86400


@pytest.fixture
def at_work(archive: Archive) -> Iterator[Archive]:
    with Session(archive, archive.caller("A", "P")):
        yield archive


def stored(archive: Archive, folder: Path, name: str, *, commits: bool = True) -> DataObject:
    path = folder / name
    path.write_text(f"the bytes of {name}")
    made = DataObject(pathname=path)
    made.store()
    if commits:
        made.commit()
    return made


def age(archive: Archive) -> None:
    """Have all files of the store be some days old."""
    for name in archive.store.names():
        os.utime(archive.store.path(name), (time.time() - OLD_S,) * 2)


def names(archive: Archive) -> list[str]:
    return list(archive.store.names())


def test_only_old_files_go_that_no_row_names(at_work: Archive, tmp_path: Path) -> None:
    for name in ("named", "gone", "other"):
        stored(at_work, tmp_path, name, commits=name == "named")
    deleted = stored(at_work, tmp_path, "deleted")
    assert look(at_work) == Reclaimed(0, 0)
    age(at_work)
    stored(at_work, tmp_path, "young", commits=False)
    assert look(at_work) == Reclaimed(2, len("the bytes of gonethe bytes of other"))
    deleted.delete()
    assert look(at_work).files == 3
    assert sorted(names(at_work)) == ["deleted", "gone", "named", "other", "young"]
    done = reclaim(at_work)
    assert (done.files, done.bytes) == (3, len("the bytes of gonethe bytes of otherthe bytes of deleted"))
    assert done.database_bytes is None
    assert sorted(names(at_work)) == ["named", "young"]
    assert reclaim(at_work).files == 0
    with pytest.raises(UsageError, match="expected 3600 s at the least"):
        reclaim(at_work, 10.0)


def test_bytes_that_are_stored_again_meanwhile_stay(
    at_work: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(at_work, tmp_path, "equal", commits=False)
    age(at_work)
    remove, made = at_work.store.remove, []

    def remove_late(name: str, limit: float) -> int | None:
        made.append(stored(at_work, tmp_path, "equal", commits=False))  # after all looks, before the removal
        return remove(name, limit)

    monkeypatch.setattr(at_work.store, "remove", remove_late)
    assert reclaim(at_work).files == 0
    made[0].commit()
    assert made[0].path().read_text() == "the bytes of equal"


def test_what_was_stored_long_ago_and_is_gone_is_not_committed(
    at_work: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = stored(at_work, tmp_path, "late", commits=False)
    age(at_work)
    lock = at_work.database.write

    def write() -> Any:
        monkeypatch.undo()
        assert reclaim(at_work).files == 1  # after the first look of the commit
        return lock()

    monkeypatch.setattr(at_work.database, "write", write)
    with pytest.raises(UsageError, match="store\\(\\) the file 'late' before commit"):
        late.commit()
    late.store()
    late.commit()
    assert late.is_on_dataserver()


def test_a_file_of_another_account_is_made_young_by_one_with_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "x"
    path.write_text("x")
    store.put(path, "x", keep=True)
    os.utime(store.path("x"), (0, 0))

    def refuse(target: Path, *_times: object) -> None:
        if target.parent != store.staging:
            raise PermissionError

    monkeypatch.setattr("datamodel.store.os.utime", refuse)
    store.put(path, "x", keep=True)
    assert store.path("x").stat().st_mtime > time.time() - 60
    assert store.path("x").stat().st_mode & 0o777 == 0o444
    assert list(store.staging.iterdir()) == []


def test_nothing_goes_while_a_backup_is_made(at_work: Archive, tmp_path: Path) -> None:
    stored(at_work, tmp_path, "x")
    folder = tmp_path / "backup"

    def told(*_progress: object) -> None:
        with pytest.raises(BusyError, match="a backup is being made"):
            reclaim(at_work)

    backup(at_work.config, folder, told, now=NOW, program="test")
    with at_work.store.alone(), pytest.raises(BusyError, match="are being removed"):
        backup(at_work.config, folder, quiet, now=NOW, program="test")


def test_the_quarantine_goes_only_where_that_is_said(archive: Archive) -> None:
    folder = archive.quarantine / "2003"
    folder.mkdir(parents=True)
    for name in ("old", "young"):
        (folder / name).write_text("?")
    os.utime(folder / "old", (0, 0))
    assert reclaim(archive).left_over == 0
    assert reclaim(archive, quarantine=True).left_over == 1
    assert [path.name for path in folder.iterdir()] == ["young"]


def test_the_database_is_made_smaller_only_where_that_is_asked(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", archive.config.database)
    for more, is_asked in (((), False), (("--compact",), True)):
        assert commands.main(["vacuum", *more, "--archive", str(archive.config.archive)]) == 0
        assert ("the database gave back" in capsys.readouterr().out) is is_asked
    assert reclaim(archive, compact=True).database_bytes is not None


@pytest.mark.thorough
def test_the_commands_say_first_what_goes(
    at_work: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "A")
    monkeypatch.setenv("VO_DATABASE_URL", at_work.config.database)
    monkeypatch.setenv("VO_PROJECT", "P")
    made, base = stored(at_work, tmp_path, "mine"), stored(at_work, tmp_path, "base")
    made.comment("see base")

    def run(*arguments: str) -> tuple[int, str]:
        status = commands.main([*arguments, "--archive", str(at_work.config.archive)])
        output = capsys.readouterr()
        return status, output.out + output.err

    status, said = run("delete", made.object_id, "--dry-run")
    assert (status, "goes for good, with file 'mine', 1 comment\n" in said) == (0, True)
    assert run("delete", made.object_id) == (
        2,
        "vo-server: nobody can be asked here whether it is to go; --yes says so, --dry-run looks\n",
    )
    status, said = run("delete", made.object_id, "--yes", "--json")
    assert (status, json.loads(said)["deleted"]) == (0, True)
    assert run("delete", made.object_id, "--yes")[0] == 2
    age(at_work)
    assert "1 files of the store, 17 B, that no row names: they stay" in run("vacuum", "--dry-run")[1]
    status, said = run("vacuum", "--json")
    assert (status, json.loads(said)["files"], names(at_work)) == (0, 1, ["base"])
    assert run("vacuum", "--older-than", "0.1")[0] == 2
    assert base.is_on_dataserver()


RECLAIM = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.vacuum import reclaim
reclaim(Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2])))
"""


@pytest.mark.killing
@pytest.mark.parametrize("visit", [1, 3])
def test_a_vacuum_that_is_killed_has_taken_nothing_that_is_named(
    at_work: Archive, tmp_path: Path, visit: int
) -> None:
    kept = [stored(at_work, tmp_path, f"named{n}") for n in range(3)]
    for number in range(4):
        stored(at_work, tmp_path, f"other{number}", commits=False)
    age(at_work)
    command = [sys.executable, "-c", RECLAIM, str(at_work.config.archive), at_work.config.database]
    killed = subprocess.run(
        command, env={**os.environ, "VO_CRASH_AT": f"vacuum.removed:{visit}"}, check=False
    )
    assert (killed.returncode, len(names(at_work))) == (137, 7 - visit)
    assert subprocess.run(command, check=False).returncode == 0
    assert sorted(names(at_work)) == [each.filename for each in kept]


@pytest.mark.killing
def test_makers_of_equal_bytes_lose_none_while_files_are_removed_all_the_time(
    archive: Archive, tmp_path: Path
) -> None:
    with Session(archive, archive.caller("A", "P")):
        for number in range(60):
            stored(archive, tmp_path, f"equal{number:02d}", commits=False)
    age(archive)
    ended, failed = threading.Event(), []

    def sweep() -> None:
        while not ended.is_set():
            try:
                reclaim(archive)
            except BaseException as error:
                failed.append(error)
                return

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        with Session(archive, archive.caller("A", "P")):
            made = [stored(archive, tmp_path, f"equal{number:02d}") for number in range(60)]
    finally:
        ended.set()
        sweeper.join()
    assert failed == []
    texts = {name: archive.store.path(name).read_text() for name in names(archive)}
    assert texts == {f"equal{number:02d}": f"the bytes of equal{number:02d}" for number in range(60)}
    assert len(made) == 60
    assert vacuum.look(archive).files == 0
