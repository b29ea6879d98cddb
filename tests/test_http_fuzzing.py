"""Is any heap of parameters answered within bounds, and never by a failure of the server?"""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from werkzeug.test import TestResponse

from datamodel.clock import utc_now
from tests.templates import COMPLETE, Templates
from vo_server.app import create_app

VOTABLE = "application/x-votable+xml"
SERVICES = ("/tap/sync", "/sia2/query", "/datalink/links")
BYTES_OF_AN_ERROR = 5000
OFTEN = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

NAMES = st.sampled_from(
    [
        *(
            "QUERY",
            "LANG",
            "MAXREC",
            "FORMAT",
            "RESPONSEFORMAT",
            "REQUEST",
            "VERSION",
            "RUNID",
            "UPLOAD",
            "ID",
        ),
        *(
            "POS",
            "BAND",
            "TIME",
            "POL",
            "FOV",
            "SPATRES",
            "SPECRP",
            "EXPTIME",
            "TIMERES",
            "COLLECTION",
            "FACILITY",
        ),
        *("INSTRUMENT", "DPTYPE", "CALIB", "TARGET"),
    ]
)
SENSIBLE = st.sampled_from(
    [
        *(
            "ADQL",
            "doQuery",
            "csv",
            "votable",
            "votable/td",
            "parquet",
            "0",
            "1",
            "-1",
            "100",
            "1e400",
            "NaN",
            "+Inf",
        ),
        *(
            "CIRCLE 10 20 1",
            "CIRCLE 10 20 1e999",
            "CIRCLE NaN NaN NaN",
            "RANGE 0 360 -90 90",
            "RANGE -Inf +Inf 0 0",
        ),
        *(
            "POLYGON 0 0 1 1",
            "POLYGON 10 10 10 20 20 20 20 10",
            "POLYGON" + " 1" * 999,
            "CIRCLE",
            "1 2",
            "2 1 3",
        ),
        *(
            "ivo://example.org/archive?target/SourceList/1",
            "ivo://",
            "image",
            "I",
            "t,param:t",
            "t,http://127.0.0.1/",
        ),
        *(
            "SELECT TOP 1 table_name FROM tap_schema.tables",
            "SELECT 1/0 AS n FROM tap_schema.schemas",
            "SELECT",
        ),
        *(
            "application/x-votable+xml;serialization=tabledata",
            "application/x-votable+xml;" + "a=b;" * 500,
            "/;=,",
        ),
    ]
)
ANYTHING = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(max_codepoint=159), max_size=30),
    st.text("0123456789.+-eEINFinf \t", max_size=40),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=3), st.integers(100, 1000)),
)
PAIRS = st.lists(
    st.tuples(NAMES | st.builds(str.lower, NAMES) | st.text(max_size=10), SENSIBLE | ANYTHING), max_size=12
)
BASE = [("LANG", "ADQL"), ("QUERY", "SELECT TOP 2 table_name FROM tap_schema.tables")]


