"""A person judges an object: first what that makes outdated is shown, then there is a button."""

import flask
from flask import Blueprint, Response, render_template

from datamodel.errors import UsageError
from datamodel.objects import JUDGEMENTS
from datamodel.session import current
from processing.impact import impact
from vo_server import dali, errors
from vo_server.web.object_page import title
from vo_server.web.publishing import back, secured, stored
from vo_server.web.views import error_page

blueprint = Blueprint("judging", __name__)


@blueprint.get("/object/<object_id>/judge")
def preview(object_id: str) -> str:
    """What a judgement would make outdated, or mend, and the button."""
    with stored(object_id) as (opened, found):
        value = _judgement()
        return render_template(
            "judge.html",
            config=opened.config,
            product=found,
            title=title(found),
            value=value,
            judgements=JUDGEMENTS,
            impact=impact(current(), found, is_valid=value),
            comment=_comment(),
        )


@blueprint.post("/object/<object_id>/judge")
def judge(object_id: str) -> Response:
    """Judge it, and say why."""
    with stored(object_id) as (_, found):
        found.judge(_judgement(), _comment())
    return back(object_id)


def _judgement() -> int:
    text = dali.read(flask.request).one("IS_VALID") or ""
    if text not in map(str, JUDGEMENTS):
        known = ", ".join(f"{value} ({meaning})" for value, meaning in JUDGEMENTS.items())
        raise UsageError(f"IS_VALID is '{text[:100]}', expected one of {known}")
    return int(text)


def _comment() -> str:
    return (dali.read(flask.request).one("COMMENT") or "").strip()


blueprint.after_request(secured)
blueprint.register_error_handler(Exception, errors.handler(error_page))
