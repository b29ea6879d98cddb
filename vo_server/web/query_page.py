"""A person asks in ADQL: ``/query`` has the query, its answer and what can be asked; programs use ``/tap``."""

import json

import flask
from flask import Blueprint, Response, render_template

from datamodel import catalogues, quotas, tap_schema
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server import caching, dali, errors
from vo_server.adql_layout import laid_out
from vo_server.formats.negotiate import OFFERS
from vo_server.site import archive, is_from_elsewhere, own_origins
from vo_server.web import query_answer
from vo_server.web.jobs_page import ShownJob, shown_jobs
from vo_server.web.query_words import words as words_of
from vo_server.web.tap_service import tap_service
from vo_server.web.views import error_page

blueprint = Blueprint("query", __name__, url_prefix="/query")

SHOWN_ROWS = (100, 1000, 10_000)
"""Rows that one may have shown in a page; more are to be downloaded."""

LABELS = {
    "votable": "VOTable",
    "csv": "CSV",
    "tsv": "TSV",
    "fits": "FITS",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "json": "JSON",
}
"""What people call the formats, by their short names; those that are not here have no place in the list."""


@blueprint.route("", methods=["GET", "POST"])
def page() -> str | tuple[str, int]:
    """The page with a query; where no script runs, a form that is sent here brings the answer too."""
    opened, asked = archive(), dali.read(flask.request)
    query = asked.one("QUERY") or asked.one("Q") or ""
    wanted = asked.one("DO") or ("run" if flask.request.method == "POST" else "")
    if wanted == "layout":
        query = laid_out(query)
    if wanted != "run":
        return _page(opened, query)
    try:
        if not query:
            raise UsageError("there is no query yet, expected one such as SELECT TOP 5 * FROM ivoa.obscore")
        return _page(opened, query, answer=query_answer.answered(opened, query))
    except tuple(errors.STATUS) as error:
        what = errors.told(error)
        return _page(opened, query, wrong=query_answer.wrong(what.message, query)), what.status


def _page(
    opened: Archive,
    query: str,
    answer: query_answer.Answer | None = None,
    wrong: query_answer.Wrong | None = None,
) -> str:
    listed = tap_service().examples(opened, dali.caller_of(flask.request))
    return render_template(
        "query.html",
        config=opened.config,
        query=query or listed[0].adql,
        answer=answer,
        wrong=wrong,
        examples=listed,
        schemas=tap_schema.read(opened, dali.caller_of(flask.request)),
        formats=formats(),
        jobs=_jobs(),
        shown_rows=SHOWN_ROWS,
    )


def formats() -> list[tuple[str, str]]:
    """What RESPONSEFORMAT may be, and what people call it."""
    names = [alias for offer in OFFERS for alias in offer.aliases]
    return [(name, label) for name, label in LABELS.items() if name in names]


@blueprint.get("/jobs")
def jobs() -> str:
    """The queries in the background."""
    return render_template("query_jobs.html", config=archive().config, jobs=_jobs(), use=_use())


@blueprint.get("/jobs/list")
def job_list() -> str:
    """Their list alone, which a page that is open asks for again."""
    return render_template("query_job_list.html", jobs=_jobs())


def _jobs() -> list[ShownJob]:
    """The jobs of the caller; none for scripts of other sites."""
    if is_from_elsewhere(flask.request):
        return []
    return shown_jobs(archive(), dali.caller_of(flask.request), dali.who_asks(flask.request))


def _use() -> str:
    """How much of the quota the tables of the caller take; empty for strangers, who have none."""
    opened, user = archive(), dali.caller_of(flask.request).user
    if user is None:
        return ""
    with opened.database.read() as connection:
        return quotas.use_of(connection, opened, user, catalogues.known(opened).entries).words


@blueprint.get("/words")
def words() -> Response:
    """What can be written in a query, as JSON for the page."""
    opened = archive()
    schemas = tap_schema.read(opened, dali.caller_of(flask.request))
    body = json.dumps(words_of(schemas, tap_service(), opened), ensure_ascii=False)
    return caching.hashed(Response(body, mimetype="application/json"))


@blueprint.post("/layout")
def layout() -> Response:
    """A query laid out, as text."""
    return Response(laid_out(dali.read(flask.request).one("QUERY") or ""), mimetype="text/plain")


def policy(config: Config, host_url: str) -> str:
    """The Content-Security-Policy of these pages.

    Parameters
    ----------
    config
        Has the base URL, which the jobs' addresses begin with.
    host_url
        That of the request. Where it is another one, such as localhost for 127.0.0.1, a form and a script of the
        page may go to both, which are this very server.
    """
    ours = " ".join(["'self'", *own_origins(config, host_url)[1:]])
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": ours,
        "img-src": "'self' data:",
        "form-action": ours,
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@blueprint.after_request
def _secure(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = policy(archive().config, flask.request.host_url)
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


blueprint.register_error_handler(Exception, errors.handler(error_page))
