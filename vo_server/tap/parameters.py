"""What does a request ask of TAP? Every usage error but those inside the query is raised here (TAP 1.1 section 2)."""

from dataclasses import dataclass
from pathlib import Path

from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server.dali import Parameters, shown
from vo_server.formats.negotiate import Format, choose
from vo_server.tap import uploads
from vo_server.tap.uploads import Upload

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
    uploads
        The tables that it brings along.
    """

    text: str
    maxrec: int
    format: Format
    uploads: tuple[Upload, ...] = ()


def read(parameters: Parameters, config: Config, folder: Path | None = None, saves: bool = False) -> TapQuery:
    """The query that a request asks; parameters that nobody knows are passed over.

    Parameters
    ----------
    parameters
        Of the request.
    config
        For the limits.
    folder
        Where `vo_server.tap.uploads.receive` has put the tables that came with the request, and where tables
        are fetched to; None where no tables are taken.
    saves
        Whether MYDB is looked at by who reads them: the result is to become a table of the caller's own.

    Raises
    ------
    UsageError
        A parameter is missing, repeated or not understood; the message quotes it.
    """
    _check_request(parameters)
    if parameters.one("MYDB") is not None and not saves:
        raise UsageError(
            "MYDB has the result of a job saved, but this is no job; expected it with a query that is sent to /async"
        )
    _check_language(parameters.one("LANG"))
    text = parameters.one("QUERY")
    if text is None:
        raise UsageError("QUERY is missing, expected a query such as SELECT TOP 5 * FROM ivoa.obscore")
    maxrec = parameters.maxrec(config.maxrec, config.maxrec_limit)
    tables = uploads.asked(parameters.all("UPLOAD"), folder)
    return TapQuery(text, maxrec, choose(parameters.responseformat()), tables)


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
