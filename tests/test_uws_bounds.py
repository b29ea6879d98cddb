"""Is there a bound to what jobs take: their number, time, parameters, results and disk?"""

import io
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel import job_bounds, jobs
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.errors import BusyError
from datamodel.job_claims import Holder
from tests.toy_jobs import Begin, document, some_jobs, text
from tests.toy_jobs_fixtures import ALL
from vo_server.uws import execution
from vo_server.uws.service import Craft
from vo_server.uws.worker import Worker

shared, kept, app, client, holder, worker, begin = ALL


@pytest.mark.parametrize("bound", ["jobs_waiting_per_caller", "jobs_waiting", "jobs_kept_per_caller"])
def test_more_jobs_than_are_kept_are_refused_for_a_while(
    client: FlaskClient, kept: Archive, begin: Begin, bound: str
) -> None:
    kept.config = replace(kept.config, **{bound: 2})
    first, _ = begin(), begin(PHASE="RUN")
    refused = client.post("/toy/jobs", data={"PHASE": "RUN"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert len(list((kept.config.archive / "jobs").iterdir())) == 2
    client.delete(first)
    begin()


def test_jobs_are_not_counted_for_each_new_one(kept: Archive) -> None:
    kept.config = replace(kept.config, jobs_kept_per_caller=40)
    counted: list[str] = []
    count = lambda _c, _k, text, *_: counted.append(text) if "subq" in text or "anon" in text else None  # noqa: E731
    sa.event.listen(kept.database.engine, "before_cursor_execute", count)
    some_jobs(kept, *["COMPLETED"] * 39)
    assert len(counted) < 39
    some_jobs(kept, "COMPLETED")
    with pytest.raises(BusyError, match="40 jobs are kept"):
        some_jobs(kept, "COMPLETED")
    (oldest, *_) = [each.id for each in jobs.listed(kept, "toy", ANONYMOUS, "address 127.0.0.1")][::-1]
    jobs.remove(kept, oldest)
    some_jobs(kept, "COMPLETED")


def test_callers_take_turns_and_have_so_many_jobs_under_way(kept: Archive, holder: Holder) -> None:
    kept.config = replace(kept.config, jobs_per_caller=2)
    busy = some_jobs(kept, "QUEUED", "QUEUED", "QUEUED", who="address 1")
    late = some_jobs(kept, "QUEUED", who="address 2")
    taken = [holder.claim(["toy"]) for _ in range(4)]
    assert [each and each.id for each in taken] == [busy[0], late[0], busy[1], None]
    assert taken[0] is not None
    assert holder.complete(taken[0], [], lambda: None)
    again = holder.claim(["toy"])
    assert again is not None
    assert again.id == busy[2]
    assert holder.claim(["other"]) is None


def test_times_are_kept_within_the_limits(client: FlaskClient, begin: Begin, kept: Archive) -> None:
    path, config = begin(), kept.config

    def put(name: str, value: str) -> str:
        sent = client.post(f"{path}/{name}", data={name.upper(): value})
        assert (sent.status_code, sent.location) == (303, f"http://127.0.0.1:8000{path}")
        shown = text(client.get(f"{path}/{name}"))
        assert shown in client.get(path).text
        return shown

    assert text(client.get(f"{path}/executionduration")) == str(config.job_seconds)
    assert put("executionduration", "7") == "7"
    assert (
        put("executionduration", "0") == put("executionduration", "9" * 12) == str(config.job_seconds_limit)
    )
    assert text(client.get(f"{path}/destruction")) == "2026-01-08T00:00:00.000Z"
    assert put("destruction", "2026-01-02T03:00:00+01:00") == "2026-01-02T02:00:00.000Z"
    assert put("destruction", "9999-01-01T00:00:00Z") == "2026-01-31T00:00:00.000Z"


def test_a_job_whose_time_is_extended_has_that_time(kept: Archive, holder: Holder) -> None:
    """What it was begun with bounds nothing by itself, such as a statement of the database."""
    some_jobs(kept, "QUEUED")
    told: list[float] = []
    crafts = {"toy": Craft(lambda task: told.append(task.seconds) or iter(()))}  # type: ignore[func-returns-value]
    assert Worker(kept, crafts).run_one(holder)
    assert told == [kept.config.job_seconds_limit]


TOO_MUCH = {
    "RUNID": ({"RUNID": "x" * 201}, "RUNID has 201 characters"),
    "number": ({f"P{n}": "x" for n in range(1001)}, "has 1001 parameters"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_job_has_so_many_parameters_and_no_more(client: FlaskClient, begin: Begin, what: str) -> None:
    data, message = TOO_MUCH[what]
    for url in ("/toy/jobs", f"{begin()}/parameters"):
        refused = client.post(url, data=data)
        assert refused.status_code == 400
        assert message in refused.text


def test_parameters_are_bounded_however_many_requests_bring_them(
    client: FlaskClient, begin: Begin, kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_bounds, "MOST_CHARACTERS", 100)
    path = begin(A="x" * 60)
    refused = client.post(f"{path}/parameters", data={"B": "y" * 60})
    assert (refused.status_code, "122 characters" in refused.text) == (400, True)
    assert client.post(f"{path}/parameters", data={"A": "z" * 80}).status_code == 303
    kept.config = replace(kept.config, upload_bytes=3)
    for status in (303, 400):
        file = {"table": (io.BytesIO(b"1234"), "t.csv")}
        sent = client.post(f"{path}/parameters", data=file, content_type="multipart/form-data")
        assert sent.status_code == status


def test_a_result_that_is_too_large_is_none(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive
) -> None:
    kept.config = replace(kept.config, job_bytes=10)
    path = begin(SAY="12345|67890|1", PHASE="RUN")
    worker.run_one(holder)
    assert text(client.get(f"{path}/phase")) == "ERROR"
    assert "larger than 10 bytes" in client.get(f"{path}/error").text
    assert list(jobs.folder_of(kept, path.rpartition("/")[2]).iterdir()) == []


def test_a_full_disk_takes_no_jobs_and_ends_those_under_way(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive
) -> None:
    path = begin(SAY="x", PHASE="RUN")
    kept.config = replace(kept.config, spare_bytes=1 << 62)
    assert client.post("/toy/jobs").status_code == 503
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(execution, "LOOK_BYTES", 1)
        worker.run_one(holder)
    summary = document(client.get(path)).errorsummary
    assert (summary.type_, "the disk for results" in summary.message.content) == ("transient", True)
