"""Can anybody see, count, guess or time what is in another's MyDB, through any door of the server?

A stranger, an account of the same project and a wrong token try. What they are told of hidden things must be what they
are told of things that there are not, to the letter and to the statement; and what they are told of everything must be
what they were told before the hidden things came.
"""

import io
from itertools import product
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from datamodel import projects
from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.context import MYDB
from datamodel.frames import RawScienceFrame
from datamodel.job_claims import Holder
from datamodel.session import Session
from datamodel.store import Store
from processing.bias_frame import BiasFrame
from processing.execute import Execution
from processing.plan import Planner
from processing.standing_check import differences
from tests import hidden as of_a
from tests.accounts import bearer
from tests.hidden import DOORS, NAME, QUERIES, RA, SLID, Hidden, Seen, asked, look, told, without
from tests.sent import sent_to
from vo_server.app import JOBS
from vo_server.mydb import tables as own_tables
from vo_server.uws.worker import Worker

site, client, headers = of_a.site, of_a.client, of_a.headers
before, hidden = of_a.before, of_a.hidden


def test_what_tells_of_many_things_tells_others_what_it_told_before(
    client: FlaskClient, headers: dict[str, dict[str, str]], before: Seen, hidden: Hidden
) -> None:
    seen = {door: client.get(door, headers=headers["A"]).text for door in DOORS}
    assert hidden.raw in seen[asked(QUERIES[3])]
    assert seen[asked(QUERIES[5])].count(str(SLID)) == 3
    assert str(RA) in seen[asked("SELECT * FROM secret.stars")]
    assert "secret.stars" in seen["/tap/tables"]
    assert "mydb.hoard" in seen["/tap/tables"]
    assert str(RA) in seen[asked("SELECT * FROM mydb__41.hoard")]
    assert hidden.job in seen["/tap/async"]
    assert hidden.job in seen["/query/jobs"]
    after = look(client, headers)
    assert {key: (before[key], value) for key, value in after.items() if value != before[key]} == {}


def test_a_hidden_thing_is_answered_as_one_that_is_not_there(
    site: Archive,
    client: FlaskClient,
    headers: dict[str, dict[str, str]],
    hidden: Hidden,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = new_object_id()
    did = quote("ivo://example.org/archive?", safe="")
    doors = (
        "/data/{}",
        "/object/{}",
        "/object/{}/thumbnail.png",
        "/object/{}/preview.png",
        "/target/RawScienceFrame/{}",
        "/target/ReducedScienceFrame/{}",
        "/target/BiasFrame/{}",
        f"/datalink/links?ID={did}target%2FReducedScienceFrame%2F{{}}",
        f"/datalink/links?ID={did}target%2FRawScienceFrame%2F{{}}",
        f"/datalink/links?ID={did}object%2F{{}}",
        f"/datalink/page?ID={did}object%2F{{}}",
        asked("SELECT * FROM archive.dbobject WHERE object_id = '{}'").replace("%7B%7D", "{}"),
        asked("SELECT ivo_nocasematch('{}', 'x') AS x FROM archive.chip").replace("%7B%7D", "{}"),
    )
    digest = {"If-None-Match": f'"{hidden.digest}"'}, {"If-Match": f'"{hidden.digest}"'}
    ways = [("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-10"}), *(("GET", each) for each in digest)]
    for door in doors[:6]:
        shown = client.get(door.format(hidden.raw), headers=headers["A"])
        assert (shown.status_code, bool(shown.cache_control.public)) == (200, False)
    for cls, name in ((Store, "path"), (Execution, "run"), (Planner, "node"), (Planner, "node_of")):
        monkeypatch.setattr(cls, name, lambda *_a, _name=name, **_k: pytest.fail(f"{_name} was called"))
    tried = list(product(("B", "stranger"), doors, (hidden.raw, hidden.product), ways[:1]))
    tried += product(("B", "stranger"), doors[:6], (hidden.raw,), ways[1:])
    for who, door, id, (method, trick) in tried:
        answers = []
        for which in (id, absent):
            with sent_to(site) as sent:
                answer = client.open(door.format(which), method=method, headers=headers[who] | trick)
            noted = [text.replace(which, "ID") for text in sent if "catalogue_state" not in text]
            answers.append((without(which, told(answer)), noted))  # that one is looked at once a second
        assert answers[0] == answers[1], (who, door, method, trick)
    for name in ("secret.stars", "absent.stars"):
        refused = client.get(f"/tap/tables/{name}", headers=headers["B"])
        assert (refused.status_code, refused.text.count("secret")) == (404, int(name == "secret.stars"))


