"""A person or a program shows a password: ``/login`` is a page, ``/login/token`` gives a token, ``/logout`` ends it."""

from dataclasses import replace
from typing import Any

import flask
from flask import Blueprint, Response, render_template
from markupsafe import Markup

from datamodel import tokens
from datamodel.accounts import require_member
from datamodel.archive import Archive
from datamodel.context import EVERY_PROJECT, LEVELS
from datamodel.errors import ForbiddenError, LoginError, NotFoundError, TooOftenError, UsageError
from datamodel.logins import is_there_any, log_in
from datamodel.publishing import level_of
from vo_server import errors
from vo_server.auth import challenges, cookies, forgery, identify
from vo_server.auth.transport import address_of, policy, require_secure
from vo_server.dali import caller_of
from vo_server.errors import Told
from vo_server.site import archive
from vo_server.web.views import SECURITY, error_page, here

blueprint = Blueprint("login", __name__)

MOST_CHARACTERS = 2000
"""Of a user name or a password, and of the address of a page."""

A_DAY_H = 24.0


@blueprint.get("/login")
def page() -> Response:
    """The form; a page that is asked for in vain leads here and is named in ``next``."""
    _require_logins(archive())
    return _page(_next(flask.request.args.get("next", "")))


@blueprint.post("/login")
def enter() -> Response:
    """Log in with the form."""
    opened, form = archive(), flask.request.form
    _require_logins(opened)
    forgery.require_own_form(flask.request, cookies.read(opened, flask.request))
    wanted = _next(form.get("next", ""))
    try:
        who = log_in(opened, *_given(), address_of(flask.request, opened.config))
    except (LoginError, TooOftenError) as error:
        what = errors.told(error)
        response = _page(wanted, str(error), _given()[0])
        response.status_code = what.status
        response.headers.update(what.headers)
        return response
    response = Response(status=303, headers={"Location": here(wanted)})
    cookies.keep(opened, response, cookies.new(opened, who))
    return response


@blueprint.post("/logout")
def leave() -> Response:
    """Log out; the form is that of the session, which has been looked at."""
    response = Response(status=303, headers={"Location": here("/")})
    cookies.forget(archive(), response)
    return response


@blueprint.post("/context")
def work_in() -> Response:
    """Work in another project, or from another level on, until one logs out or chooses again."""
    opened, form, session = archive(), flask.request.form, identify.session()
    caller = caller_of(flask.request)
    if session is None or caller.user is None:
        raise ForbiddenError(
            "the project and the level are those of a log-in with a browser, or of a token; log in first"
        )
    chosen = caller.at(form.get("project") or EVERY_PROJECT, level_of(form.get("level", "")))
    require_member(chosen)
    response = Response(status=303, headers={"Location": here(_next(form.get("next", "")))})
    cookies.keep(opened, response, replace(session, project=chosen.project, level=chosen.level))
    return response


@blueprint.post(challenges.LOGIN_PATH)
def token() -> Response:
    """A token for a password, for programs (SSO 2.0 section 2.1, AuthVO section 3.3.2)."""
    opened = archive()
    _require_logins(opened)
    who = log_in(opened, *_given(), address_of(flask.request, opened.config)).name
    hours = opened.config.login_hours
    _, secret = tokens.issue(opened, who, hours / A_DAY_H, "log-in of a program", of_login=True)
    response = Response(f"{who} is logged in for {hours:g} hours\n", mimetype="text/plain")
    response.headers[challenges.BEARER_HEADER] = secret
    response.headers[challenges.USER_HEADER] = who
    return response


def _page(wanted: str, wrong: str = "", name: str = "") -> Response:
    """The form with the secret of a session, which begins with it where there is none."""
    opened = archive()
    session = identify.session()
    begun = session or cookies.new(opened, None)
    text = render_template(
        "login.html",
        config=opened.config,
        next=wanted,
        wrong=wrong,
        name=name,
        user=caller_of(flask.request).user,
        secret=_field(begun.forms),
    )
    response = Response(text, mimetype="text/html")
    if session is None:
        cookies.keep(opened, response, begun)
    return response


def _field(secret: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(forgery.FIELD, secret)


def _require_logins(opened: Archive) -> None:
    """See that a password may come by this request.

    Raises
    ------
    ForbiddenError
        Nobody logs in here, or others could read it.
    NotFoundError
        There is no account for that.
    """
    if policy(opened.config) == "none":
        raise ForbiddenError("nobody logs in here: the setting 'login' is 'none'")
    if not is_there_any(opened):
        raise NotFoundError("nobody has an account here that could log in")
    require_secure(flask.request, opened.config)


def _given() -> tuple[str, str]:
    """User name and password; from the body alone, for addresses are written into logs."""
    if any(name in flask.request.args for name in ("username", "password")):
        raise UsageError(
            "the password stands in the address, where logs keep it; expected it in a form, by POST"
        )
    name, password = (flask.request.form.get(each, "") for each in ("username", "password"))
    if not name or not password:
        raise UsageError("username and password are expected, as a form by POST")
    if max(len(name), len(password)) > MOST_CHARACTERS:
        raise UsageError(f"username and password have {MOST_CHARACTERS} characters at the most")
    return name, password


def _next(wanted: str) -> str:
    """A page of ours to go on with; what may be another site's is none."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/login", "/logout"))
    return wanted if ours and wanted.isprintable() and len(wanted) <= MOST_CHARACTERS else "/"


@blueprint.app_template_global()
def account() -> dict[str, Any]:
    """What every page says of who looks at it: the account, or that one can log in."""
    caller = caller_of(flask.request)
    return {
        "user": caller.user or "",
        "can_log_in": not caller.user and challenges.is_offered(archive()),
        "chooses": bool(caller.user) and identify.session() is not None,
        "projects": [EVERY_PROJECT, *sorted(caller.projects)],
        "project": caller.project,
        "levels": LEVELS,
        "level": caller.level,
    }


@blueprint.app_template_global()
def secret_field() -> Markup:
    """What every form carries that is sent from a page of somebody who is logged in there; nothing for strangers."""
    session = identify.session()
    return _field(session.forms) if session is not None and caller_of(flask.request).user else Markup()


@blueprint.after_request
def _secure(response: Response) -> Response:
    response.headers.update(SECURITY)
    response.headers["Cache-Control"] = "no-store"
    return response


def _render(what: Told) -> Response:
    return errors.plain(what) if flask.request.endpoint == "login.token" else error_page(what)


blueprint.register_error_handler(Exception, errors.handler(_render))
