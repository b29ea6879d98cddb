"""People look: ``/`` says what is here, ``/object/<object_id>`` shows one object. They decide nothing."""

import threading
from typing import Any

import flask
from flask import Blueprint, Response, render_template

from datamodel.archive import Archive
from datamodel.dataobject import DataObject
from datamodel.errors import NotFoundError
from datamodel.frames import BaseFrame, RawFrame
from datamodel.objects import JUDGEMENTS, DBObject
from datamodel.places import places_of
from datamodel.session import Session
from processing.fits_reading import read_image
from processing.target import ProcessTarget
from registry.identifiers import object_did, target_did
from vo_server import caching, errors
from vo_server.dali import caller_of
from vo_server.delivery import require_given
from vo_server.errors import Told
from vo_server.site import archive, base_url
from vo_server.web import thumbnails
from vo_server.web.first_steps import RADIUS_DEG, first_steps
from vo_server.web.front_page import counted, newest
from vo_server.web.object_page import Facts, facts_of
from vo_server.web.values import said, text

blueprint = Blueprint(
    "web", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
)

SECURITY = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
"""On every page: nothing comes from elsewhere, no script at all runs inline."""

SERVICES = (
    ("TAP 1.1", "/tap", "ADQL queries over every table"),
    ("SIA 2.0", "/sia2/query", "images by position, time, band"),
    ("DataLink 1.1", "/datalink/links", "what belongs to an observation"),
    ("Targets", "/target/<Class>/<exposure>", "the best product of an exposure, made when asked for"),
    ("Data", "/data/<object_id>", "the file of one object, for ever"),
)

KEPT_FROM_ROBOTS = (
    "/target",
    "/data",
    "/object",
    "/project",
    "/tap",
    "/sia2",
    "/datalink",
    "/qc/",
    "/query?",
    "/query/",
    "/login",
)

PICTURES_AT_ONCE = 2
"""A picture needs all pixels of its frame in memory for a moment."""


@blueprint.get("/")
def front() -> str:
    """What is here, and how to ask for it."""
    opened = archive()
    config = opened.config
    with Session(opened, caller_of(flask.request)) as session:
        steps = first_steps()
        did = target_did(config, "SourceList", steps.exposure.object_id) if steps.exposure else ""
        return render_template(
            "front.html",
            config=config,
            base_url=base_url(config),
            counts=counted(session),
            newest=newest(session),
            services=SERVICES,
            steps=steps,
            radius=RADIUS_DEG,
            did=did,
        )


@blueprint.get("/object/<object_id>")
def show(object_id: str) -> str:
    """One object: its values, its status, what it was made from and what uses it."""
    opened = archive()
    with Session(opened, caller_of(flask.request)) as session:
        facts = facts_of(load(session, DBObject, object_id))
        return _page(opened, facts)


def _page(opened: Archive, facts: Facts) -> str:
    product, did = facts.product, object_did(opened.config, facts.product.object_id)
    return render_template(
        "object.html",
        config=opened.config,
        facts=facts,
        product=product,
        did=did,
        has_links=isinstance(product, DataObject),
        has_file=isinstance(product, DataObject) and bool(product.filename),
        has_figure=isinstance(product, ProcessTarget) and not facts.retracted,
        has_image=isinstance(product, BaseFrame) and bool(product.filename) and not facts.retracted,
        is_judged=isinstance(product, RawFrame | ProcessTarget),
        judgements=JUDGEMENTS,
        said=said,
        text=text,
    )


@blueprint.get("/object/<object_id>/<any(thumbnail, preview):size>.png")
def picture(object_id: str, size: str) -> Response:
    """A picture of the pixels of a frame; of the same frame always the same."""
    opened = archive()
    caller = caller_of(flask.request)
    with Session(opened, caller) as session:
        frame = load(session, BaseFrame, object_id)
        require_given(frame)
        if not frame.filename:
            raise NotFoundError(f"the {type(frame).__name__} {object_id} has no pixels")
        path, digest = frame.path(), frame.file_sha256
    response = Response(mimetype="image/png")
    response.set_etag(f"{digest[:32]}-{size}")
    response.headers["Cache-Control"] = f"{'private' if caller.user else 'public'}, max-age=86400"
    if flask.request.if_none_match.contains(response.get_etag()[0] or ""):
        response.status_code = 304
    elif flask.request.method != "HEAD":
        pictures = opened.resource("pictures", lambda: threading.BoundedSemaphore(PICTURES_AT_ONCE))
        with places_of(opened).place(), pictures:
            response.data = thumbnails.png(read_image(path)[0], thumbnails.SIZES[size])
    return response


@blueprint.get("/object/<object_id>/inspect.png")
def inspection(object_id: str) -> Response:
    """The figure by which a person judges a product."""
    opened = archive()
    with Session(opened, caller_of(flask.request)) as session:
        product = load(session, DBObject, object_id)
        require_given(product)
        if not isinstance(product, ProcessTarget):
            raise NotFoundError(
                f"the {type(product).__name__} {object_id} was not made here: there is no figure of it"
            )

        def draw() -> Response:
            one = opened.resource("inspections", lambda: threading.BoundedSemaphore(1))
            with places_of(opened).place(), one:
                return Response(product.inspect_png(), mimetype="image/png")

        if not isinstance(product, DataObject) or not product.filename:
            return caching.hashed(draw())  # it shows others as well
        return caching.versioned(draw, f"inspection {product.object_id} {product.file_sha256}")


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Programs that follow every link are kept from what would be made for them."""
    lines = ["User-agent: *", *(f"Disallow: {here(path)}" for path in KEPT_FROM_ROBOTS)]
    return Response("\n".join([*lines, ""]), mimetype="text/plain")


@blueprint.app_template_global()
def here(path: str) -> str:
    """A path of this server as a browser must ask for it, wherever the server is mounted."""
    return f"{flask.request.script_root}{path}"


def load(session: Session, cls: Any, object_id: str) -> Any:
    """The object; unknown and hidden ones are the same."""
    known = session.load_many(cls, [object_id[:100]]).values()
    if not known:
        raise NotFoundError("There is no such object here, or it is not public.")
    return next(iter(known))


def error_page(what: Told) -> Response:
    """An error as a page for people."""
    return Response(render_template("error.html", config=archive().config, what=what), mimetype="text/html")


@blueprint.after_request
def _secure(response: Response) -> Response:
    response.headers.update(SECURITY)
    whose = "private, " if caller_of(flask.request).user else ""
    response.headers.setdefault("Cache-Control", f"{whose}no-cache")
    return response


blueprint.register_error_handler(Exception, errors.handler(error_page))
