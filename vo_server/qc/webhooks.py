"""Who is told by itself? A thread posts quality events to the receivers of the configuration, each until it has it."""

import http.client
import json
import logging
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import LEVELS
from datamodel.errors import UsageError
from datamodel.objects import DBObject
from datamodel.schema import table_of
from processing.quality_delivery import Turn, begin, take_turn
from processing.quality_events import QualityEvent, quality_events
from vo_server import __version__
from vo_server.site import base_url

log = logging.getLogger("vo_server.qc")

POLL_S = 2.0
TIMEOUT_S = 10.0
GIVEN_UP = timedelta(days=1)
_LONGEST_URL = 500


def receivers(config: Config) -> tuple[str, ...]:
    """The URLs of the receivers.

    Raises
    ------
    UsageError
        One is not a URL of http or https, or there is no such level.
    """
    urls = tuple(dict.fromkeys(url.strip() for url in config.qc_webhooks.split(",") if url.strip()))
    for url in urls:
        if not _is_good(url):
            raise UsageError(
                f"qc_webhooks has '{url[:100]}', expected http or https URLs of up to {_LONGEST_URL} characters"
            )
    if config.qc_webhook_level not in LEVELS:
        raise UsageError(
            f"qc_webhook_level is {config.qc_webhook_level}, expected one of {', '.join(map(str, LEVELS))}"
        )
    return urls


def _is_good(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


class Sender:
    """Tells the receivers from now on, in a thread of its own, until it is closed; without receivers does nothing.

    Parameters
    ----------
    archive
        Open and prepared; several processes may tell the same receivers.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._urls = receivers(archive.config)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        if self._urls:
            self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                tell_all(self._archive, self._urls)
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("the receivers of quality events could not be told; trying again")

    def close(self) -> None:
        """End; what was not told is told by whoever comes next."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT_S)


def tell_all(archive: Archive, urls: tuple[str, ...]) -> None:
    """Tell each receiver of what is new, as far as its time has come and nobody else is at it."""
    for url in urls:
        begin(archive, url)
        turn = take_turn(archive, url)
        if turn is not None:
            _tell(turn)


def _tell(turn: Turn) -> None:
    archive = turn.archive
    shown = table_of(DBObject).c.privileges >= archive.config.qc_webhook_level
    more = True
    while more:
        found, last, more = quality_events(archive, turn.last_event, shown, 100)
        for each in found:
            if not _posted(turn.url, each, archive.config):
                if archive.clock() - each.at < GIVEN_UP:
                    turn.failed()
                    return
                log.error("event %s was not taken by %s for a day; given up", each.number, turn.url)
            if not turn.told(each.number):
                return  # it took too long: somebody else is at it
        if last > turn.last_event and not turn.told(last):
            return
    turn.give_back()


def _posted(url: str, happened: QualityEvent, config: Config) -> bool:
    """Whether a receiver has taken an event: it answered with a status of 200 to 299."""
    headers = {"Content-Type": "application/json", "User-Agent": f"vo-server/{__version__}"}
    body = json.dumps(happened.as_json(base_url(config))).encode()
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the site's own, http or https
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
            return bool(200 <= answer.status < 300)
    except (OSError, http.client.HTTPException, ValueError) as error:
        log.warning("%s did not take event %s: %s", url, happened.number, error)
        return False


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: a receiver that has moved is to be configured anew."""

    def redirect_request(self, *_told: Any, **_more: Any) -> None:
        """See `urllib.request`; None makes a redirection an error."""


_OPENER = urllib.request.build_opener(_Staying)
