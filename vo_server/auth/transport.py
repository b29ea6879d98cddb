"""From where does a request come, and could others read it on the way? Trusted proxies are believed."""

import ipaddress
from urllib.parse import urlsplit

import flask

from datamodel.config import Config
from datamodel.errors import ForbiddenError, UsageError
from vo_server.site import LOOPBACK, base_url, host_name

POLICIES = ("secure", "anywhere", "none")
"""What the setting ``login`` may be."""

_PROXIED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""Headers by which a request is known that somebody passes on."""


def policy(config: Config) -> str:
    """The setting ``login``.

    Raises
    ------
    UsageError
        There is no such policy.
    """
    if config.login not in POLICIES:
        raise UsageError(f"setting 'login' is '{config.login}', expected one of {', '.join(POLICIES)}")
    return config.login


def address_of(request: flask.Request, config: Config) -> str:
    """The address of who asks.

    What a proxy says of the address counts only where the proxy is one of the setting ``trusted_proxies``;
    the last address that is none of these is the one that no stranger can have made up.
    """
    trusted = listed(config.trusted_proxies)
    forwarded = listed(request.headers.get("X-Forwarded-For", ""))
    address = request.remote_addr or "unknown"
    while address in trusted and forwarded:
        address = forwarded.pop()
    return address


def is_encrypted(request: flask.Request, config: Config) -> bool:
    """Whether the request came by https, at least as far as the first trusted proxy."""
    if request.remote_addr in listed(config.trusted_proxies):
        return listed(request.headers.get("X-Forwarded-Proto", ""))[-1:] == ["https"]
    return request.scheme == "https"


def is_secure(request: flask.Request, config: Config) -> bool:
    """Whether a password may come with a request, and a token or a cookie."""
    return policy(config) == "anywhere" or is_encrypted(request, config) or _is_local(request, config)


def require_secure(request: flask.Request, config: Config) -> None:
    """Refuse what others could have read.

    Raises
    ------
    ForbiddenError
        They could.
    """
    if not is_secure(request, config):
        raise ForbiddenError(
            "passwords and tokens are taken by https only; this request came by http, or by a proxy that is none of "
            "the setting 'trusted_proxies' or does not say X-Forwarded-Proto: https. Others may have read what it "
            "held: choose another password, or revoke the token"
        )


def has_secure_address(config: Config) -> bool:
    """Whether those who use the address of this archive can log in there."""
    address = urlsplit(base_url(config))
    return policy(config) == "anywhere" or address.scheme == "https" or address.hostname in LOOPBACK


def listed(text: str) -> list[str]:
    """The words of a list with commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def _is_local(request: flask.Request, config: Config) -> bool:
    """Whether a request has not left this machine; one that was passed on to it may have come from anywhere."""
    if request.remote_addr in listed(config.trusted_proxies) or any(n in request.headers for n in _PROXIED):
        return False
    return _is_loopback(request.remote_addr or "") and host_name(request.headers.get("Host", "")) in LOOPBACK


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
