"""Which resources has a list of jobs, and what does each answer? (UWS 1.1 section 2.2)"""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import flask
from flask import Blueprint, Response, request

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.errors import NotFoundError, UsageError
from datamodel.jobs import Job, Result
from vo_server import answers, dali, ranges, site
from vo_server.uws import documents, parameters, waiting
from vo_server.uws.service import Service

RUN_ID = "RUNID"


def add_routes(blueprint: Blueprint, service: Service, prefix: str = "/async") -> None:
    """Give a protocol its list of jobs.

    Parameters
    ----------
    blueprint
        Of the protocol; its handler shows the errors.
    service
        What is the protocol's own.
    prefix
        Of the list, below the blueprint's.
    """
    resources = Resources(service)
    for path, methods in ROUTES.items():
        for method, name in methods.items():
            answer = partial(_answer, getattr(resources, name))
            endpoint = f"jobs {method} {path}".replace(".", "")
            blueprint.add_url_rule(prefix + path, endpoint, answer, methods=[method])


ROUTES: dict[str, dict[str, str]] = {
    "": {"GET": "list", "POST": "create"},
    "/<id>": {"GET": "job", "POST": "post_job", "DELETE": "delete"},
    "/<id>/phase": {"GET": "phase", "POST": "post_phase"},
    "/<id>/executionduration": {"GET": "duration", "POST": "post_duration"},
    "/<id>/destruction": {"GET": "destruction", "POST": "post_destruction"},
    "/<id>/error": {"GET": "error"},
    "/<id>/quote": {"GET": "quote"},
    "/<id>/owner": {"GET": "owner"},
    "/<id>/parameters": {"GET": "parameters", "POST": "post_parameters"},
    "/<id>/parameters/<name>": {"GET": "parameter"},
    "/<id>/results": {"GET": "results"},
    "/<id>/results/<name>": {"GET": "result"},
}
"""Path below the list, method, and the name of what answers."""


def _answer(answer: Any, **path: str) -> Response:
    response: Response = answer(**path)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


