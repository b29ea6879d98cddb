"""What does a name service say of where an object is? Asked only where the site has configured one.

It answers as CDS's Sesame does to ``-oI``: a line ``%J``, longitude and latitude in degrees (ICRS).
"""

import http.client
import math
import re
import threading
import time
from urllib.parse import quote, urlsplit

from datamodel.config import Config
from datamodel.errors import UsageError

SECONDS = 5.0
MAX_BYTES = 64_000
AT_ONCE = 2
"""Requests under way in a process; a query that would make one more is refused."""

KEPT = 1000
KEPT_SECONDS = 86400.0

_POSITION = re.compile(r"^%J\s+([+-]?[0-9.]{1,30})\s+([+-]?[0-9.]{1,30})", re.MULTILINE | re.ASCII)

_lines = threading.BoundedSemaphore(AT_ONCE)
_known: dict[tuple[str, str], tuple[float, tuple[float, float] | None]] = {}


def find(config: Config, name: str) -> tuple[float, float] | None:
    """The position, in degrees ICRS; None for a name that the service does not know, or where there is no service.

    Raises
    ------
    UsageError
        The service does not answer, or is being asked too much.
    """
    if not config.name_service:
        return None
    key = config.name_service, name
    known = _known.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    if not _lines.acquire(blocking=False):
        raise UsageError("too many names are being looked up at the name service; ask again in a moment")
    try:
        answer = _asked(config.name_service.replace("{name}", quote(name, safe="")))
    except (OSError, http.client.HTTPException):
        raise UsageError(f"the name service does not answer, so '{name[:60]}' cannot be looked up") from None
    finally:
        _lines.release()
    if len(_known) >= KEPT:
        _known.clear()
    found = _read(answer)
    _known[key] = time.monotonic() + KEPT_SECONDS, found
    return found


def _read(answer: str) -> tuple[float, float] | None:
    found = _POSITION.search(answer)
    if found is None:
        return None
    try:
        ra, dec = float(found[1]), float(found[2])
    except ValueError:
        return None
    return (math.fmod(ra, 360.0) % 360.0, dec) if abs(dec) <= 90.0 else None


def _asked(url: str) -> str:
    """What a URL gives, followed nowhere else; no more than a bounded time and size."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    deadline = threading.Timer(SECONDS, _cut, [connection])
    deadline.start()
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise http.client.HTTPException(str(response.status))
        return response.read(MAX_BYTES).decode("utf-8", "replace")
    finally:
        deadline.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection whose other side is too slow; who reads from it is told by an error."""
    if connection.sock is not None:
        connection.sock.shutdown(2)
