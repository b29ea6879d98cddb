"""Are those who wait woken by those who tell, across processes, and never by nobody?"""

import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.database import Database
from datamodel.notify import EVERYTHING, Notices, notices

LONG_S = 20.0


@pytest.fixture
def two(archive: Archive, tmp_path: Path) -> Iterator[tuple[Notices, Notices]]:
    """What two processes of one archive have."""
    databases = [Database(archive.config.database), Database(archive.config.database)]
    made = [Notices(each, tmp_path / "notices") for each in databases]
    yield made[0], made[1]
    for each, database in zip(made, databases, strict=True):
        each.close()
        database.close()


def test_who_waits_is_woken_by_another_process(two: tuple[Notices, Notices]) -> None:
    here, there = two
    with here.watch("job 1") as watch:
        there.tell("job 1")
        assert watch.wait(LONG_S)


def test_who_waits_is_woken_by_its_own_process(two: tuple[Notices, Notices]) -> None:
    with two[0].watch("job 1") as watch:
        two[0].tell("job 1")
        assert watch.wait(LONG_S)


def test_other_topics_wake_nobody(two: tuple[Notices, Notices]) -> None:
    here, there = two
    with here.watch("job 1") as waiting, here.watch("job 2") as other:
        there.tell("job 2")
        assert other.wait(LONG_S)
        assert not waiting.wait(0)


def test_what_is_told_between_two_looks_is_not_lost(two: tuple[Notices, Notices]) -> None:
    here, there = two
    with here.watch("jobs") as watch:
        for _ in range(3):
            there.tell("jobs")
            assert watch.wait(LONG_S)


def test_many_may_wait_for_the_same(two: tuple[Notices, Notices]) -> None:
    here, there = two
    woken: list[bool] = []
    ready = threading.Barrier(9)

    def wait() -> None:
        with here.watch("jobs") as watch:
            ready.wait()
            woken.append(watch.wait(LONG_S))

    waiting = [threading.Thread(target=wait) for _ in range(8)]
    for each in waiting:
        each.start()
    ready.wait()
    there.tell("jobs")
    for each in waiting:
        each.join()
    assert woken == [True] * 8


def test_closing_wakes_all(two: tuple[Notices, Notices]) -> None:
    with two[0].watch("job 1") as watch:
        two[0].close()
        assert watch.wait(LONG_S)


def test_a_topic_for_all_wakes_all(two: tuple[Notices, Notices]) -> None:
    with two[0].watch("job 1") as watch:
        two[0].tell(EVERYTHING)
        assert watch.wait(LONG_S)


def test_a_long_path_and_what_a_killed_process_left_do_not_matter(tmp_path: Path) -> None:
    """The name of a socket may have 107 bytes; a socket without a process refuses."""
    folder = tmp_path / ("deep" * 30)
    database = Database(f"sqlite:///{tmp_path}/other.sqlite")
    here, there = Notices(database, folder), Notices(database, folder)
    with here.watch("x") as watch:
        (listening,) = folder.glob("*.socket")
        there.tell("x")
        assert watch.wait(LONG_S)
        abandoned = folder / "1-abandoned.socket"
        listening.rename(abandoned)
        here.close()
    assert abandoned.exists()
    there.tell("x")
    assert not abandoned.exists()
    database.close()


def test_telling_never_fails_for_what_is_told_of_is_done(
    two: tuple[Notices, Notices], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that could not tell of a job it has claimed would else forget that it has it."""
    for failure in (OSError("no buffer space"), sa.exc.OperationalError("NOTIFY", None, Exception("gone"))):
        monkeypatch.setattr(two[0], "_send", Mock(side_effect=failure))
        with two[0].watch("job 1") as watch:
            two[0].tell("job 1")
            assert watch.wait(0)


def test_a_server_with_many_open_files_still_hears(two: tuple[Notices, Notices], tmp_path: Path) -> None:
    """Descriptors from 1024 on are more than select() takes."""
    here, there = two
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < 1200:
        pytest.skip("so many files may not be open here")
    spare = [os.open(tmp_path, os.O_RDONLY) for _ in range(1100)]
    try:
        with here.watch("job 1") as watch:
            there.tell("job 1")
            assert watch.wait(LONG_S)
            assert here._thread is not None
            assert here._thread.is_alive()
    finally:
        for each in spare:
            os.close(each)


def test_an_archive_has_its_notices_once(archive: Archive) -> None:
    assert notices(archive) is notices(archive)
