"""Where do the tests of log-ins log in: at an archive where A has a password, with a client that reads its pages?

A file of tests names the fixtures it takes: ``site = logging_in.site``.
"""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel.accounts import account, login_failure, membership, token
from datamodel.archive import Archive
from datamodel.jobs import job
from tests import accounts as of_tests
from tests.accounts import PASSWORD, with_password
from tests.templates import COMPLETE, FrozenClock, Templates
from vo_server.app import create_app
from vo_server.auth import cookies

cheap = of_tests.cheap

ASKED = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 table_name FROM tap_schema.tables"}
HTTPS = {"base_url": "https://archive.example.org/perseus"}


@pytest.fixture(scope="module")
def shared(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects, with accounts A and B; see `bare`."""
    opened = templates.opened(COMPLETE, tmp_path_factory.mktemp("log_in") / "archive", FrozenClock())
    yield opened
    opened.close()


@pytest.fixture
def bare(shared: Archive) -> Iterator[Archive]:
    """The shared archive, where nobody can log in yet, and nobody has."""
    config = shared.config
    for name in "AB":
        shared.add_account(name, "P")
    yield shared
    shared.config = config
    with shared.database.write() as connection:
        for table in (job, token, login_failure, membership, account):
            connection.execute(sa.delete(table))
    (config.archive / cookies.KEY_FILE).unlink(missing_ok=True)
    for name in ("log-ins", "session key"):
        shared._resources.pop(name, None)


@pytest.fixture
def clock(shared: Archive) -> FrozenClock:
    """That of the archive."""
    assert isinstance(shared.clock, FrozenClock)
    return shared.clock


@pytest.fixture
def site(bare: Archive) -> Archive:
    """The same; A has a password, B has none."""
    with_password(bare, "A")
    return bare


@pytest.fixture
def client(site: Archive) -> FlaskClient:
    return create_app(site).test_client()


def who(response: TestResponse) -> str | None:
    """Whom an answer was for, as it says."""
    private = response.cache_control.private is not None
    assert ("X-VO-Authenticated" in response.headers) == private
    return response.headers.get("X-VO-Authenticated")


def form(client: FlaskClient, path: str) -> dict[str, str]:
    """What the first form of a page would send, as it stands."""
    soup = BeautifulSoup(client.get(path).text, "html.parser")
    fields = soup.select_one("main form").select("input")
    return {each["name"]: each.get("value", "") for each in fields}


def entered(client: FlaskClient, name: str = "A", password: str = PASSWORD, **more: str) -> TestResponse:
    """What the page to log in gives for a name and a password."""
    filled = form(client, "/login") | {"username": name, "password": password} | more
    return client.post("/login", data=filled)


def secret(client: FlaskClient) -> str:
    """The secret of the forms of who is logged in."""
    soup = BeautifulSoup(client.get("/query").text, "html.parser")
    return str(soup.select_one("form#ask input[name=csrf_token]")["value"])
