"""How do rows leave the house: streamed, in constant memory, without a slow reader holding the database?"""

from collections.abc import Callable
from typing import Any

import flask

from datamodel.archive import Archive
from datamodel.columns import Rows
from vo_server.formats.negotiate import Format
from vo_server.formats.spool import unhurried

MEMORY_BYTES = 8 << 20
"""How much of an answer may wait in memory for its reader."""


def stream(
    archive: Archive,
    rows: Rows,
    format: Format,
    name: str,
    gone: Callable[[], None] = lambda: None,
    **document: Any,
) -> flask.Response:
    """The response that writes `rows` as they come.

    Parameters
    ----------
    archive
        Its configuration bounds how long the database is held, and the disk.
    rows
        The answer; released when it was read, or when the reader went away.
    format
        As the caller asked.
    name
        Of the file that a browser would save, without its extension.
    gone
        Called at the end, so that a statement still under way can be stopped.
    **document
        What a VOTable says of itself; see `Format.write`.
    """
    config = archive.config
    chunks = unhurried(
        format.write(rows, **document),
        patience_s=config.patience_seconds,
        memory_bytes=MEMORY_BYTES,
        max_bytes=config.spool_bytes,
    )
    response = flask.Response(chunks, content_type=format.mime)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{format.extension}"'
    response.call_on_close(gone)
    return response
