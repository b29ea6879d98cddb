"""Are the VOSI documents as the schemas say, and read by a client as they were meant?"""

import io
from collections.abc import Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from lxml import etree
from pyvo.io import vosi as client_side

from datamodel import tap_schema
from datamodel.archive import Archive
from datamodel.config import Config
from processing.classes import TABLES
from tests import ivoa_schemas
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

DOCUMENTS = (
    "/sia2/capabilities",
    "/sia2/availability",
    "/datalink/capabilities",
    "/datalink/availability",
    "/tap/capabilities",
    "/tap/availability",
    "/tap/tables",
    "/tap/tables?detail=min",
    "/tap/tables?only_tables=true",
    "/tap/tables/archive.sources",
    "/tap/tables/tap_schema.columns",
)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects, at noon of the first day of 2026; nobody writes there."""
    opened = Archive(Config(archive=tmp_path_factory.mktemp("archive")), lambda: datetime(2026, 1, 1, 12))
    opened.prepare(TABLES)
    update_tap_schema(opened, tables(opened.config))
    yield opened
    opened.close()


@pytest.fixture
def client(complete: Archive) -> FlaskClient:
    return create_app(complete).test_client()


@ivoa_schemas.needed
@pytest.mark.parametrize("folders", [("rofr", "rec"), ("rofr",)], ids=["recommendations", "registries"])
def test_documents_are_valid(client: FlaskClient, folders: tuple[str, ...]) -> None:
    schema = ivoa_schemas.schema(*(f"{folder}/*.xsd" for folder in folders))
    for url in DOCUMENTS:
        response = client.get(url)
        assert response.mimetype == "text/xml"
        document = etree.fromstring(response.data)
        assert schema.validate(document), (url, schema.error_log.filter_from_errors())
    broken = etree.fromstring(client.get("/tap/tables/archive.sources").data)
    broken.insert(0, broken.find("column"))
    assert not schema.validate(broken)


@ivoa_schemas.needed
def test_the_document_of_a_service_that_is_down_is_valid_and_says_why(
    client: FlaskClient, complete: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = sa.exc.OperationalError("SELECT secret", {}, Exception("secret"))
    monkeypatch.setattr(complete.database, "read", lambda: (_ for _ in ()).throw(lost))
    for service in ("tap", "sia2", "datalink"):
        response = client.get(f"/{service}/availability")
        assert response.status_code == 200
        assert ivoa_schemas.schema("rofr/*.xsd", "rec/*.xsd").validate(etree.fromstring(response.data))
        availability = client_side.parse_availability(io.BytesIO(response.data))
        assert not availability.available
        assert [str(note) for note in availability.notes] == ["the database of this archive does not answer"]
        assert "secret" not in response.text
        assert response.cache_control.no_store


def test_a_client_reads_what_tap_can_do(client: FlaskClient, complete: Archive) -> None:
    read = client_side.parse_capabilities(io.BytesIO(client.get("/tap/capabilities").data))
    (tap,) = [c for c in read if c.standardid == "ivo://ivoa.net/std/TAP"]
    (interface,) = tap.interfaces
    (url,) = interface.accessurls
    assert (interface.version, url.use, url.content) == ("1.1", "base", "http://127.0.0.1:8000/tap")
    assert not interface.securitymethods
    adql = tap.get_adql()
    assert [v.content for v in adql.versions] == ["2.0", "2.1"]
    assert adql.get_feature("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo", "CONTAINS")
    assert tap.outputlimit.default.content == complete.config.maxrec
    assert tap.outputlimit.hard.content == complete.config.maxrec_limit
    assert tap.outputlimit.hard.unit == "row"
    assert tap.executionduration.hard == complete.config.job_seconds_limit
    assert tap.retentionperiod.default == complete.config.job_days * 86400
    assert [m.ivo_id for m in tap.datamodels] == ["ivo://ivoa.net/std/ObsCore#core-1.1"]
    assert tap.outputlimit.default.unit == "row"
    upload = "ivo://ivoa.net/std/TAPRegExt#upload-"
    assert [m.ivo_id for m in tap.uploadmethods] == [f"{upload}{m}" for m in ("inline", "http", "https")]
    assert "votable/td" in [alias for f in tap.outputformats for alias in f.aliases]


def test_what_is_declared_is_there_and_nothing_else(client: FlaskClient) -> None:
    read = client_side.parse_capabilities(io.BytesIO(client.get("/tap/capabilities").data))
    declared = {c.standardid: c.interfaces[0].accessurls[0].content for c in read}
    assert set(declared) == {
        "ivo://ivoa.net/std/TAP",
        "ivo://ivoa.net/std/VOSI#capabilities",
        "ivo://ivoa.net/std/VOSI#availability",
        "ivo://ivoa.net/std/VOSI#tables-1.1",
        "ivo://ivoa.net/std/DALI#examples",
    }
    for standard, url in declared.items():
        if standard != "ivo://ivoa.net/std/TAP":
            assert client.get(url).status_code == 200
    for service in ("tap", "sia2", "datalink"):
        read = client_side.parse_capabilities(io.BytesIO(client.get(f"/{service}/capabilities").data))
        urls = [c.interfaces[0].accessurls[0].content for c in read]
        assert all(url.startswith(f"http://127.0.0.1:8000/{service}") for url in urls)
        assert all(client.options(url).status_code == 200 for url in urls)


def test_a_client_reads_that_the_service_is_up(client: FlaskClient) -> None:
    availability = client_side.parse_availability(io.BytesIO(client.get("/tap/availability").data))
    assert availability.available
    assert availability.upsince == "2026-01-01T12:00:00Z"


def test_a_client_reads_the_tables_as_they_are_kept(client: FlaskClient, complete: Archive) -> None:
    tableset = client_side.parse_tables(io.BytesIO(client.get("/tap/tables").data)).tableset
    read = {table.name: table for schema in tableset.schemas for table in schema.tables}
    kept = {table.name: table for schema in tap_schema.read(complete) for table in schema.tables}
    assert list(read) == list(kept)
    for name, table in kept.items():
        assert [c.name for c in read[name].columns] == [c.name for c in table.columns]
        assert [c.datatype.content for c in read[name].columns] == [c.datatype for c in table.columns]
        assert [c.unit for c in read[name].columns] == [c.unit for c in table.columns]
        assert [c.ucd for c in read[name].columns] == [c.ucd for c in table.columns]
        assert [k.targettable for k in read[name].foreignkeys] == [k.target_table for k in table.keys]


def test_the_minimum_of_the_tables_has_no_columns(client: FlaskClient) -> None:
    whole, least = client.get("/tap/tables?detail=max"), client.get("/tap/tables?DETAIL=Min")
    assert whole.data.count(b"<table ") == least.data.count(b"<table ") > 10
    assert b"<column" in whole.data
    assert b"<column" not in least.data
    assert b"<foreignKey" not in least.data


@pytest.mark.parametrize("name", ["tap_schema.columns", "TAP_SCHEMA.Columns", "archive.filter"])
def test_a_table_is_found_by_name_whatever_its_case(client: FlaskClient, name: str) -> None:
    table = client_side.parse_tables(io.BytesIO(client.get("/tap/tables").data)).get_table_by_name
    document = etree.fromstring(client.get(f"/tap/tables/{name}").data)
    assert document.tag == "{http://www.ivoa.net/xml/VOSITables/v1.0}table"
    names = [e.text for e in document.findall("column/name")]
    assert names == [c.name for c in table(name.lower()).columns]


def test_a_table_that_is_not_there_is_named_with_the_nearest(client: FlaskClient) -> None:
    response = client.get("/tap/tables/archive.surces")
    assert response.status_code == 404
    assert "archive.surces" in response.text
    assert "did you mean 'archive.sources'?" in response.text
