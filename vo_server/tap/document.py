"""What does the document around an answer say? The same for synchronous and asynchronous queries."""

from typing import Any

from datamodel.archive import Archive
from datamodel.columns import Rows
from vo_server import descriptors, origin
from vo_server.obscore import links_url
from vo_server.tap.capability import STANDARD_ID


def about(archive: Archive, text: str, rows: Rows, request: str = "") -> dict[str, Any]:
    """What `Format.write` is to be told of an answer: its origin, and the services that go with its rows.

    Parameters
    ----------
    archive
        An open archive.
    text
        Of the query.
    rows
        The answer, before it is read.
    request
        As an absolute URL, where that is known.
    """
    config = archive.config
    service = origin.of_service(config, archive.clock(), STANDARD_ID, text, request)
    return {
        "infos": [*service, *origin.of_tables(config, rows.tables)],
        "resource_extras": descriptors.of_columns(rows.columns, links_url(config)),
    }
