"""Do the pages to log in, their cookies and the jobs of accounts serve their owner, and never a forged form?"""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from datamodel import account_changes, jobs, tokens
from datamodel.archive import Archive
from datamodel.crash import CRASH_POINTS
from datamodel.job_claims import Holder
from tests import logging_in
from tests.accounts import PASSWORD, basic, bearer, with_password
from tests.logging_in import ASKED, HTTPS, entered, secret, who
from tests.templates import FrozenClock
from vo_server.app import JOBS, create_app
from vo_server.auth import cookies
from vo_server.uws.worker import Worker

cheap, shared, bare = logging_in.cheap, logging_in.shared, logging_in.bare
clock, site, client = logging_in.clock, logging_in.site, logging_in.client


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
