"""How do tests ask an archive without objects, by TAP and on the query page?

A file of tests names the fixtures it takes, and those which they take: ``client = query_page.client``.
"""

from collections.abc import Iterator
from functools import partial

import html5lib
import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.config import Config
from processing.opening import open_archive
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without objects, for all tests that only ask."""
    archive = open_archive(Config(archive=tmp_path_factory.mktemp("asked") / "archive"))
    update_tap_schema(archive, tables(archive.config))
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def client(opened: Archive) -> FlaskClient:
    client = create_app(opened).test_client()
    client.open = partial(client.open, buffered=True)  # reads and closes, as a server does
    return client


def sync(client: FlaskClient, adql: str) -> list[list[str]]:
    """The rows of an answer in tab-separated values."""
    answer = client.post("/tap/sync", data={"LANG": "ADQL", "RESPONSEFORMAT": "tsv", "QUERY": adql})
    assert answer.status_code == 200, answer.text
    return [line.split("\t") for line in answer.text.splitlines()[1:]]


def page(client: FlaskClient, status: int = 200, **form: str) -> BeautifulSoup:
    """The page, sent a form where there is one, after what must always hold of it was looked at."""
    answer = client.post("/query", data=form) if form else client.get("/query")
    assert answer.status_code == status, answer.text
    rules = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'", rules
    assert rules["script-src"] == rules["style-src"] == "'self'", rules
    html5lib.HTMLParser(strict=True).parse(answer.text)
    soup = BeautifulSoup(answer.text, "html.parser")
    for tag in soup.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on") or name == "style"], tag
    assert all(script["src"].startswith("/static/") and not script.text.strip() for script in soup("script"))
    assert not soup("style")
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)), ids
    labelled = {label["for"] for label in soup("label") if label.has_attr("for")}
    for control in soup.select("textarea, select, input[type=search]"):
        assert control.get("id") in labelled or control.find_parent("label"), control
    return soup
