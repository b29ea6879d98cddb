"""A protocol of the tests' own, whose jobs do what their parameters say, and how its answers are read."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import flask
from pyvo.io import uws
from werkzeug.test import TestResponse

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.errors import BusyError, QueryTimeoutError, UsageError
from datamodel.jobs import Job
from vo_server.uws.service import Craft, Output, Task

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
