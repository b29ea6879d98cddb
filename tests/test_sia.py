"""SIA 2.0 over a simulated survey: what is found, for whom, in which form."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvo
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.serving import make_server

from datamodel.archive import Archive
from vo_server.app import create_app

SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "ivoa" / "rec"
H_PERSEI = "CIRCLE 34.75 57.13 0.5"


@pytest.fixture
def url(observatory: Archive) -> Iterator[str]:
    """The base URL of a live server on the loopback interface."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    object.__setattr__(observatory.config, "base_url", f"http://127.0.0.1:{server.port}")
    server.app = create_app(observatory)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def document(body: bytes) -> VOTableFile:
    """A VOTable, valid by the schema where the schema is at hand."""
    schema = SCHEMAS / "VOTable-1.4" / "VOTable.xsd"
    if schema.exists():
        etree.XMLSchema(etree.parse(schema)).assertValid(etree.fromstring(body))
    return parse(io.BytesIO(body), verify="exception")


def found(client: FlaskClient, **parameters: object) -> list[dict[str, object]]:
    answer = client.get("/sia2/query", query_string={"MAXREC": 10000} | parameters)
    assert answer.status_code == 200, answer.text
    table = document(answer.data).get_first_table().to_table()
    return [dict(zip(table.colnames, row, strict=True)) for row in table]


def error_of(answer: object) -> str:
    info = document(answer.data).resources[0].infos[0]
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    return str(info.content)


def test_images_around_h_persei_are_raw_and_reduced_in_three_filters(client: FlaskClient) -> None:
    rows = found(client, POS=H_PERSEI)
    assert {r["dataproduct_type"] for r in rows} == {"image"}
    assert {r["calib_level"] for r in rows} == {1, 2}
    assert len({(r["em_min"], r["em_max"]) for r in rows}) == 3
    reduced = found(client, POS=H_PERSEI, CALIB=2)
    assert reduced
    assert all("?target/ReducedScienceFrame/" in r["obs_publisher_did"] for r in reduced)


def test_nothing_is_found_where_nobody_looked(client: FlaskClient) -> None:
    assert found(client, POS="CIRCLE 200 -30 1") == []
    assert found(client, POS="POLYGON 10 -10 12 -10 11 -8") == []


@pytest.mark.parametrize(
    "everywhere",
    ["CIRCLE 0 0 180", "RANGE -Inf +Inf -Inf +Inf", "RANGE 30 40 50 60", "POLYGON 30 50 40 50 40 62 30 62"],
)
def test_a_region_around_everything_finds_everything(client: FlaskClient, everywhere: str) -> None:
    assert len(found(client, POS=everywhere)) == len(found(client))


def test_a_frame_is_found_by_its_centre_and_by_what_touches_its_edge(client: FlaskClient) -> None:
    row = found(client, CALIB=2)[0]
    ra, dec = row["s_ra"], row["s_dec"]
    corners = [float(word) for word in str(row["s_region"]).split()[2:]]
    top = max(corners[1::2]) - dec
    for shape, meets in (
        (f"CIRCLE {ra} {dec} 0", True),
        (f"CIRCLE {ra} {dec + 2 * top} {1.1 * top}", True),
        (f"CIRCLE {ra} {dec + 2 * top} {0.9 * top}", False),
    ):
        dids = {r["obs_publisher_did"] for r in found(client, POS=shape)}
        assert (row["obs_publisher_did"] in dids) is meets


def test_alternatives_add_up_and_parameters_narrow(client: FlaskClient) -> None:
    everything = found(client)
    raw, reduced = found(client, CALIB=1), found(client, CALIB=2)
    assert len(found(client, CALIB=[1, 2])) == len(raw) + len(reduced) == len(everything)
    both = found(client, POS=["CIRCLE 200 -30 1", H_PERSEI])
    assert len(both) == len(found(client, POS=H_PERSEI))
    assert found(client, CALIB=1, DPTYPE="cube") == []


