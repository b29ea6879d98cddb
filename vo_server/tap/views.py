"""Which resources does TAP have, and what does each answer? (TAP 1.1 section 2)"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Blueprint, Response, request

from datamodel.errors import NotFoundError
from vo_server import answers, dali, errors, site, vosi
from vo_server.auth import challenges
from vo_server.tap import examples, jobs, parameters, query, tables, uploads
from vo_server.tap.capability import table_access
from vo_server.tap.document import about
from vo_server.uws.views import add_routes

blueprint = Blueprint("tap", __name__, url_prefix="/tap", template_folder="templates")
blueprint.register_error_handler(Exception, errors.handler(dali.error_document))

RESOURCES = ("sync", "async", "tables", "examples", "capabilities", "availability")


@blueprint.before_request
def allow_uploads() -> None:
    """Let requests to TAP bring tables along."""
    uploads.allow(request, site.archive().config)


@blueprint.route("/sync", methods=["GET", "POST"])
def sync() -> Response:
    """Answer a query; a HEAD request is told of the answer without the database being asked."""
    given = dali.read(request)
    if not given.all("UPLOAD"):
        return _answered(given, None)
    with TemporaryDirectory(prefix="vo-upload-") as name:
        uploads.receive(request, Path(name))
        return _answered(given, Path(name))


def _answered(given: dali.Parameters, folder: Path | None) -> Response:
    """The answer; its tables have been read from the folder when this returns."""
    archive = site.archive()
    asked = parameters.read(given, archive.config, folder)
    if request.method == "HEAD":
        asked = replace(asked, maxrec=0)
    run = partial(query.run_watched, archive, dali.caller_of(request), dali.who_asks(request), asked)
    told = partial(about, archive, asked.text, request=dali.request_url())
    return answers.query(archive, run, asked.format, "result", told)


@blueprint.get("/capabilities")
def capabilities() -> Response:
    """What the service can do."""
    config = site.archive().config
    url, security = f"{site.base_url(config)}/tap", challenges.security_methods(site.archive())
    own = vosi.own_capabilities(url, tables=True, examples=True, own_tables=True, security=security)
    return vosi.capabilities_document([table_access(url, config, security), *own])


@blueprint.get("/availability")
def availability() -> Response:
    """That the service is there, and since when."""
    return vosi.availability_document(site.up_since(), site.why_not())


@blueprint.get("/tables")
def tableset() -> Response:
    """The tables that can be queried; with ``detail=min`` without their columns."""
    asked = tables.read(dali.read(request), request.headers)
    return tables.tableset(site.archive(), dali.caller_of(request), asked)


@blueprint.get("/tables/<name>")
def table(name: str) -> Response:
    """One of the tables, with its columns."""
    return tables.table(site.archive(), dali.caller_of(request), name)


@blueprint.get("/examples")
def show_examples() -> Response:
    """Queries to begin with."""
    return examples.document(site.archive(), dali.caller_of(request))


add_routes(blueprint, jobs.SERVICE)


@blueprint.get("/")
def root() -> Response:
    """Say to people which resources there are."""
    listed = dali.resources("TAP 1.1", "/tap", RESOURCES)
    page = f"{site.base_url(site.archive().config)}/query"
    listed.set_data(f"{listed.get_data(as_text=True)}\nA page to write queries on: {page}\n")
    return listed


@blueprint.get("/<path:rest>")
def elsewhere(rest: str) -> Response:
    """Say in the form of TAP that there is no such resource."""
    listed = ", ".join(f"/tap/{name}" for name in RESOURCES)
    raise NotFoundError(f"there is no resource {dali.shown('/tap/' + rest)}; there are {listed}")
