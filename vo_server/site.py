"""Which archive is served here, and under which names is it reached?"""

import logging
from datetime import datetime
from urllib.parse import urlsplit

import flask
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError

log = logging.getLogger("vo_server")

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  compared with, not listened on


def archive() -> Archive:
    """The archive of the application that serves the present request."""
    opened: Archive = flask.current_app.extensions["archive"]
    return opened


def up_since() -> datetime:
    """When the application was made, naive UTC."""
    started: datetime = flask.current_app.extensions["up_since"]
    return started


def why_not() -> str:
    """What keeps the archive from answering queries, for people; empty where nothing does."""
    try:
        with archive().database.read() as connection:
            connection.execute(sa.select(1))
    except sa.exc.SQLAlchemyError:
        log.exception("the database does not answer")
        return "the database of this archive does not answer"
    return ""


def base_url(config: Config) -> str:
    """What absolute links begin with, without a slash at the end; never taken from a request.

    It is the configured one, else that of the address listened on; a server that listens on all its
    addresses without a configured URL calls itself localhost.

    Raises
    ------
    UsageError
        The configured URL is not an absolute http or https URL.
    """
    if config.base_url:
        return _checked(config.base_url).rstrip("/")
    host = "localhost" if config.host in ANY_ADDRESS else config.host
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{bracketed}:{config.port}"


def mount(config: Config) -> str:
    """The path of the base URL, which all paths of the server follow; empty, or such as ``/perseus``."""
    return urlsplit(base_url(config)).path


def trusted_hosts(config: Config) -> frozenset[str]:
    """The host names, without ports, under which requests are accepted.

    They are the base URL's, the configured further ones and, where the base URL is on the loopback
    interface, all names of that.
    """
    own = urlsplit(base_url(config)).hostname or ""
    named = {name.strip().lower() for name in config.trusted_hosts.split(",") if name.strip()}
    return frozenset({own, *named, *(LOOPBACK if own in LOOPBACK else ())})


def own_origins(config: Config, host_url: str) -> list[str]:
    """The origins of this server: that of a request's URL, and that of the base URL where it is another one.

    Parameters
    ----------
    config
        Has the base URL.
    host_url
        Of the request; its host name has been accepted.
    """
    parts = urlsplit(base_url(config))
    return list(dict.fromkeys([host_url.rstrip("/"), f"{parts.scheme}://{parts.netloc}"]))


def is_from_elsewhere(request: flask.Request) -> bool:
    """Whether a script of another site sends a request and will read its answer, as the browser says in Origin.

    It asks from the address of whoever looks at that site, so what strangers have by their address is not for it.
    """
    origin = request.headers.get("Origin")
    return origin is not None and origin not in own_origins(archive().config, request.host_url)


def host_name(header: str) -> str | None:
    """The lower-case host name of a Host header without its port; None where it cannot be one."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == header and "@" not in header else None


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"base_url is '{url}', expected an absolute URL such as https://archive.example.org")
    return url
