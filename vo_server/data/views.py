"""Bytes are given: ``/data/<object_id>`` one thing for ever, ``/target/<Class>/<exposure>`` the best there is.

The only freshness there is so far: what is up to date is served, what is stale or missing is made first,
and headers say which. HEAD, requests for a range and robots have nothing made.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import flask
from flask import Blueprint, Response

from datamodel.dataobject import DataObject
from datamodel.errors import NotFoundError
from datamodel.session import Session
from datamodel.standings import NOT_CHECKED
from processing.target import ProcessTarget
from vo_server import errors, ranges
from vo_server.dali import caller_of, who_asks
from vo_server.delivery import (
    FITS_MIME,
    Delivery,
    NotMadeError,
    content_type,
    deliver,
    look,
    require_given,
    target_path,
)
from vo_server.errors import Told
from vo_server.site import archive, base_url

blueprint = Blueprint("data", __name__)

FOR_EVER = "max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

_ROBOT = re.compile(r"bot\b|crawl|spider|slurp|archiver|facebookexternalhit", re.IGNORECASE)


@blueprint.get("/data/<object_id>")
def data(object_id: str) -> Response:
    """The file of one object; it never changes, and is gone where the object was retracted."""
    opened = archive()
    with Session(opened, caller_of(flask.request)) as session:
        product = session.load(DataObject, object_id)
        require_given(product)
        why = product.why() if isinstance(product, ProcessTarget) else ()
        response = _file(product, FOR_EVER)
        unknown = isinstance(product, ProcessTarget) and product.status_for(why) == NOT_CHECKED
        response.headers["VO-Status"] = NOT_CHECKED if unknown else "outdated" if why else "up-to-date"
        _tell_reasons(response, tuple(map(str, why)))
        latest = target_path(product)
    if latest:
        response.headers["Link"] = f'<{base_url(opened.config)}{latest}>; rel="latest-version"'
    return response


@blueprint.get("/target/<class_name>/<exposure_id>")
def target(class_name: str, exposure_id: str) -> Response:
    """The best product of an exposure, made first where there is none or it is not up to date."""
    opened, caller = archive(), caller_of(flask.request)
    request = flask.request
    if (
        request.method == "HEAD"
        or "Range" in request.headers
        or is_robot(request.headers.get("User-Agent", ""))
    ):
        found = look(opened, caller, class_name, exposure_id)
        if found.status != "up-to-date":
            return _not_made(found)
    else:
        found = deliver(opened, caller, who_asks(request), class_name, exposure_id)
    response = _file(found.product, ASK_AGAIN)
    response.headers["Content-Location"] = f"{base_url(opened.config)}/data/{found.product.object_id}"
    return _tell(response, found)


def is_robot(user_agent: str) -> bool:
    """Whether a program that follows every link says that it is one."""
    return bool(_ROBOT.search(user_agent))


def _file(product: Any, caching: str) -> Response:
    """The file of an object, or the piece that was asked for."""
    if not product.filename:
        raise NotFoundError(f"the {type(product).__name__} {product.object_id} has no file")
    path: Path = archive().store.path(product.filename)
    ranges.ignore_others(flask.request)
    response = flask.send_file(
        path,
        mimetype=content_type(product.filename),
        as_attachment=True,
        download_name=product.filename,
        etag=product.file_sha256,
        last_modified=product.creation_date,
        conditional=True,
    )
    whose = "private" if caller_of(flask.request).user else "public"
    response.headers["Cache-Control"] = f"{whose}, {caching}"
    return response


def _not_made(found: Delivery) -> Response:
    """What a request is told that may not have anything made; a HEAD, what a GET would give."""
    if flask.request.method == "HEAD":
        response = Response(iter(()), mimetype=FITS_MIME)  # an iterator: nobody knows the length yet
    else:
        text = "requests for a range, and robots, have nothing made: ask for the whole first"
        raise NotMadeError(f"this is {found.status}; {text}")
    response.headers["Cache-Control"] = "no-store"
    return _tell(response, found)


def _tell(response: Response, found: Delivery) -> Response:
    response.headers["VO-Status"] = found.status
    _tell_reasons(response, found.reasons + found.missing)
    if found.made:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(found.made.items()))
        response.headers["VO-Made"] = f"{found.made.total()}; {counts}"
    return response


def _tell_reasons(response: Response, reasons: tuple[str, ...]) -> None:
    if reasons:
        response.headers["VO-Reasons"] = quote(", ".join(reasons), safe=" ,:;()#/=+")


def _render(what: Told) -> Response:
    response = errors.plain(what)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refuse(error: NotMadeError) -> Response:
    response = _render(Told(409, str(error)))
    response.status_code = 409
    return response


blueprint.register_error_handler(Exception, errors.handler(_render))
blueprint.register_error_handler(NotMadeError, _refuse)
