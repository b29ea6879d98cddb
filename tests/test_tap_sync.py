"""Are queries answered, refused and bounded as TAP 1.1 says?"""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from astropy.table import Table as AstropyTable
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel.archive import Archive
from datamodel.columns import Rows
from datamodel.database import Database
from datamodel.errors import QueryTimeoutError
from datamodel.observatory import Instrument
from datamodel.session import Session
from datamodel.sky import hpx29
from datamodel.sources import COLUMNS, insert_sources
from tests import templates
from vo_server import answers, site
from vo_server.app import create_app

archive = templates.complete_archive
COUNT = 40
CENTRE = (34.75, 57.13)
QUERY = "SELECT sid FROM archive.sources"
HIDDEN = "SELECT COUNT(*) AS n FROM archive.sources WHERE slid = 2"


def stars(seed: int) -> np.ndarray[Any, Any]:
    """Some sources within a degree or so of the centre."""
    generator = np.random.default_rng(seed)
    table = np.zeros(COUNT, dtype=[(c.name, c.datatype.numpy) for c in COLUMNS if c.name != "slid"])
    table["sid"] = np.arange(COUNT)
    table["ra"] = CENTRE[0] + generator.uniform(-1.5, 1.5, COUNT)
    table["dec"] = CENTRE[1] + generator.uniform(-1, 1, COUNT)
    table["mag_auto"] = generator.uniform(8, 16, COUNT)
    table["mag_auto"][0] = np.nan
    table["hpx29"] = hpx29(table["ra"], table["dec"])
    return table


@pytest.fixture
def client(archive: Archive) -> FlaskClient:
    """A client of an archive with one list of sources that everybody sees, and one that only A does."""
    for slid, level in ((1, 4), (2, 1)):
        with Session(archive, archive.caller("A", "P", level)) as session:
            owner = Instrument(name=f"camera {slid}")
            owner.commit()
            with session.transaction() as connection:
                insert_sources(connection, slid, owner.object_id, stars(slid))
    return create_app(archive).test_client()


def ask(client: FlaskClient, text: str, **more: str) -> TestResponse:
    return client.get("/tap/sync", query_string={"LANG": "ADQL", "QUERY": text, **more})


def read(response: TestResponse) -> AstropyTable:
    assert response.status_code == 200, response.text
    return parse(io.BytesIO(response.data)).get_first_table().to_table()


def statuses(response: TestResponse) -> list[str]:
    """The values of QUERY_STATUS in the order of the document."""
    resource = parse(io.BytesIO(response.data)).resources[0]
    return [info.value for info in resource.infos if info.name == "QUERY_STATUS"]


def refusal(response: TestResponse, status: int = 400) -> str:
    """What an error document says, after checking that it is one and shows nothing of the inside."""
    assert response.status_code == status
    assert response.content_type == "application/x-votable+xml"
    assert b'<INFO name="QUERY_STATUS" value="ERROR">' in response.data
    document = parse(io.BytesIO(response.data))
    assert document.resources[0].type == "results"
    assert not list(document.iter_tables())
    (info,) = document.resources[0].infos
    text = str(info.content)
    for inside in ("Traceback", "sqlalchemy", "sqlite", "dbobject", "privileges"):
        assert inside not in text
    return text


def test_a_cone_finds_what_brute_force_finds(client: FlaskClient) -> None:
    truth = stars(1)
    ra, dec, ra0, dec0 = map(np.radians, (truth["ra"], truth["dec"], *CENTRE))
    cosine = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    inside = np.degrees(np.arccos(cosine)) < 0.5
    cone = "1 = CONTAINS(POINT(ra, dec), CIRCLE(34.75, 57.13, 0.5))"
    found = read(ask(client, f"SELECT sid, ra, mag_auto FROM archive.sources WHERE {cone} ORDER BY sid"))
    assert 3 < inside.sum() < COUNT
    assert found["sid"].tolist() == truth["sid"][inside].tolist()
    assert found["ra"].tolist() == truth["ra"][inside].tolist()
    assert str(found["ra"].unit) == "deg"


def test_strangers_see_the_rows_of_strangers_only(client: FlaskClient) -> None:
    assert read(ask(client, "SELECT COUNT(*) AS n FROM archive.sources"))["n"].tolist() == [COUNT]
    assert read(ask(client, HIDDEN))["n"].tolist() == [0]
    assert read(ask(client, "SELECT name FROM archive.instrument"))["name"].tolist() == ["camera 1"]