def test_the_tables_of_another_are_changed_by_nobody_and_told_of_by_no_error(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    """B, whose own table of that name is hers alone, is told what she would be told of a table that there is not."""
    for method, path in (("DELETE", "tables"), ("POST", "load")):
        answers = []
        for name in ("hoard", "absnt"):
            refused = client.open(
                f"/tap/{path}/mydb__41.{name}", method=method, data="ra\n1\n", headers=headers["B"]
            )
            answers.append((refused.status_code, refused.text.replace(name, "NAME")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    for data in ({"TABLE": "mydb__41.hoard", "INDEX": "ra"}, {"TABLE": "mydb.hoard", "INDEX": "ra"}):
        assert client.post("/tap/table-update", data=data, headers=headers["B"]).status_code == 404
    made = client.put("/tap/tables/mydb.hoard", data="ra\n5\n", headers=headers["B"])
    assert (made.status_code, client.delete("/tap/tables/mydb.hoard", headers=headers["B"]).status_code) == (
        201,
        200,
    )
    own_tables.require_own(own_tables.found(site, "mydb.hoard", site.caller("A")), site.caller("A"))


def test_tables_that_come_along_join_nothing_hidden(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    query = "SELECT t.id, r.object FROM TAP_UPLOAD.t AS t JOIN archive.raw_science_frame AS r ON r.object_id = t.id"
    found = {}
    for who in ("A", "B", "stranger"):
        sent = {
            "LANG": "ADQL",
            "QUERY": query,
            "RESPONSEFORMAT": "csv",
            "UPLOAD": "t,param:t",
            "t": (io.BytesIO(f"id\n{hidden.raw}\n".encode()), "t.csv"),
        }
        answer = client.post("/tap/sync", data=sent, headers=headers[who])
        assert answer.status_code == 200, answer.text
        found[who] = NAME in answer.text
    assert found == {"A": True, "B": False, "stranger": False}


def test_the_job_of_another_is_not_seen_changed_or_ended(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    url = f"/tap/async/{hidden.job}"
    result = client.get(f"{url}/results/result", headers=headers["A"])
    assert (result.status_code, str(RA) in result.text or len(result.data) > 100) == (200, True)
    parts = (
        "",
        "/phase",
        "/owner",
        "/quote",
        "/parameters",
        "/parameters/query",
        "/results",
        "/results/result",
        "/error",
    )
    for who in ("B", "stranger"):
        for part in parts:
            for method in ("GET", "HEAD"):
                refused = client.open(url + part, method=method, headers=headers[who])
                assert (refused.status_code, "secret" in refused.text) == (403, False)
        for part, data in (
            ("", {"ACTION": "DELETE"}),
            ("/phase", {"PHASE": "ABORT"}),
            ("/destruction", {"DESTRUCTION": "2030-01-01T00:00:00Z"}),
            ("/executionduration", {"EXECUTIONDURATION": "1"}),
            ("/parameters", {"QUERY": "SELECT 1"}),
        ):
            assert client.post(url + part, data=data, headers=headers[who]).status_code == 403
        assert client.delete(url, headers=headers[who]).status_code == 403
    assert client.get(f"{url}/phase", headers=headers["A"]).text == "COMPLETED"


def test_a_job_of_another_caller_is_told_nothing_either(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    for who in ("B", "stranger"):
        texts = []
        for name in ("secret", "absent"):
            sent = {"LANG": "ADQL", "QUERY": f"SELECT * FROM {name}.stars", "PHASE": "RUN"}
            job = client.post("/tap/async", data=sent, headers=headers[who]).headers["Location"]
            with Holder(site) as holder:
                assert Worker(site, JOBS).run_one(holder)
            url = job.removeprefix("http://127.0.0.1:8000")
            texts.append(client.get(f"{url}/error", headers=headers[who]).text.replace(name, "NAME"))
        assert "unknown table" in texts[0]
        assert texts[0] == texts[1]


def test_a_wrong_token_opens_nothing_and_a_second_reader_gets_no_copy(
    client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    doors = (
        f"/data/{hidden.raw}",
        f"/object/{hidden.raw}",
        f"/object/{hidden.raw}/thumbnail.png",
        f"/tap/async/{hidden.job}",
        *DOORS,
    )
    for door in doors:
        own = client.get(door, headers=headers["A"])
        assert own.headers["X-VO-Authenticated"] == "A"
        assert own.cache_control.private is not None
        assert not own.cache_control.public
        assert {"Authorization", "Cookie"} <= set(own.vary)
        refused = client.get(door, headers=bearer("vo_token_wrong"))
        assert (refused.status_code, NAME in refused.text) == (401, False)


def test_what_is_published_is_told_to_everybody_by_every_service(
    site: Archive, client: FlaskClient, headers: dict[str, dict[str, str]], hidden: Hidden
) -> None:
    """The last test here: afterwards nothing is hidden any more."""
    projects.set_member(site, "P", "A", is_manager=True)
    lists = asked(QUERIES[5])
    target = quote(NAME)
    doors = (f"/sia2/query?TARGET={target}&RESPONSEFORMAT=csv", asked(QUERIES[3]), lists)
    before = [client.get(door, headers=headers["stranger"]).text for door in doors]
    with Session(site, site.caller("A", "P", MYDB)) as session:
        made = session.load(BiasFrame, hidden.product)
        assert made.publish(4, deep=False, lineage="redacted").hidden
        assert differences(session) == []
        made.publish(4)
        (RawScienceFrame.OBJECT == NAME)[0].publish(4)
        assert differences(session) == []
    after = [client.get(door, headers=headers["stranger"]).text for door in doors]
    assert [NAME in text for text in before[:1]] == [False]
    assert (NAME in after[0], hidden.raw in after[1], after[2].count(str(SLID))) == (True, True, 3)
    assert hidden.raw not in "".join(before)
    for door in (f"/data/{hidden.raw}", f"/data/{hidden.product}", f"/object/{hidden.raw}"):
        assert client.get(door).status_code == 200