@pytest.mark.parametrize(
    ("parameter", "low", "high"),
    [("TIME", "t_min", "t_max"), ("BAND", "em_min", "em_max"), ("EXPTIME", "t_exptime", "t_exptime")],
)
def test_intervals_find_what_they_have_something_in_common_with(
    client: FlaskClient, parameter: str, low: str, high: str
) -> None:
    everything = found(client)
    middle = sorted(float(r[high]) for r in everything)[len(everything) // 2]
    for text, expected in (
        (f"{middle!r}", [r for r in everything if r[low] <= middle <= r[high]]),
        (f"-Inf {middle!r}", [r for r in everything if r[low] <= middle]),
        (f"{middle!r} +Inf", [r for r in everything if r[high] >= middle]),
    ):
        answer = {r["obs_publisher_did"] for r in found(client, **{parameter: text})}
        assert answer == {r["obs_publisher_did"] for r in expected}


def test_an_unknown_resolution_satisfies_no_interval(client: FlaskClient) -> None:
    assert found(client, SPATRES="-Inf +Inf") == []


def test_identifiers_and_formats_have_no_case_and_names_have(client: FlaskClient) -> None:
    row = found(client, CALIB=2)[0]
    did = str(row["obs_publisher_did"])
    assert [r["obs_publisher_did"] for r in found(client, ID=did.upper())] == [did]
    assert len(found(client, FORMAT="APPLICATION/X-VOTABLE+XML;content=datalink")) == len(found(client))
    assert found(client, INSTRUMENT=row["instrument_name"])
    assert found(client, INSTRUMENT=str(row["instrument_name"]).swapcase()) == []


def test_maxrec_cuts_and_says_so(client: FlaskClient) -> None:
    answer = document(client.get("/sia2/query?MAXREC=2").data)
    assert len(answer.get_first_table().array) == 2
    infos = [(i.name, i.value) for i in answer.resources[0].infos]
    assert infos[0] == ("QUERY_STATUS", "OK")
    assert b'value="OVERFLOW"' in client.get("/sia2/query?MAXREC=2").data


def test_maxrec_of_nothing_gives_the_columns_and_the_parameters(client: FlaskClient) -> None:
    answer = document(client.get("/sia2/query?MAXREC=0").data)
    table = answer.get_first_table()
    assert len(table.array) == 0
    assert table.get_field_by_id("s_ra").utype.startswith("obscore:Char.SpatialAxis")
    this = next(r for r in answer.resources if r.utype == "adhoc:this")
    names = {p.name for group in this.groups for p in group.entries}
    assert {"POS", "BAND", "TIME", "POL", "FOV", "SPATRES", "SPECRP", "EXPTIME", "TIMERES", "ID"} <= names
    assert {"COLLECTION", "FACILITY", "INSTRUMENT", "DPTYPE", "CALIB", "TARGET", "FORMAT"} <= names


def test_a_datalink_descriptor_refers_to_the_identifier(client: FlaskClient) -> None:
    answer = document(client.get("/sia2/query?MAXREC=1").data)
    links = next(r for r in answer.resources if r.utype == "adhoc:service")
    given = {p.name: p for group in links.groups for p in group.entries}
    assert given["ID"].ref == "obs_publisher_did"
    assert {p.name: p.value for p in links.params}["standardID"] == "ivo://ivoa.net/std/DataLink#links-1.1"


def test_post_and_csv_are_understood(client: FlaskClient) -> None:
    answer = client.post("/sia2/query", data={"POS": H_PERSEI, "CALIB": "2", "RESPONSEFORMAT": "csv"})
    assert answer.mimetype == "text/csv"
    assert len(answer.text.splitlines()) == len(found(client, POS=H_PERSEI, CALIB=2)) + 1


def test_errors_are_votables_that_begin_with_the_fault(client: FlaskClient) -> None:
    answer = client.get("/sia2/query?POS=CIRCLE+1+95+1")
    assert answer.status_code == 400
    assert error_of(answer).startswith("UsageFault: POS 'CIRCLE 1 95 1': circle: declination 95.0")


def test_capabilities_and_availability_are_valid(client: FlaskClient) -> None:
    for path, schema in (("capabilities", "VOSICapabilities"), ("availability", "VOSIAvailability")):
        tree = etree.fromstring(client.get(f"/sia2/{path}").data)
        xsd = SCHEMAS / f"{schema}-v1.0.xsd"
        if path == "availability" and xsd.exists():
            etree.XMLSchema(etree.parse(xsd)).assertValid(tree)
    assert b"ivo://ivoa.net/std/SIA#query-2.0" in client.get("/sia2/capabilities").data


@pytest.mark.filterwarnings("ignore")  # pyvo's own, about what it is going to change
def test_pyvo_finds_images_follows_their_links_and_has_one_made(url: str) -> None:
    service = pyvo.dal.SIA2Service(f"{url}/sia2")
    results = service.search(pos=(34.75, 57.13, 0.5), calib_level=2, maxrec=3)
    assert len(results) == 3
    links = list(results.iter_datalinks())
    assert len(links) == len(results)
    this = next(links[0].bysemantics("#this", include_narrower=False))
    assert this.access_url.startswith(f"{url}/target/ReducedScienceFrame/")
    with fits.open(io.BytesIO(this.getdataset().read())) as hdus:
        assert hdus[0].header["PRODUCT"] == "ReducedScienceFrame"
    assert "ok" in next(results[0].getdatalink().bysemantics("#this", include_narrower=False)).description


@pytest.mark.filterwarnings("ignore")
def test_pyvo_tells_people_what_was_wrong(url: str) -> None:
    service = pyvo.dal.SIA2Service(f"{url}/sia2")
    with pytest.raises(pyvo.DALQueryError, match="UsageFault: DPTYPE 'spectrum'"):
        service.search(data_type="spectrum")


def test_an_answer_says_where_it_comes_from_and_what_was_asked(client: FlaskClient) -> None:
    answer = client.get("/sia2/query", query_string={"POS": H_PERSEI, "maxrec": 1})
    infos = {info.name: info.value for info in document(answer.data).resources[0].infos}
    assert infos["standardID"] == "ivo://ivoa.net/std/SIA#query-2.0"
    assert infos["server_software"].startswith("vo-server/")
    assert infos["publisher"] == "A live archive"
    assert infos["request_date"].endswith("Z")
    assert infos["query"] == "POS=CIRCLE+34.75+57.13+0.5&MAXREC=1"
