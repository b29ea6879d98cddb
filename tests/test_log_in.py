"""Who is the caller of a request, by password or token, and how are strangers told that they may log in?"""

import html
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.http import parse_dict_header
from werkzeug.test import TestResponse

from datamodel import login_failures, tokens
from datamodel.archive import Archive
from tests import logging_in
from tests.accounts import PASSWORD, basic, bearer, with_password
from tests.logging_in import HTTPS, entered, who
from tests.templates import FrozenClock
from vo_server.app import create_app
from vo_server.auth import cookies

cheap, shared, bare = logging_in.cheap, logging_in.shared, logging_in.bare
clock, site, client = logging_in.clock, logging_in.site, logging_in.client

SERVICES = ("tap", "sia2", "datalink")
PATHS = (
    "/",
    "/query",
    "/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+1+*+FROM+ivoa.obscore",
    "/tap/async",
    "/tap/tables",
    "/tap/capabilities",
    "/sia2/query?POS=CIRCLE+1+1+1",
    "/datalink/links",
    "/nothing",
)


def test_a_password_and_a_token_make_a_caller_on_every_protocol(site: Archive, client: FlaskClient) -> None:
    _, own_token = tokens.issue(site, "B")
    for path in PATHS:
        assert who(client.get(path, headers=basic("A"))) == "A"
        assert who(client.get(path, headers=bearer(own_token))) == "B"
        assert who(client.head(path, headers=bearer(own_token))) == "B"
        assert who(client.get(path)) is None


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (basic("A", "not this one"), "the user name or the password is wrong"),
        (basic("B", PASSWORD), "the user name or the password is wrong"),
        (basic("nobody", PASSWORD), "the user name or the password is wrong"),
        (bearer("vo_token_nonsense"), "the token is wrong, revoked or out of date"),
        ({"Authorization": "Basic !!!"}, "the header Authorization cannot be read"),
        ({"Authorization": "Basic QQ=="}, "the header Authorization cannot be read"),
        ({"Authorization": "Basic /w=="}, "the header Authorization cannot be read"),
        ({"Authorization": "Digest x"}, "begins with 'Digest', expected Basic or Bearer"),
    ],
)
def test_what_is_wrong_is_refused_with_challenges_in_the_form_of_the_service(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, header: dict[str, str], said: str
) -> None:
    monkeypatch.setitem(login_failures.FREE, "account", 100)
    for path, mime in (
        ("/tap/sync", "application/x-votable+xml"),
        ("/tap/tables", "application/x-votable+xml"),
        ("/tap/nothing", "application/x-votable+xml"),
        ("/sia2/query", "application/x-votable+xml"),
        ("/datalink/links", "application/x-votable+xml"),
        ("/data/0193a5e2-0000-7000-8000-000000000000", "text/plain"),
        ("/", "text/html"),
    ):
        refused = client.get(path, headers=header)
        assert (refused.status_code, refused.mimetype) == (401, mime)
        assert said in html.unescape(refused.text)
        assert who(refused) is None
        assert [c.partition(" ")[0] for c in refused.headers.getlist("WWW-Authenticate")] == [
            "Basic",
            "ivoa_bearer",
            "Bearer",
        ]


@pytest.mark.parametrize("service", SERVICES)
def test_capabilities_tell_strangers_that_they_may_log_in(client: FlaskClient, service: str) -> None:
    for method in ("GET", "HEAD"):
        probed = client.open(f"/{service}/capabilities", method=method)
        assert probed.status_code == 200
        told = dict(c.split(" ", 1) for c in probed.headers.getlist("WWW-Authenticate"))
        assert parse_dict_header(told["ivoa_bearer"]) == {
            "standard_id": "ivo://ivoa.net/sso#tls-with-password",
            "access_url": "http://127.0.0.1:8000/login/token",
        }
        assert parse_dict_header(told["Basic"])["realm"] == "example.org/archive"
    known = client.get(f"/{service}/capabilities", headers=basic("A"))
    assert (who(known), "WWW-Authenticate" in known.headers) == ("A", False)
    other = client.get(f"/{service}/availability")
    assert "WWW-Authenticate" not in other.headers


