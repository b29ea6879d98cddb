"""Do the commands that keep an archive say what they did, and refuse what they should?"""

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamodel.archive import Archive
from datamodel.session import Session
from tests.keeping import add_thing
from vo_server import cli


class Typed:
    """Types commands for one archive, and remembers what was printed."""

    def __init__(self, archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        self.at = str(archive.config.archive)
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str | Path, at: str | Path = "") -> int:
        code = cli.main([*map(str, words), "--archive", str(at or self.at)])
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def typed(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typed]:
    monkeypatch.setenv("VO_DATABASE_URL", archive.config.database_url)
    monkeypatch.setenv("VO_PROJECT", "P")
    with Session(archive, archive.caller("A", "P")) as session:
        add_thing(session, tmp_path, "first")
    return Typed(archive, capsys)


@pytest.mark.thorough
def test_an_archive_is_backed_up_verified_restored_and_moved_from_the_command_line(
    typed: Typed, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, there = tmp_path / "backup", tmp_path / "restored"
    assert typed("backup", backup, "--json") == 0
    told = json.loads(typed.out)
    assert (told["files"], told["lost"]) == (1, [])
    assert typed("backup", backup) == 0
    assert "1 files" in typed.out
    assert ", 0 bytes of it new" in typed.out
    assert "reading tables" in typed.err
    assert typed("verify", backup) == 0
    assert "is as it should be" in typed.out
    assert typed("verify") == 0
    assert typed("restore", backup) == 2
    assert "there is something at" in typed.err
    url = f"sqlite:///{tmp_path}/restored.sqlite"
    assert typed("restore", backup, "--database-url", url, at=there) == 0
    assert f"set database_url to the URL of its database, {url}" in typed.out
    monkeypatch.setenv("VO_DATABASE_URL", url)
    assert typed("move", "--database-url", f"sqlite:///{there}/archive.sqlite", at=there) == 0
    assert "remove the setting database_url" in typed.out
    monkeypatch.delenv("VO_DATABASE_URL")
    assert typed("verify", backup, "--compare", "--json", at=there) == 0
    assert json.loads(typed.out) == {"differences": []}
    assert typed("status", at=there) == 0


def test_bytes_that_are_lost_are_told_with_a_failure(typed: Typed, archive: Archive, tmp_path: Path) -> None:
    (name,) = archive.store.names()
    archive.store.path(name).unlink()
    assert typed("backup", tmp_path / "backup", "--json") == 1
    assert json.loads(typed.out)["lost"] == [f"the bytes of '{name}' are not in the store"]
    assert f"the bytes of '{name}' are not in the store" in typed.err
    assert typed("verify") == 1
    assert name in typed.out
    assert typed("verify", tmp_path / "backup") == 1


@pytest.mark.thorough
def test_a_disk_that_is_full_is_told_of_and_the_next_backup_is_made(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(source: Path, *_rest: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    with monkeypatch.context() as patched:
        patched.setattr("datamodel.keeping.backup.brought", is_full)
        assert typed("backup", tmp_path / "backup") == 1
    assert "the backup was not made: No space left on device: '" in typed.err
    assert typed("verify", tmp_path / "backup") == 2
    assert typed("backup", tmp_path / "backup") == 0
    assert typed("verify", tmp_path / "backup") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("backup ARCHIVE/inside", "cannot be at"),
        ("backup FILE", "is a file, expected a folder"),
        ("backup STRANGE", "has something else in it ('something')"),
        ("restore STRANGE", "there is no backup at"),
        ("restore EMPTY --archive NEW", "there is no backup at"),
        ("verify EMPTY", "it has no manifest.json"),
        ("verify --compare", "expected the FOLDER of a backup"),
        ("move --database-url nothing", "is not a database URL"),
        ("move --database-url mysql://x/y", "database 'mysql' is not supported"),
        ("backup NEW --archive EMPTY", "there is no archive at"),
        ("move --database-url sqlite:// --archive EMPTY", "there is no archive at"),
        ("verify --archive EMPTY", "there is no archive at"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(
    typed: Typed, tmp_path: Path, words: str, said: str
) -> None:
    places = {"ARCHIVE": typed.at, "FILE": tmp_path / "file", "NEW": tmp_path / "new"}
    places |= {"STRANGE": tmp_path / "strange", "EMPTY": tmp_path / "empty"}
    (tmp_path / "file").touch()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "something").touch()
    (tmp_path / "empty").mkdir()
    for name, place in places.items():
        words = words.replace(name, str(place))
    command, _, at = words.partition(" --archive ")
    assert typed(*command.split(), at=at) == 2
    assert said in typed.err
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "empty").iterdir()) == []
