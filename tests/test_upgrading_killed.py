"""Is an upgrade whole or nothing, whatever is killed, fails or upgrades at once?"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.crash import CRASH_POINTS
from datamodel.revisions import known
from datamodel.schema_changes import schema_change
from datamodel.upgrading import upgrade
from tests import old_archives
from tests.old_archives import TWO, changes, revision, written

old, two = old_archives.old, old_archives.two

UPGRADE = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.upgrading import upgrade

archive = Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2]))
print(len(upgrade(archive, *map(Path, sys.argv[3:])).steps))
archive.close()
"""


def start(archive: Archive, *folder: Path, at: str = "") -> subprocess.Popen[str]:
    """Upgrade in a process of its own, which may end at a crash point."""
    command = [
        sys.executable,
        "-c",
        UPGRADE,
        str(archive.config.archive),
        archive.config.database,
        *map(str, folder),
    ]
    environment = {**os.environ, "VO_CRASH_AT": at}
    place = Path(__file__).parent.parent
    return subprocess.Popen(command, env=environment, cwd=place, stdout=subprocess.PIPE, text=True)


def test_every_crash_point_of_upgrades_is_hit_here() -> None:
    assert sorted(p for p in CRASH_POINTS if p.startswith("upgrade.")) == ["upgrade.done", "upgrade.step"]


@pytest.mark.parametrize(
    ("at", "there"),
    [
        ("upgrade.step:2", False),
        pytest.param("upgrade.step", False, marks=pytest.mark.killing),
        pytest.param("upgrade.done", True, marks=pytest.mark.killing),
    ],
)
def test_an_upgrade_killed_at_any_point_is_whole_or_nothing(
    old: Archive, two: Path, at: str, there: bool
) -> None:
    process = start(old, two, at=at)
    process.communicate()
    assert process.returncode == 137
    assert revision(old) == ("0002" if there else "0")
    with old.database.read() as connection:
        inspector = sa.inspect(connection)
        assert {c["name"] for c in inspector.get_columns("project")} >= {"told" if there else "description"}
        assert [name for name in inspector.get_table_names() if name.startswith("_alembic")] == []
        assert inspector.has_table(schema_change.name) == there
    assert len(upgrade(old, two).steps) == (0 if there else 2)
    assert [row.told for row in changes(old)] == ["0001 Do rename", "0002 Do narrow"]


def test_of_two_that_upgrade_at_once_one_does_it(old: Archive) -> None:
    other = Archive(old.config, old.clock)
    with ThreadPoolExecutor(2) as pool:
        done = sorted(len(upgraded.steps) for upgraded in pool.map(upgrade, (old, other)))
    other.close()
    assert done == [0, len(known())]
    assert len(changes(old)) == len(known())


@pytest.mark.killing
def test_of_two_processes_that_upgrade_at_once_one_does_it(old: Archive) -> None:
    processes = [start(old), start(old)]
    said = sorted(process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert said == ["0\n", f"{len(known())}\n"]
    assert len(changes(old)) == len(known())


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ('    op.execute("DELETE FROM account")', sa.exc.IntegrityError),
        ('    raise RuntimeError("a mistake")', RuntimeError),
    ],
    ids=["rows that refer to none", "a mistake"],
)
def test_an_upgrade_that_fails_leaves_the_archive_as_it_was(
    old: Archive, two: Path, body: str, failure: type[Exception]
) -> None:
    written(two, TWO | {"r0003_fail.py": body})
    with pytest.raises(failure):
        upgrade(old, two)
    with old.database.read() as connection:
        assert connection.exec_driver_sql("SELECT description FROM project").scalar() == ""
        assert connection.exec_driver_sql("SELECT count(*) FROM account").scalar() == 2
    assert revision(old) == "0"
