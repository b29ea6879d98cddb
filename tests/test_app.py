"""What does every URL do alike: hosts, headers, errors, HEAD?"""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import default_exceptions

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import Caller
from datamodel.errors import (
    ArchiveError,
    BusyError,
    DataLostError,
    ForbiddenError,
    MissingInputError,
    NotFoundError,
    QueryTimeoutError,
    RecipeError,
    UsageError,
)
from vo_server import errors, site
from vo_server.app import MAX_BODY_BYTES, create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

EXPOSED = {
    *(
        "Location",
        "Content-Disposition",
        "Content-Length",
        "Content-Location",
        "Content-Range",
        "Accept-Ranges",
    ),
    *("ETag", "Link", "Retry-After", "WWW-Authenticate", "VO-Status", "VO-Made", "VO-Reasons"),
    *("X-VO-Authenticated", "X-VO-Bearer"),
}
LINKS = re.compile(rb"https?://[^\s<\"']+")


@pytest.fixture
def unasked(tmp_path: Path) -> Iterator[Archive]:
    """An archive whose database nobody asks anything."""
    opened = Archive(Config(archive=tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def client(unasked: Archive) -> FlaskClient:
    return create_app(unasked).test_client()


SERVED = Config(base_url="https://sky.example.org", trusted_hosts="old.example.org, MORE.example.org")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
        ({"host": "0.0.0.0"}, "http://localhost:8000"),
        ({"base_url": "https://sky.example.org/archive/"}, "https://sky.example.org/archive"),
    ],
)
def test_links_begin_with_the_configured_url_or_the_address(settings: dict[str, object], url: str) -> None:
    assert site.base_url(Config(**settings)) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["sky.example.org", "//sky.example.org", "ftp://sky.example.org", "https://x/?a=1"]
)
def test_a_base_url_that_is_none_is_quoted(url: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"'{url}'")):
        site.base_url(Config(base_url=url))


@pytest.mark.parametrize(
    ("config", "header", "accepted"),
    [
        (Config(), "localhost", True),
        (Config(), "LOCALHOST:8000", True),
        (Config(), "127.0.0.1:1", True),
        (Config(), "[::1]:8000", True),
        (Config(), "sky.example.org", False),
        (Config(), "localhost.example.org", False),
        (Config(), "localhost@evil.example", False),
        (Config(), "evil.example@localhost", False),
        (Config(), "evil.example#localhost", False),
        (Config(), "evil.example/localhost", False),
        (Config(), "localhost:99999999", False),
        (Config(), "[::1", False),
        (Config(), "", False),
        (SERVED, "sky.example.org", True),
        (SERVED, "sky.example.org:443", True),
        (SERVED, "old.example.org", True),
        (SERVED, "more.example.org", True),
        (SERVED, "localhost", False),
        (SERVED, "example.org", False),
        (SERVED, "x.sky.example.org", False),
    ],
)
def test_requests_are_taken_under_the_names_of_the_archive_only(
    config: Config, header: str, accepted: bool
) -> None:
    assert (site.host_name(header) in site.trusted_hosts(config)) == accepted


def test_a_request_under_another_name_is_refused(client: FlaskClient) -> None:
    assert client.get("/tap/availability", headers={"Host": "localhost:99"}).status_code == 200
    refused = client.get("/tap/availability", headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert "evil.example" not in refused.text


def test_no_link_is_taken_from_the_request(unasked: Archive) -> None:
    unasked.config = SERVED
    client = create_app(unasked).test_client()
    headers = {
        "Host": "old.example.org:81",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
    }
    body = client.get("/tap/capabilities", headers=headers).data
    links = {link for link in LINKS.findall(body) if b"ivoa.net" not in link and b"w3.org" not in link}
    assert links
    assert all(link.startswith(b"https://sky.example.org/tap") for link in links)


def test_pages_of_other_sites_may_read_every_answer(client: FlaskClient) -> None:
    for url in ("/tap/availability", "/tap/sync", "/nowhere", "/tap/nowhere"):
        headers = client.get(url).headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
        assert exposed == EXPOSED
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("url", "method", "header"),
    [
        ("/tap/sync", "POST", "content-type"),
        ("/tap/async", "POST", "x-requested-with,content-type"),
        ("/tap/async/some-job", "DELETE", "authorization"),
        ("/tap/async/some-job/phase", "POST", "content-type"),
        ("/tap/tables/ivoa.obscore", "GET", "if-none-match"),
        ("/sia2/query", "POST", "content-type"),
        ("/datalink/links", "GET", "range,if-range"),
        ("/data/some-object", "GET", "range"),
    ],
)
def test_a_browser_is_told_beforehand_what_it_may_send(
    client: FlaskClient, url: str, method: str, header: str
) -> None:
    asked = {
        "Origin": "https://x.example",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": header,
    }
    response = client.options(url, headers=asked)
    told = {
        name: comma_separated(response.headers[f"Access-Control-Allow-{name}"])
        for name in ("Methods", "Headers")
    }
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert method.lower() in told["Methods"]
    assert set(header.split(",")) <= told["Headers"]
    assert told["Methods"] == comma_separated(response.headers["Allow"])
    assert "Access-Control-Allow-Credentials" not in response.headers


