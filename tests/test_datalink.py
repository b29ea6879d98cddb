"""DataLink 1.1 over a simulated survey: what belongs to what, before and after it was made."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from astropy.io.votable import parse
from flask.testing import FlaskClient
from lxml import etree

from datamodel.frames import RawScienceFrame
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server.dali import Parameters
from vo_server.datalink.parameters import MAX_IDS, read

SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "ivoa" / "rec"
PREFIX = "ivo://example.org/archive"
MIME = "application/x-votable+xml;content=datalink"


@pytest.fixture
def did(raw: RawScienceFrame) -> str:
    return f"{PREFIX}?target/ReducedScienceFrame/{raw.object_id}"


def links(client: FlaskClient, *ids: str, **parameters: str) -> list[dict[str, Any]]:
    answer = client.post("/datalink/links", data={"ID": list(ids), **parameters})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MIME
    schema = SCHEMAS / "VOTable-1.4" / "VOTable.xsd"
    if schema.exists():
        etree.XMLSchema(etree.parse(schema)).assertValid(etree.fromstring(answer.data))
    table = parse(io.BytesIO(answer.data), verify="exception").get_first_table().to_table()
    rows = [{n: str(v) if v else None for n, v in zip(table.colnames, row, strict=True)} for row in table]
    for row in rows:
        assert sum(bool(row[c]) for c in ("access_url", "service_def", "error_message")) == 1
    return rows


def test_a_target_that_was_not_made_offers_to_make_it(client: FlaskClient, raw: Any, did: str) -> None:
    rows = links(client, did)
    this = next(r for r in rows if r["semantics"] == "#this")
    assert this["access_url"] == f"http://127.0.0.1:8000/target/ReducedScienceFrame/{raw.object_id}"
    assert "to be built" in this["description"]
    assert (this["content_type"], this["content_length"]) == ("application/fits", None)
    progenitor = next(r for r in rows if r["semantics"] == "#progenitor")
    assert progenitor["access_url"].endswith(f"/data/{raw.object_id}")
    assert progenitor["local_semantics"] == "raw"
    derived = {r["local_semantics"] for r in rows if r["semantics"] in ("#derivation", "#coderived")}
    assert {"WeightFrame", "SourceList"} <= derived
    assert not [r for r in rows if r["semantics"] in ("#preview", "#thumbnail")]


def test_a_made_target_links_its_calibrations_by_role_and_its_pictures(
    client: FlaskClient, raw: Any, did: str
) -> None:
    client.get(f"/target/ReducedScienceFrame/{raw.object_id}")
    frame = ReducedScienceFrame.select(raw=raw)
    rows = links(client, did, f"{PREFIX}?object/{frame.object_id}")
    assert [r["ID"] for r in rows] == sorted((r["ID"] for r in rows), key=lambda d: d != did)
    of_target = [r for r in rows if r["ID"] == did]
    roles = {r["local_semantics"]: r["access_url"] for r in of_target if r["semantics"] == "#progenitor"}
    assert roles["bias"].endswith(f"/data/{frame.bias.object_id}")
    assert {"raw", "bias", "flat", "hot_pixels"} <= set(roles)
    this = next(r for r in of_target if r["semantics"] == "#this")
    assert int(this["content_length"]) == frame.file_size
    assert this["description"].endswith("ok")
    of_object = [r for r in rows if r["ID"] != did]
    assert of_object[0]["access_url"].endswith(f"/data/{frame.object_id}")
    for row in rows:
        if row["content_type"] in ("image/png", "text/html"):
            assert client.get(row["access_url"].removeprefix("http://127.0.0.1:8000")).status_code == 200


def test_the_raw_exposure_is_the_root_of_everything(client: FlaskClient, raw: Any) -> None:
    rows = links(client, f"{PREFIX}?target/RawScienceFrame/{raw.object_id}")
    kinds = Counter(r["semantics"] for r in rows)
    assert kinds["#this"] == kinds["#preview"] == kinds["#documentation"] == 1
    assert "ReducedScienceFrame" in {r["local_semantics"] for r in rows if r["semantics"] == "#derivation"}


@pytest.mark.parametrize(
    "unknown",
    [
        "nonsense",
        f"{PREFIX}?object/00000000-0000-7000-8000-000000000000",
        f"{PREFIX}?object/../../etc/passwd",
        f"{PREFIX}?target/Nothing/00000000-0000-7000-8000-000000000000",
        "ivo://elsewhere.org/x?object/00000000-0000-7000-8000-000000000000",
    ],
)
def test_an_unknown_identifier_is_told_in_a_row(client: FlaskClient, did: str, unknown: str) -> None:
    rows = links(client, unknown, did)
    assert rows[0]["ID"] == unknown
    assert rows[0]["error_message"].startswith("NotFoundFault: ")
    assert any(part in rows[0]["error_message"] for part in unknown.split("/")[-2:])
    assert [r["ID"] for r in rows[1:]] == [did] * (len(rows) - 1)


def test_no_identifier_gives_the_description_alone(client: FlaskClient) -> None:
    answer = client.get("/datalink/links")
    assert answer.headers["Content-Type"] == MIME
    assert b"<TR>" not in answer.data
    assert b'utype="adhoc:this"' in answer.data
    assert b'name="standardID" value="ivo://ivoa.net/std/DataLink#links-1.1"' in answer.data


def test_other_formats_and_unknown_ones(client: FlaskClient, did: str) -> None:
    assert (
        client.get("/datalink/links", query_string={"ID": did, "RESPONSEFORMAT": "csv"}).mimetype
        == "text/csv"
    )
    echoed = client.get("/datalink/links", query_string={"ID": did, "RESPONSEFORMAT": MIME})
    assert echoed.headers["Content-Type"] == MIME
    refused = client.get("/datalink/links", query_string={"ID": did, "RESPONSEFORMAT": "clay"})
    assert refused.status_code == 400
    assert b'value="ERROR"' in refused.data


def test_too_many_identifiers_overflow_between_them() -> None:
    query = read(Parameters.of(("ID", f"x{i}") for i in range(MAX_IDS + 1)))
    assert (len(query.ids), query.overflow) == (MAX_IDS, True)
