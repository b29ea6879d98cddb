"""Has the client this document already? Then it is told so, and need not be sent it again (RFC 9110 section 13)."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import flask
from flask import Response

from vo_server import __version__


def versioned(make: Callable[[], Response], version: str, *, modified: datetime | None = None) -> Response:
    """A document, or status 304 without having made it where the client's is the same.

    Parameters
    ----------
    make
        Makes the document.
    version
        A text that changes whenever the document does; the version of the program goes without saying.
    modified
        When it changed last, naive UTC; None where nobody knows.
    """
    tag = hashlib.sha256(f"{__version__} {version}".encode()).hexdigest()[:32]
    told = _conditional(Response(), tag, modified)
    if told.status_code == 304:
        return told
    return _conditional(make(), tag, modified)


def hashed(response: Response) -> Response:
    """The same for a document that costs little to make: its content is its version."""
    return _conditional(response, hashlib.sha256(response.get_data()).hexdigest()[:32], None)


def _conditional(response: Response, tag: str, modified: datetime | None) -> Response:
    response.set_etag(tag, weak=True)  # compressed or not, it says the same
    if modified is not None:  # else werkzeug would write the present instant
        response.last_modified = modified
    response.cache_control.no_cache = True
    response.make_conditional(flask.request)
    return response
