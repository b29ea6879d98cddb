"""Does a person see what a judgement makes outdated before it is made, and is only theirs carried out?"""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from datamodel import projects, tokens
from datamodel.archive import Archive
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.reduced_science_frame import ReducedScienceFrame
from tests.accounts import bearer
from vo_server.app import create_app


def _client(archive: Archive) -> FlaskClient:
    return create_app(archive).test_client()


def _token(archive: Archive, name: str, *, manages: bool = False) -> dict[str, str]:
    """The header of an account, new or not, that may manage the project of the archive."""
    archive.add_account(name)
    if manages:
        projects.set_member(archive, archive.config.project, name, is_manager=True)
    return bearer(tokens.issue(archive, name)[1])


@pytest.mark.thorough
def test_the_page_tells_the_impact_of_a_judgement_and_a_click_makes_it(session: Session) -> None:
    archive = session.archive
    reduced = ReducedScienceFrame.get(raw=(RawScienceFrame.chip == "A5382")[0])
    bias = BiasFrame.select(date="2003-02-14", chip="A5382")
    client, manager, stranger = (
        _client(archive),
        _token(archive, "mary", manages=True),
        _token(archive, "eve"),
    )
    url = f"/object/{bias.object_id}"
    assert 'id="judging"' in client.get(url, headers=manager).text
    assert 'id="judging"' not in client.get(url, headers=stranger).text + client.get(url).text
    shown = BeautifulSoup(client.get(f"{url}/judge?is_valid=0", headers=manager).text, "html.parser")
    told = {row.th.text: row.td.text for row in shown.select("tbody tr")}
    assert told == {name: str(len(ids)) for name, ids in bias.impact(is_valid=0).outdated.items()}
    assert told["ReducedScienceFrame"] == "1"
    assert (bias.is_valid, reduced.uptodate()) == (1, True)
    sent = {"is_valid": shown.find("input", attrs={"name": "is_valid"})["value"], "comment": "a light leak"}
    for headers in ({}, stranger):
        assert client.post(f"{url}/judge", data=sent, headers=headers).status_code == 403
    done = client.post(f"{url}/judge", data=sent, headers=manager)
    assert (done.status_code, done.headers["Location"]) == (303, url)
    with Session(archive, session.caller):
        after = BiasFrame(object_id=bias.object_id)
        assert (after.is_valid, [each.text for each in after.comments]) == (0, ["a light leak"])
        assert not ReducedScienceFrame(object_id=reduced.object_id).uptodate()
    assert "up to date again" in client.get(f"{url}/judge?is_valid=1", headers=manager).text


def test_what_is_no_judgement_is_quoted(session: Session) -> None:
    raw = (RawScienceFrame.chip == "A5382")[0]
    client, manager = _client(session.archive), _token(session.archive, "mary", manages=True)
    for method in (client.get, client.post):
        refused = method(f"/object/{raw.object_id}/judge?is_valid=3", headers=manager)
        assert refused.status_code == 400
        assert "IS_VALID is &#39;3&#39;, expected one of 0 (bad)" in refused.text
