"""Is a client told of the tables in the detail it wants, and not told again what it knows?"""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import flask
import pytest
import pyvo
from astroquery.utils.tap import TapPlus
from flask.testing import FlaskClient
from pyvo.io import vosi as client_side
from werkzeug.http import http_date
from werkzeug.serving import make_server

from datamodel import tap_schema
from datamodel.archive import Archive
from datamodel.columns import Column, Table
from datamodel.config import Config
from processing.classes import TABLES
from vo_server.app import create_app
from vo_server.tap.tap_schema import entries, tables, update_tap_schema

NOON = datetime(2026, 1, 1, 12)
DOCUMENTS = (
    "/tap/tables",
    "/tap/tables?detail=min",
    "/tap/tables/ivoa.obscore",
    "/tap/tables?tables=ivoa.obscore",
)
COSTLESS = ("/tap/capabilities", "/tap/examples", "/sia2/capabilities", "/datalink/capabilities")


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects, whose tables were told of at noon; nobody writes there."""
    opened = Archive(Config(archive=tmp_path_factory.mktemp("archive")), lambda: NOON)
    opened.prepare(TABLES)
    update_tap_schema(opened, tables(opened.config))
    yield opened
    opened.close()


@pytest.fixture
def client(complete: Archive) -> FlaskClient:
    return create_app(complete).test_client()


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[Archive, Clock]]:
    """An archive of which a test may tell something else, and its clock."""
    clock = Clock()
    opened = Archive(Config(archive=tmp_path), clock)
    opened.prepare(TABLES)
    update_tap_schema(opened, tables(opened.config))
    yield opened, clock
    opened.close()


def names(client: FlaskClient, url: str) -> list[str]:
    """Those of the tables in a document, as pyvo reads them."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    tableset = client_side.parse_tables(io.BytesIO(answer.data)).tableset
    return [table.name for schema in tableset.schemas for table in schema.tables]


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """What the live server was asked, path and query."""
    return []


@pytest.fixture(scope="module")
def live(complete: Archive, asked: list[str]) -> Iterator[str]:
    """The base URL of a live server on the loopback interface."""
    application = create_app(complete)
    application.before_request(lambda: asked.append(flask.request.full_path.rstrip("?")))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def url(live: str, asked: list[str]) -> str:
    asked.clear()
    return live


def test_astroquery_loads_a_table_and_the_names_of_all(url: str, asked: list[str], complete: Archive) -> None:
    tap = TapPlus(url=f"{url}/tap")
    table = tap.load_table("ivoa.obscore")
    assert table.name == "ivoa.obscore"
    assert [column.name for column in table.columns][:2] == ["dataproduct_type", "calib_level"]
    kept = [table.name for schema in tap_schema.read(complete) for table in schema.tables]
    found = tap.load_tables(only_names=True)
    assert [table.get_qualified_name() for table in found] == kept
    assert not any(table.columns for table in found)
    assert asked == ["/tap/tables?tables=ivoa.obscore", "/tap/tables?only_tables=true"]


@pytest.mark.parametrize("given", ["ivoa.obscore", "IVOA.ObsCore", '"ivoa"."obscore"', " ivoa.obscore ,"])
def test_a_table_is_named_in_any_case_and_with_quotes_or_without(client: FlaskClient, given: str) -> None:
    assert names(client, f"/tap/tables?{urlencode({'tables': given})}") == ["ivoa.obscore"]