@pytest.mark.parametrize("service", SERVICES)
def test_each_interface_is_there_for_strangers_and_for_passwords(client: FlaskClient, service: str) -> None:
    document = etree.fromstring(client.get(f"/{service}/capabilities").data)
    for capability in document:
        *strangers, by_password = capability.findall("interface")
        changes = "#table-" in capability.get(
            "standardID"
        )  # tables of one's own: nobody has some who is nobody
        open_to_all = by_password if changes else strangers[0]
        assert len(strangers) == (not changes)
        assert changes or open_to_all.find("securityMethod") is None
        assert by_password.find("securityMethod").get("standardID") == "ivo://ivoa.net/sso#BasicAA"
        assert open_to_all.findtext("accessURL") == by_password.findtext("accessURL")


def test_nothing_changes_where_nobody_can_log_in(bare: Archive) -> None:
    client = create_app(bare).test_client()
    for header in ({}, basic("A"), bearer("vo_token_x"), {"Authorization": "Basic !!!"}):
        answer = client.get("/tap/capabilities", headers=header)
        assert (answer.status_code, who(answer)) == (200, None)
        assert "WWW-Authenticate" not in answer.headers
        assert b"securityMethod" not in answer.data
    assert "Log in" not in client.get("/").text
    assert "Set-Cookie" not in client.get("/").headers
    assert client.get("/login").status_code == 404
    assert not (bare.config.archive / cookies.KEY_FILE).exists()
    with_password(bare, "A")
    assert "Log in" in client.get("/").text


def test_the_setting_none_lets_nobody_in(site: Archive) -> None:
    site.config = replace(site.config, login="none")
    client = create_app(site).test_client()
    assert who(client.get("/tap/tables", headers=basic("A"))) is None
    assert client.get("/login").status_code == 403
    assert client.post("/login/token", data={"username": "A", "password": PASSWORD}).status_code == 403
    assert "WWW-Authenticate" not in client.get("/tap/capabilities").headers


def asked(client: FlaskClient, path: str = "/tap/tables", **environ: str) -> TestResponse:
    headers = {name: environ.pop(name) for name in list(environ) if name.startswith("X_")}
    named = {name.replace("_", "-"): value for name, value in headers.items()} | basic("A")
    return client.get(path, headers=named, environ_overrides=environ)


