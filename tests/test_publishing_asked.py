"""Do pages and commands show the plan first, and publish only what was shown, for who may?"""

import io
import json
from collections.abc import Callable
from typing import Any

import html5lib
import pytest
from bs4 import BeautifulSoup

from datamodel.archive import Archive
from datamodel.session import Session
from tests import published
from tests.accounts import PASSWORD, bearer, with_password
from tests.published import PublishMade, all_of, chain, levels
from vo_server.app import create_app

clock, shared, mine = published.clock, published.shared, published.mine
client, secrets, run = published.client, published.secrets, published.run


def test_the_page_shows_the_plan_and_a_click_carries_out_that_very_plan(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = chain()
    url, header = f"/object/{made.object_id}", bearer(secrets["A"])
    assert "Show the plan" in client.get(url, headers=header).text
    shown = client.get(f"{url}/publish?level=4", headers=header)
    plan = made.publish_plan(4)
    assert (shown.status_code, plan.digest in shown.text, "Carry it out" in shown.text) == (200, True, True)
    made.comment("something new")
    unseen = client.post(f"{url}/publish", data={"level": "4"}, headers=header)
    assert (unseen.status_code, "PLAN is not given" in unseen.text) == (400, True)
    sent = {"level": "4", "plan": plan.digest}
    assert client.post(f"{url}/publish", data=sent, headers=header).status_code == 400
    assert levels(mine.archive, made) == [1]
    sent["plan"] = made.publish_plan(4).digest
    done = client.post(f"{url}/publish", data=sent, headers=header)
    assert (done.status_code, done.headers["Location"]) == (303, url)
    assert levels(mine.archive, *all_of(made)) == [4] * 7
    refused = client.get(f"{url}/publish?level=5", headers=bearer(secrets["B"]))
    for text in (shown.text, refused.text, client.get(url, headers=header).text):
        html5lib.HTMLParser(strict=True).parse(text)
    assert (refused.status_code, "Carry it out" in refused.text) == (200, False)
    assert "the managers of project" in refused.text
    for who in ({}, bearer(secrets["B"]), bearer(secrets["C"])):
        assert client.post(f"{url}/publish", data=sent | {"level": "5"}, headers=who).status_code == 403
        assert client.post(f"{url}/retract", data={"reason": "no"}, headers=who).status_code == 403
        assert "Show the plan" not in client.get(url, headers=who).text
    assert client.post(f"{url}/publish", data={"level": "6"}, headers=header).status_code == 400
    assert client.post(f"{url}/retract", data={"reason": "oh"}, headers=header).status_code == 303
    assert "Retract" not in client.get(url, headers=header).text


def test_a_forged_form_publishes_and_retracts_nothing(mine: Session, shared: Archive) -> None:
    with_password(shared, "A")
    browser = create_app(shared).test_client()
    entry = BeautifulSoup(browser.get("/login").text, "html.parser").find(attrs={"name": "csrf_token"})
    sent = {"csrf_token": entry["value"], "username": "A", "password": PASSWORD}
    assert browser.post("/login", data=sent).status_code == 303
    made = chain(level=2)
    url = f"/object/{made.object_id}"
    for path, given in ((f"{url}/publish", {"level": "4"}), (f"{url}/retract", {"reason": "forged"})):
        for more in ({}, {"csrf_token": "forged"}):
            assert browser.post(path, data=given | more).status_code == 403
    assert (levels(mine.archive, made), made.retracted) == ([2], None)
    for shown, button in ((f"{url}/publish?level=4", "Carry it out"), (url, "Retract")):
        page = BeautifulSoup(browser.get(shown).text, "html.parser")
        form = next(each for each in page.find_all("form") if each.button.text == button)
        given = {each["name"]: each["value"] for each in form.find_all("input") if each.get("value")}
        done = browser.post(
            form["action"], data=given | {"reason": "by a person"} if button == "Retract" else given
        )
        assert done.status_code == 303
    assert (levels(mine.archive, made), made.retracted.reason) == ([4], "by a person")


def test_hidden_things_are_published_by_nobody_and_look_as_if_absent(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = chain()
    absent = made.object_id[:-4] + "0000"
    for who in ({}, bearer(secrets["B"]), bearer(secrets["C"])):
        for method, tail, sent in (
            ("GET", "publish?level=4", {}),
            ("POST", "publish", {"level": "4"}),
            ("POST", "retract", {"reason": "x"}),
        ):
            told = [
                client.open(f"/object/{oid}/{tail}", method=method, data=sent, headers=who)
                for oid in (made.object_id, absent)
            ]
            assert {(each.status_code, each.text.replace(made.object_id, absent)) for each in told} == {
                (404, told[1].text)
            }


def test_managers_see_what_is_ready_in_their_project(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = PublishMade(name="ready", _privileges=2)
    made.commit()
    made.judge(2)
    page = client.get("/project/P", headers=bearer(secrets["A"]))
    html5lib.HTMLParser(strict=True).parse(page.text)
    assert (page.status_code, f"/object/{made.object_id}/publish?level=4" in page.text) == (200, True)
    for name, who in (("P", {}), ("P", bearer(secrets["B"])), ("P", bearer(secrets["C"])), ("none", {})):
        refused = client.get(f"/project/{name}", headers=who)
        assert (refused.status_code, made.object_id in refused.text) == (404, False)


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """They do."""
        return True


@pytest.mark.thorough
def test_a_command_shows_the_plan_and_asks(
    mine: Session, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_LEVEL", "1")
    made = chain()
    oid = made.object_id
    assert "4  PublishMade  1 MyDB -> 4 World" in run("publish", oid, "world", "--dry-run")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, told = run("publish", oid, "4")
    assert (code, "nobody can be asked" in told, "1 MyDB -> 4 World" in told) == (2, True, True)
    assert run("publish", oid, "4", "--shallow", "--yes")[0] == 1
    assert run("publish", oid, "wrold", "--yes")[0] == 2
    assert run("publish", "nothing", "4", "--yes")[0] == 2
    assert levels(mine.archive, made) == [1]
    for answer, code, level in (("n\n", 2, 1), ("y\n", 0, 4)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert (run("publish", oid, "4")[0], levels(mine.archive, made)) == (code, [level])
    code, out, _ = run("publish", oid, "5", "--yes", "--json")
    assert (code, len(json.loads(out)["steps"])) == (0, 8)
    code, out, _ = run("retract", oid, "wrong")
    assert (code, "retracted on" in out) == (0, True)
    assert run("retract", oid, "wrong")[0] == 2
