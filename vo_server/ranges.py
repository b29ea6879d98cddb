"""Which piece of a file may be asked for? A single range of bytes; any other means the whole."""

import re

import flask

_ONE_RANGE = re.compile(r"bytes=\s*(\d+-\d*|-\d+)\s*")


def ignore_others(request: flask.Request) -> None:
    """Have several ranges, or a unit that is not bytes, answered with the whole (RFC 9110 section 14.2)."""
    if not _ONE_RANGE.fullmatch(request.headers.get("Range", "")):
        request.environ.pop("HTTP_RANGE", None)
