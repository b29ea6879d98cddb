"""What does a request ask of TAP? Every usage error but those inside the query is raised here (TAP 1.1 section 2)."""

from dataclasses import dataclass

from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server.dali import Parameters, shown
from vo_server.formats.negotiate import Format, choose

LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")


@dataclass(frozen=True)
class TapQuery:
    """A query as TAP was asked it.

    Attributes
    ----------
    text
        In ADQL.
    maxrec
        Rows that the answer may have; 0 asks for its columns alone.
    format
        Of the answer.
    """

    text: str
    maxrec: int
    format: Format


def read(parameters: Parameters, config: Config) -> TapQuery:
    """The query that a request asks; parameters that nobody knows are passed over.

    Raises
    ------
    UsageError
        A parameter is missing, repeated or not understood; the message quotes it.
    """
    _check_request(parameters)
    _check_language(parameters.one("LANG"))
    if parameters.all("UPLOAD"):
        raise UsageError("UPLOAD is given, but this service takes no tables; write the query without them")
    text = parameters.one("QUERY")
    if text is None:
        raise UsageError("QUERY is missing, expected a query such as SELECT TOP 5 * FROM ivoa.obscore")
    maxrec = parameters.maxrec(config.maxrec, config.maxrec_limit)
    return TapQuery(text, maxrec, choose(parameters.responseformat()))


def _check_request(parameters: Parameters) -> None:
    """Take what clients of TAP 1.0 send; it says nothing that is not known already."""
    request = parameters.one("REQUEST")
    if request is not None and request.lower() != "doquery":
        raise UsageError(f"REQUEST is {shown(request)}, expected doQuery")


def _check_language(given: str | None) -> None:
    expected = ", ".join(LANGUAGES)
    if given is None:
        raise UsageError(f"LANG is missing, expected one of {expected}")
    if given.upper() not in LANGUAGES:
        raise UsageError(f"LANG is {shown(given)}, expected one of {expected}")
