"""Is a backup as the archive was at one moment, whoever writes, and does the next one add what is new alone?"""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError
from datamodel.keeping import manifest as manifests
from datamodel.keeping.backup import backup
from datamodel.keeping.restoring import restore
from datamodel.keeping.verifying import verify_archive, verify_backup
from datamodel.session import Session
from tests import keeping
from tests.keeping import (
    NOW,
    add_thing,
    backed_up,
    opened,
    quiet,
    restored,
)

full, kept, furnished = keeping.full, keeping.kept, keeping.furnished


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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


def test_the_manifest_says_what_a_backup_has(kept: Path) -> None:
    told = json.loads((kept / manifests.NAME).read_text())
    assert told["made"] == "2026-02-03T04:05:06"
    assert list(told["tables"]) == sorted(told["tables"])
    assert {"rows", "sha256", "digest", "size", "file", "table"} == set(told["tables"]["event"])
    key = told["files"]["session.key"]
    assert (key["size"], oct(key["mode"])) == (6, "0o600")
    assert manifests.read(kept).tables["event"].table.counted == "id"
