"""What belongs to an observation is listed: ``/datalink/links`` for programs, ``/datalink/page`` for people."""

import flask
from flask import Blueprint, Response, render_template

from vo_server import answers, dali, errors, vosi
from vo_server.auth import challenges
from vo_server.datalink import capability
from vo_server.datalink.parameters import read
from vo_server.datalink.query import found, links
from vo_server.descriptors import DATALINK_STANDARD
from vo_server.obscore import links_url
from vo_server.site import archive, up_since, why_not

blueprint = Blueprint("datalink", __name__, url_prefix="/datalink")


@blueprint.route("/links", methods=["GET", "POST"])
def list_links() -> Response:
    """The links of each identifier; without one, the description of the service alone."""
    opened, caller = archive(), dali.caller_of(flask.request)
    asked = read(dali.read(flask.request))
    return answers.query(
        opened,
        lambda cancelled: links(opened, caller, asked),
        asked.format,
        "links",
        infos=[("standardID", DATALINK_STANDARD)],
        resource_extras=capability.self_description(opened.config),
        table_name="links",
    )


@blueprint.get("/page")
def page() -> Response:
    """The links of one identifier, for people."""
    opened, did = archive(), flask.request.args.get("ID", "")
    shown = found(opened, dali.caller_of(flask.request), [did])
    text = render_template(
        "links.html", config=opened.config, did=did, links=shown, links_url=links_url(opened.config)
    )
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/capabilities")
def capabilities() -> Response:
    """What the service is."""
    security = challenges.security_methods(archive())
    return vosi.capabilities_document(capability.capability(archive().config, security))


@blueprint.get("/availability")
def availability() -> Response:
    """That it is up."""
    return vosi.availability_document(up_since(), why_not())


blueprint.register_error_handler(Exception, errors.handler(dali.error_document))