def test_passwords_and_tokens_come_by_https_or_from_this_machine(site: Archive) -> None:
    site.config = replace(site.config, trusted_proxies="10.0.0.1, 127.0.0.1", **HTTPS)
    client = create_app(site).test_client()
    host, path = "archive.example.org", "/perseus/tap/tables"
    for environ, taken in (
        ({"REMOTE_ADDR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": "192.0.2.7", "wsgi.url_scheme": "https"}, True),
        ({"REMOTE_ADDR": "192.0.2.7", "X_Forwarded_Proto": "https"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "X_Forwarded_Proto": "https"}, True),
        ({"REMOTE_ADDR": "10.0.0.1", "X_Forwarded_Proto": "http"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "X_Forwarded_Proto": "https, http"}, False),
        ({"REMOTE_ADDR": "10.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "X_Forwarded_Proto": "https"}, True),
    ):
        answer = asked(client, path, HTTP_HOST=host, **environ)
        assert (answer.status_code, who(answer)) == ((200, "A") if taken else (403, None)), environ
        if not taken:
            assert "by https only" in answer.text


def test_the_loopback_interface_is_safe_but_not_what_is_passed_on_there(site: Archive) -> None:
    client = create_app(site).test_client()
    assert asked(client).status_code == 200
    assert asked(client, REMOTE_ADDR="::1").status_code == 200
    for name, value in (
        ("X_Forwarded_For", "192.0.2.7"),
        ("X_Forwarded_Proto", "https"),
        ("X_Real_IP", "192.0.2.7"),
    ):
        assert asked(client, **{name: value}).status_code == 403
    assert asked(client, REMOTE_ADDR="192.0.2.7").status_code == 403
    assert client.get("/tap/tables", environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200
    site.config = replace(site.config, login="anywhere")
    assert who(asked(client, REMOTE_ADDR="192.0.2.7")) == "A"


def test_who_cannot_come_safely_is_not_asked_to_log_in(site: Archive) -> None:
    for url, offered in (
        ("http://archive.example.org", False),
        ("http://localhost.example.org", False),
        ("https://archive.example.org", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
    ):
        site.config = replace(site.config, base_url=url)
        host = url.partition("://")[2]
        answer = create_app(site).test_client().get("/tap/capabilities", headers={"Host": host})
        assert ("WWW-Authenticate" in answer.headers) == offered, url


def test_guessing_is_slowed_down_and_said_so(client: FlaskClient) -> None:
    for _ in range(login_failures.FREE["account"]):
        assert client.get("/tap/tables", headers=basic("A", "a guess")).status_code == 401
    refused = client.get("/tap/tables", headers=basic("A", "a guess"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.mimetype == "application/x-votable+xml"
    shown = entered(client, password="a guess")
    assert (shown.status_code, shown.headers["Retry-After"]) == (429, "1")
    assert client.post("/login/token", data={"username": "A", "password": PASSWORD}).status_code == 429


def test_behind_a_trusted_proxy_guesses_count_for_the_address_it_tells(site: Archive) -> None:
    site.config = replace(site.config, trusted_proxies="10.0.0.1", **HTTPS)
    client = create_app(site).test_client()

    def guessed(address: str, name: str) -> int:
        headers = basic(name, "a guess") | {
            "X-Forwarded-For": f"1.1.1.1, {address}",
            "X-Forwarded-Proto": "https",
        }
        environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_HOST": "archive.example.org"}
        return client.get("/perseus/tap/tables", headers=headers, environ_overrides=environ).status_code

    for number in range(login_failures.FREE["address"]):
        assert guessed("192.0.2.7", f"name{number}") == 401
    assert guessed("192.0.2.7", "another") == 429
    assert guessed("192.0.2.8", "another") == 401


def test_a_program_gets_a_token_for_a_password_and_uses_it(client: FlaskClient, clock: FrozenClock) -> None:
    given = client.post("/login/token", data={"username": "A", "password": PASSWORD})
    assert (given.status_code, given.mimetype, given.headers["X-VO-Authenticated"]) == (
        200,
        "text/plain",
        "A",
    )
    assert given.cache_control.no_store
    assert "Set-Cookie" not in given.headers
    own_token = given.headers["X-VO-Bearer"]
    assert own_token not in given.text
    assert who(client.get("/tap/tables", headers=bearer(own_token))) == "A"
    clock.advance(hours=12)
    assert client.get("/tap/tables", headers=bearer(own_token)).status_code == 401


@pytest.mark.parametrize(
    ("data", "query", "status", "said"),
    [
        ({"username": "A", "password": "wrong"}, "", 401, "the user name or the password is wrong"),
        ({"username": "A"}, "", 400, "username and password are expected"),
        ({"username": "A", "password": "x" * 3000}, "", 400, "2000 characters"),
        ({}, "?username=A&password=secret", 400, "the password stands in the address"),
    ],
)
def test_what_is_no_log_in_gives_no_token(
    client: FlaskClient, data: dict[str, str], query: str, status: int, said: str
) -> None:
    refused = client.post(f"/login/token{query}", data=data)
    assert (refused.status_code, refused.mimetype, said in refused.text) == (status, "text/plain", True)
    assert "X-VO-Bearer" not in refused.headers
    if status == 401:  # a browser would ask by itself, on the page too, if there were Basic among them
        (challenge,) = refused.headers.getlist("WWW-Authenticate")
        assert challenge.startswith("ivoa_bearer ")
