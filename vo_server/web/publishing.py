"""A person publishes or retracts an object: the plan first, then a click; ``/project/<name>`` lists what is ready."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
from flask import Blueprint, Response, render_template

from datamodel import rights
from datamodel.archive import Archive
from datamodel.context import LEVELS, Caller
from datamodel.errors import NotFoundError, UsageError
from datamodel.objects import DBObject
from datamodel.projects import listed
from datamodel.publishing import REDACTED, WHOLE, PublishPlan, level_of, said
from datamodel.rights import Owned
from datamodel.session import Session
from vo_server import dali, errors
from vo_server.site import archive
from vo_server.web.object_page import title
from vo_server.web.views import SECURITY, error_page, here, load

blueprint = Blueprint("publishing", __name__)

SHOWN = 200
"""Candidates that a page lists at the most."""

READY = 2
"""The judgement of what is ready for delivery."""


@blueprint.get("/object/<object_id>/publish")
def plan(object_id: str) -> str:
    """What publishing would do, what is in the way, and the button."""
    with stored(object_id) as (opened, found):
        asked = _asked()
        return _page(opened, found, found.publish_plan(**asked))


@blueprint.post("/object/<object_id>/publish")
def publish(object_id: str) -> Response:
    """Carry out the plan that was shown; another one by now is refused."""
    with stored(object_id) as (_, found):
        found.publish(**_asked(), agreed=_agreed())
    return back(object_id)


@blueprint.post("/object/<object_id>/retract")
def retract(object_id: str) -> Response:
    """Judge an object bad for ever, with a reason for those who have used it."""
    with stored(object_id) as (_, found):
        found.retract(dali.read(flask.request).one("REASON") or "")
    return back(object_id)


@blueprint.get("/project/<name>")
def project(name: str) -> str:
    """What is ready for delivery in a project, for its managers."""
    opened, caller = archive(), dali.caller_of(flask.request)
    known = {each.name: each for each in listed(opened) if each.name in caller.managed}
    if name not in known:
        raise NotFoundError("There is no such project here, or you are none of its managers.")
    most = known[name].maximum_privileges
    with Session(opened, caller.at(project=name)):
        ready = (DBObject.is_valid == READY) & (DBObject._privileges < most)
        found = ready.project_only().order_by("-creation_date")
        rows = [(each, title(each), said(each._privileges)) for each in found.limit(SHOWN)]
        return render_template(
            "project.html", config=opened.config, project=known[name], rows=rows, count=len(found), said=said
        )


@contextmanager
def stored(object_id: str) -> Iterator[tuple[Archive, Any]]:
    """The object, within a session of who asks; who is not logged in is told so where the object is seen."""
    opened, caller = archive(), dali.caller_of(flask.request)
    with Session(opened, caller) as session:
        found = load(session, DBObject, object_id)
        rights.require_writer(caller)
        yield opened, found


def _asked() -> dict[str, Any]:
    given = dali.read(flask.request)
    text = given.one("LEVEL")
    if text is None:
        raise UsageError(f"LEVEL is not given, expected one of {', '.join(map(said, LEVELS))}")
    lineage = REDACTED if given.one("REDACTED") else WHOLE
    return {"level": level_of(text), "deep": not given.one("SHALLOW"), "lineage": lineage}


def _agreed() -> str:
    """The digest of the plan that the person looked at."""
    agreed = dali.read(flask.request).one("PLAN")
    if not agreed:
        raise UsageError("PLAN is not given, expected that of the plan that was shown")
    return agreed


def _page(opened: Archive, found: Any, shown: PublishPlan) -> str:
    return render_template(
        "publish.html",
        config=opened.config,
        product=found,
        title=title(found),
        plan=shown,
        levels=levels_for(dali.caller_of(flask.request), found) or [shown.level],
        redacted=shown.lineage == REDACTED,
        said=said,
    )


def back(object_id: str) -> Response:
    """To the page of the object, when something was done with it."""
    return Response(status=303, headers={"Location": here(f"/object/{object_id}")})


@blueprint.app_template_global()
def publishing_of(product: Any) -> dict[str, Any]:
    """What who asks may do with an object: the levels it may be given, and whether it may be judged."""
    caller = dali.caller_of(flask.request)
    owned = Owned(product._creator, product._project, product._privileges)
    return {"levels": levels_for(caller, product), "change": rights.may(caller, rights.CHANGE, owned)}


def levels_for(caller: Caller, product: Any) -> list[int]:
    """The levels that a caller may give to an object, as far as the object itself goes."""
    owned = Owned(product._creator, product._project, product._privileges)
    others = [level for level in LEVELS if level != owned.privileges]
    return [level for level in others if rights.may_set_level(caller, owned, level)]


@blueprint.after_request
def secured(response: Response) -> Response:
    """Nothing of it is kept, and it brings in nothing of others."""
    response.headers.update(SECURITY)
    response.headers["Cache-Control"] = "no-store"
    return response


blueprint.register_error_handler(Exception, errors.handler(error_page))
