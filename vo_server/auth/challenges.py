"""How can one log in here? What a client is told of it: challenges (AuthVO), and security methods (SSO 2.0).

The scheme ``ivoa_bearer`` is none of AuthVO's draft of 2025, but what TOPCAT and STILTS know besides its cookies: a
password is sent as a form, and a token comes back in the header ``X-VO-Bearer``.
"""

import logging

import flask
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError
from datamodel.logins import is_there_any
from vo_server.auth.transport import has_secure_address, policy
from vo_server.site import base_url

log = logging.getLogger("vo_server.accounts")

LOGIN_PATH = "/login/token"
BASIC = "ivo://ivoa.net/sso#BasicAA"
BY_FORM = "ivo://ivoa.net/sso#tls-with-password"
USER_HEADER = "X-VO-Authenticated"
BEARER_HEADER = "X-VO-Bearer"


def is_offered(archive: Archive) -> bool:
    """Whether anybody can log in: somebody has an account for that, and a way that nobody else reads."""
    config = archive.config
    if policy(config) == "none" or not has_secure_address(config):
        return False
    try:
        return is_there_any(archive)
    except (BusyError, sa.exc.SQLAlchemyError):
        log.warning("nobody knows whether anybody can log in", exc_info=True)
        return False  # what tells of this tells of something else first


def security_methods(archive: Archive) -> tuple[str, ...]:
    """What interfaces there are besides the one that anybody may use; pyvo goes by them."""
    return (BASIC,) if is_offered(archive) else ()


def add(archive: Archive, response: flask.Response) -> None:
    """Tell a stranger how to log in: with each refusal, and wherever the capabilities of a service are asked for."""
    endpoint = flask.request.endpoint or ""
    probed = endpoint.endswith(".capabilities") and flask.request.method in ("GET", "HEAD")
    if (response.status_code in (401, 403) or probed) and is_offered(archive):
        for challenge in _challenges(archive.config, is_page=endpoint.startswith("login.")):
            response.headers.add("WWW-Authenticate", challenge)


def _challenges(config: Config, is_page: bool) -> list[str]:
    """On the page to log in, none that has a browser ask by itself."""
    realm = f'realm="{config.authority}/{config.archive_name}"'
    form = f'ivoa_bearer standard_id="{BY_FORM}", access_url="{base_url(config)}{LOGIN_PATH}"'
    return [form] if is_page else [f'Basic {realm}, charset="UTF-8"', form, f"Bearer {realm}"]
