"""Programs follow the quality of objects: ``/qc/events?since=NUMBER`` gives what happened after that."""

import flask
from flask import Blueprint, Response
from werkzeug.datastructures import MultiDict

from datamodel.context import visible
from datamodel.errors import UsageError, nearest
from datamodel.objects import DBObject
from datamodel.places import places_of
from datamodel.schema import table_of
from processing.quality_events import quality_events
from vo_server import errors
from vo_server.dali import caller_of
from vo_server.site import archive, base_url

blueprint = Blueprint("qc", __name__, url_prefix="/qc")

_LARGEST = 2**63 - 1


@blueprint.get("/events")
def events() -> Response:
    """The events of what the caller may see, the newest last, as JSON; ``next`` is where to go on."""
    opened, since = archive(), _since(flask.request.args)
    shown = visible(table_of(DBObject), caller_of(flask.request))
    with places_of(opened).place():
        found, last, more = quality_events(opened, since, shown)
    here = base_url(opened.config)
    answer = flask.jsonify({"events": [each.as_json(here) for each in found], "next": last, "more": more})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _since(given: MultiDict[str, str]) -> int:
    unknown = next((name for name in given if name != "since"), None)
    if unknown is not None:
        raise UsageError(
            f"there is no parameter '{unknown[:100]}'{nearest(unknown, ['since'])}; there is since"
        )
    if len(given.getlist("since")) > 1:
        raise UsageError("since is given more than once")
    text = given.get("since", "0")
    if not (text.isascii() and text.isdigit() and int(text[:30]) <= _LARGEST):
        raise UsageError(f"since is '{text[:100]}', expected the number of an event, or 0 for all")
    return int(text)


blueprint.register_error_handler(Exception, errors.handler(errors.plain))