FORMATS = (
    (None, "application/x-votable+xml", "vot"),
    ("votable/td", "application/x-votable+xml;serialization=tabledata", "vot"),
    ("application/x-votable+xml;serialization=TABLEDATA",) * 2 + ("vot",),
    ("text/xml", "text/xml", "xml"),
    ("csv", "text/csv;header=present", "csv"),
    ("tsv", "text/tab-separated-values", "tsv"),
)


def test_each_format_has_its_type_and_file_name(client: FlaskClient) -> None:
    for format, content_type, extension in FORMATS:
        response = ask(client, QUERY, **({"FORMAT": format} if format else {}))
        assert response.status_code == 200
        assert response.content_type == content_type
        assert response.headers["Content-Disposition"] == f'attachment; filename="result.{extension}"'


def test_the_default_is_binary2_and_says_where_it_comes_from(client: FlaskClient) -> None:
    response = ask(client, "SELECT sid FROM archive.sources")
    assert b"<BINARY2>" in response.data
    infos = {i.name: i.value for i in parse(io.BytesIO(response.data)).resources[0].infos}
    assert infos["standardID"] == "ivo://ivoa.net/std/TAP"
    assert infos["query"] == "SELECT sid FROM archive.sources"
    assert infos["request_date"] == "2026-01-01T00:00:00Z"


LIMITS = (
    ("0", 0, ["OK", "OVERFLOW"]),
    ("1", 1, ["OK", "OVERFLOW"]),
    (str(COUNT - 1), COUNT - 1, ["OK", "OVERFLOW"]),
    (str(COUNT), COUNT, ["OK"]),
    ("9" * 40, COUNT, ["OK"]),
)


def test_overflow_is_told_if_and_only_if_rows_were_cut(client: FlaskClient) -> None:
    for maxrec, rows, status in LIMITS:
        for format in ("votable", "votable/td"):
            response = ask(client, "SELECT sid, mag_auto FROM archive.sources", MAXREC=maxrec, FORMAT=format)
            assert statuses(response) == status
            table = read(response)
            assert len(table) == rows
            assert table.colnames == ["sid", "mag_auto"]


def test_top_is_no_overflow(client: FlaskClient) -> None:
    response = ask(client, "SELECT TOP 3 sid FROM archive.sources", MAXREC="3")
    assert (statuses(response), len(read(response))) == (["OK"], 3)


def test_the_defaults_of_the_archive_bound_an_answer(archive: Archive, client: FlaskClient) -> None:
    archive.config = replace(archive.config, maxrec=5, maxrec_limit=7)
    text = "SELECT sid FROM archive.sources"
    assert len(read(ask(client, text))) == 5
    assert len(read(ask(client, text, MAXREC="6"))) == 6
    assert len(read(ask(client, text, MAXREC="100"))) == 7


def test_get_and_both_kinds_of_post_are_answered_alike(client: FlaskClient) -> None:
    data = {
        "Lang": "ADQL-2.1",
        "query": "SELECT sid FROM archive.sources",
        "request": "doQuery",
        "RUNID": "é",
    }
    answers = [
        client.get("/tap/sync", query_string=data),
        client.post("/tap/sync", data=data),
        client.post("/tap/sync", data=data, content_type="multipart/form-data"),
    ]
    found = [read(answer)["sid"].tolist() for answer in answers]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == COUNT


HOSTILE = (
    ("SELECT", "line 1, column 7"),
    ("SELECT sid\nFROM archive.surces", "line 2, column 6"),
    ("SELECT sid FROM archive.surces", "'archive.sources'"),
    ("SELECT sdi FROM archive.sources", "'sid'"),
    ("SELECT sid FROM archive.sources WHERE nosuch(sid) = 1", "'nosuch'"),
    ("DROP TABLE source", "line 1, column 1"),
    ("SELECT sid FROM archive.sources; DELETE FROM source", "line 1, column 32"),
    ("SELECT * FROM source_owner", "'source_owner'"),
    ("SELECT * FROM pg_catalog.pg_tables", "'pg_catalog.pg_tables'"),
    ("SELECT \x00 FROM archive.sources", "NUL"),
    ("SELECT " + "(" * 20_000, "line 1"),
    ("SELECT <script>alert(1)</script>", "line 1"),
)


