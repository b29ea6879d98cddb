"""What does a request to DataLink ask for? Pure: nothing is looked up."""

from dataclasses import dataclass, replace

from vo_server.dali import Parameters
from vo_server.descriptors import DATALINK_MIME
from vo_server.formats.negotiate import Format, choose

MAX_IDS = 100
"""Identifiers that are answered in one document; what is left out is told by OVERFLOW (DataLink 1.1 section 3.4)."""


@dataclass(frozen=True)
class LinksQuery:
    """The identifiers as they were given, each once, and the format of the answer.

    Attributes
    ----------
    ids
        At most `MAX_IDS`.
    overflow
        Whether there were more.
    """

    ids: tuple[str, ...]
    overflow: bool
    format: Format


def read(parameters: Parameters) -> LinksQuery:
    """The query that a request's parameters mean.

    Raises
    ------
    UsageError
        There is no such format.
    """
    ids = tuple(dict.fromkeys(given.strip() for given in parameters.all("ID")))
    requested = parameters.responseformat()
    format = choose(requested, default="votable/td")
    if format.mime in ("application/x-votable+xml", DATALINK_MIME) or not requested:
        format = replace(format, mime=DATALINK_MIME)
    return LinksQuery(ids[:MAX_IDS], len(ids) > MAX_IDS, format)
