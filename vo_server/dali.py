"""What did the request say, and who asks? The rules that all DAL services share (DALI 1.1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import flask

from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import UsageError
from vo_server.errors import Told
from vo_server.formats import votable
from vo_server.site import archive

VOTABLE_MIME = "application/x-votable+xml"
SHOWN_CHARACTERS = 100

_COUNT = re.compile(r"\+?[0-9]+")


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

        Raises
        ------
        UsageError
            Both were given and differ.
        """
        new, old = self.one("RESPONSEFORMAT"), self.one("FORMAT")
        if new and old and new != old:
            raise UsageError(
                f"RESPONSEFORMAT is {shown(new)} but FORMAT is {shown(old)}, expected one of them"
            )
        return new or old


def read(request: flask.Request) -> Parameters:
    """The parameters of a request by GET or POST, urlencoded or multipart.

    Raises
    ------
    UsageError
        A value can have no meaning.
    """
    return Parameters.of([*request.args.items(multi=True), *request.form.items(multi=True)])


def caller_of(request: flask.Request) -> Caller:
    """Who asks; everybody is a stranger until there are accounts."""
    return ANONYMOUS


def who_asks(request: flask.Request) -> str:
    """The caller as far as bounds per caller go: an account, or the address of a stranger.

    What a proxy says of the address counts only where the proxy is one of the setting ``trusted_proxies``;
    the last address that is none of these is the one that no stranger can have made up.
    """
    trusted = _listed(archive().config.trusted_proxies)
    forwarded = _listed(request.headers.get("X-Forwarded-For", ""))
    address = request.remote_addr or "unknown"
    while address in trusted and forwarded:
        address = forwarded.pop()
    return caller_of(request).user or f"address {address}"


def error_document(what: Told) -> flask.Response:
    """An error as the VOTable that DALI 1.1 section 4.2 describes."""
    return flask.Response(votable.error(what.message), content_type=VOTABLE_MIME)


def shown(text: str) -> str:
    """What the caller wrote, quoted and cut to a length that can be read."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return f"'{cut}'"


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
