"""What did the request say, and who asks? The rules that all DAL services share (DALI 1.1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus, urlencode

import flask
from werkzeug.exceptions import RequestEntityTooLarge

from datamodel.context import Caller
from datamodel.errors import UsageError
from vo_server.auth import identify
from vo_server.auth.forgery import FIELD
from vo_server.auth.transport import address_of
from vo_server.errors import Told
from vo_server.formats import votable
from vo_server.formats.document import Info
from vo_server.origin import of_service
from vo_server.site import archive, base_url

VOTABLE_MIME = "application/x-votable+xml"
SHOWN_CHARACTERS = 100

_COUNT = re.compile(r"\+?[0-9]+")
_ESCAPED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True)
class Parameters:
    """The parameters of a request; names are case-blind, values are not (DALI 1.1 section 3.2).

    Attributes
    ----------
    values
        In the order in which they came: name in upper case, value. Empty values are left out, for
        clients send the fields of a form that nobody filled in.
    """

    values: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, given: Iterable[tuple[str, str]]) -> "Parameters":
        """From pairs as they came.

        Raises
        ------
        UsageError
            A value holds the character NUL, which no database takes.
        """
        kept = [(name.upper(), value) for name, value in given if value.strip()]
        for name, value in kept:
            if "\0" in value:
                raise UsageError(f"{shown(name)} holds the character NUL, which has no meaning in a text")
        return cls(tuple(kept))

    def all(self, name: str) -> list[str]:
        """All values of a parameter that may be repeated."""
        return [value for key, value in self.values if key == name.upper()]

    def one(self, name: str) -> str | None:
        """The value of a parameter that may be given once; None where it was not given.

        Raises
        ------
        UsageError
            It was repeated.
        """
        found = self.all(name)
        if len(found) > 1:
            raise UsageError(f"{name} is given {len(found)} times, expected once")
        return found[0] if found else None

    def written(self) -> str:
        """All of them, urlencoded, as a request for the same could be written."""
        return urlencode(self.values)

    def maxrec(self, default: int, limit: int) -> int:
        """How many rows the answer may have (DALI 1.1 section 3.4.4); 0 asks for the columns alone.

        Parameters
        ----------
        default
            Where MAXREC is not given.
        limit
            At the most, whatever MAXREC says.

        Raises
        ------
        UsageError
            MAXREC is not a number of rows.
        """
        text = self.one("MAXREC")
        if text is None:
            return min(default, limit)
        digits = text.strip()
        if not digits.isascii() or not _COUNT.fullmatch(digits):
            raise UsageError(f"MAXREC is {shown(text)}, expected a number of rows, 0 or more")
        return limit if len(digits) > len(str(limit)) + 20 else min(int(digits), limit)

    def responseformat(self) -> str | None:
        """RESPONSEFORMAT or its older name FORMAT; None where neither was given.

        The same twice is taken, for astroquery sends ``FORMAT`` and ``format`` with an upload.

        Raises
        ------
        UsageError
            Several were given and differ.
        """
        given = [(name, value) for name in ("RESPONSEFORMAT", "FORMAT") for value in self.all(name)]
        for name, value in given[1:]:
            if value != given[0][1]:
                first = f"{given[0][0]} is {shown(given[0][1])}"
                raise UsageError(f"{first} but {name} is {shown(value)}, expected one of them")
        return given[0][1] if given else None


def read(request: flask.Request) -> Parameters:
    """The parameters of a request by GET or POST, urlencoded or multipart.

    Raises
    ------
    UsageError
        A value can have no meaning.
    """
    _check_utf8(request.query_string)
    if request.mimetype == "application/x-www-form-urlencoded":
        _check_utf8(_whole_body(request))
    form = [*request.form.items(multi=True)]
    if any(name is None for name, _ in form):
        raise UsageError("a part of the form has no name, expected that of a parameter")
    for name, value in form if request.mimetype == "multipart/form-data" else ():
        if "\ufffd" in f"{name}{value}":  # stands where bytes of a part could not be read
            raise _no_utf8(name)
    everything = [*request.args.items(multi=True), *_own(form)]
    for name, value in everything:
        if "\0" in f"{name}{value}":  # no database takes it
            raise UsageError(f"{shown(name)} holds the character NUL, expected text")
    return Parameters.of(everything)


def _whole_body(request: flask.Request) -> bytes:
    """The body; where its length was not told beforehand, what is longer than allowed would be cut off unseen."""
    body = request.get_data()
    if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
        raise RequestEntityTooLarge
    return body


def caller_of(request: flask.Request) -> Caller:
    """Who asks; a stranger where nothing came along that says otherwise."""
    return identify.caller()


def who_asks(request: flask.Request) -> str:
    """The caller as far as bounds per caller go: an account, or the address of a stranger."""
    return caller_of(request).user or f"address {address_of(request, archive().config)}"


def error_document(what: Told) -> flask.Response:
    """An error as the VOTable that DALI 1.1 section 4.2 describes."""
    return flask.Response(votable.error(what.message), content_type=VOTABLE_MIME)


def shown(text: str) -> str:
    """What the caller wrote, quoted and cut to a length that can be read."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return f"'{cut}'"


def _own(form: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a form says to the service."""
    return [(name, value) for name, value in form if (name or "").lower() != FIELD]


def _check_utf8(encoded: bytes) -> None:
    """Refuse urlencoded parameters in which something is not UTF-8."""
    if _is_utf8(encoded):
        return
    for pair in encoded.split(b"&"):
        if not _is_utf8(pair):
            raise _no_utf8(unquote_plus(pair.partition(b"=")[0].decode("ascii", "replace")))


def _is_utf8(encoded: bytes) -> bool:
    try:
        _ESCAPED.sub(lambda run: bytes.fromhex(run[0].replace(b"%", b"").decode()), encoded).decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_utf8(name: str) -> UsageError:
    return UsageError(f"{shown(name)} holds bytes that are not UTF-8, expected text in UTF-8")


def resources(title: str, path: str, names: Iterable[str]) -> flask.Response:
    """What the root of a service says to people: which resources there are.

    Parameters
    ----------
    title
        Of the service.
    path
        Of its root, such as ``/tap``.
    names
        Of its resources, which follow the path.
    """
    url = base_url(archive().config) + path
    listed = "".join(f"{url}/{name}\n" for name in names)
    return flask.Response(f"{title} service; its resources:\n{listed}", mimetype="text/plain")


def origin(standard: str, query: str) -> list[Info]:
    """What a document says of where it comes from (DALI 1.1 section 4.4.3, and the note on data origin).

    Parameters
    ----------
    standard
        Identifier of the standard that the service speaks.
    query
        What was asked for, in the words of that standard.
    """
    opened = archive()
    return of_service(opened.config, opened.clock(), standard, query, request_url())


def request_url() -> str:
    """The present request as an absolute URL by GET, whatever its method was; without what was uploaded."""
    asked = flask.request
    written = urlencode([*asked.args.items(multi=True), *_own(asked.form.items(multi=True))])
    return f"{base_url(archive().config)}{asked.path}" + (f"?{written}" if written else "")