def test_a_query_without_meaning_is_refused_at_its_place(client: FlaskClient) -> None:
    for text, told in HOSTILE:
        message = refusal(client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": text}))
        assert told in message
        assert len(message) < 500


def test_a_request_without_a_query_is_refused(client: FlaskClient) -> None:
    assert "LANG is missing" in refusal(client.get("/tap/sync"))
    assert "QUERY is missing" in refusal(client.post("/tap/sync", data={"LANG": "ADQL"}))


def test_unknown_parameters_are_passed_over(client: FlaskClient) -> None:
    assert len(read(ask(client, QUERY, VERSION="1.0", NOSUCH="x", tapclient="y"))) == COUNT


def test_head_does_not_ask_the_database(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "rows", None)
    response = client.head("/tap/sync", query_string={"LANG": "ADQL", "QUERY": QUERY, "FORMAT": "csv"})
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_type == "text/csv;header=present"
    assert client.head("/tap/sync").status_code == 400


def test_a_query_that_takes_too_long_is_cut_at_the_limit(archive: Archive, client: FlaskClient) -> None:
    archive.config = replace(archive.config, query_seconds=0.02)
    tables = ", ".join(f"archive.sources AS s{n}" for n in range(8))
    text = refusal(ask(client, f"SELECT COUNT(*) AS n FROM {tables}"))
    assert "0.02 s" in text


def test_the_database_is_released_after_every_answer(archive: Archive, client: FlaskClient) -> None:
    ask(client, QUERY)
    ask(client, QUERY, MAXREC="3")
    ask(client, "SELECT nonsense FROM archive.sources")
    client.head("/tap/sync", query_string={"LANG": "ADQL", "QUERY": QUERY})
    client.get("/tap/sync", query_string={"LANG": "ADQL", "QUERY": QUERY}, buffered=False).close()
    assert archive.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


class Endless:
    """Stands for the database: batches without end, counted, until somebody closes them."""

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.closed = threading.Event()

    def rows(self, _select: object, columns: Any, **_bounds: object) -> Rows:
        return Rows(columns, self._batches(), close=self.closed.set)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        values = pa.array(np.arange(50_000, dtype="i4"))
        while self.left:
            self.left -= 1
            yield pa.RecordBatch.from_arrays([values], names=["sid"])


def test_a_reader_who_stops_lets_the_database_go_while_the_answer_waits_on_disk(
    archive: Archive, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.config = replace(archive.config, patience_seconds=0.0)
    monkeypatch.setattr(answers, "MEMORY_BYTES", 100_000)
    endless = Endless(batches=10)
    monkeypatch.setattr(archive.database, "rows", endless.rows)
    response = client.get("/tap/sync", query_string={"LANG": "ADQL", "QUERY": QUERY, "FORMAT": "csv"})
    chunks = iter(response.iter_encoded())
    assert next(chunks) == b"sid\r\n"
    assert endless.closed.wait(20), "the database is held by a reader who does not read"
    assert b"".join(chunks).count(b"\r\n") == 10 * 50_000
    response.close()


def test_a_reader_who_goes_away_stops_the_query(
    archive: Archive, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.config = replace(archive.config, spool_bytes=1000, patience_seconds=0.0)
    monkeypatch.setattr(answers, "MEMORY_BYTES", 100_000)
    endless = Endless(batches=1_000_000)
    monkeypatch.setattr(archive.database, "rows", endless.rows)
    response = client.get("/tap/sync", query_string={"LANG": "ADQL", "QUERY": QUERY, "FORMAT": "csv"})
    next(iter(response.iter_encoded()))
    response.close()
    assert endless.closed.wait(20)
    assert endless.left > 900_000


def test_a_failure_after_the_first_rows_ends_the_document_as_an_error(
    archive: Archive, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_select: object, columns: Any, **_bounds: object) -> Rows:
        def batches() -> Iterator[pa.RecordBatch]:
            yield pa.RecordBatch.from_arrays([pa.array([1, 2], pa.int32())], names=["sid"])
            raise QueryTimeoutError("the query was stopped at the limit of 1 s")

        return Rows(columns, batches())

    monkeypatch.setattr(archive.database, "rows", cut)
    response = ask(client, QUERY)
    assert statuses(response) == ["OK", "ERROR"]
    assert "limit of 1 s" in response.text
    assert len(read(response)) == 2


def test_the_links_of_obscore_begin_with_the_base_url(archive: Archive, client: FlaskClient) -> None:
    response = ask(client, "SELECT access_url, obs_publisher_did FROM ivoa.obscore")
    assert read(response).colnames == ["access_url", "obs_publisher_did"]
    assert site.base_url(archive.config) == "http://127.0.0.1:8000"
