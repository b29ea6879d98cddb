"""Are the example queries ones that this archive answers, in a document that clients can read?"""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import pyvo
from astropy.io.votable import parse
from flask.testing import FlaskClient
from lxml import etree
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest
from requests.models import Response as Received
from requests.sessions import Session as Requests

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.classes import TABLES
from processing.source_list import SourceList
from vo_server import cli
from vo_server.app import create_app
from vo_server.tap import examples as module
from vo_server.tap.examples import EXAMPLES, H_PERSEI, Example, examples
from vo_server.tap.tap_schema import tables, update_tap_schema

XHTML = "{http://www.w3.org/1999/xhtml}"
PLAIN = ("name", "query", "table", "capability", "key", "value")
"""Properties whose content is text (DALI 1.1 section 2.3)."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects; nobody writes there."""
    opened = Archive(Config(archive=tmp_path_factory.mktemp("archive")), lambda: datetime(2026, 1, 1))
    opened.prepare(TABLES)
    update_tap_schema(opened, tables(opened.config))
    yield opened
    opened.close()


@pytest.fixture
def asking(empty: Archive) -> FlaskClient:
    return create_app(empty).test_client()


@pytest.fixture
def document(asking: FlaskClient) -> etree._Element:
    answer = asking.get("/tap/examples")
    assert (answer.status_code, answer.mimetype) == (200, "application/xhtml+xml")
    return etree.fromstring(answer.data)


OURS_AS_GAIAS = "SELECT sid AS source_id, ra, dec, mag_auto AS phot_g_mean_mag FROM archive.sources"


