"""Is every format had by all its names, in every kind of answer, and told of in the capabilities?"""

import io
import json
import math
import xml.etree.ElementTree as ET
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse

from datamodel.columns import Column, Table
from datamodel.config import Config
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError
from datamodel.observations import OBSCORE_COLUMNS
from tests import answers
from tests.answers import answer, failing
from tests.votables import NAMESPACE, assert_valid, document, needs_schemas, statuses, table
from vo_server import descriptors, origin
from vo_server.formats import votable
from vo_server.formats.negotiate import OFFERS, choose

X = "application/x-votable+xml"
COUNT = "SELECT COUNT(*) AS n FROM tap_schema.tables"

archive, client = answers.archive, answers.client


def asked(client, format, query, **parameters):
    given = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": format, **parameters}
    return client.get("/tap/sync", query_string=given)


@pytest.mark.parametrize(
    ("name", "mime", "serialization"),
    [
        ("votable/b", f"{X};serialization=binary", "binary"),
        ("votable/binary", f"{X};serialization=binary", "binary"),
        ("VOTable/Binary2", f"{X};serialization=binary2", "binary2"),
        ("votable/tabledata", f"{X};serialization=tabledata", "tabledata"),
        (f"{X};serialization=BINARY;version=1.5", f"{X};serialization=BINARY;version=1.5", "binary"),
        ("fits", "application/fits", "fits"),
        ("Application/FITS", "application/fits", "fits"),
        ("parquet", "application/vnd.apache.parquet", "parquet"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet", "parquet"),
        ("arrow", "application/vnd.apache.arrow.stream", "arrows"),
        ("json", "application/json", "json"),
        ("application/json; long=text", "application/json; long=text", "json"),
    ],
)
def test_a_format_is_known_by_all_its_names(name, mime, serialization):
    chosen = choose(name)
    assert (chosen.mime, chosen.serialization) == (mime, serialization)


def test_no_name_means_two_formats():
    names = [name for offer in OFFERS for name in (*offer.aliases, offer.mime)]
    assert len(names) == len(set(names))


def test_json_is_refused_with_a_parameter_that_has_no_meaning():
    with pytest.raises(UsageError, match="long=number or long=text"):
        choose("application/json;long=maybe")


def test_the_capabilities_tell_of_every_offer(client):
    root = ET.fromstring(client.get("/tap/capabilities").data)
    told = [
        (each.findtext("mime"), tuple(alias.text for alias in each.findall("alias")), each.get("ivo-id"))
        for each in root.iter("outputFormat")
    ]
    assert told == [(offer.mime, offer.aliases, offer.ivo_id) for offer in OFFERS]
    assert "ivo://ivoa.net/std/TAPRegExt#output-votable-binary" in {ivo_id for *_, ivo_id in told}


def rows_of(format, content):
    """How many rows a reader that we did not write finds."""
    if format.is_votable:
        return len(table(content).array)
    readers = {
        "csv": lambda: content.count(b"\r\n") - 1,
        "tsv": lambda: content.count(b"\n") - 1,
        "fits": lambda: len(astropy_fits.open(io.BytesIO(content))[1].data),
        "parquet": lambda: pq.read_table(io.BytesIO(content)).num_rows,
        "arrows": lambda: pa.ipc.open_stream(content).read_all().num_rows,
        "json": lambda: len(json.loads(content)["data"]),
    }
    return readers[format.serialization]()


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.mime)
def test_answers_with_rows_cut_off_without_rows_and_without_asking_are_read(client, offer):
    format = choose(offer.mime)
    columns = "SELECT table_name, column_name, datatype FROM tap_schema.columns"
    cases = {"TOP 7": 7, "TOP 0": 0}
    for top, count in cases.items():
        content = asked(client, offer.mime, columns.replace("SELECT", f"SELECT {top}")).data
        assert rows_of(format, content) == count
        assert b"OVERFLOW" not in content
    for maxrec in (3, 0):
        cut = asked(client, offer.mime, columns, MAXREC=maxrec).data
        assert rows_of(format, cut) == maxrec
        if format.serialization not in ("csv", "tsv"):
            assert b"OVERFLOW" in cut


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.mime)
def test_a_query_without_meaning_is_an_error_in_a_votable_in_every_format(client, offer):
    response = asked(client, offer.mime, "SELECT ra FROM nowhere")
    assert (response.status_code, response.mimetype) == (400, X)
    assert b'<INFO name="QUERY_STATUS" value="ERROR">' in response.data
    assert "Content-Disposition" not in response.headers


