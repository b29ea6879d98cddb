"""How are tables of one's own made, filled, indexed, saved and removed over HTTP? (VOSI 1.2 draft, as pyvo speaks it)

``PUT`` and ``DELETE /tap/tables/<name>``, ``POST /tap/load/<name>``, ``POST /tap/table-update``, and of a job ``POST
/tap/async/<id>/save``. ``GET /tap/tables/<name>`` is TAP's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Blueprint, Response, request

from datamodel import mydb
from datamodel.catalogues import Entry
from datamodel.errors import UsageError
from datamodel.job_bounds import refuse_full_disk
from datamodel.turns import Bounds, table_turns_of
from vo_server import dali, errors, site, vosi
from vo_server.mydb import body, definition, jobs, names, tables
from vo_server.tap import jobs as tap_jobs
from vo_server.tap.tap_schema import entries
from vo_server.uws.views import Resources

blueprint = Blueprint("mydb", __name__, url_prefix="/tap")
blueprint.register_error_handler(Exception, errors.handler(dali.error_document))

_SWITCHES = {"true": True, "1": True, "false": False, "0": False}


@blueprint.before_request
def allow_bodies() -> None:
    """Let requests bring a table along."""
    body.allow(request, site.archive().config)


@contextmanager
def _turn() -> Iterator[None]:
    """For a block, the caller has a turn at writing a table; see `datamodel.turns`.

    Raises
    ------
    BusyError
        There is none, or the disk is nearly full.
    """
    archive = site.archive()
    bounds = Bounds.of_tables(archive.config)
    turn = table_turns_of(archive).take(dali.who_asks(request), archive.config, bounds)
    try:
        refuse_full_disk(archive)
        yield
    finally:
        turn.end()


@blueprint.put("/tables/<name>")
def create(name: str) -> Response:
    """Make a table: as a VOSI document describes it, or of a table in any format that is read, with its rows."""
    archive, caller = site.archive(), dali.caller_of(request)
    tables.require_new(archive, name, caller)  # before what may be long is read
    with _turn(), body.received(request, archive) as received:
        reading = definition.read(received.path) if received.is_definition else received.opened()
        made = tables.create(
            archive, caller, name, reading, "a request", reading.description or f"Rows of {name}"
        )
    response = _told(made)
    response.status_code = 201
    response.headers["Location"] = _url(made)
    return response


@blueprint.delete("/tables/<name>")
def remove(name: str) -> Response:
    """Remove a table."""
    gone = tables.drop(site.archive(), dali.caller_of(request), name)
    return Response(f"{names.shown(gone, dali.caller_of(request))} is removed\n", mimetype="text/plain")


@blueprint.post("/load/<name>")
def load(name: str) -> Response:
    """Add rows to a table: all of them or none."""
    archive, caller = site.archive(), dali.caller_of(request)
    former = names.require_own(names.found(archive, name, caller), caller)
    with _turn(), body.received(request, archive) as received:
        made = tables.append(archive, caller, name, received.opened)
    told = f"{names.shown(made, caller)} has {made.rows} rows, {made.rows - former.rows} of them are new\n"
    return Response(told, mimetype="text/plain")


@blueprint.post("/table-update")
def update() -> Response:
    """Begin a job that indexes a column; whoever asked has it run."""
    archive, caller, given = site.archive(), dali.caller_of(request), dali.read(request)
    table, column = (given.one(name) for name in ("TABLE", "INDEX"))
    if table is None or column is None:
        raise UsageError(
            f"{'TABLE' if table is None else 'INDEX'} is missing, expected TABLE and INDEX, a column"
        )
    unique = (given.one("UNIQUE") or "false").strip().lower()
    if _SWITCHES.get(unique, True):
        raise UsageError(
            f"UNIQUE is {dali.shown(unique)}, expected false: values that differ are not enforced here"
        )
    names.require_own(names.found(archive, table, caller), caller)
    asked = [("REQUEST", jobs.INDEXES), ("TABLE", table), ("INDEX", column)]
    return Resources(tap_jobs.SERVICE).begun(dali.Parameters.of(asked))


@blueprint.post("/async/<id>/save")
def save(id: str) -> Response:
    """Save the result of a job under a name."""
    archive, caller = site.archive(), dali.caller_of(request)
    name = dali.read(request).one("NAME")
    if name is None:
        raise UsageError(f"NAME is missing, expected that of the table, such as {mydb.SCHEMA}.stars")
    names.user_of(caller)
    with _turn():
        made = jobs.save(archive, caller, id, name)
    return Response(status=303, headers={"Location": _url(made)})


def _told(made: Entry) -> Response:
    """The VOSI document of one's own table."""
    (schema,) = entries([replace(made.described, schema=mydb.SCHEMA)])
    return vosi.table_document(schema.tables[0])


def _url(made: Entry) -> str:
    base = site.base_url(site.archive().config)
    return f"{base}/tap/tables/{names.shown(made, dali.caller_of(request))}"
