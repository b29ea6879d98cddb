"""Which error is whose fault, what HTTP status does it have, and what is the caller told?"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Response
from werkzeug.exceptions import HTTPException

from datamodel.errors import (
    ArchiveError,
    BusyError,
    ForbiddenError,
    LoginError,
    MissingInputError,
    NotFoundError,
    OutOfRangeError,
    QueryTimeoutError,
    RecipeError,
    RetractedError,
    TakenError,
    TooLargeError,
    TooOftenError,
    UsageError,
)

log = logging.getLogger("vo_server")

STATUS: dict[type[ArchiveError], int] = {
    UsageError: 400,
    OutOfRangeError: 400,
    TakenError: 409,
    TooLargeError: 413,
    LoginError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    MissingInputError: 409,
    RecipeError: 409,
    RetractedError: 410,
    TooOftenError: 429,
    BusyError: 503,
    QueryTimeoutError: 400,
}
"""The errors that callers are told of.

A target that cannot be made from what the archive holds is a conflict with its present state (409); it
may be made once more has been ingested. A query that ran into its limit is the caller's to change (400):
sent again as it is, it runs into the limit again, which a 503 or 504 would invite a client to do.
Whatever is not in the table, `DataLostError` included, is the archive's own fault (500).
"""


OWN_WORDS: dict[int, str] = {
    400: "the request cannot be understood, expected one as HTTP/1.1 writes it",
    404: "there is nothing at this address; the front page says what is here",
    405: "this address is not asked in that way; the header Allow names the methods it has",
    412: "the document is another than the one that the request insists on",
    413: "the request is longer than the 4 MiB that this server reads, or than the uploadLimit in /tap/capabilities",
    416: "the range that is asked for is not within the file",
}
"""What is said where Flask found the fault."""


@dataclass(frozen=True)
class Told:
    """What a caller is told of an error.

    Attributes
    ----------
    status
        Of HTTP.
    message
        For the caller; never a traceback, a path or SQL.
    headers
        That go with the status, such as Retry-After or Allow.
    """

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


def told(error: Exception) -> Told:
    """What to tell of an error; one that is not the caller's goes to the log under an identifier."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    status = next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), None)
    if status is None:
        return _bug(error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BusyError) else {}
    return Told(status, str(error) or type(error).__name__, headers)


def handler(render: Callable[[Told], Response]) -> Callable[[Exception], Response | HTTPException]:
    """An error handler for Flask that shows every error in one protocol's form.

    Parameters
    ----------
    render
        Makes the body and its Content-Type; status and headers are put in here.
    """

    def handle(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException) and (error.code or 500) < 400:
            return error  # a redirection
        what = told(error)
        response = render(what)
        response.status_code = what.status
        response.headers.update(what.headers)
        return response

    return handle


def plain(what: Told) -> Response:
    """The message as text."""
    return Response(f"{what.message}\n", mimetype="text/plain")


def _of_http(error: HTTPException) -> Told:
    body_headers = {"content-type", "content-length"}
    headers = {k: v for k, v in error.get_headers() if k.lower() not in body_headers}
    status = error.code or 500
    return Told(status, OWN_WORDS.get(status) or error.description or error.name, headers)


def _bug(error: Exception) -> Told:
    reference = secrets.token_hex(4)
    log.error("failure %s", reference, exc_info=error)
    return Told(500, f"The server failed; its log has this as {reference}")