def comma_separated(text: str) -> set[str]:
    return {each.strip().lower() for each in text.split(",")}


def test_a_browser_is_not_told_of_methods_that_are_not_there(client: FlaskClient) -> None:
    allowed = client.options("/tap/capabilities").headers["Access-Control-Allow-Methods"]
    assert comma_separated(allowed) == {"get", "head", "options"}


def test_every_resource_that_can_be_got_answers_head(unasked: Archive) -> None:
    rules = [rule for rule in create_app(unasked).url_map.iter_rules() if "GET" in (rule.methods or ())]
    assert rules
    assert all("HEAD" in (rule.methods or ()) for rule in rules)


def test_head_says_what_get_would_without_a_body(archive: Archive) -> None:
    client = create_app(archive).test_client()
    update_tap_schema(archive, tables(archive.config))
    for name in ("capabilities", "availability", "tables", "tables/ivoa.obscore"):
        got, told = client.get(f"/tap/{name}"), client.head(f"/tap/{name}")
        assert (told.status_code, told.content_type, told.data) == (200, got.content_type, b"")
        assert told.content_length == len(got.data)


def test_nothing_redirects_for_the_sake_of_a_slash(client: FlaskClient) -> None:
    assert client.get("/tap/availability/").status_code == 200
    assert client.get("/tap//availability").status_code == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("what was given"), 400),
        (QueryTimeoutError("what was given"), 400),
        (ForbiddenError("what was given"), 403),
        (NotFoundError("what was given"), 404),
        (MissingInputError("what was given"), 409),
        (RecipeError("what was given"), 409),
        (BusyError("what was given"), 503),
    ],
)
def test_a_caller_is_told_of_what_the_caller_can_change(error: ArchiveError, status: int) -> None:
    what = errors.told(error)
    assert (what.status, what.message) == (status, "what was given")


def test_every_error_of_the_archive_has_its_status_or_is_its_own_fault() -> None:
    def below(cls: type[ArchiveError]) -> set[type[ArchiveError]]:
        return {cls}.union(*(below(c) for c in cls.__subclasses__()))

    own = {cls for cls in below(ArchiveError) if cls.__module__ == "datamodel.errors"}
    assert {cls for cls in own if errors.STATUS.keys().isdisjoint(cls.__mro__)} == {
        ArchiveError,
        DataLostError,
    }


def test_a_busy_archive_says_when_to_come_back() -> None:
    assert errors.told(BusyError("later", retry_after_s=7)).headers == {"Retry-After": "7"}