@pytest.fixture(scope="module")
def client(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of an archive without objects, which waits for nobody."""
    folder = tmp_path_factory.mktemp("fuzzing") / "archive"
    opened = templates.opened(COMPLETE, folder, utc_now, queue_seconds=0.0, query_seconds=5.0)
    made = create_app(opened).test_client()
    made.open = partial(made.open, buffered=True)  # reads and closes, as a server does
    yield made
    opened.close()


@pytest.fixture(autouse=True)
def failures(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The log of the server tells of no failure afterwards."""
    with caplog.at_level(logging.ERROR, logger="vo_server"):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def encodable(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without lone surrogates, which no client can send."""
    return [
        (name.encode(errors="ignore").decode(), value.encode(errors="ignore").decode())
        for name, value in pairs
    ]


def answered(response: TestResponse, service: str) -> None:
    """A right answer or a right refusal."""
    assert response.status_code in (200, 400, 413), (response.status_code, response.text[:300])
    if response.status_code == 200:
        return
    assert response.content_type == VOTABLE
    assert len(response.data) < BYTES_OF_AN_ERROR
    document = etree.fromstring(response.data, etree.XMLParser(resolve_entities=False, no_network=True))
    (info,) = document.iter("{*}INFO")
    assert (info.get("name"), info.get("value")) == ("QUERY_STATUS", "ERROR")
    assert info.text.strip()
    for inside in ("Traceback", "sqlalchemy", "sqlite", "psycopg", 'File "', "/tmp/"):
        assert inside not in info.text
    assert service != "/sia2/query" or info.text.startswith("UsageFault: ")


@pytest.mark.parametrize("service", SERVICES)
@OFTEN
@given(pairs=PAIRS)
def test_parameters_of_any_name_and_value_are_answered(
    client: FlaskClient, service: str, pairs: list[tuple[str, str]]
) -> None:
    sent = encodable(pairs)
    answered(client.get(service, query_string=sent), service)
    answered(client.get(service, query_string=[*BASE, *sent]), service)


@pytest.mark.parametrize("service", SERVICES)
@OFTEN
@given(pairs=PAIRS, multipart=st.booleans())
def test_forms_of_any_name_and_value_are_answered(
    client: FlaskClient, service: str, pairs: list[tuple[str, str]], multipart: bool
) -> None:
    form: dict[str, list[str]] = {}
    for name, value in [*BASE, *encodable(pairs)]:
        form.setdefault(name, []).append(value)
    kind = "multipart/form-data" if multipart else "application/x-www-form-urlencoded"
    answered(client.post(service, data=form, content_type=kind), service)


@pytest.mark.parametrize("service", SERVICES)
@OFTEN
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(["form", "multipart", "multipart with a boundary", "other"]),
)
def test_bodies_of_any_bytes_are_answered(client: FlaskClient, service: str, body: bytes, kind: str) -> None:
    types = {
        "form": "application/x-www-form-urlencoded",
        "multipart": "multipart/form-data",
        "multipart with a boundary": "multipart/form-data; boundary=x",
        "other": "application/octet-stream",
    }
    parts = b"--x\r\n" + body + b"\r\n--x--\r\n" if kind.endswith("boundary") else body
    answered(client.post(service, data=parts, content_type=types[kind]), service)


@OFTEN
@given(raw=st.binary(max_size=100))
def test_query_strings_of_any_bytes_are_answered(client: FlaskClient, raw: bytes) -> None:
    text = raw.decode("latin-1").replace("#", "")
    for service in SERVICES:
        answered(client.get(service, environ_overrides={"QUERY_STRING": text}), service)


def named(client: FlaskClient, service: str, name: str, values: list[str]) -> TestResponse:
    form: dict[str, Any] = {**dict(BASE), name: values}
    return client.post(service, data=form)


@pytest.mark.parametrize("service", SERVICES)
def test_giant_values_are_refused_in_few_words_or_passed_over(client: FlaskClient, service: str) -> None:
    for name in ("QUERY", "MAXREC", "RESPONSEFORMAT", "POS", "BAND", "ID", "TARGET"):
        for value in ("9" * 50_000, "1 " * 5000, "(" * 5000, "\u00e9" * 5000):
            answered(named(client, service, name, [value]), service)


@pytest.mark.parametrize("service", SERVICES)
def test_many_values_are_refused_in_few_words_or_passed_over(client: FlaskClient, service: str) -> None:
    for name in ("QUERY", "MAXREC", "RESPONSEFORMAT", "POS", "BAND", "ID", "TARGET", "nobody"):
        answered(named(client, service, name, ["1"] * 2000), service)
        answered(client.get(service, query_string=[(name, "1")] * 500), service)


def test_a_part_of_a_form_without_a_name_is_refused(client: FlaskClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="\n"\r\n\r\nADQL\r\n--x--\r\n'
    for service in SERVICES:
        answer = client.post(service, data=part, content_type="multipart/form-data; boundary=x")
        answered(answer, service)
        assert answer.status_code == 400
