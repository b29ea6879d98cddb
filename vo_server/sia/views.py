"""Images are found: ``/sia2/query`` answers SIA 2.0 requests from ObsCore."""

from dataclasses import replace
from functools import partial

import flask
from flask import Blueprint, Response

from datamodel.bounding import bounded
from vo_server import answers, dali, descriptors, errors, vosi
from vo_server.auth import challenges
from vo_server.errors import Told
from vo_server.obscore import links_url, obscore
from vo_server.sia import capability
from vo_server.sia.parameters import read
from vo_server.sia.query import select
from vo_server.site import archive, up_since, why_not

blueprint = Blueprint("sia", __name__, url_prefix="/sia2")

_FAULTS = {500: "FatalFault", 503: "TransientFault"}
"""SIA 2.0 section 2.4.2: what the text of an error begins with; ``UsageFault`` where it is the caller's."""


@blueprint.route("/query", methods=["GET", "POST"])
def query() -> Response:
    """The images and cubes that were asked for, one row each, made or not."""
    opened = archive()
    config = opened.config
    parameters = dali.read(flask.request)
    asked = read(parameters, config)
    if flask.request.method == "HEAD":
        asked = replace(asked, maxrec=0)
    table = obscore(config)
    statement = select(asked, dali.caller_of(flask.request), table)
    run = partial(
        opened.database.rows, statement, table.columns, limit=asked.maxrec, seconds=config.query_seconds
    )
    return answers.query(
        opened,
        lambda cancelled: bounded(run(cancelled=cancelled), config.answer_bytes),
        asked.format,
        "sia2",
        infos=dali.origin(capability.STANDARD, parameters.written()),
        resource_extras=descriptors.datalink(links_url(config)) + capability.self_description(config),
        table_name="obscore",
        description=table.description,
    )


@blueprint.get("/capabilities")
def capabilities() -> Response:
    """What the service is."""
    security = challenges.security_methods(archive())
    return vosi.capabilities_document(capability.capability(archive().config, security))


@blueprint.get("/availability")
def availability() -> Response:
    """That it is up."""
    return vosi.availability_document(up_since(), why_not())


@blueprint.get("/")
def root() -> Response:
    """Say to people which resources there are."""
    return dali.resources("SIA 2.0", "/sia2", ("query", "capabilities", "availability"))


def _error_document(what: Told) -> Response:
    fault = _FAULTS.get(what.status, "UsageFault")
    return dali.error_document(Told(what.status, f"{fault}: {what.message}", what.headers))


blueprint.register_error_handler(Exception, errors.handler(_error_document))
