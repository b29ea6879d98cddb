"""Where does an answer come from? What the IVOA's note on data origin (DataOrigin 1.1) has a document say."""

from collections.abc import Iterable
from datetime import datetime

from datamodel.columns import Table
from datamodel.config import Config
from registry.identifiers import did_prefix
from vo_server import __version__
from vo_server.formats.document import Info
from vo_server.site import base_url

MOST_REQUEST_CHARACTERS = 2000
"""A request that is written longer than that, as a URL, is left out; the query says the same."""

EXPLAINED = {
    "publisher": "Who serves the data",
    "server_software": "Program and version that wrote this document",
    "service_protocol": "Standard that the service speaks",
    "request": "The request as a URL",
    "request_date": "When the data were asked for, UTC",
    "query": "What was asked for",
    "contact": "Whom to ask about the service",
    "ivoid": "Identifier of the data collection",
    "citation": "Identifier to cite the data by",
    "reference_url": "Page about the data",
    "resource_version": "Version of the data",
    "rights": "Licence of the data",
    "rights_uri": "Licence of the data",
    "creator": "Who made the data",
    "editor": "Who published the article about the data",
    "article": "Article about the data",
    "cites": "What the data cite",
    "is_derived_from": "What the data were made from",
    "original_date": "When the data first came out",
    "publication_date": "When the data first were here",
    "last_update_date": "When the data changed last here",
}
"""The items of the note, each with what is said of it to people."""


def of_service(config: Config, now: datetime, standard: str, query: str, request: str = "") -> list[Info]:
    """What a document says of the service and the request (DataOrigin 1.1 section 5.1).

    Parameters
    ----------
    config
        Names the archive.
    now
        Naive UTC.
    standard
        Identifier of the standard that the service speaks.
    query
        What was asked for, in the words of that standard.
    request
        The same as an absolute URL; left out where it is too long or not known.
    """
    kept = request if len(request) <= MOST_REQUEST_CHARACTERS else ""
    told = {
        "publisher": config.title,
        "server_software": f"vo-server/{__version__}",
        "service_protocol": standard,
        "request": kept,
        "request_date": f"{now.isoformat(timespec='seconds')}Z",
        "query": query,
        "contact": config.contact,
    }
    # DALI 1.1 section 4.4.3 calls the same thing standardID
    return [("standardID", standard), *(_info(name, value) for name, value in told.items() if value)]


def of_tables(config: Config, tables: Iterable[Table]) -> list[Info]:
    """What a document says of the data in it (DataOrigin 1.1 section 5.2), each item once.

    Parameters
    ----------
    config
        Names the archive, which is the collection and has the page of tables that name none.
    tables
        Those that the answer was taken from.
    """
    told: dict[tuple[str, str], None] = {}
    for table in tables:
        own = {name for name, _ in table.origin}
        made_here = {"ivoid": did_prefix(config), "reference_url": base_url(config)}
        told |= dict.fromkeys((name, value) for name, value in made_here.items() if name not in own)
        told |= dict.fromkeys(table.origin)
    return [_info(name, value) for name, value in told]


def _info(name: str, value: str) -> Info:
    return (name, value, EXPLAINED[name]) if name in EXPLAINED else (name, value)
