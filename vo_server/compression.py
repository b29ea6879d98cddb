"""What is sent gzipped, and to whom? What gets much smaller, to clients that take it (RFC 9110 section 8.4.1)."""

import flask

from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server.formats import gzip
from vo_server.formats.negotiate import Format
from vo_server.site import archive

POLICIES = ("none", "text", "all")
"""What is compressed: nothing; documents and answers in which values are text; all answers."""

SMALLEST_BYTES = 1000
"""A document that is smaller fits into one packet anyway."""

_TEXTUAL = (
    "application/json",
    "application/x-votable+xml",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/tab-separated-values",
    "text/xml",
)
_DECIDED = {"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Range"}
"""Headers of responses that are files or answers, whose format has decided, or that are parts."""

_PACKED = ("parquet",)
"""Formats that are compressed in themselves."""


def policy(config: Config) -> str:
    """The setting ``gzip``.

    Raises
    ------
    UsageError
        There is no such policy.
    """
    if config.gzip not in POLICIES:
        raise UsageError(f"setting 'gzip' is '{config.gzip}', expected one of {', '.join(POLICIES)}")
    return config.gzip


def is_worth_it(config: Config, format: Format) -> bool:
    """Whether answers in a format are compressed for those who take it."""
    chosen = policy(config)
    return format.is_text if chosen == "text" else chosen == "all" and format.serialization not in _PACKED


def is_taken(request: flask.Request) -> bool:
    """Whether the client takes gzip, and does not like it less than what is not compressed."""
    taken = request.accept_encodings
    plain = taken.quality("identity") if "identity" in taken.values() else 0
    return taken.quality("gzip") > 0 and taken.quality("gzip") >= plain


def finish(response: flask.Response) -> None:
    """Compress a document, where it is worth it; an answer in some format has been looked after."""
    if (
        policy(archive().config) == "none"
        or response.is_streamed
        or response.direct_passthrough
        or response.status_code != 200
        or response.mimetype not in _TEXTUAL
        or _DECIDED & set(response.headers.keys())
        or len(response.get_data()) < SMALLEST_BYTES
    ):
        return
    response.vary.add("Accept-Encoding")
    if is_taken(flask.request):
        response.set_data(gzip.whole(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
