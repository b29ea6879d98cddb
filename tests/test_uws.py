"""Do jobs behave as UWS 1.1 says? Seen through a protocol of the tests' own, so that only jobs are tested."""

import io
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.job_claims import Holder
from tests.toy_jobs import LIST, Begin, document, listed, some_jobs, text
from tests.toy_jobs_fixtures import ALL
from vo_server.uws.worker import Worker

shared, kept, app, client, holder, worker, begin = ALL


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


def test_a_job_is_made_with_the_times_that_are_asked_for(client: FlaskClient, begin: Begin) -> None:
    usual = document(client.get(begin(SAY="one")))
    soon = usual.destruction.to_datetime() - timedelta(hours=1)
    job = document(client.get(begin(SAY="one", EXECUTIONDURATION="77", DESTRUCTION=soon.isoformat())))
    assert job.destruction.to_datetime() == soon
    assert job.executionduration.to_value("s") == 77
    assert [p.id_ for p in job.parameters] == ["SAY"]
    for wrong in ({"EXECUTIONDURATION": "long"}, {"DESTRUCTION": "soon"}):
        response = client.post(LIST, data={"SAY": "one"} | wrong)
        assert (response.status_code, *wrong.values()) == (400, *wrong.values())


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


def test_parameters_that_are_sent_at_the_same_time_are_all_kept(kept: Archive) -> None:
    (id,) = some_jobs(kept, "PENDING")
    as_both_read_it = jobs.get(kept, "toy", id, ANONYMOUS)
    jobs.add_parameters(kept, as_both_read_it, (("A", "1"),))
    jobs.add_parameters(kept, as_both_read_it, (("B", "2"),))
    assert jobs.get(kept, "toy", id, ANONYMOUS).parameters == (("A", "1"), ("B", "2"))


def test_what_came_with_a_job_that_is_aborted_is_gone(client: FlaskClient, kept: Archive) -> None:
    data = {"table": (io.BytesIO(b"1,2"), "t.csv"), "PHASE": "RUN"}
    path = client.post("/toy/jobs", data=data, content_type="multipart/form-data").location
    assert client.post(f"{path}/phase", data={"PHASE": "ABORT"}).status_code == 303
    assert not jobs.folder_of(kept, path.rpartition("/")[2]).exists()
    assert text(client.get(f"{path}/phase")) == "ABORTED"


@pytest.mark.parametrize("id", ["a%00b", "%ED%A0%80", "x" * 5000, "..", "A" * 32])
def test_what_is_no_identifier_is_no_job(client: FlaskClient, id: str) -> None:
    assert client.get(f"/toy/jobs/{id}/phase").status_code == 404


def test_what_came_with_a_job_is_there_when_it_runs_and_gone_afterwards(
    client: FlaskClient, worker: Worker, holder: Holder, kept: Archive
) -> None:
    data = {"table": (io.BytesIO(b"1,2"), "t.csv"), "PHASE": "RUN"}
    made = client.post("/toy/jobs", data=data, content_type="multipart/form-data")
    folder = jobs.folder_of(kept, made.location.rpartition("/")[2])
    assert (folder / "table").read_bytes() == b"1,2"
    worker.run_one(holder)
    assert [each.name for each in folder.iterdir()] == ["result-result"]
