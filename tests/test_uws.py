"""Do jobs behave as UWS 1.1 says? Seen through a protocol of the tests' own, so that only jobs are tested."""

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from pyvo.io import uws
from werkzeug.test import TestResponse

from datamodel import job_bounds, jobs
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import BusyError, QueryTimeoutError, UsageError
from datamodel.job_claims import Holder
from datamodel.jobs import Job
from datamodel.notify import notices
from datamodel.places import Places
from vo_server import dali, errors
from vo_server.uws import execution, waiting
from vo_server.uws.service import Craft, Output, Service, Task
from vo_server.uws.views import add_routes
from vo_server.uws.worker import Worker

LIST = "http://127.0.0.1:8000/toy/jobs"
Begin = Callable[..., str]


def work(task: Task) -> Iterator[Output]:
    """Does what the parameters of a job say."""
    said = dict(task.parameters)
    if "FAIL" in said:
        raise {"usage": UsageError, "busy": BusyError, "bug": ZeroDivisionError}[said["FAIL"]](
            "it went wrong"
        )
    task.progress.plan = "say it"
    yield Output("result", "text/plain", "said.txt", _said(task, said))


def _said(task: Task, said: dict[str, str]) -> Iterator[bytes]:
    for line in said.get("SAY", "nothing").split("|"):
        task.progress.rows += 1
        yield f"{line}\n".encode()
    while "SLOW" in said:
        if task.cancelled():
            raise QueryTimeoutError("stopped")


CRAFTS = {"toy": Craft(work)}