def test_a_failure_on_the_way_is_told_by_fits_before_the_first_byte(client, archive, monkeypatch):
    rows = failing(UsageError("row 2 cannot be computed"), [(1,)])
    monkeypatch.setattr(type(archive.database), "rows", lambda *args, **kwargs: rows)
    response = asked(client, "fits", COUNT)
    assert response.status_code == 400
    assert b"row 2 cannot be computed" in response.data


BINARY_VALUES = [
    ("SMALLINT", [-(2**15), 0, None, 2**15 - 1]),
    ("INTEGER", [-(2**31), 0, None, 2**31 - 1]),
    ("BIGINT", [-(2**63), 0, None, 2**63 - 1]),
    ("UNSIGNEDBYTE", [0, 255, None, 1]),
]


@pytest.mark.parametrize(("type", "values"), BINARY_VALUES, ids=[type for type, _ in BINARY_VALUES])
def test_binary_sets_a_value_aside_for_null_that_is_not_in_use(type, values):
    rows = answer((Column("x", type),), [(v,) for v in values])
    assert table(document(rows, serialization="binary")).array["x"].tolist() == values


def test_binary_ends_with_an_error_rather_than_take_a_number_for_null():
    rows = answer((Column("x", "INTEGER"),), [(1,), (None,)], [(-(2**31),)])
    content = document(rows, serialization="binary")
    assert len(parse(io.BytesIO(content)).get_first_table().array) == 2
    status, _, text = statuses(content)[-1]
    assert status == "ERROR"
    assert "column x: the value -2147483648 stands for NULL" in text


def test_binary_carries_floating_point_text_and_lists():
    columns = (
        Column("f", "REAL"),
        Column("t", "VARCHAR"),
        Column("b", "BOOLEAN"),
        Column("spot", "POINT"),
        Column("line", "POLYGON"),
        Column("ids", "INTEGER[]", null=-1),
    )
    rows = [(0.5, "é", True, [1.0, 2.0], [1.0, 2.0, 3.0], [1, 2]), (None, None, None, None, None, None)]
    content = document(answer(columns, rows), serialization="binary")
    read = table(content).array
    assert (read["f"][0], read["t"][0], read["b"][0]) == (0.5, "é", True)
    assert [list(read[name][0]) for name in ("spot", "line", "ids")] == [[1, 2], [1, 2, 3], [1, 2]]
    assert math.isnan(read["f"].data[1])
    assert (read["t"][1], len(read["line"][1]), len(read["ids"][1])) == ("", 0, 0)
    assert b'<VALUES null="-1"/>' in content


@needs_schemas
@pytest.mark.parametrize("version", votable.VERSIONS)
@pytest.mark.parametrize("serialization", ["binary", "binary2", "tabledata"])
def test_a_table_of_every_datatype_keeps_to_the_schema(version, serialization):
    columns = [Column(f"c{i}", type) for i, type in enumerate(DATATYPES)]
    rows = answer(columns, [(None,) * len(columns)], overflow=True)
    extras = descriptors.datalink("http://x/links", "c0")
    content = document(rows, serialization=serialization, version=version, resource_extras=extras)
    assert_valid(content, version)


CONFIG = Config(title="Perseus", authority="example.org", archive_name="perseus", contact="ask@example.org")