@pytest.mark.thorough
def test_every_example_has_rows_where_there_are_exposures_sources_and_catalogues(
    session: Session,
    observatory: Archive,
    client: FlaskClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    update_tap_schema(observatory, tables(observatory.config))
    SourceList.get(raw=RawScienceFrame.select_all().order_by("object_id")[0])
    file = tmp_path / "bright.csv"
    asked = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": OURS_AS_GAIAS}
    file.write_bytes(client.get("/tap/sync", query_string=asked).data)
    monkeypatch.setenv("VO_DATABASE_URL", observatory.config.database_url)
    monkeypatch.setenv("VO_ARCHIVE", str(observatory.config.archive))
    assert cli.main(["catalogue", "add", str(file), "--name", "gaia.bright"]) == 0
    shown = examples(observatory, ANONYMOUS)
    assert [each.id for each in shown] == [each.id for each in EXAMPLES]
    for example in shown:
        answer = client.get(f"/tap/sync?{example.request}")
        assert answer.status_code == 200, (example.id, answer.text)
        assert rows(answer.data, dict(example.parameters).get("RESPONSEFORMAT", "votable")), example.id


def rows(body: bytes, format: str) -> int:
    """How many there are, as astropy or Python's csv reads them."""
    if format == "csv":
        return len(list(csv.DictReader(io.StringIO(body.decode()))))
    return len(parse(io.BytesIO(body)).get_first_table().array)


def test_the_place_of_the_examples_is_one_where_the_archive_has_looked(
    session: Session, observatory: Archive, empty: Archive
) -> None:
    update_tap_schema(observatory, tables(observatory.config))
    first = min(RawScienceFrame.select_all(), key=lambda raw: raw.object_id)
    (cone,) = [each for each in examples(observatory, ANONYMOUS) if each.id == "bright-stars"]
    assert f"CIRCLE('ICRS', {round(first.ra, 4)}, {round(first.dec, 4)}, 1.0)" in cone.query
    (cone,) = [each for each in examples(empty, ANONYMOUS) if each.id == "bright-stars"]
    assert f"CIRCLE('ICRS', {H_PERSEI[0]}, {H_PERSEI[1]}, 1.0)" in cone.query


def test_an_example_is_shown_only_where_its_tables_are(
    empty: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaia = {each.id for each in EXAMPLES if "gaia.bright" in each.tables}
    assert len(gaia) >= 2
    assert {each.id for each in EXAMPLES} - {each.id for each in examples(empty, ANONYMOUS)} == gaia
    monkeypatch.setattr(module.tables, "names", lambda *_: [t for each in EXAMPLES for t in each.tables])
    assert [each.id for each in examples(empty, ANONYMOUS)] == [each.id for each in EXAMPLES]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.id)
def test_an_example_says_which_tables_it_queries(example: Example) -> None:
    assert [table for table in example.tables if table not in example.query] == []
    assert example.name
    assert example.description.endswith(".")


def test_the_document_is_rdfa_as_dali_prescribes(document: etree._Element, empty: Archive) -> None:
    (vocabulary,) = document.xpath("//*[@vocab]")
    assert vocabulary.get("vocab") == "http://www.ivoa.net/rdf/examples#"
    found = document.xpath("//*[@typeof='example']")
    assert [each.get("id") for each in found] == [each.id for each in examples(empty, ANONYMOUS)]
    for each in found:
        assert each.get("resource") == f"#{each.get('id')}"
        assert vocabulary in list(each.iterancestors())
        assert len(each.xpath(".//*[@property='name']")) == 1
        assert len(each.xpath(".//*[@property='query']")) == 1
        assert each.xpath(".//*[@property='capability']/text()") == ["ivo://ivoa.net/std/TAP"]
    for each in document.xpath("//*[@property]"):
        if each.get("property") in PLAIN:
            assert len(each) == 0
            assert each.text.strip()
            assert not {"href", "src", "resource", "content"} & set(each.attrib)
        else:
            assert (each.get("property"), each.get("typeof")) == ("generic-parameter", "keyval")
            assert [child.get("property") for child in each] == ["key", "value"]


def test_what_a_link_of_the_document_asks_for_is_the_example_beside_it(
    document: etree._Element, asking: FlaskClient
) -> None:
    for each in document.xpath("//*[@typeof='example']"):
        link = urlsplit(each.find(f".//{XHTML}a").get("href"))
        asked = dict(parse_qsl(link.query))
        assert link.path == "/tap/sync"
        assert asked["QUERY"] == each.xpath(".//*[@property='query']/text()")[0]
        keys, values = (each.xpath(f".//*[@property='{name}']/text()") for name in ("key", "value"))
        assert {**asked, "QUERY": ""} == {"LANG": "ADQL", "QUERY": "", **dict(zip(keys, values, strict=True))}
        assert asking.get(f"{link.path}?{link.query}").status_code == 200


class Wire(HTTPAdapter):
    """Has `requests` ask an application without a network."""

    def __init__(self, client: FlaskClient) -> None:
        super().__init__()
        self.client = client

    def send(self, request: PreparedRequest, **_options: object) -> Received:  # type: ignore[override]
        answer = self.client.open(request.url, method=request.method, data=request.body)
        received = Received()
        received.status_code, received.raw, received.url = (
            answer.status_code,
            io.BytesIO(answer.data),
            request.url,
        )
        received.headers.update(answer.headers)
        return received


def test_pyvo_reads_the_examples_as_queries(asking: FlaskClient, empty: Archive) -> None:
    wire = Requests()
    wire.mount("http://", Wire(asking))
    service = pyvo.dal.TAPService("http://127.0.0.1:8000/tap", session=wire)
    read = [query["QUERY"] for query in service.examples]
    assert read == [each.query for each in examples(empty, ANONYMOUS)]


def test_the_examples_are_declared(asking: FlaskClient) -> None:
    read = pyvo.io.vosi.parse_capabilities(io.BytesIO(asking.get("/tap/capabilities").data))
    (declared,) = [c for c in read if c.standardid == "ivo://ivoa.net/std/DALI#examples"]
    assert asking.get(declared.interfaces[0].accessurls[0].content).status_code == 200


def test_the_page_runs_no_script_and_takes_nothing_from_elsewhere(asking: FlaskClient) -> None:
    answer = asking.get("/tap/examples")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    page = etree.fromstring(answer.data)
    assert not page.findall(f".//{XHTML}script")
    assert not page.xpath("//*[@style or @onclick]")
