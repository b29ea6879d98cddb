"""Does every address of the server keep its manners, whatever it is asked and however?"""

import io
import logging
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

import pytest
from astropy.io.votable import parse
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from datamodel.archive import Archive
from datamodel.clock import utc_now
from tests.templates import COMPLETE, Templates
from vo_server.app import create_app

VOTABLE = "application/x-votable+xml"
LEAKS = re.compile(
    r"Traceback|File \"|\.py\b|sqlalchemy|sqlite3?\.|psycopg|pyarrow\.lib|OperationalError|IntegrityError|"
    r"\bINSERT INTO\b|\bFROM (?:dbobject|tap_schema_|job)|/tmp/|/home/|site-packages|werkzeug"
)
MIMES = {
    *(
        "text/plain",
        "text/html",
        "text/xml",
        "text/css",
        "text/csv",
        "text/javascript",
        "image/png",
        "image/svg+xml",
    ),
    *("application/xhtml+xml", "application/json", "application/fits", VOTABLE),
}
WORDS = {
    "object_id": ["0193a5e2-0000-7000-8000-000000000000", "nothing"],
    "size": ["thumbnail"],
    "filename": ["style.css", "nothing.css"],
    "name": ["ivoa.obscore", "nothing"],
    "class_name": ["ReducedScienceFrame", "Nothing"],
    "exposure_id": ["0193a5e2-0000-7000-8000-000000000000"],
    "id": ["nothing"],
    "rest": ["nothing/at/all"],
}
"""What may stand in the place of each variable of an address."""

HOSTILE = [
    "\x00",
    "a\x00b",
    "'; DROP TABLE dbobject; --",
    '"',
    "%",
    "..",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "\u202e\U0001f52d",
    "\ud7ff",
    "-1",
    "9" * 400,
    "x" * 3000,
    "<script>alert(1)</script>",
    "{{7*7}}",
    "\r\nX-Injected: 1",
]
SOME_HOSTILE = [
    pytest.param(v, marks=() if k % 3 == 0 else pytest.mark.thorough) for k, v in enumerate(HOSTILE)
]
"""Every third of them for the fast tests."""

PARAMETERS = (
    *(
        "QUERY",
        "LANG",
        "MAXREC",
        "FORMAT",
        "RESPONSEFORMAT",
        "UPLOAD",
        "RUNID",
        "PHASE",
        "ACTION",
        "WAIT",
        "LAST",
    ),
    *(
        "AFTER",
        "DESTRUCTION",
        "EXECUTIONDURATION",
        "DETAIL",
        "TABLES",
        "ONLY_TABLES",
        "POS",
        "BAND",
        "TIME",
        "POL",
    ),
    *("ID", "CALIB", "TARGET", "FOV", "SPATRES", "EXPTIME", "COLLECTION", "REQUEST", "VERSION", "page"),
)


HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Forwarded", "If-Match"),
    *("If-Modified-Since", "If-None-Match", "If-Range", "Range", "X-Forwarded-For", "X-HTTP-Method-Override"),
)


@pytest.fixture(scope="module")
def complete(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects; queries wait for no turn, jobs for nobody."""
    folder = tmp_path_factory.mktemp("urls") / "archive"
    opened = templates.opened(COMPLETE, folder, utc_now, queue_seconds=0.0)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(complete: Archive) -> FlaskClient:
    made = create_app(complete).test_client()
    made.open = partial(made.open, buffered=True)  # reads and closes, as a server does
    return made


@pytest.fixture(autouse=True)
def failures(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The log of the server tells of no failure afterwards."""
    with caplog.at_level(logging.ERROR, logger="vo_server"):
        yield
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert told == []


def rules(client: FlaskClient) -> list[Rule]:
    return list(client.application.url_map.iter_rules())


def addresses(rule: Rule, words: dict[str, list[str]] = WORDS) -> list[str]:
    """Paths that a rule is for, each of its variables replaced by words in turn."""
    paths = [rule.rule]
    for name in rule.arguments:
        paths = [re.sub(f"<[^<>]*\\b{name}>", quote(word), p) for p in paths for word in words[name]]
    return paths


def methods_of(client: FlaskClient, path: str) -> set[str]:
    return set(client.application.url_map.bind("localhost").allowed_methods(path))


def mannerly(response: TestResponse, what: str) -> None:
    """What holds for each answer, whatever was asked."""
    assert response.status_code < 500 or response.status_code == 503, (what, response.text[:500])
    assert response.headers["Access-Control-Allow-Origin"] == "*", what
    assert response.headers["X-Content-Type-Options"] == "nosniff", what
    assert "X-Injected" not in response.headers, what
    if response.status_code in (204, 303, 304):
        return
    assert response.mimetype in MIMES, (what, response.mimetype)
    body = response.get_data()
    if response.status_code >= 400:
        assert len(body) < 50_000, what
        assert not LEAKS.search(body.decode(errors="replace")), (
            what,
            LEAKS.search(body.decode(errors="replace")),
        )
    if body and response.mimetype in (VOTABLE, "text/xml", "application/xhtml+xml"):
        etree.fromstring(body, etree.XMLParser(no_network=True, resolve_entities=False))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_address_answers_who_looks(client: FlaskClient, method: str) -> None:
    for rule in rules(client):
        for path in addresses(rule):
            response = client.open(path, method=method)
            mannerly(response, f"{method} {path}")
            if method == "HEAD":
                assert response.data == b""
            assert response.status_code != 405 or method not in methods_of(client, path)


def test_head_says_what_get_would(client: FlaskClient) -> None:
    for rule in rules(client):
        for path in addresses(rule) if "GET" in (rule.methods or ()) else ():
            got, told = client.get(path), client.head(path)
            assert (told.status_code, told.mimetype) == (got.status_code, got.mimetype), path
            for header in ("ETag", "Cache-Control", "Location"):
                assert told.headers.get(header) == got.headers.get(header), path


def test_every_address_tells_which_methods_it_has(client: FlaskClient) -> None:
    for rule in rules(client):
        for path in addresses(rule):
            response = client.options(path, headers={"Origin": "https://x.example"})
            assert response.status_code == 200
            mannerly(response, f"OPTIONS {path}")
            assert set(response.allow) == methods_of(client, path)
            assert response.headers["Access-Control-Allow-Methods"] == ", ".join(sorted(response.allow))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "TRACE", "BREW", "PROPFIND"])
