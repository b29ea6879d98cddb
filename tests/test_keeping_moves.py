"""Does an archive that was moved to another database have all it had, and is the old one left alone?"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError, UsageError
from datamodel.keeping.moving import Moved, move
from tests.catalogues import ask
from tests.keeping import NOW, backed_up, furnish, opened, order_of, quiet, restored, rows_of
from vo_server.begun import require_archive


def moved(config: Config, url: str) -> Moved:
    return move(config, url, quiet, now=NOW)


@pytest.mark.thorough
def test_an_archive_is_moved_there_and_back(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    furnish(archive, tmp_path)
    query = "SELECT * FROM kept.stars ORDER BY number, hpx29"
    rows, stars, order = rows_of(archive), ask(archive, query), order_of(archive, "kept.stars")
    archive.close()
    urls = [
        f"sqlite:///{tmp_path}/archive/archive.sqlite",
        new_database(),
        f"sqlite:///{tmp_path}/other.sqlite",
    ]
    config = archive.config
    for url in urls:
        done = moved(config, url)
        assert sum(done.rows.values()) == sum(map(len, rows.values()))
        with pytest.raises(UsageError, match="does not belong to"):
            opened(config, clock)
        config = replace(config, database_url=url)
        there = opened(config, clock)
        assert rows_of(there) == rows
        assert ask(there, query) == stars
        assert order_of(there, "kept.stars") == order
        there.close()
    (kept,) = (tmp_path / "archive").glob("archive.sqlite.before-*")
    assert kept.stat().st_size > 0


def test_who_looks_for_the_database_where_it_was_is_told_where_it_is(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    archive.close()
    url = new_database()
    moved(archive.config, url)
    with pytest.raises(
        UsageError, match=r"has its database at '.*' since 2026-02-03T04:05:06; set database_url"
    ):
        require_archive(replace(archive.config, database_url=""))
    require_archive(replace(archive.config, database_url=url))


def test_an_archive_in_use_is_not_moved(archive: Archive, new_database: Callable[[], str]) -> None:
    with pytest.raises(BusyError, match="servers, workers or commands use it"):
        moved(archive.config, new_database())


def test_an_archive_that_is_being_moved_is_not_opened(
    archive: Archive, new_database: Callable[[], str], clock: Any
) -> None:
    archive.close()
    refused: list[str] = []

    def open_meanwhile(*_told: object) -> None:
        try:
            opened(archive.config, clock)
        except BusyError as error:
            refused.append(str(error))

    move(archive.config, new_database(), open_meanwhile, now=NOW)
    assert refused
    assert "it is being moved or restored" in refused[0]


def test_a_database_with_something_in_it_is_not_moved_to(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    url = new_database()
    opened(Config(archive=tmp_path / "other", database_url=url), clock).close()
    archive.close()
    with pytest.raises(UsageError, match=r"has tables already \(account, |there is a file"):
        moved(archive.config, url)
    with pytest.raises(UsageError, match="already, expected another one"):
        moved(archive.config, archive.config.database)
    opened(archive.config, clock).close()


def test_the_database_of_another_archive_that_was_restored_is_not_taken_for_what_is_left_of_a_move(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    backed_up(archive.config, tmp_path / "backup")
    other = Config(archive=tmp_path / "other", database_url=new_database())
    restored(tmp_path / "backup", other)
    archive.close()
    with pytest.raises(UsageError, match=r"has tables already|there is a file"):
        moved(archive.config, other.database)
    opened(other, clock).close()


@pytest.mark.thorough
def test_an_archive_that_was_moved_is_backed_up_and_restored(
    archive: Archive, tmp_path: Path, new_database: Callable[[], str], clock: Any
) -> None:
    """It gets an identifier of its own."""
    rows = rows_of(archive) if not archive.exists() else None
    archive.close()
    url = new_database()
    moved(archive.config, url)
    config = replace(archive.config, database_url=url)
    with pytest.raises(UsageError, match="does not belong to"):
        backed_up(archive.config, tmp_path / "wrong")
    backed_up(config, tmp_path / "backup")
    there = Config(archive=tmp_path / "restored")
    restored(tmp_path / "backup", there)
    found = opened(there, clock)
    assert found.caller("A", "P").user == "A"
    assert rows is None
    found.close()