class Resources:
    """What a list of jobs and its jobs answer; a method for each row of `ROUTES`."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def list(self) -> Response:
        """The jobs of the caller; the filters say which. A stranger's go by the address: see `is_from_elsewhere`."""
        wanted, caller = parameters.wanted(dali.read(request)), dali.caller_of(request)
        if caller.user is None and site.is_from_elsewhere(request):
            return documents.jobs((), self._list_url())
        found = jobs.listed(
            site.archive(),
            self.service.name,
            caller,
            dali.who_asks(request),
            phases=wanted.phases,
            after=wanted.after,
            last=wanted.last,
        )
        return documents.jobs(found, self._list_url())

    def create(self) -> Response:
        """Make a job; its parameters are looked at when it runs."""
        given = dali.read(request)
        command = parameters.command(given)
        if command == "ABORT":
            raise UsageError("PHASE is 'ABORT', but there is no job yet; expected RUN or nothing")
        return self.begun(given, run=command == "RUN")

    def begun(self, given: dali.Parameters, run: bool = False) -> Response:
        """Make a job with these parameters; the files that came with the request are its own."""
        archive = site.archive()
        new = self._new(archive, given, run)
        jobs.add(archive, new, lambda folder: self.service.receive(request, folder))
        return self._see_job(new.id)

    def job(self, id: str) -> Response:
        """The document of a job, after it has changed where WAIT asks for that."""
        wait = parameters.wait(dali.read(request))
        archive, found = site.archive(), self._found(id)
        gone = partial(answers.client_left, request.environ)
        now = waiting.changed(archive, found, dali.caller_of(request), wait, gone)
        return documents.job(now, self._job_url(id), archive.clock())

    def post_job(self, id: str) -> Response:
        """Delete a job by ACTION=DELETE, for clients that have no DELETE."""
        if not parameters.deletes(dali.read(request)):
            raise UsageError(
                f"nothing is said of the job, expected ACTION=DELETE; parameters go to {self._job_url(id)}/parameters"
            )
        return self.delete(id)

    def delete(self, id: str) -> Response:
        """Forget a job and all that belongs to it."""
        jobs.remove(site.archive(), self._found(id).id)
        return _see(self._list_url())

    def phase(self, id: str) -> Response:
        """In which phase the job is."""
        return documents.atom(self._found(id).phase)

    def post_phase(self, id: str) -> Response:
        """Have a job run, or end it."""
        command = parameters.command(dali.read(request))
        if command is None:
            raise UsageError("PHASE is missing, expected RUN or ABORT")
        {"RUN": jobs.run, "ABORT": jobs.abort}[command](site.archive(), self._found(id))
        return self._see_job(id)

    def duration(self, id: str) -> Response:
        """How many seconds the job may run."""
        return documents.atom(str(self._found(id).duration))

    def post_duration(self, id: str) -> Response:
        """Change how long the job may run, also while it does."""
        archive, text = site.archive(), _required("EXECUTIONDURATION")
        jobs.change(archive, self._found(id), jobs.PHASES, duration=parameters.duration(text, archive.config))
        return self._see_job(id)

    def destruction(self, id: str) -> Response:
        """When the job will be deleted."""
        return documents.atom(documents.instant(self._found(id).destruction))

    def post_destruction(self, id: str) -> Response:
        """Change when the job will be deleted."""
        archive, text, found = site.archive(), _required("DESTRUCTION"), self._found(id)
        when = parameters.destruction(text, found.created, archive.config)
        jobs.change(archive, found, jobs.PHASES, destruction=when)
        return self._see_job(id)

    def error(self, id: str) -> Response:
        """What went wrong, as the protocol says such things."""
        found = self._found(id)
        if not found.message:
            raise NotFoundError(f"the job is {found.phase}, and nothing went wrong")
        return self.service.error(found.message)

    def quote(self, id: str) -> Response:
        """By when the job will have ended."""
        return documents.atom(documents.instant(documents.quote(self._found(id))))

    def owner(self, id: str) -> Response:
        """The account whose job it is; empty for a stranger's."""
        return documents.atom(self._found(id).owner or "")

    def parameters(self, id: str) -> Response:
        """All parameters of the job."""
        return documents.parameters(self._found(id))

    def post_parameters(self, id: str) -> Response:
        """Add parameters to a job that has not been told to run, or replace some."""
        archive, found, given = site.archive(), self._found(id), dali.read(request)
        if found.phase == "PENDING":
            self._receive_more(jobs.folder_of(archive, id))
        jobs.add_parameters(archive, found, parameters.own(given), given.one(RUN_ID))
        return self._see_job(id)

    def parameter(self, id: str, name: str) -> Response:
        """One parameter, each of its values on a line."""
        values = [value for key, value in self._found(id).parameters if key == name.upper()]
        if not values:
            raise NotFoundError(f"the job has no parameter {dali.shown(name)}")
        return documents.atom("\n".join(values))

    def results(self, id: str) -> Response:
        """Which results the job has made."""
        return documents.results(self._found(id), self._job_url(id))

    def result(self, id: str, name: str) -> Response:
        """The bytes of a result, or a piece of them."""
        found = self._found(id)
        result = next((each for each in found.results if each.id == name), None)
        if result is None:
            why = f": {found.message}" if found.message else ""
            raise NotFoundError(f"the job is {found.phase}, and has no result {dali.shown(name)}{why}")
        return _file(found, result)

    def _receive_more(self, folder: Path) -> None:
        bound = site.archive().config.upload_bytes
        if sum(path.stat().st_size for path in folder.iterdir()) > bound:
            raise UsageError(f"the job has been sent more than {bound} bytes, the limit of this service")
        self.service.receive(request, folder)

    def _found(self, id: str) -> Job:
        return jobs.get(site.archive(), self.service.name, id, dali.caller_of(request))

    def _new(self, archive: Archive, given: dali.Parameters, run: bool) -> Job:
        caller, now, config = dali.caller_of(request), archive.clock(), archive.config
        destruction, duration = given.one("DESTRUCTION"), given.one("EXECUTIONDURATION")
        usual = now + timedelta(days=config.job_days)
        return Job(
            id=jobs.new_id(),
            service=self.service.name,
            phase="QUEUED" if run else "PENDING",
            owner=caller.user,
            who=dali.who_asks(request)[:200],
            created=now,
            queued=now if run else None,
            destruction=parameters.destruction(destruction, now, config) if destruction else usual,
            run_id=given.one(RUN_ID),
            project=caller.project,
            level=caller.level,
            duration=parameters.duration(duration, config) if duration else config.job_seconds,
            parameters=parameters.own(given),
        )

    def _list_url(self) -> str:
        return site.base_url(site.archive().config) + self.service.path

    def _job_url(self, id: str) -> str:
        return f"{self._list_url()}/{id}"

    def _see_job(self, id: str) -> Response:
        return _see(self._job_url(id))


def _file(found: Job, result: Result) -> Response:
    ranges.ignore_others(request)
    try:
        response = flask.send_file(
            jobs.folder_of(site.archive(), found.id).absolute() / result.file,
            mimetype=result.mime,
            as_attachment=True,
            download_name=result.filename,
            etag=f"{found.id}-{result.id}-{found.attempts}",
            last_modified=found.ended,
            conditional=True,
        )
    except FileNotFoundError:
        raise NotFoundError("the job has just been deleted") from None
    response.headers["Content-Type"] = result.mime
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _required(name: str) -> str:
    text = dali.read(request).one(name)
    if text is None:
        raise UsageError(f"{name} is missing")
    return text


def _see(url: str) -> Response:
    """See Other: what was asked for has been done, and here is what it was done to."""
    return Response(status=303, headers={"Location": url})
