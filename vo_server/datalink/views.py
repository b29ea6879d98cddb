"""What belongs to an observation is listed: ``/datalink/links`` answers DataLink 1.1 requests."""

import flask
from flask import Blueprint, Response

from vo_server import dali, errors, vosi
from vo_server.answers import stream
from vo_server.datalink import capability
from vo_server.datalink.parameters import read
from vo_server.datalink.query import links
from vo_server.descriptors import DATALINK_STANDARD
from vo_server.site import archive, up_since

blueprint = Blueprint("datalink", __name__, url_prefix="/datalink")


@blueprint.route("/links", methods=["GET", "POST"])
def list_links() -> Response:
    """The links of each identifier; without one, the description of the service alone."""
    opened = archive()
    asked = read(dali.read(flask.request))
    rows = links(opened, dali.caller_of(flask.request), asked)
    return stream(
        opened,
        rows,
        asked.format,
        "links",
        infos=[("standardID", DATALINK_STANDARD)],
        resource_extras=capability.self_description(opened.config),
        table_name="links",
    )


@blueprint.get("/capabilities")
def capabilities() -> Response:
    """What the service is."""
    return vosi.capabilities_document(capability.capability(archive().config))


@blueprint.get("/availability")
def availability() -> Response:
    """That it is up."""
    return vosi.availability_document(up_since())


blueprint.register_error_handler(Exception, errors.handler(dali.error_document))