def test_a_method_that_an_address_does_not_have_is_refused_with_those_it_has(
    client: FlaskClient, method: str
) -> None:
    refused = 0
    for rule in rules(client):
        for path in addresses(rule):
            has = methods_of(client, path)
            if method in has:
                continue
            response = client.open(path, method=method)
            mannerly(response, f"{method} {path}")
            assert response.status_code == 405, (path, response.status_code)
            assert set(response.allow) == has
            refused += 1
    assert refused > 10


def test_every_address_with_a_post_survives_nothing_and_nonsense(client: FlaskClient) -> None:
    bodies = (
        {"data": b""},
        {"data": b"\xff\xfe=%ff&&&=;=", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"nonsense", "content_type": "multipart/form-data; boundary=x"},
        {"data": b"--x\r\n\r\n", "content_type": "multipart/form-data; boundary=x"},
        {"data": b"nonsense", "content_type": "multipart/form-data"},
        {"data": b"{]", "content_type": "application/json"},
        {"data": {"QUERY": "SELECT", "LANG": "ADQL", "PHASE": "NONSENSE", "UPLOAD": "a,param:b"}},
    )
    for rule in rules(client):
        for path in addresses(rule) if "POST" in (rule.methods or ()) else ():
            for body in bodies:
                mannerly(client.post(path, **body), f"POST {path} {body}")


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_words_in_addresses_are_answered_calmly(client: FlaskClient, value: str) -> None:
    words = {name: [value] for name in WORDS} | {"size": ["thumbnail"]}
    for rule in rules(client):
        for path in addresses(rule, words) if rule.arguments else ():
            response = client.get(path)
            mannerly(response, f"GET {path}")
            assert 400 <= response.status_code < 500 or response.status_code == 308, (
                path,
                response.status_code,
            )


@pytest.mark.parametrize("value", SOME_HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_parameters_are_answered_calmly(client: FlaskClient, value: str) -> None:
    everything = [(name, value) for name in PARAMETERS]
    for rule in rules(client):
        (path, *_) = addresses(rule)
        if "GET" in (rule.methods or ()):
            mannerly(client.get(path, query_string=everything), f"GET {path}")
        if "POST" in (rule.methods or ()):
            mannerly(client.post(path, data=dict(everything)), f"POST {path}")


def test_parameters_that_come_twice_are_answered_calmly(client: FlaskClient) -> None:
    twice = [(name, "1") for name in PARAMETERS * 2]
    for rule in rules(client):
        (path, *_) = addresses(rule)
        if "GET" in (rule.methods or ()):
            mannerly(client.get(path, query_string=twice), f"GET {path} twice")


@pytest.mark.parametrize(
    "value", ["", "\xff\xfe", "x" * 4000, ",;,;=q=q=", "*/*;q=x", "bytes=5-1", 'W/"', "-1", "Basic !!!"]
)
def test_hostile_headers_are_answered_calmly(client: FlaskClient, value: str) -> None:
    headers = dict.fromkeys(HEADERS, value)
    for rule in rules(client):
        (path, *_) = addresses(rule)
        if "GET" in (rule.methods or ()):
            mannerly(client.get(path, headers=headers), f"GET {path}: {value}")


@pytest.mark.parametrize(
    ("service", "name"),
    [(service, name) for service in ("/tap/sync", "/sia2/query") for name in ("RESPONSEFORMAT", "MAXREC")]
    + [("/datalink/links", "RESPONSEFORMAT")],
)
def test_an_error_of_a_query_service_is_a_votable_that_says_so(
    client: FlaskClient, service: str, name: str
) -> None:
    asked = {"LANG": "ADQL", "QUERY": "SELECT 1 FROM ivoa.obscore", name: "nonsense"}
    response = client.get(service, query_string=asked)
    assert (response.status_code, response.content_type) == (400, VOTABLE)
    (resource,) = parse(io.BytesIO(response.data)).resources
    (status,) = [info for info in resource.infos if info.name == "QUERY_STATUS"]
    assert (resource.type, status.value) == ("results", "ERROR")
    assert "'nonsense'" in status.content
