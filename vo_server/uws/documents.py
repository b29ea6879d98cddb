"""What do the documents of UWS 1.1 look like: a job, its parts, and the list of jobs?"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import flask

from datamodel.job_rows import Job, Listed
from vo_server.formats.markup import attributes, element, text

XML_MIME = "text/xml"
VERSION = "1.1"

_NAMESPACES = (
    ' xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_AT_A_TIME = 500
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def instant(when: datetime | None) -> str:
    """An instant as UWS writes it, with milliseconds and a Z; empty where there is none."""
    return f"{when.isoformat(timespec='milliseconds')}Z" if when is not None else ""


def job(which: Job, url: str, now: datetime) -> flask.Response:
    """The document of a job.

    Parameters
    ----------
    which
        The job.
    url
        Absolute URL of the job.
    now
        The present instant, for the time it has taken so far.
    """
    lines = (
        f'<uws:job{_NAMESPACES} version="{VERSION}">',
        element("uws:jobId", which.id),
        element("uws:runId", which.run_id) if which.run_id else "",
        _or_nil("uws:ownerId", which.owner or ""),
        element("uws:phase", which.phase),
        _or_nil("uws:quote", instant(quote(which))),
        element("uws:creationTime", instant(which.created)),
        _or_nil("uws:startTime", instant(which.started)),
        _or_nil("uws:endTime", instant(which.ended)),
        element("uws:executionDuration", str(which.duration)),
        element("uws:destruction", instant(which.destruction)),
        *_parameters(which),
        *_results(which, url),
        *_error(which),
        *_info(which, now),
        "</uws:job>\n",
    )
    return _document(_HEAD + "\n".join(line for line in lines if line))


def parameters(which: Job) -> flask.Response:
    """The document of a job's parameters."""
    return _document(_HEAD + "\n".join(_parameters(which, _NAMESPACES)) + "\n")


def results(which: Job, url: str) -> flask.Response:
    """The document of a job's results; `url` is that of the job."""
    return _document(_HEAD + "\n".join(_results(which, url, _NAMESPACES)) + "\n")


def jobs(found: Iterable[Listed], url: str) -> flask.Response:
    """The list of jobs, written as they are found; `url` is that of the list."""
    return _document(_jobs(found, url))


def quote(which: Job) -> datetime | None:
    """By when a job will have ended, or has; None where it is not known when it begins."""
    if which.started is None or which.ended is not None:
        return which.ended
    return which.started + timedelta(seconds=which.duration)


def atom(value: str) -> flask.Response:
    """A single value as text."""
    return flask.Response(value, mimetype="text/plain")


def _jobs(found: Iterable[Listed], url: str) -> Iterator[bytes]:
    yield f'{_HEAD}<uws:jobs{_NAMESPACES} version="{VERSION}">\n'.encode()
    waiting, place = iter(found), attributes(x=f"{url}/")[4:-1]
    while some := list(islice(waiting, _AT_A_TIME)):
        yield "".join(_jobref(each, place) for each in some).encode()
    yield b"</uws:jobs>\n"


def _jobref(each: Listed, place: str) -> str:
    """One line; `place` is the escaped URL of the list, with a slash. Identifiers and phases are plain words."""
    run = element("uws:runId", each.run_id) if each.run_id else ""
    return (
        f'<uws:jobref id="{each.id}" xlink:type="simple" xlink:href="{place}{each.id}">'
        f"<uws:phase>{each.phase}</uws:phase>{run}{_or_nil('uws:ownerId', each.owner or '')}"
        f"<uws:creationTime>{instant(each.created)}</uws:creationTime></uws:jobref>\n"
    )


def _parameters(which: Job, namespaces: str = "") -> Iterator[str]:
    yield f"<uws:parameters{namespaces}>"
    for name, value in which.parameters:
        yield element("uws:parameter", value, id=name)
    yield "</uws:parameters>"


def _results(which: Job, url: str, namespaces: str = "") -> Iterator[str]:
    yield f"<uws:results{namespaces}>"
    for each in which.results:
        link = {"xlink:type": "simple", "xlink:href": f"{url}/results/{each.id}"}
        told = {"id": each.id, **link, "size": str(each.bytes), "mime-type": each.mime}
        yield element("uws:result", **told)
    yield "</uws:results>"


def _error(which: Job) -> Iterator[str]:
    if which.message:
        told = attributes(type=which.fault or "fatal", hasDetail="true")
        yield f"<uws:errorSummary{told}>{element('uws:message', which.message)}</uws:errorSummary>"


def _info(which: Job, now: datetime) -> Iterator[str]:
    """What UWS leaves to the service: how far the job is, and how it is gone about."""
    if which.started is None:
        return
    seconds = ((which.ended or now) - which.started).total_seconds()
    yield "<uws:jobInfo>"
    yield element(
        "progress", rows=str(which.rows), bytes=str(which.bytes), seconds=f"{max(0.0, seconds):.3f}"
    )
    if which.plan:
        yield element("plan", which.plan)
    yield "</uws:jobInfo>"


def _or_nil(tag: str, value: str) -> str:
    return f"<{tag}>{text(value)}</{tag}>" if value else f'<{tag} xsi:nil="true"/>'


def _document(body: str | Iterator[bytes]) -> flask.Response:
    return flask.Response(body, mimetype=XML_MIME)