def receive(request: flask.Request, folder: Any) -> None:
    for name, file in request.files.items():
        file.save(folder / name)


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with nothing in it but a table of jobs; see `kept`."""
    folder = tmp_path_factory.mktemp("jobs") / "archive"
    opened = Archive(Config(archive=folder, database_url=new_database()), lambda: datetime(2026, 1, 1))
    opened.database.create([jobs.job])
    yield opened
    opened.close()


@pytest.fixture
def kept(shared: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """The shared archive with no jobs; its configuration is as it was afterwards."""
    monkeypatch.setattr(shared, "config", shared.config)
    yield shared
    with shared.database.write() as connection:
        connection.execute(sa.delete(jobs.job))
    shutil.rmtree(shared.config.archive / "jobs", ignore_errors=True)
    for name in ("room for jobs", "waiters", "places"):
        shared._resources.pop(name, None)


@pytest.fixture(scope="module")
def app(shared: Archive) -> flask.Flask:
    app = flask.Flask("toy")
    app.extensions |= {"archive": shared, "up_since": shared.clock()}
    blueprint = flask.Blueprint("toy", __name__, url_prefix="/toy")
    blueprint.register_error_handler(Exception, errors.handler(dali.error_document))
    told = lambda message: dali.error_document(errors.Told(200, message))  # noqa: E731
    add_routes(blueprint, Service("toy", "/toy/jobs", receive, told), "/jobs")
    app.register_blueprint(blueprint)
    return app


@pytest.fixture
def client(kept: Archive, app: flask.Flask) -> FlaskClient:
    made = app.test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture
def holder(kept: Archive) -> Iterator[Holder]:
    with Holder(kept) as made:
        yield made


@pytest.fixture
def worker(kept: Archive) -> Worker:
    return Worker(kept, CRAFTS)


@pytest.fixture
def begin(client: FlaskClient) -> Begin:
    """Makes a job, and gives its path."""

    def make(**parameters: str) -> str:
        made = client.post("/toy/jobs", data=parameters)
        assert made.status_code == 303, made.text
        assert made.location.startswith(LIST + "/")
        return made.location.removeprefix("http://127.0.0.1:8000")

    return make


def text(response: TestResponse) -> str:
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/plain"
    return response.text


def document(response: TestResponse) -> Any:
    """The document of a job as pyvo reads it."""
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/xml"
    return uws.parse_job(io.BytesIO(response.data))


def listed(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    return [each.jobid for each in uws.parse_job_list(io.BytesIO(response.data))]


def test_a_job_is_made_run_and_its_result_fetched(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(SAY="one|two", RUNID="mine", PHASE="run")
    assert text(client.get(f"{path}/phase")) == "QUEUED"
    assert worker.run_one(holder)
    assert not worker.run_one(holder)
    job = document(client.get(path))
    assert (job.phase, job.runid, job.jobid) == ("COMPLETED", "mine", path.rpartition("/")[2])
    assert [(p.id_, p.content) for p in job.parameters] == [("SAY", "one|two"), ("RUNID", "mine")]
    (result,) = job.results
    assert (result.id_, result.size, result.mimetype) == ("result", 8, "text/plain")
    assert result.href == f"http://127.0.0.1:8000{path}/results/result"
    body = client.get(f"{path}/results/result")
    assert (body.data, body.content_type) == (b"one\ntwo\n", "text/plain")
    assert "filename=said.txt" in body.headers["Content-Disposition"]
    assert '<progress rows="2" bytes="8"' in client.get(path).text
    assert "<plan>say it</plan>" in client.get(path).text


def test_a_piece_of_a_result_and_its_headers_can_be_had(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    url = begin(SAY="abcdef", PHASE="RUN") + "/results/result"
    worker.run_one(holder)
    piece = client.get(url, headers={"Range": "bytes=2-3"})
    assert (piece.status_code, piece.data) == (206, b"cd")
    assert piece.headers["Content-Range"] == "bytes 2-3/7"
    head = client.head(url)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "7")
    again = client.get(url, headers={"If-None-Match": head.headers["ETag"]})
    assert again.status_code == 304


def test_a_job_waits_for_its_parameters_until_it_is_told_to_run(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(SAY="one", MORE="x")
    assert not worker.run_one(holder)
    assert text(client.get(f"{path}/phase")) == "PENDING"
    assert text(client.get(f"{path}/quote")) == text(client.get(f"{path}/owner")) == ""
    sent = client.post(f"{path}/parameters", data={"say": "two", "RUNID": "later"})
    assert (sent.status_code, sent.location) == (303, f"http://127.0.0.1:8000{path}")
    assert text(client.get(f"{path}/parameters/say")) == "two"
    assert client.get(f"{path}/parameters/NONE").status_code == 404
    assert client.post(f"{path}/phase", data={"PHASE": "RUN"}).status_code == 303
    assert client.post(f"{path}/parameters", data={"SAY": "three"}).status_code == 403
    worker.run_one(holder)
    job = document(client.get(path))
    assert {p.id_: p.content for p in job.parameters} == {"MORE": "x", "SAY": "two", "RUNID": "later"}
    assert (job.runid, client.get(f"{path}/results/result").data) == ("later", b"two\n")


ENDS = {
    "usage": ("fatal", "it went wrong"),
    "busy": ("transient", "it went wrong"),
    "bug": ("fatal", "its log has"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_what_goes_wrong_is_told_when_the_job_runs(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kind: str
) -> None:
    path = begin(FAIL=kind, PHASE="RUN")
    assert client.get(f"{path}/error").status_code == 404
    worker.run_one(holder)
    job = document(client.get(path))
    type_, message = ENDS[kind]
    assert (job.phase, job.errorsummary.type_, list(job.results)) == ("ERROR", type_, [])
    assert message in str(job.errorsummary.message.content)
    error = client.get(f"{path}/error")
    assert (error.status_code, error.mimetype) == (200, "application/x-votable+xml")
    assert '<INFO name="QUERY_STATUS" value="ERROR">' in error.text
    assert message in error.text
    assert "ZeroDivision" not in error.text
    assert client.get(f"{path}/results/result").status_code == 404


def test_a_job_that_has_ended_is_not_run_again_and_need_not_be_ended(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(PHASE="RUN")
    assert client.post(f"{path}/phase", data={"PHASE": "RUN"}).status_code == 303
    worker.run_one(holder)
    assert client.post(f"{path}/phase", data={"PHASE": "RUN"}).status_code == 403
    assert client.post(f"{path}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert text(client.get(f"{path}/phase")) == "COMPLETED"
    pending = begin()
    client.post(f"{pending}/phase", data={"PHASE": "ABORT"})
    assert text(client.get(f"{pending}/phase")) == "ABORTED"
    assert client.post(f"{pending}/phase", data={"PHASE": "RUN"}).status_code == 403


@pytest.mark.parametrize("how", ["DELETE", "ACTION"])
def test_a_deleted_job_is_gone_with_its_files(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive, how: str
) -> None:
    path = begin(PHASE="RUN")
    worker.run_one(holder)
    folder = jobs.folder_of(kept, path.rpartition("/")[2])
    assert [each.name for each in folder.iterdir()] == ["result-result"]
    gone = client.delete(path) if how == "DELETE" else client.post(path, data={"ACTION": "delete"})
    assert (gone.status_code, gone.location) == (303, LIST)
    assert client.get(path).status_code == client.delete(path).status_code == 404
    assert not folder.exists()
    assert listed(client.get("/toy/jobs")) == []


REFUSED = [
    ("/toy/jobs?PHASE=DONE", {}, "expected one of PENDING"),
    ("/toy/jobs?LAST=0", {}, "expected a number of jobs"),
    ("/toy/jobs?LAST=x", {}, "expected a whole number"),
    ("/toy/jobs?AFTER=yesterday", {}, "expected an instant"),
    ("{job}?WAIT=soon", {}, "expected a whole number"),
    ("{job}?WAIT=-2", {}, "expected a number of seconds"),
    ("{job}?WAIT=1&PHASE=RUN", {}, "expected one of PENDING"),
    ("/toy/jobs", {"PHASE": "GO"}, "expected RUN or ABORT"),
    ("/toy/jobs", {"PHASE": "ABORT"}, "there is no job yet"),
    ("{job}", {"ACTION": "DANCE"}, "expected DELETE"),
    ("{job}", {"QUERY": "x"}, "expected ACTION=DELETE"),
    ("{job}/phase", {}, "PHASE is missing"),
    ("{job}/phase", {"PHASE": "COMPLETED"}, "expected RUN or ABORT"),
    ("{job}/executionduration", {"EXECUTIONDURATION": "long"}, "expected a whole number"),
    ("{job}/executionduration", {"EXECUTIONDURATION": "-1"}, "expected a number of seconds"),
    ("{job}/executionduration", {"NONE": "1"}, "EXECUTIONDURATION is missing"),
    ("{job}/destruction", {"DESTRUCTION": "2026-13-01"}, "expected an instant"),
]


@pytest.mark.parametrize(("url", "data", "expected"), REFUSED, ids=[f"{u} {d}" for u, d, _ in REFUSED])
def test_what_has_no_meaning_is_refused(
    client: FlaskClient, begin: Begin, url: str, data: dict[str, str], expected: str
) -> None:
    place = url.replace("{job}", begin())
    asked = client.get(place) if "?" in url else client.post(place, data=data)
    assert asked.status_code == 400
    assert expected in asked.text


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


def some_jobs(
    kept: Archive, *phases: str, who: str = "address 127.0.0.1", owner: str | None = None
) -> list[str]:
    """Jobs a minute apart from midnight on, as they would be found."""
    made = []
    for minute, phase in enumerate(phases):
        when = kept.clock() + timedelta(minutes=minute)
        one = Job(
            jobs.new_id(),
            "toy",
            phase,
            owner,
            who,
            when,
            when + timedelta(days=7),
            None,
            "ALL",
            1,
            60,
            (),
            when,
        )
        jobs.add(kept, one)
        made.append(one.id)
    return made


FILTERS: list[tuple[str, list[int]]] = [
    ("", [4, 3, 2, 0]),
    ("?LAST=2", [4, 3]),
    ("?last=99", [4, 3, 2, 0]),
    ("?PHASE=PENDING", [4, 0]),
    ("?PHASE=ERROR&PHASE=COMPLETED", [3, 2]),
    ("?PHASE=ARCHIVED", [1]),
    ("?AFTER=2026-01-01T00:02:00Z", [4, 3]),
    ("?AFTER=2026-01-01T00:02:30", [4, 3]),
    ("?AFTER=2026-01-01T00:01:00Z&PHASE=PENDING&LAST=1", [4]),
    ("?PHASE=HELD", []),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[query for query, _ in FILTERS])
def test_the_list_is_filtered(client: FlaskClient, kept: Archive, query: str, expected: list[int]) -> None:
    made = some_jobs(kept, "PENDING", "ARCHIVED", "COMPLETED", "ERROR", "PENDING")
    assert listed(client.get(f"/toy/jobs{query}")) == [made[number] for number in expected]


def test_a_long_list_is_read_page_by_page_and_a_short_one_at_once(
    client: FlaskClient, kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAGE", 10)
    made = some_jobs(kept, *["COMPLETED"] * 25)
    sent: list[str] = []
    sa.event.listen(kept.database.engine, "before_cursor_execute", lambda _c, _k, text, *_: sent.append(text))
    assert listed(client.get("/toy/jobs")) == made[::-1]
    assert len(sent) == 3
    assert listed(client.get("/toy/jobs?LAST=3")) == made[:-4:-1]
    assert len(sent) == 4


def test_a_job_is_its_owners_alone(
    client: FlaskClient, kept: Archive, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = begin()
    (elsewhere,) = some_jobs(kept, "PENDING", who="address 10.0.0.1")
    monkeypatch.setattr(dali, "caller_of", lambda request: Caller("A"))
    own = begin()
    assert listed(client.get("/toy/jobs")) == [own.rpartition("/")[2]]
    assert text(client.get(f"{own}/owner")) == "A"
    assert client.get(stranger).status_code == 403
    monkeypatch.setattr(dali, "caller_of", lambda request: Caller("B"))
    assert listed(client.get("/toy/jobs")) == []
    for resource in ("", "/phase", "/results", "/parameters", "/error", "/owner"):
        assert client.get(own + resource).status_code == 403
    assert client.delete(own).status_code == 403
    assert client.post(f"{own}/phase", data={"PHASE": "RUN"}).status_code == 403
    monkeypatch.setattr(dali, "caller_of", lambda request: ANONYMOUS)
    assert client.get(own).status_code == 403
    assert listed(client.get("/toy/jobs")) == [stranger.rpartition("/")[2]]
    assert client.get(f"/toy/jobs/{elsewhere}").status_code == 200, "its identifier cannot be guessed"


def test_a_job_of_one_protocol_is_none_of_another(client: FlaskClient, kept: Archive) -> None:
    (id,) = some_jobs(kept, "PENDING")
    jobs.change(kept, jobs.get(kept, "toy", id, ANONYMOUS), ("PENDING",), service="other")
    assert client.get(f"/toy/jobs/{id}").status_code == 404


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


def test_who_waits_hears_when_the_job_has_ended(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(PHASE="RUN")
    answers: list[str] = []
    other = client.application.test_client()
    waits = threading.Thread(target=lambda: answers.append(document(other.get(f"{path}?WAIT=-1")).phase))
    waits.start()
    worker.run_one(holder)
    waits.join()
    assert answers == ["COMPLETED"]


AT_ONCE = ["?WAIT=0", "?WAIT=30&PHASE=PENDING", ""]


@pytest.mark.parametrize("query", AT_ONCE)
def test_nobody_waits_who_need_not(client: FlaskClient, begin: Begin, query: str) -> None:
    assert document(client.get(begin(PHASE="RUN") + query)).phase == "QUEUED"


def test_nobody_waits_for_a_job_that_has_ended(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(PHASE="RUN")
    worker.run_one(holder)
    assert document(client.get(f"{path}?WAIT=60&PHASE=COMPLETED")).phase == "COMPLETED"


def test_waiting_takes_half_of_the_threads_at_the_most(
    client: FlaskClient, begin: Begin, kept: Archive
) -> None:
    waiters = kept.resource("waiters", lambda: waiting.Waiters(2, Places(8)))
    path = begin(PHASE="RUN")
    with waiters.place() as first:
        assert first
        assert document(client.get(f"{path}?WAIT=60")).phase == "QUEUED"
    with waiters.place() as again:
        assert again


def test_whoever_waits_for_a_deleted_job_is_told_so(client: FlaskClient, begin: Begin, kept: Archive) -> None:
    path = begin(PHASE="RUN")
    codes: list[int] = []
    other = client.application.test_client()
    waits = threading.Thread(target=lambda: codes.append(other.get(f"{path}?WAIT=60").status_code))
    waits.start()
    client.delete(path)
    waits.join()
    assert codes == [404]
    assert not notices(kept)._watches


STOPS: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "ABORT": lambda client, path: client.post(f"{path}/phase", data={"PHASE": "ABORT"}),
    "DELETE": lambda client, path: client.delete(path),
    "time": lambda client, path: client.post(f"{path}/executionduration", data={"EXECUTIONDURATION": "1"}),
}


@pytest.mark.parametrize("how", STOPS)
def test_a_running_job_is_interrupted(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive, how: str
) -> None:
    path = begin(SLOW="1", PHASE="RUN")
    running = threading.Thread(target=worker.run_one, args=(holder,))
    running.start()
    assert document(client.get(f"{path}?WAIT=60&PHASE=QUEUED")).phase == "EXECUTING"
    assert STOPS[how](client, path).status_code == 303
    running.join(30)
    assert not running.is_alive()
    if how == "DELETE":
        assert client.get(path).status_code == 404
    else:
        assert text(client.get(f"{path}/phase")) == "ABORTED"
        assert ("limit of 1 s" in client.get(path).text) == (how == "time")
        assert list(jobs.folder_of(kept, path.rpartition("/")[2]).glob("*")) == []


def test_a_worker_that_is_stopped_leaves_its_job_to_another(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive
) -> None:
    path = begin(SLOW="1", PHASE="RUN")
    running = threading.Thread(target=worker.run)
    running.start()
    assert document(client.get(f"{path}?WAIT=60&PHASE=QUEUED")).phase == "EXECUTING"
    worker.stop()
    running.join(30)
    assert text(client.get(f"{path}/phase")) == "QUEUED"
    again = holder.claim(["toy"])
    assert again is not None
    assert again.attempts == 1, "being stopped is no fault of the job"


def test_a_result_that_is_too_large_is_none(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder, kept: Archive
) -> None:
    kept.config = replace(kept.config, job_bytes=10)
    path = begin(SAY="12345|67890|1", PHASE="RUN")
    worker.run_one(holder)
    assert text(client.get(f"{path}/phase")) == "ERROR"
    assert "larger than 10 bytes" in client.get(f"{path}/error").text
    assert list(jobs.folder_of(kept, path.rpartition("/")[2]).iterdir()) == []


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


def test_parameters_that_are_sent_at_the_same_time_are_all_kept(kept: Archive) -> None:
    (id,) = some_jobs(kept, "PENDING")
    as_both_read_it = jobs.get(kept, "toy", id, ANONYMOUS)
    jobs.add_parameters(kept, as_both_read_it, (("A", "1"),))
    jobs.add_parameters(kept, as_both_read_it, (("B", "2"),))
    assert jobs.get(kept, "toy", id, ANONYMOUS).parameters == (("A", "1"), ("B", "2"))


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


def test_what_came_with_a_job_that_is_aborted_is_gone(client: FlaskClient, kept: Archive) -> None:
    data = {"table": (io.BytesIO(b"1,2"), "t.csv"), "PHASE": "RUN"}
    path = client.post("/toy/jobs", data=data, content_type="multipart/form-data").location
    assert client.post(f"{path}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert not jobs.folder_of(kept, path.rpartition("/")[2]).exists()
    assert text(client.get(f"{path}/phase")) == "ABORTED"


@pytest.mark.parametrize("id", ["a%00b", "%ED%A0%80", "x" * 5000, "..", "A" * 32])
def test_what_is_no_identifier_is_no_job(client: FlaskClient, id: str) -> None:
    assert client.get(f"/toy/jobs/{id}/phase").status_code == 404


def test_a_job_whose_time_is_extended_has_that_time(kept: Archive, holder: Holder) -> None:
    """What it was begun with bounds nothing by itself, such as a statement of the database."""
    some_jobs(kept, "QUEUED")
    told: list[float] = []
    crafts = {"toy": Craft(lambda task: told.append(task.seconds) or iter(()))}  # type: ignore[func-returns-value]
    assert Worker(kept, crafts).run_one(holder)
    assert told == [kept.config.job_seconds_limit]


def test_what_came_with_a_job_is_there_when_it_runs_and_gone_afterwards(
    client: FlaskClient, worker: Worker, holder: Holder, kept: Archive
) -> None:
    data = {"table": (io.BytesIO(b"1,2"), "t.csv"), "PHASE": "RUN"}
    made = client.post("/toy/jobs", data=data, content_type="multipart/form-data")
    folder = jobs.folder_of(kept, made.location.rpartition("/")[2])
    assert (folder / "table").read_bytes() == b"1,2"
    worker.run_one(holder)
    assert [each.name for each in folder.iterdir()] == ["result-result"]
