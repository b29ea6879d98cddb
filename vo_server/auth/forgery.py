"""Does a request come from a page of ours? What a browser sends along by itself is not enough to change anything."""

import hmac

import flask

from datamodel.errors import ForbiddenError
from vo_server.auth.cookies import Session
from vo_server.site import is_from_elsewhere

FIELD = "csrf_token"
"""Of forms; it says nothing to the service that a form is sent to."""

HEADER = "X-CSRF-Token"
SAFE = ("GET", "HEAD", "OPTIONS")

_FORGED = (
    "this form is not from a page of this archive, or its log-in has ended; open the page again and repeat it"
)


def require_own_form(request: flask.Request, session: Session | None) -> None:
    """Refuse a form without the secret of the session that its cookie names.

    Raises
    ------
    ForbiddenError
        It has another one, or none.
    """
    if request.method not in SAFE:
        expected = session.forms if session is not None else ""
        if not expected or not hmac.compare_digest(_given(request).encode(), expected.encode()):
            raise ForbiddenError(_FORGED)


def refuse_late_form(request: flask.Request) -> None:
    """Refuse a form with a secret where there is no session.

    Raises
    ------
    ForbiddenError
        It has one.
    """
    if request.method not in SAFE and _given(request):
        raise ForbiddenError(_FORGED)


def require_own_page(request: flask.Request) -> None:
    """Refuse what a page of another site sends with a password that the browser adds by itself.

    Raises
    ------
    ForbiddenError
        It does; a token is what such pages use.
    """
    elsewhere = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if request.method not in SAFE and (elsewhere or is_from_elsewhere(request)):
        raise ForbiddenError(
            "a page of another site may not use the password that a browser keeps; expected a token, as "
            "'Authorization: Bearer ...'"
        )


def _given(request: flask.Request) -> str:
    if HEADER in request.headers:
        return request.headers[HEADER]
    if request.mimetype != "application/x-www-form-urlencoded":
        return ""  # what is uploaded is not read before it is known from whom
    request.get_data(cache=True)  # the form is parsed from there, so that both can be read again
    return request.form.get(FIELD, "")