def test_several_tables_come_in_their_own_order_each_once(client: FlaskClient) -> None:
    expected = ["archive.sources", "ivoa.obscore"]
    assert names(client, "/tap/tables?tables=ivoa.obscore,archive.sources,archive.sources") == expected
    assert names(client, "/tap/tables?tables=ivoa.obscore&TABLES=archive.sources") == expected


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        ("/tap/tables?detail=everything", 400, "DETAIL is 'everything', expected one of max, min"),
        ("/tap/tables?detail=min&detail=max", 400, "DETAIL is given 2 times"),
        ("/tap/tables?only_tables=perhaps", 400, "ONLY_TABLES is 'perhaps'"),
        (
            "/tap/tables?tables=ivoa.obscor",
            404,
            "there is no table 'ivoa.obscor'; did you mean 'ivoa.obscore'?",
        ),
        ("/tap/tables?tables=ivoa.obscore,nowhere.at_all", 404, "there is no table 'nowhere.at_all'"),
        ("/tap/tables/ivoa.obscor", 404, "did you mean 'ivoa.obscore'?"),
        ("/tap/tables/" + "x" * 5000, 404, "there is no table 'xxx"),
    ],
)
def test_what_is_not_there_is_told(client: FlaskClient, url: str, status: int, told: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert told.replace("'", "&#x27;") in answer.text or told in answer.text
    assert len(answer.data) < 2000


def test_a_name_that_queries_must_quote_is_found_with_and_without_quotes(
    changing: tuple[Archive, Clock],
) -> None:
    archive, _ = changing
    odd = Table("odd", "Order by, then", (Column("n", "BIGINT"),), lambda caller: pytest.fail("never asked"))
    tap_schema.write(archive, entries([odd]), "odd")
    client = create_app(archive).test_client()
    for given in ('odd."Order by, then"', "odd.Order by, then", 'ODD."order BY, then"'):
        assert client.get(f"/tap/tables/{given}").status_code == 200
    assert names(client, '/tap/tables?tables=odd."order by, then"') == ['odd."Order by, then"']


def test_pyvo_loads_each_table_when_it_is_looked_at(url: str, asked: list[str]) -> None:
    service = pyvo.dal.TAPService(f"{url}/tap")
    assert len(service.tables) > 10
    assert asked == ["/tap/tables?detail=min"]
    table = service.tables["tap_schema.key_columns"]
    assert [column.name for column in table.columns] == ["key_id", "from_column", "target_column"]
    assert asked[1:] == ["/tap/tables/tap_schema.key_columns"]


@pytest.mark.parametrize("url", [*DOCUMENTS, *COSTLESS])
def test_a_client_that_has_a_document_is_not_sent_it_again(client: FlaskClient, url: str) -> None:
    first = client.get(url)
    assert first.headers["ETag"]
    assert first.cache_control.no_cache
    for method in ("GET", "HEAD"):
        again = client.open(url, method=method, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    changed = client.get(url, headers={"If-None-Match": '"something-else"'})
    assert (changed.status_code, changed.data) == (200, first.data)


@pytest.mark.parametrize("url", DOCUMENTS)
def test_the_tables_say_since_when_they_are_as_they_are(client: FlaskClient, url: str) -> None:
    first = client.get(url)
    assert first.headers["Last-Modified"] == http_date(NOON)
    assert client.get(url, headers={"If-Modified-Since": http_date(NOON)}).status_code == 304
    earlier = http_date(NOON - timedelta(seconds=1))
    assert client.get(url, headers={"If-Modified-Since": earlier}).status_code == 200
    both = {"If-Modified-Since": http_date(NOON), "If-None-Match": '"something-else"'}
    assert client.get(url, headers=both).status_code == 200


def test_documents_that_differ_have_tags_that_differ(client: FlaskClient) -> None:
    tags = [client.get(url).headers["ETag"] for url in (*DOCUMENTS, *COSTLESS)]
    assert len(set(tags)) == len(tags)


def test_nothing_is_read_for_a_client_that_has_the_document(
    client: FlaskClient, complete: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = client.get("/tap/tables").headers["ETag"]
    complete.close()  # forgets what was kept of the tables
    monkeypatch.setattr(tap_schema, "read", lambda *_: pytest.fail("the tables were read"))
    assert client.get("/tap/tables", headers={"If-None-Match": tag}).status_code == 304


def test_a_change_of_the_tables_shows_at_once(changing: tuple[Archive, Clock]) -> None:
    archive, clock = changing
    client = create_app(archive).test_client()
    first = client.get("/tap/tables?detail=min")
    clock.now = NOON + timedelta(days=1)
    (obscore,) = [t for t in tables(archive.config) if t.full_name == "ivoa.obscore"]
    update_tap_schema(archive, [replace(obscore, description="Changed")])
    later = client.get("/tap/tables?detail=min", headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200
    assert b"Changed" in later.data
    assert later.headers["ETag"] != first.headers["ETag"]
    assert later.headers["Last-Modified"] == http_date(clock.now)
    assert client.get("/tap/tables", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_what_was_told_already_keeps_its_tag_and_its_time(changing: tuple[Archive, Clock]) -> None:
    archive, clock = changing
    client = create_app(archive).test_client()
    first = client.get("/tap/tables")
    clock.now = NOON + timedelta(days=1)
    assert not update_tap_schema(archive, tables(archive.config))
    again = create_app(archive).test_client().get("/tap/tables")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Last-Modified"] == first.headers["Last-Modified"]


def test_the_availability_is_never_kept(client: FlaskClient) -> None:
    for service in ("tap", "sia2", "datalink"):
        answer = client.get(f"/{service}/availability")
        assert answer.cache_control.no_store
        assert "ETag" not in answer.headers
