"""Is the list of jobs filtered as asked, and does it, like each job, belong to the caller alone?"""

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, Caller
from tests.toy_jobs import Begin, listed, some_jobs, text
from tests.toy_jobs_fixtures import ALL
from vo_server import dali

shared, kept, app, client, holder, worker, begin = ALL

FILTERS: list[tuple[str, list[int]]] = [
    ("", [4, 3, 2, 0]),
    ("?LAST=2", [4, 3]),
    ("?last=99", [4, 3, 2, 0]),
    ("?PHASE=PENDING", [4, 0]),
    ("?PHASE=ERROR&PHASE=COMPLETED", [3, 2]),
    ("?PHASE=ARCHIVED", [1]),
    ("?AFTER=2026-01-01T00:02:00Z", [4, 3]),
    ("?AFTER=2026-01-01T00:02:30", [4, 3]),
    ("?AFTER=2026-01-01T00:01:00Z&PHASE=PENDING&LAST=1", [4]),
    ("?PHASE=HELD", []),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[query for query, _ in FILTERS])
def test_the_list_is_filtered(client: FlaskClient, kept: Archive, query: str, expected: list[int]) -> None:
    made = some_jobs(kept, "PENDING", "ARCHIVED", "COMPLETED", "ERROR", "PENDING")
    assert listed(client.get(f"/toy/jobs{query}")) == [made[number] for number in expected]


def test_a_long_list_is_read_page_by_page_and_a_short_one_at_once(
    client: FlaskClient, kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAGE", 10)
    made = some_jobs(kept, *["COMPLETED"] * 25)
    sent: list[str] = []
    sa.event.listen(kept.database.engine, "before_cursor_execute", lambda _c, _k, text, *_: sent.append(text))
    assert listed(client.get("/toy/jobs")) == made[::-1]
    assert len(sent) == 3
    assert listed(client.get("/toy/jobs?LAST=3")) == made[:-4:-1]
    assert len(sent) == 4


def test_a_job_is_its_owners_alone(
    client: FlaskClient, kept: Archive, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = begin()
    (elsewhere,) = some_jobs(kept, "PENDING", who="address 10.0.0.1")
    monkeypatch.setattr(dali, "caller_of", lambda request: Caller("A"))
    own = begin()
    assert listed(client.get("/toy/jobs")) == [own.rpartition("/")[2]]
    assert text(client.get(f"{own}/owner")) == "A"
    assert client.get(stranger).status_code == 403
    monkeypatch.setattr(dali, "caller_of", lambda request: Caller("B"))
    assert listed(client.get("/toy/jobs")) == []
    for resource in ("", "/phase", "/results", "/parameters", "/error", "/owner"):
        assert client.get(own + resource).status_code == 403
    assert client.delete(own).status_code == 403
    assert client.post(f"{own}/phase", data={"PHASE": "RUN"}).status_code == 403
    monkeypatch.setattr(dali, "caller_of", lambda request: ANONYMOUS)
    assert client.get(own).status_code == 403
    assert listed(client.get("/toy/jobs")) == [stranger.rpartition("/")[2]]
    assert client.get(f"/toy/jobs/{elsewhere}").status_code == 200, "its identifier cannot be guessed"


def test_a_job_of_one_protocol_is_none_of_another(client: FlaskClient, kept: Archive) -> None:
    (id,) = some_jobs(kept, "PENDING")
    jobs.change(kept, jobs.get(kept, "toy", id, ANONYMOUS), ("PENDING",), service="other")
    assert client.get(f"/toy/jobs/{id}").status_code == 404