def made_table(name, *told):
    return Table("s", name, (), lambda caller: None, origin=told)


def test_the_origin_of_the_service_is_told_by_the_names_of_the_note():
    now = datetime(2026, 1, 2, 3, 4, 5)
    told = origin.of_service(CONFIG, now, "ivo://ivoa.net/std/TAP", "SELECT 1", "http://x/tap/sync?QUERY=1")
    assert {name: value for name, value, *_ in told} == {
        "standardID": "ivo://ivoa.net/std/TAP",
        "service_protocol": "ivo://ivoa.net/std/TAP",
        "publisher": "Perseus",
        "server_software": "vo-server/0.1.0",
        "request": "http://x/tap/sync?QUERY=1",
        "request_date": "2026-01-02T03:04:05Z",
        "query": "SELECT 1",
        "contact": "ask@example.org",
    }
    assert all(len(each) == 3 for each in told[1:])
    assert "request" not in {
        name for name, *_ in origin.of_service(CONFIG, now, "s", "q", "http://" + "x" * 3000)
    }


def test_the_origin_of_each_table_is_told_once():
    ours = made_table("ours")
    gaia = made_table(
        "gaia",
        ("ivoid", "ivo://esa/gaia"),
        ("creator", "Gaia Collaboration"),
        ("creator", "ESA"),
        ("rights", "free"),
    )
    told = [(name, value) for name, value, *_ in origin.of_tables(CONFIG, [ours, gaia, ours, gaia])]
    assert told == [
        ("ivoid", "ivo://example.org/perseus"),
        ("reference_url", "http://127.0.0.1:8000"),
        ("ivoid", "ivo://esa/gaia"),
        ("creator", "Gaia Collaboration"),
        ("creator", "ESA"),
        ("rights", "free"),
    ]


def test_an_answer_says_how_it_was_asked_for(client):
    response = client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": COUNT, "RESPONSEFORMAT": "votable/td"})
    infos = {
        info.get("name"): info.get("value")
        for info in ET.fromstring(response.data).iterfind(".//v:INFO", NAMESPACE)
    }
    assert infos["query"] == COUNT
    assert infos["request"].startswith("http://127.0.0.1:8000/tap/sync?LANG=ADQL&QUERY=SELECT+COUNT")
    again = client.get(infos["request"].replace("http://127.0.0.1:8000", ""))
    assert b"<TD>" in again.data
    assert infos["ivoid"] == "ivo://example.org/archive"


@pytest.mark.parametrize(
    ("select", "ref", "id"),
    [
        ("obs_publisher_did, obs_id", "obs_publisher_did", "links"),
        ("obs_id, obs_publisher_did AS did", "did", "links"),
        ("obs_publisher_did AS links", "links", "links_2"),
        ("*", "obs_publisher_did", "links"),
    ],
)
def test_rows_with_publisher_dids_carry_their_datalink(client, select, ref, id):
    content = asked(client, "votable", f"SELECT TOP 1 {select} FROM ivoa.obscore").data
    document = parse(io.BytesIO(content), verify="exception")
    service = document.resources[-1]
    assert (service.utype, service.ID) == ("adhoc:service", id)
    facts = {p.name: p.value for p in service.params}
    assert facts["standardID"] == "ivo://ivoa.net/std/DataLink#links-1.1"
    assert facts["accessURL"].endswith("/datalink/links")
    assert [e.ref for e in service.groups[0].entries] == [ref]
    assert ref in [f.ID for f in document.get_first_table().fields]


def test_rows_without_publisher_dids_have_no_services(client):
    assert b"adhoc:service" not in asked(client, "votable", "SELECT obs_id FROM ivoa.obscore").data
    assert b"adhoc:service" not in asked(client, "votable", COUNT).data


def test_obscore_declares_the_utype_that_datalink_goes_by():
    found = [c.name for c in OBSCORE_COLUMNS if c.utype == descriptors.PUBLISHER_DID]
    assert found == ["obs_publisher_did"]
