"""How do rows leave the house: streamed, in constant memory, without a slow reader holding the database?"""

import select
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flask

from datamodel.archive import Archive
from datamodel.columns import Rows
from datamodel.config import Config
from datamodel.turns import turns_of
from vo_server import compression
from vo_server.dali import who_asks
from vo_server.formats.gzip import Gzip, whole
from vo_server.formats.negotiate import Format
from vo_server.formats.spool import Unhurried, unhurried

MEMORY_BYTES = 8 << 20
"""How much of an answer may wait in memory for its reader."""


def query(
    archive: Archive,
    run: Callable[[Callable[[], bool]], Rows],
    format: Format,
    name: str,
    about: Callable[[Rows], Mapping[str, Any]] = lambda rows: {},
    **document: Any,
) -> flask.Response:
    """Run a query for the caller of the present request when it has a turn, and stream its answer.

    Parameters
    ----------
    archive
        Its configuration has the bounds.
    run
        Starts the query; it is given what tells whether nobody wants the answer any more.
    format, name
        As in `stream`.
    about
        What the document says besides, as far as only the answer itself can tell.
    **document
        As in `stream`.

    Raises
    ------
    BusyError
        The caller, or all callers together, have too many queries under way.
    """
    turn = turns_of(archive).take(who_asks(flask.request), archive.config)
    gone, environ = threading.Event(), flask.request.environ

    def end() -> None:
        gone.set()
        turn.end()

    try:
        rows = run(lambda: gone.is_set() or client_left(environ))
        response = stream(archive, rows, format, name, gone=end, **document, **about(rows))
    except BaseException:
        end()
        raise
    weakref.finalize(response, turn.end).atexit = False
    return response


def client_left(environ: Mapping[str, Any]) -> bool:
    """Whether the other end of the connection of a request under gunicorn was closed.

    What a client sends ahead of its answer is left in the connection, and hides that the client leaves
    after that; so does a connection that is encrypted here.
    """
    connection = environ.get("gunicorn.socket")
    if type(connection) is not socket.socket:
        return False
    try:
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        return bool(waiting.poll(0)) and not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return True  # it was reset, or closed at this end


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

    Raises
    ------
    Exception
        Whatever stopped a format of which nothing is written before the end; in any other it comes while the
        response is read.
    """
    config = archive.config
    written = format.write(rows, spool_bytes=config.spool_bytes, **document)
    if rows.complete:
        response = _encoded(
            b"".join(written), config, format
        )  # at most a few batches; nothing is held for its reader
    else:
        response = _encoded(_spooled(written, config, format), config, format)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{format.extension}"'
    response.call_on_close(gone)
    return response


def _spooled(written: Iterator[bytes], config: Config, format: Format) -> Unhurried:
    chunks = unhurried(
        written,
        patience_s=config.patience_seconds,
        memory_bytes=MEMORY_BYTES,
        max_bytes=config.spool_bytes,
    )
    if format.is_late:
        chunks.begin()
    return chunks


def _encoded(body: bytes | Unhurried, config: Config, format: Format) -> flask.Response:
    """A response with the body, compressed where that is worth it and the client takes it."""
    if not compression.is_worth_it(config, format):
        return flask.Response(body, content_type=format.mime)
    packed = compression.is_taken(flask.request)
    response = flask.Response(_packed(body) if packed else body, content_type=format.mime)
    response.vary.add("Accept-Encoding")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _packed(body: bytes | Unhurried) -> bytes | Gzip:
    return whole(body) if isinstance(body, bytes) else Gzip(body)
