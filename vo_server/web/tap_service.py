"""What does the query page use of TAP, whose room it may not enter? The application hands it over."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import flask

from datamodel.archive import Archive
from datamodel.columns import Rows
from datamodel.context import Caller


@dataclass(frozen=True)
class Example:
    """A query that has an answer here."""

    title: str
    description: str
    adql: str


@dataclass(frozen=True)
class TapService:
    """What the application knows of TAP.

    Attributes
    ----------
    ask
        Archive, caller, who that is in the log, ADQL, rows at the most, and what tells whether nobody wants the
        answer any more: the rows.
    functions
        What the capabilities tell of functions beyond the core of ADQL: the form and a description, maybe empty.
    reserved
        The reserved words, in capitals.
    examples
        Queries to begin with, which have answers for a caller; never none.
    """

    ask: Callable[[Archive, Caller, str, str, int, Callable[[], bool]], Rows]
    functions: Callable[[Archive], Iterable[tuple[str, str]]]
    reserved: frozenset[str]
    examples: Callable[[Archive, Caller], list[Example]]


def tap_service() -> TapService:
    """That of the application that serves the present request."""
    handed: TapService = flask.current_app.extensions["tap service"]
    return handed
