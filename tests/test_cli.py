"""Does the command line refuse what it should, with the exit code and the words for it?"""

from pathlib import Path

import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from processing.opening import open_archive
from vo_server import cli


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """What would have been served."""
    asked: list[Config] = []
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    monkeypatch.setattr("vo_server.serve.serve", lambda config: asked.append(config) or 0)
    return asked


@pytest.mark.parametrize("there", [False, True], ids=["no folder", "another folder"])
def test_an_archive_that_was_never_begun_is_not_served_and_not_begun(
    served: list[Config], tmp_path: Path, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    mistyped = tmp_path / "acrhive"
    if there:
        mistyped.mkdir()
    assert cli.main(["serve", "--archive", str(mistyped)]) == 2
    assert f"there is no archive at '{mistyped}'" in capsys.readouterr().err
    assert served == []
    assert list(tmp_path.rglob("*")) == ([mistyped] if there else [])


def test_an_archive_that_was_begun_is_served(served: list[Config], tmp_path: Path) -> None:
    open_archive(Config(archive=tmp_path / "mine")).close()
    assert cli.main(["serve", "--archive", str(tmp_path / "mine")]) == 0
    assert [config.archive for config in served] == [tmp_path / "mine"]


def test_an_archive_whose_database_is_elsewhere_is_served(
    served: list[Config], archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", "postgresql://somewhere/archive")
    assert cli.main(["serve", "--archive", str(archive.config.archive)]) == 0