@pytest.mark.parametrize(
    "error", [RuntimeError("SELECT secret"), DataLostError("/srv/secret"), KeyError("secret")]
)
def test_a_bug_is_told_by_an_identifier_that_the_log_has(
    unasked: Archive, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(unasked)

    @app.get("/fails")
    def fails() -> str:
        raise error

    with caplog.at_level(logging.ERROR, logger="vo_server"):
        response = app.test_client().get("/fails")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    reference = re.search(r"\b[0-9a-f]{8}\b", response.text)
    assert reference
    (record,) = [r for r in caplog.records if r.name == "vo_server"]
    assert reference[0] in record.getMessage()
    assert record.exc_info
    assert record.exc_info[1] is error


def test_a_database_that_fails_shows_no_sql(client: FlaskClient) -> None:
    response = client.get("/tap/tables")
    assert response.status_code == 500
    assert "tap_schema" not in response.text
    assert "SELECT" not in response.text


def test_a_stranger_to_all_protocols_is_answered_in_text_and_a_browser_by_a_page(client: FlaskClient) -> None:
    assert client.get("/nowhere").mimetype == "text/plain"
    page = client.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")


@pytest.mark.parametrize("path", ["/tap/sync", "/sia2/query", "/datalink/links"])
def test_a_method_that_is_not_there_names_those_that_are(client: FlaskClient, path: str) -> None:
    response = client.delete(path)
    assert (response.status_code, response.mimetype) == (405, "application/x-votable+xml")
    assert "GET" in response.headers["Allow"]
    assert client.delete("/").mimetype == "text/plain"


def test_a_body_may_be_so_long(client: FlaskClient) -> None:
    response = client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": "x" * MAX_BODY_BYTES})
    assert response.status_code == 413


def test_a_body_of_untold_length_is_not_cut_off(client: FlaskClient) -> None:
    form = b"LANG=ADQL&QUERY=SELECT+1+FROM+tap_schema.tables&X=" + b"x" * MAX_BODY_BYTES + b"&MAXREC=1"
    response = client.post(
        "/tap/sync",
        input_stream=io.BytesIO(form),
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.status_code == 413, response.text[:500]


def test_each_application_serves_its_own_archive(unasked: Archive, client: FlaskClient) -> None:
    other = Archive(replace(unasked.config, port=81))
    try:
        first, second = client, create_app(other).test_client()
        assert "http://127.0.0.1:8000/tap" in first.get("/tap/capabilities").text
        assert "http://127.0.0.1:81/tap" in second.get("/tap/capabilities").text
    finally:
        other.close()


@pytest.mark.parametrize("path", ["/perseus/tap/availability", "/tap/availability"])
def test_a_proxy_may_take_the_path_of_the_base_url_away_or_leave_it(unasked: Archive, path: str) -> None:
    unasked.config = replace(unasked.config, base_url="http://localhost/perseus")
    client = create_app(unasked).test_client()
    assert client.get(path).status_code == 200
    page = client.get(path.replace("tap", "nowhere"), headers={"Accept": "text/html"})
    assert 'href="/perseus/static/' in page.text


@pytest.mark.parametrize(
    ("url", "asked", "inner", "outer"),
    [
        ("", "/tap", "/tap", "/x"),
        ("http://localhost/perseus/", "/perseus/tap", "/tap", "/perseus/x"),
        ("http://localhost/perseus", "/tap", "/tap", "/perseus/x"),
        ("http://localhost/perseus", "/perseus", "/", "/perseus/x"),
        ("http://localhost/perseus", "/perseus/", "/", "/perseus/x"),
        ("http://localhost/perseus", "/perseust/tap", "/perseust/tap", "/perseus/x"),
    ],
)
def test_paths_inside_begin_after_the_path_of_the_base_url(
    unasked: Archive, url: str, asked: str, inner: str, outer: str
) -> None:
    unasked.config = replace(unasked.config, base_url=url)
    app = create_app(unasked)
    app.add_url_rule("/x", "x")
    seen: list[tuple[str, str]] = []
    app.before_request(lambda: seen.append((flask.request.path, flask.url_for("x"))))
    app.test_client().get(asked)
    assert seen == [(inner, outer)]


def test_answers_for_those_who_are_logged_in_are_private(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not client.get("/tap/availability").cache_control.private
    monkeypatch.setattr("vo_server.dali.caller_of", lambda _request: Caller("A"))
    for url in ("/tap/availability", "/sia2/capabilities", "/tap/nowhere", "/nowhere"):
        told = client.get(url).cache_control
        assert (told.private, told.public) == (True, False)


@pytest.mark.parametrize(("method", "url", "status"), [("GET", "/nowhere", 404), ("PUT", "/tap/sync", 405)])
def test_what_is_not_there_is_told_in_our_own_words(
    client: FlaskClient, method: str, url: str, status: int
) -> None:
    response = client.open(url, method=method)
    assert response.status_code == status
    assert "address" in response.text
    assert default_exceptions[status].description not in response.text


@pytest.mark.parametrize("service", ["/tap", "/sia2"])
def test_the_root_of_a_service_lists_resources_that_are_there(client: FlaskClient, service: str) -> None:
    listed = [line for line in client.get(service).text.splitlines() if line.startswith("http")]
    assert f"http://127.0.0.1:8000{service}/capabilities" in listed
    assert all(url.startswith(f"http://127.0.0.1:8000{service}/") for url in listed)
    assert all(client.options(url).status_code == 200 for url in listed)
