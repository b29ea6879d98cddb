"""How is a table fetched from a URL that a stranger gave, without becoming the stranger's hand in our network?

Only hosts that the site names are asked, over http and https. The address that is connected to is the one that was
checked, so that a name which changes its address between two look-ups (DNS rebinding) gains nothing; each
redirection is checked like the first URL. A watchdog closes the connection when the time is over, however slowly
the bytes drip.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from datamodel.config import Config
from datamodel.errors import QueryTimeoutError, UsageError
from vo_server import __version__
from vo_server.dali import shown
from vo_server.tap.upload_parts import Part

PORTS = {"http": 80, "https": 443}
MAX_REDIRECTIONS = 5

_READ_BYTES = 1 << 16
_REDIRECTIONS = (301, 302, 303, 307, 308)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Rules:
    """Whom may be asked, and how much of it.

    Attributes
    ----------
    hosts
        ``host`` for the usual port, ``host:port``, or ``*``; lower case.
    networks
        Whose addresses are taken although they are not public.
    max_bytes
        Of one table.
    seconds
        For one table, with all redirections.
    """

    hosts: frozenset[str]
    networks: tuple[Network, ...]
    max_bytes: int
    seconds: float

    @classmethod
    def of(cls, config: Config) -> "Rules":
        """As configured.

        Raises
        ------
        UsageError
            A network cannot be read.
        """
        hosts = frozenset(_listed(config.upload_hosts.lower()))
        networks = tuple(_network(text) for text in _listed(config.upload_networks))
        return cls(hosts, networks, config.upload_bytes, config.upload_seconds)


def fetch(url: str, target: Path, rules: Rules, cancelled: Callable[[], bool] = lambda: False) -> Part:
    """Store what a URL gives.

    Parameters
    ----------
    url
        With the scheme http or https.
    target
        The file to write.
    rules
        Whom may be asked, and how much of it.
    cancelled
        Asked with each piece; true gives it up.

    Raises
    ------
    UsageError
        The URL may not be asked, or does not give a table of a bounded size in time; the message quotes it.
    QueryTimeoutError
        `cancelled` said so.
    """
    deadline = time.monotonic() + rules.seconds
    at = url
    for _ in range(MAX_REDIRECTIONS + 1):
        parts = _checked(at, rules)
        with _Connection(at, parts, rules, deadline) as connection:
            response = connection.get()
            if response.status not in _REDIRECTIONS:
                _check_status(url, response.status)
                with target.open("wb") as out:
                    connection.copy(response, out, cancelled)
                return Part(url, response.headers.get_content_type(), parts.path.rpartition("/")[2], target)
            at = urljoin(at, response.getheader("Location") or "")
    raise UsageError(f"{shown(url)} redirects more than {MAX_REDIRECTIONS} times, expected a table")


class _Connection:
    """One connection to a checked address, ended by a watchdog when the time is over."""

    def __init__(self, url: str, parts: SplitResult, rules: Rules, deadline: float) -> None:
        self._url = url
        self._parts = parts
        self._rules = rules
        self._left = deadline - time.monotonic()
        self._over = threading.Event()
        self._http: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> "_Connection":
        if self._left <= 0:
            raise self._too_late()
        self._socket = _connected(self._url, self._parts, self._rules, self._left)
        self._watchdog = threading.Timer(self._left, self._end)
        self._watchdog.daemon = True
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        if self._response is not None:
            self._response.close()
        if self._http is not None:
            self._http.close()
        self._socket.close()

    def get(self) -> http.client.HTTPResponse:
        """The status and the headers."""
        parts = self._parts
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        connection = http.client.HTTPConnection(host, port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": f"vo-server/{__version__}", "Accept": "*/*", "Connection": "close"}
        try:
            if parts.scheme == "https":
                self._secure(host)
            connection.sock = self._socket
            self._http = connection
            connection.request("GET", path, headers=headers)
            self._response = connection.getresponse()
            return self._response
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise self._told(failure) from None

    def copy(self, response: http.client.HTTPResponse, out: IO[bytes], cancelled: Callable[[], bool]) -> None:
        """Write the body, as far as its size is within the bound."""
        left = self._rules.max_bytes
        try:
            while data := response.read1(_READ_BYTES):
                left -= len(data)
                if left < 0:
                    raise UsageError(
                        f"{shown(self._url)} gives more than the {self._rules.max_bytes} bytes of the upload limit"
                    )
                if cancelled():
                    raise QueryTimeoutError("the query was stopped before its end")
                out.write(data)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise self._told(failure) from None
        if self._over.is_set() or response.length:
            raise self._told(ConnectionError())

    def _secure(self, host: str) -> None:
        context = ssl.create_default_context()
        secured = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured  # before the handshake, so that the watchdog can end that
        secured.do_handshake()

    def _end(self) -> None:
        self._over.set()
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # SSLSocket's own would wait for others

    def _told(self, failure: Exception) -> UsageError:
        if self._over.is_set() or isinstance(failure, TimeoutError):
            return self._too_late()
        return UsageError(f"{shown(self._url)} gives no whole answer, expected a table")

    def _too_late(self) -> UsageError:
        return UsageError(
            f"{shown(self._url)} gave no whole table within {self._rules.seconds:g} s, the limit of uploads by URL"
        )


def _checked(url: str, rules: Rules) -> SplitResult:
    """The parts of a URL that may be asked, as far as can be seen before its host is looked up."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"{shown(url)} is no URL") from None
    if parts.scheme not in PORTS or not parts.hostname or not url.isascii() or not url.isprintable():
        raise UsageError(f"{shown(url)} is no URL to upload from, expected http or https")
    if "@" in parts.netloc:
        raise UsageError(f"{shown(url)} names a user, expected a URL without one")
    host = parts.hostname.rstrip(".")
    usual = port is None or port == PORTS[parts.scheme]
    named = {f"{host}:{port or PORTS[parts.scheme]}", *((host, "*") if usual else ())}
    if not named & rules.hosts:
        expected = ", ".join(sorted(rules.hosts)) or "none; send it along with param:"
        raise UsageError(
            f"tables cannot be uploaded from {shown(url)}; the hosts that may be asked: {expected}"
        )
    return parts


def _connected(url: str, parts: SplitResult, rules: Rules, seconds: float) -> socket.socket:
    """A connection to the first address of a host that answers; all of them must be allowed."""
    port = parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"the host of {shown(url)} is not known") from None
    if not all(allowed(_address(place), rules.networks) for *_, place in found):
        raise UsageError(f"the host of {shown(url)} has no public address, expected one")
    for family, kind, protocol, _, place in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(seconds)
        try:
            connection.connect(place)
        except OSError:
            connection.close()
            continue
        return connection
    raise UsageError(f"the host of {shown(url)} does not answer")


def _address(place: Sequence[Any]) -> Address:
    return ipaddress.ip_address(str(place[0]).partition("%")[0])


def allowed(address: Address, networks: tuple[Network, ...]) -> bool:
    """Whether an address may be connected to: it is public, or in one of the networks.

    An address of IPv6 that stands for one of IPv4 (mapped, 6to4, NAT64) counts as that, too.
    """
    inner = _within(address)
    if inner is not None:
        return allowed(inner, networks)
    if any(address in network for network in networks if network.version == address.version):
        return True
    of_a_site = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or of_a_site)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _within(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _check_status(url: str, status: int) -> None:
    if status != http.client.OK:
        raise UsageError(f"{shown(url)} answers with status {status}, expected 200 and a table")


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(
            f"setting 'upload_networks' has '{text}', expected a network such as 10.1.0.0/16"
        ) from None
