"""Who is the caller of a request: by password, token or cookie, told by challenges, and never by a forged form?"""

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.http import parse_dict_header
from werkzeug.test import TestResponse

from datamodel import account_changes, jobs, login_failures, projects, tokens
from datamodel.accounts import account, login_failure, membership, token
from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.config import Config
from datamodel.crash import CRASH_POINTS
from datamodel.job_claims import Holder
from datamodel.jobs import job
from datamodel.observatory import Instrument
from datamodel.session import Session as DataSession
from processing.classes import TABLES
from tests import accounts as of_tests
from tests.accounts import PASSWORD, basic, bearer, with_password
from tests.templates import FrozenClock
from vo_server.app import JOBS, create_app
from vo_server.auth import cookies
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.worker import Worker

cheap = of_tests.cheap

SERVICES = ("tap", "sia2", "datalink")
ASKED = {"LANG": "ADQL", "QUERY": "SELECT TOP 1 table_name FROM tap_schema.tables"}
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
HTTPS = {"base_url": "https://archive.example.org/perseus"}


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A complete archive without objects, with accounts A and B; see `bare`."""
    config = Config(archive=tmp_path_factory.mktemp("log_in") / "archive", database_url=new_database())
    opened = Archive(config, FrozenClock())
    opened.prepare(TABLES)
    update_tap_schema(opened, tables(config))
    yield opened
    opened.close()


@pytest.fixture
def bare(shared: Archive) -> Iterator[Archive]:
    """The shared archive, where nobody can log in yet, and nobody has."""
    config = shared.config
    for name in "AB":
        shared.add_account(name, "P")
    yield shared
    shared.config = config
    with shared.database.write() as connection:
        for table in (job, token, login_failure, membership, account):
            connection.execute(sa.delete(table))
    (config.archive / cookies.KEY_FILE).unlink(missing_ok=True)
    for name in ("log-ins", "session key"):
        shared._resources.pop(name, None)


@pytest.fixture
def clock(shared: Archive) -> FrozenClock:
    """That of the archive."""
    assert isinstance(shared.clock, FrozenClock)
    return shared.clock


@pytest.fixture
def site(bare: Archive) -> Archive:
    """The same; A has a password, B has none."""
    with_password(bare, "A")
    return bare


@pytest.fixture
def client(site: Archive) -> FlaskClient:
    return create_app(site).test_client()


def who(response: TestResponse) -> str | None:
    """Whom an answer was for, as it says."""
    private = response.cache_control.private is not None
    assert ("X-VO-Authenticated" in response.headers) == private
    return response.headers.get("X-VO-Authenticated")


def form(client: FlaskClient, path: str) -> dict[str, str]:
    """What the first form of a page would send, as it stands."""
    soup = BeautifulSoup(client.get(path).text, "html.parser")
    fields = soup.select_one("main form").select("input")
    return {each["name"]: each.get("value", "") for each in fields}


def entered(client: FlaskClient, name: str = "A", password: str = PASSWORD, **more: str) -> TestResponse:
    """What the page to log in gives for a name and a password."""
    filled = form(client, "/login") | {"username": name, "password": password} | more
    return client.post("/login", data=filled)


def secret(client: FlaskClient) -> str:
    """The secret of the forms of who is logged in."""
    soup = BeautifulSoup(client.get("/query").text, "html.parser")
    return str(soup.select_one("form#ask input[name=csrf_token]")["value"])


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


def test_a_person_logs_in_asks_and_logs_out(site: Archive, client: FlaskClient) -> None:
    leads = BeautifulSoup(client.get("/query/jobs").text, "html.parser").find("a", string="Log in")
    assert leads["href"] == "/login?next=/query/jobs"
    done = entered(client, next="/query/jobs")
    assert (done.status_code, done.headers["Location"]) == (303, "/query/jobs")
    page = client.get("/query/jobs")
    assert who(page) == "A"
    assert page.headers["Vary"].count("Cookie") == 1
    own = secret(client)
    begun = client.post("/tap/async", data=ASKED | {"csrf_token": own})
    assert begun.status_code == 303
    begun_job = jobs.get(site, "tap", begun.headers["Location"].rpartition("/")[2], site.caller("A"))
    assert (begun_job.owner, dict(begun_job.parameters)) == ("A", ASKED)
    script = client.post("/tap/sync", data=ASKED, headers={"X-CSRF-Token": own})
    assert (script.status_code, who(script), own in script.text) == (200, "A", False)
    told = client.post("/tap/sync", data=ASKED | {"csrf_token": own, "RESPONSEFORMAT": "votable/td"})
    assert (told.status_code, own in told.text) == (200, False)
    out = client.post("/logout", data={"csrf_token": own})
    assert out.status_code == 303
    assert who(client.get("/query/jobs")) is None
    assert "Expires=Thu, 01 Jan 1970" in out.headers["Set-Cookie"]


def test_forged_forms_are_refused(site: Archive, client: FlaskClient) -> None:
    entered(client)
    own = secret(client)
    for path in (
        "/tap/async",
        "/tap/sync",
        "/query",
        "/query/layout",
        "/sia2/query",
        "/datalink/links",
        "/logout",
    ):
        for more in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}, {"csrf_token": own + "x"}):
            refused = client.post(path, data=ASKED | more)
            assert refused.status_code == 403, path
            assert "not from a page of this archive" in refused.text
    upload = {"data": {**ASKED, "csrf_token": own}, "content_type": "multipart/form-data"}
    assert client.post("/tap/sync", **upload).status_code == 403
    assert client.post("/tap/sync", **upload, headers={"X-CSRF-Token": own}).status_code == 200
    assert client.delete("/tap/async/0").status_code == 403
    assert list(jobs.listed(site, "tap", site.caller("A"), "A")) == []
    assert who(client.get("/query")) == "A"


def test_a_log_in_cannot_be_forged_either(client: FlaskClient) -> None:
    sent = {"username": "A", "password": PASSWORD}
    assert client.post("/login", data=sent).status_code == 403
    client.get("/login")
    assert client.post("/login", data=sent | {"csrf_token": "guessed"}).status_code == 403
    assert who(client.get("/")) is None


def test_a_form_of_an_ended_session_is_not_carried_out_for_a_stranger(
    site: Archive, client: FlaskClient, clock: FrozenClock
) -> None:
    entered(client)
    own = secret(client)
    clock.advance(hours=13)
    refused = client.post("/tap/async", data=ASKED | {"csrf_token": own})
    assert (refused.status_code, "its log-in has ended" in refused.text) == (403, True)
    assert who(client.get("/")) is None


def test_a_browser_that_keeps_a_password_does_not_lend_it_to_other_sites(client: FlaskClient) -> None:
    for header in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = client.post("/tap/async", data=ASKED, headers=basic("A") | header)
        assert (refused.status_code, "expected a token" in refused.text) == (403, True)
    allowed = client.post("/tap/async", data=ASKED, headers=basic("A") | {"Origin": "http://localhost"})
    assert allowed.status_code == 303
    refused = client.options("/tap/async", headers={"Origin": "https://evil.example"})
    assert "X-CSRF-Token" not in refused.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("change", ["password", "disabled", "key", "time", "log out of another archive"])
def test_a_cookie_ends_with_the_password_the_account_the_key_and_the_time(
    site: Archive, client: FlaskClient, clock: FrozenClock, change: str
) -> None:
    entered(client)
    assert who(client.get("/")) == "A"
    clock.advance(hours=1)
    if change == "password":
        with_password(site, "A")
    elif change == "disabled":
        account_changes.disable(site, "A")
    elif change == "key":
        (site.config.archive / cookies.KEY_FILE).unlink()
        site._resources.pop("session key")
    elif change == "time":
        clock.advance(hours=12)
    else:
        client.set_cookie("vo_session_00000000", "of another archive")
        assert who(client.get("/")) == "A"
        return
    assert who(client.get("/")) is None


def test_a_cookie_cannot_be_made_up_and_scripts_cannot_read_it(site: Archive, client: FlaskClient) -> None:
    done = entered(client)
    given = done.headers["Set-Cookie"]
    assert re.search("; HttpOnly", given)
    assert re.search("; SameSite=Lax", given)
    assert not re.search("; Secure", given)
    name, _, rest = given.partition("=")
    value = rest.partition(";")[0]
    other = create_app(site).test_client()
    for made_up in (value[:-1], value + "x", value.replace(".", "x."), "nonsense", ""):
        other.set_cookie(name, made_up)
        assert who(other.get("/")) is None
    other.set_cookie(name, value)
    assert who(other.get("/")) == "A"
    key = site.config.archive / cookies.KEY_FILE
    assert (key.stat().st_mode & 0o777, len(key.read_bytes())) == (0o600, 32)
    assert [each.name for each in site.config.archive.glob(".session*")] == []


def test_behind_https_the_cookie_is_for_https_and_below_the_path(site: Archive) -> None:
    site.config = replace(site.config, **HTTPS)
    client = create_app(site).test_client()
    environ = {"HTTP_HOST": "archive.example.org", "wsgi.url_scheme": "https"}
    given = client.get("/perseus/login", environ_overrides=environ).headers["Set-Cookie"]
    assert "; Secure" in given
    assert "; Path=/perseus" in given
    refused = client.get("/perseus/login", environ_overrides={"HTTP_HOST": "archive.example.org"})
    assert (refused.status_code, "Set-Cookie" in refused.headers) == (403, False)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\r\nX: y", "/login", ""],
)
def test_after_the_log_in_one_stays_here(client: FlaskClient, wanted: str) -> None:
    assert entered(client, next=wanted).headers["Location"] == "/"


def test_a_wrong_password_shows_the_page_again_without_it(client: FlaskClient) -> None:
    shown = entered(client, password="a wrong password")
    assert (shown.status_code, "the user name or the password is wrong" in shown.text) == (401, True)
    assert 'value="A"' in shown.text
    assert "a wrong password" not in shown.text
    assert [c.partition(" ")[0] for c in shown.headers.getlist("WWW-Authenticate")] == ["ivoa_bearer"]


def test_jobs_belong_to_accounts(site: Archive, client: FlaskClient) -> None:
    _, of_b = tokens.issue(site, "B")
    begun = client.post("/tap/async", data=ASKED, headers=basic("A"))
    url = begun.headers["Location"].removeprefix("http://127.0.0.1:8000")
    assert client.get(f"{url}/owner", headers=basic("A")).text == "A"
    assert url.rpartition("/")[2] in client.get("/tap/async", headers=basic("A")).text
    for header in (bearer(of_b), {}):
        assert url.rpartition("/")[2] not in client.get("/tap/async", headers=header).text
        for path in ("", "/phase", "/parameters", "/results/result", "/owner"):
            refused = client.get(url + path, headers=header)
            assert (refused.status_code, "TAP" in refused.text) == (403, False)
            assert ("WWW-Authenticate" in refused.headers) == (not header)
        assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}, headers=header).status_code == 403
        assert client.delete(url, headers=header).status_code == 403
    assert client.get(f"{url}/phase", headers=basic("A")).text == "PENDING"


def test_a_job_runs_with_the_memberships_of_its_owner_and_not_for_the_disabled(
    site: Archive, client: FlaskClient
) -> None:
    begun = [client.post("/tap/async", data=ASKED | {"PHASE": "RUN"}, headers=basic("A")) for _ in range(2)]
    urls = [each.headers["Location"].removeprefix("http://127.0.0.1:8000") for each in begun]
    with Holder(site) as holder:
        assert Worker(site, JOBS).run_one(holder)
        account_changes.disable(site, "A")
        assert Worker(site, JOBS).run_one(holder)
    account_changes.enable(site, "A")
    final = [client.get(f"{url}/phase", headers=basic("A")).text for url in urls]
    assert final == ["COMPLETED", "ERROR"]
    assert "the account 'A' is disabled" in client.get(f"{urls[1]}/error", headers=basic("A")).text


KEY = """
import sys
from pathlib import Path
from vo_server.auth.cookies import Keeper
Keeper(Path(sys.argv[1])).made()
"""


@pytest.mark.parametrize(("point", "there"), [("login.key_written", False), ("login.key_kept", True)])
def test_a_key_is_there_whole_or_not_whenever_the_process_is_killed(
    tmp_path: Path, point: str, there: bool
) -> None:
    assert point in CRASH_POINTS
    command = [sys.executable, "-c", KEY, str(tmp_path / "session.key")]
    environment = {**os.environ, "VO_CRASH_AT": point}
    run = subprocess.run(command, env=environment, cwd=Path(__file__).parent.parent, check=False)
    assert run.returncode == 137
    assert (tmp_path / "session.key").exists() == there
    keeper = cookies.Keeper(tmp_path / "session.key")
    assert len(keeper.made()) == 32
    assert cookies.Keeper(tmp_path / "session.key").made() == keeper.key()


COUNTED = "/tap/sync?LANG=ADQL&RESPONSEFORMAT=csv&QUERY=SELECT+name+FROM+archive.instrument"


@pytest.fixture
def things(site: Archive) -> None:
    """A has an instrument of each level in P, and one of its own in R."""
    site.add_account("A", "R")
    for level, project in ((1, "P"), (2, "P"), (4, "P"), (1, "R")):
        thing = Instrument(name=f"{project}{level}", _privileges=level, _project=project)
        commit(DataSession(site, site.caller("A", "ALL")), [thing])


def seen(client: FlaskClient, **options: Any) -> set[str]:
    answer = client.get(COUNTED, **options)
    assert answer.status_code == 200, answer.text
    return {line for line in answer.text.split()[1:] if line[:1] in "PR"}


def test_a_token_works_in_its_project_and_from_its_level_on(
    site: Archive, client: FlaskClient, things: None
) -> None:
    everything = {"P1", "P2", "P4", "R1"}
    for project, level, expected in (
        (None, None, everything),
        ("P", None, everything - {"R1"}),
        ("P", 2, {"P2", "P4"}),
        ("R", 1, {"R1", "P4"}),
        (None, 3, {"P4"}),
    ):
        _, secret = tokens.issue(site, "A", project=project, level=level)
        assert seen(client, headers=bearer(secret)) == expected, (project, level)
    _, secret = tokens.issue(site, "A", project="R")
    projects.remove_member(site, "R", "A")
    refused = client.get(COUNTED, headers=bearer(secret))
    assert (refused.status_code, "of which A is no member" in refused.text) == (403, True)


def test_a_browser_chooses_a_project_and_a_level(site: Archive, client: FlaskClient, things: None) -> None:
    assert seen(client) == {"P4"}
    entered(client)
    own = secret(client)
    assert seen(client) == {"P1", "P2", "P4", "R1"}
    chosen = {"project": "P", "level": "2", "next": "/query", "csrf_token": own}
    done = client.post("/context", data=chosen)
    assert (done.status_code, done.headers["Location"]) == (303, "/query")
    assert seen(client) == {"P2", "P4"}
    head = BeautifulSoup(client.get("/query").text, "html.parser").select("header option[selected]")
    assert [option.text for option in head] == ["P", "2 Project"]
    for wrong in ({"project": "nobody's"}, {"level": "6"}, {"level": ""}):
        assert client.post("/context", data=chosen | wrong).status_code == 400
    assert client.post("/context", data=chosen | {"csrf_token": "forged"}).status_code == 403
    assert client.post("/context", data={"project": "R", "level": "1", "csrf_token": own}).status_code == 303
    assert seen(client) == {"R1", "P4"}
    projects.remove_member(site, "R", "A")
    assert seen(client) == {"P1", "P2", "P4", "R1"}
    client.post("/logout", data={"csrf_token": own})
    assert client.post("/context", data=chosen).status_code == 403
    _, token_secret = tokens.issue(site, "A")
    assert client.post("/context", data=chosen, headers=bearer(token_secret)).status_code == 403
