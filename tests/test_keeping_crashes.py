"""Whatever moment a backup, a restore or a move is killed at: what was there is whole, and the next one succeeds."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.crash import CRASH_POINTS
from datamodel.errors import UsageError
from datamodel.keeping import backup, moving, restoring
from datamodel.keeping.moving import move
from datamodel.keeping.restoring import aside_of
from datamodel.keeping.verifying import compare_with_archive, verify_backup
from datamodel.session import Session
from tests.keeping import NOW, add_thing, backed_up, opened, quiet, restored, rows_of
from vo_server.begun import require_archive

BACKUP = ["backup.tables", "backup.files", "backup.named"]
RESTORE = ["restore.files", "restore.filled", "restore.committed", "restore.named"]
MOVE = ["move.filled", "move.committed", "move.switched"]

KEEP = """
import sys
from datetime import datetime
from pathlib import Path
from datamodel.config import Config
from datamodel.keeping.backup import backup
from datamodel.keeping.moving import move
from datamodel.keeping.restoring import restore

what, folder, url, other = sys.argv[1:]
config, now = Config(archive=Path(folder), database_url=url), datetime(2026, 2, 3)
if what == "backup":
    backup(config, Path(other), print, now=now, program="test")
elif what == "restore":
    restore(Path(other), config, print, now=now)
else:
    move(config, other, print, now=now)
"""


def killed(what: str, config: Config, other: str | Path, at: str) -> None:
    """Do something in a process that ends at a crash point."""
    command = [sys.executable, "-c", KEEP, what, str(config.archive), config.database_url, str(other)]
    place = Path(__file__).parent.parent
    run = subprocess.run(
        command, env={**os.environ, "VO_CRASH_AT": at}, cwd=place, capture_output=True, check=False
    )
    assert run.returncode == 137, run.stderr.decode()


@pytest.fixture
def small(archive: Archive, tmp_path: Path) -> Archive:
    """An archive with a thing that has a file."""
    with Session(archive, archive.caller("A", "P")) as session:
        add_thing(session, tmp_path, "first")
    return archive


def test_every_crash_point_of_keeping_is_hit_here() -> None:
    assert {backup, moving, restoring}
    ours = [point for point in CRASH_POINTS if point.startswith(("backup.", "restore.", "move."))]
    assert sorted(BACKUP + RESTORE + MOVE) == sorted(ours)


@pytest.mark.killing
@pytest.mark.parametrize("point", BACKUP)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_a_backup_that_is_killed_leaves_the_one_before_as_it_was(
    small: Archive, tmp_path: Path, point: str, is_first: bool
) -> None:
    folder = tmp_path / "backup"
    before = None if is_first else backed_up(small.config, folder).manifest
    (small.config.archive / "note.txt").write_text("a note")
    with Session(small, small.caller("A", "P")) as session:
        add_thing(session, tmp_path, "second")
    killed("backup", small.config, folder, point)
    if point == "backup.named":
        assert compare_with_archive(folder, small.config, quiet) == []
    elif before is None:
        with pytest.raises(UsageError, match="there is no backup at"):
            verify_backup(folder, quiet)
    else:
        assert verify_backup(folder, quiet) == []
        restored(folder, Config(archive=tmp_path / "before"))
    backed_up(small.config, folder)
    assert verify_backup(folder, quiet) == []
    assert compare_with_archive(folder, small.config, quiet) == []


@pytest.mark.killing
@pytest.mark.parametrize("point", RESTORE)
def test_a_restore_that_is_killed_is_no_archive_and_is_begun_anew(
    small: Archive, tmp_path: Path, point: str, new_database: Callable[[], str], clock: Any
) -> None:
    folder = tmp_path / "backup"
    backed_up(small.config, folder)
    config = Config(archive=tmp_path / "restored", database_url=new_database())
    killed("restore", config, folder, point)
    if point != "restore.named":
        assert not config.archive.exists()
        with pytest.raises(UsageError, match="there is no archive"):
            require_archive(config)
        restored(folder, config)
    assert not aside_of(config.archive).exists()
    there = opened(config, clock)
    assert rows_of(there) == rows_of(small)
    there.close()


@pytest.mark.killing
def test_the_database_of_a_restore_that_was_killed_is_not_opened_for_another_folder(
    small: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    """As it would be by a command that begins an archive where it finds none."""
    backed_up(small.config, tmp_path / "backup")
    config = Config(archive=tmp_path / "restored", database_url=new_database())
    killed("restore", config, tmp_path / "backup", "restore.committed")
    with pytest.raises(UsageError, match="filled by a restore or a move that did not come to its end"):
        opened(config, clock)
    other = replace(config, archive=tmp_path / "other")
    with pytest.raises(UsageError, match=r"has tables already|there is a file"):
        restored(tmp_path / "backup", other)


@pytest.mark.parametrize(
    "point", ["move.committed", *(pytest.param(p, marks=pytest.mark.killing) for p in (MOVE[0], MOVE[2]))]
)
def test_an_archive_whose_move_is_killed_has_one_database(
    small: Archive, tmp_path: Path, point: str, new_database: Callable[[], str], clock: Any
) -> None:
    rows, url = rows_of(small), new_database()
    small.close()
    moved = replace(small.config, database_url=url)
    killed("move", small.config, url, point)
    refused = {"move.filled": None, "move.committed": moved, "move.switched": small.config}[point]
    if refused is not None:
        with pytest.raises(UsageError, match="does not belong to"):
            opened(refused, clock)
    if point != "move.switched":
        opened(small.config, clock).close()
        move(small.config, url, quiet, now=NOW)
    there = opened(moved, clock)
    assert rows_of(there) == rows
    there.close()
