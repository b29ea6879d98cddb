"""Is every job run to its end, once at a time, whatever dies on the way? And are those past their time gone?"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.clock import Clock
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.errors import QueryTimeoutError
from datamodel.job_claims import ATTEMPTS, LEASE_S, Holder, mend
from datamodel.jobs import Job, Result
from datamodel.notify import notices
from vo_server.uws.service import Craft, Output, Task
from vo_server.uws.sweeping import sweep, sweep_strays
from vo_server.uws.worker import Worker

PROGRAM = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.job_claims import Holder
from vo_server.uws.service import Craft, Output
from vo_server.uws.worker import Worker
archive = Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2]))
work = lambda task: [Output("result", "text/plain", "x.txt", iter([b"first"]))]
with Holder(archive) as holder:
    Worker(archive, {"toy": Craft(work)}).run_one(holder)
"""


@pytest.fixture
def kept(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    """An archive with nothing in it but a table of jobs."""
    opened = Archive(Config(archive=tmp_path / "archive", database_url=database_url), clock)
    opened.database.create([jobs.job])
    yield opened
    opened.close()


@pytest.fixture
def waiting(kept: Archive) -> str:
    """A job that waits for a worker."""
    now = kept.clock()
    id = jobs.new_id()
    week = now + timedelta(days=7)
    jobs.add(kept, Job(id, "toy", "QUEUED", None, "address", now, week, None, "ALL", 1, 60, (), now))
    return id


def found(kept: Archive, id: str) -> Job:
    return jobs.get(kept, "toy", id, ANONYMOUS)


def second(task: Task) -> Iterator[Output]:
    yield Output("result", "text/plain", "x.txt", iter([b"second"]))


def died(kept: Archive) -> Holder:
    """A worker that has claimed a job and died: its lock is gone, its row is not."""
    with Holder(kept) as dead:
        assert dead.claim(["toy"]) is not None
    return dead


def test_the_job_of_a_dead_worker_is_run_again(kept: Archive, waiting: str) -> None:
    died(kept)
    assert found(kept, waiting).phase == "EXECUTING"
    assert mend(kept) == 1
    assert found(kept, waiting).phase == "QUEUED"
    with Holder(kept) as holder:
        assert Worker(kept, {"toy": Craft(second)}).run_one(holder)
    ended = found(kept, waiting)
    assert (ended.phase, ended.attempts) == ("COMPLETED", 2)
    assert (jobs.folder_of(kept, waiting) / ended.results[0].file).read_bytes() == b"second"


def test_a_job_that_always_ends_its_worker_is_an_error_in_the_end(kept: Archive, waiting: str) -> None:
    for _ in range(ATTEMPTS):
        died(kept)
        assert mend(kept) == 1
    ended = found(kept, waiting)
    assert ended.phase == "ERROR"
    assert f"ended {ATTEMPTS} times" in (ended.message or "")
    with Holder(kept) as holder:
        assert holder.claim(["toy"]) is None


def test_the_job_of_a_living_worker_stays_its_own_however_slow_it_is(kept: Archive, waiting: str) -> None:
    with Holder(kept) as slow:
        assert slow.claim(["toy"]) is not None
        kept.clock.advance(seconds=100 * LEASE_S)  # type: ignore[attr-defined]
        assert mend(kept) == 0
        assert found(kept, waiting).holder == slow.id


def test_of_another_machine_only_the_lease_counts(kept: Archive, waiting: str) -> None:
    with Holder(kept) as far:
        far.host = "elsewhere"
        assert far.claim(["toy"]) is not None
        assert mend(kept) == 0
        kept.clock.advance(seconds=LEASE_S + 1)  # type: ignore[attr-defined]
        assert mend(kept) == 1
        assert found(kept, waiting).phase == "QUEUED"


def test_who_has_lost_a_job_can_do_nothing_to_it(kept: Archive, waiting: str) -> None:
    published: list[str] = []
    with Holder(kept) as first, Holder(kept) as other:
        first.host = "elsewhere"
        job = first.claim(["toy"])
        assert job is not None
        kept.clock.advance(seconds=LEASE_S + 1)  # type: ignore[attr-defined]
        mend(kept)
        assert other.claim(["toy"]) is not None
        result = Result("result", "text/plain", "x.txt", "result-result", 1)
        assert not first.complete(job, [result], lambda: published.append("no"))
        assert not first.fail(job, "ERROR", "no")
        assert not first.give_back(job)
        assert first.renew(job, rows=1, bytes=1, plan=None) is None
        assert published == []
        assert found(kept, waiting).holder == other.id


def test_of_many_workers_one_gets_a_job(kept: Archive, waiting: str) -> None:
    with Holder(kept) as one, Holder(kept) as two:
        claimed = [each.claim(["toy"]) for each in (one, two)]
    assert [each is not None for each in claimed] == [True, False]


@pytest.mark.parametrize("point", ["job.named", pytest.param("job.claimed", marks=pytest.mark.killing)])
def test_a_worker_killed_at_any_point_leaves_a_whole_job(
    kept: Archive, waiting: str, database_url: str, point: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(kept.config.archive), database_url]
    killed = subprocess.run(
        command,
        env=os.environ | {"VO_CRASH_AT": point},
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert killed.returncode == 137, killed.stderr.decode()
    left = found(kept, waiting)
    assert (left.phase, left.results) == ("EXECUTING", ())
    assert mend(kept) == 1
    with Holder(kept) as holder:
        assert Worker(kept, {"toy": Craft(second)}).run_one(holder)
    ended = found(kept, waiting)
    assert ended.phase == "COMPLETED"
    assert (jobs.folder_of(kept, waiting) / ended.results[0].file).read_bytes() == b"second"


def test_a_job_claimed_by_a_commit_that_seemed_to_fail_is_run(
    kept: Archive, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker lives on, so nobody else would ever take the job from it."""
    end = kept.database._end

    def fail(connection: sa.Connection, how: str) -> None:
        end(connection, how)
        raise sa.exc.OperationalError("COMMIT", None, Exception("the connection was lost"))

    with Holder(kept) as holder:
        worker = Worker(kept, {"toy": Craft(second)})
        monkeypatch.setattr(kept.database, "_end", fail)
        assert not worker.run_one(holder)
        monkeypatch.undo()
        assert found(kept, waiting).phase == "EXECUTING"
        assert worker.run_one(holder)
    ended = found(kept, waiting)
    assert (ended.phase, ended.attempts) == ("COMPLETED", 1)


def test_a_job_goes_on_while_the_database_cannot_be_asked(
    kept: Archive, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks after a job must not be ended by a failure, or nothing would end the job any more."""
    asked = threading.Event()

    def fail(*_given: object, **_told: object) -> None:
        asked.set()
        raise sa.exc.OperationalError("SELECT", None, Exception("the database restarts"))

    def work(task: Task) -> Iterator[Output]:
        with monkeypatch.context() as broken:
            broken.setattr(kept.database, "read", fail)
            broken.setattr(Holder, "renew", fail)
            notices(kept).tell(f"job {waiting}")
            assert asked.wait(20)
        jobs.abort(kept, found(kept, waiting))
        while not task.cancelled():
            pass
        raise QueryTimeoutError("stopped")
        yield

    with Holder(kept) as holder:
        assert Worker(kept, {"toy": Craft(work)}).run_one(holder)
    assert found(kept, waiting).phase == "ABORTED"


def test_a_failure_of_a_job_that_was_taken_away_is_no_bug(
    kept: Archive, waiting: str, caplog: pytest.LogCaptureFixture
) -> None:
    def work(task: Task) -> Iterator[Output]:
        jobs.remove(kept, waiting)
        yield Output("result", "text/plain", "x.txt", iter([b"first"]))

    with Holder(kept) as holder:
        assert Worker(kept, {"toy": Craft(work)}).run_one(holder)
    assert "failure" not in caplog.text


def test_a_worker_whose_chores_end_ends_too(kept: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_archive: Archive) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("vo_server.uws.worker.CHORES", {bug: 1.0})
    monkeypatch.setattr("vo_server.uws.worker.POLL_S", 0.01)
    worker = Worker(kept, {})
    with pytest.raises(ZeroDivisionError):
        worker._mind({bug: 1.0})
    worker.run()  # does not wait, for it was stopped


def test_jobs_past_their_time_are_gone_and_then_deleted(kept: Archive, waiting: str) -> None:
    folder = jobs.folder_of(kept, waiting)
    assert sweep(kept) == 0
    kept.clock.advance(days=8)  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="there is no job"):
        found(kept, waiting)
    assert list(jobs.listed(kept, "toy", ANONYMOUS, "address")) == []
    assert folder.exists()
    assert sweep(kept) == 1
    assert not folder.exists()
    with kept.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(jobs.job)) == 0


def test_a_job_whose_time_is_extended_at_the_last_moment_stays(kept: Archive, waiting: str) -> None:
    jobs.remove(kept, waiting, expired=True)
    assert found(kept, waiting).phase == "QUEUED"
    kept.clock.advance(days=8)  # type: ignore[attr-defined]
    jobs.remove(kept, waiting, expired=True)
    assert not jobs.folder_of(kept, waiting).exists()


def test_two_may_sweep_at_the_same_time(kept: Archive, waiting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them has just removed does not end the other."""
    gone = jobs.folder_of(kept, "0" * 32)
    listed = [gone, jobs.folder_of(kept, waiting)]
    monkeypatch.setattr(Path, "iterdir", lambda _folder: iter(listed))
    assert sweep_strays(kept, older_than_s=-1) == 0


def test_folders_without_a_job_are_swept_and_others_stay(kept: Archive, waiting: str) -> None:
    stray = jobs.folder_of(kept, "0" * 32)
    stray.mkdir()
    (stray / "part").touch()
    assert sweep_strays(kept) == 0, "a request may just be making it"
    assert sweep_strays(kept, older_than_s=-1) == 1
    assert not stray.exists()
    assert jobs.folder_of(kept, waiting).exists()
    assert (kept.config.archive / "jobs").is_dir()


def test_a_list_of_many_jobs_is_read_from_the_index(kept: Archive, waiting: str) -> None:
    """The database sorts nothing: it walks the index from the newest on."""
    if kept.database.engine.dialect.name != "sqlite":
        pytest.skip("reads the plan of SQLite")
    sent: list[tuple[str, object]] = []
    sa.event.listen(
        kept.database.engine,
        "before_cursor_execute",
        lambda c, cursor, text, given, *_: sent.append((text, given)),
    )
    assert [each.id for each in jobs.listed(kept, "toy", ANONYMOUS, "address", last=5)] == [waiting]
    text, given = sent[-1]
    with kept.database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all()
    assert [row[-1].split(" (")[0] for row in plan] == ["SEARCH job USING INDEX ix_job_list"]
