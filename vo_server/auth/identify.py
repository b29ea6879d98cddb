"""Who sends this request? Found out once, before anything else is done with it."""

import base64
import binascii

import flask

from datamodel import tokens
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, EVERY_PROJECT, MYDB, Caller
from datamodel.errors import ForbiddenError, LoginError
from datamodel.logins import is_there_any, log_in
from vo_server.auth import cookies, forgery
from vo_server.auth.transport import address_of, is_secure, policy, require_secure

_FILES = "web.static"
"""What is the same for everybody."""


def identify() -> None:
    """Know the caller of the present request from now on; see `caller` and `session`.

    Where nobody can log in, what claims to be somebody is passed over.

    Raises
    ------
    LoginError
        A password or a token is wrong.
    ForbiddenError
        It was sent so that others can read it, or by a page of another site; or it is for a project that its
        account is not in any more.
    """
    archive: Archive = flask.current_app.extensions["archive"]
    request = flask.request
    header = request.headers.get("Authorization", "")
    if policy(archive.config) == "none" or request.endpoint == _FILES:
        return
    if header:
        if is_there_any(archive):
            require_secure(request, archive.config)
            flask.g.caller = _of_header(archive, request, header)
    else:
        _of_cookie(archive, request)


def caller() -> Caller:
    """Who sends the present request, as far as it has been found out."""
    found: Caller = flask.g.get("caller", ANONYMOUS)
    return found


def session() -> cookies.Session | None:
    """The session of the pages that the present request is part of; None where a password or token came along."""
    found: cookies.Session | None = flask.g.get("session")
    return found


def _of_header(archive: Archive, request: flask.Request, header: str) -> Caller:
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "bearer":
        shown = tokens.holder(archive, given.strip())
        found = archive.caller(shown.account, shown.project or "", shown.level or MYDB)
        if found.project not in (EVERY_PROJECT, *found.projects):
            raise ForbiddenError(
                f"the token is for project '{found.project}', of which {found.user} is no member"
            )
        return found
    if scheme.lower() != "basic":
        raise LoginError(f"the header Authorization begins with '{scheme[:20]}', expected Basic or Bearer")
    name, password = _name_and_password(given)
    who = log_in(archive, name, password, address_of(request, archive.config)).name
    forgery.require_own_page(request)
    return archive.caller(who)


def _name_and_password(given: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        colon = ""
    if not colon:
        raise LoginError(
            "the header Authorization cannot be read, expected user:password in UTF-8 and base64"
        )
    return name, password


def _of_cookie(archive: Archive, request: flask.Request) -> None:
    """A form of somebody whose session has ended is refused, lest it is carried out in the name of a stranger."""
    found = cookies.read(archive, request) if is_secure(request, archive.config) else None
    user = cookies.user_of(archive, found) if found is not None else None
    if found is None or (found.user and user is None):
        forgery.refuse_late_form(request)
        return
    if user is not None:
        forgery.require_own_form(request, found)
        flask.g.caller = _in_session(archive.caller(user, found.project, found.level))
    flask.g.session = found


def _in_session(found: Caller) -> Caller:
    """The caller in the project of its session; in all of its projects where it is no member of that any more."""
    return found if found.project in found.projects else found.at(project=EVERY_PROJECT)
