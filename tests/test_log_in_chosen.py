"""Does who logs in with a token or by a browser work in the project and from the level that was chosen?"""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from datamodel import projects, tokens
from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.observatory import Instrument
from datamodel.session import Session as DataSession
from tests import logging_in
from tests.accounts import bearer
from tests.logging_in import entered, secret

cheap, shared, bare = logging_in.cheap, logging_in.shared, logging_in.bare
clock, site, client = logging_in.clock, logging_in.site, logging_in.client

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
