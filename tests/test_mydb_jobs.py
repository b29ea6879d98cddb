"""Do results of jobs become tables of their owners, and are columns indexed by jobs?"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel import catalogues, projects, tokens
from datamodel.archive import Archive
from datamodel.context import Caller
from tests import users_tables
from tests.accounts import bearer
from tests.catalogues import positions
from tests.users_tables import QUERY, STARS, Headers, asked, job, put, run
from vo_server.catalogue import importing
from vo_server.mydb import jobs, names
from vo_server.mydb import tables as own_tables
from vo_server.uws.service import Task

shared, headers = users_tables.shared, users_tables.headers
application, client = users_tables.application, users_tables.client


def test_the_result_of_a_job_becomes_a_table_with_all_that_its_columns_mean(
    client: FlaskClient, headers: Headers
) -> None:
    first = job(client, headers["A"], QUERY, MYDB="kept")
    assert client.get(f"{first}/phase", headers=headers["A"]).text == "COMPLETED"
    saved = client.post(f"{first}/save", data={"NAME": "mydb.later"}, headers=headers["A"])
    assert (saved.status_code, saved.headers["Location"][-11:]) == (303, "/mydb.later")
    expected = asked(client, QUERY, headers["A"])
    for name in ("kept", "later"):
        assert asked(client, f"SELECT * FROM mydb.{name}", headers["A"]) == expected
        told = "SELECT column_name, datatype, unit, ucd, utype, description FROM tap_schema.columns WHERE table_name = "
        own = asked(client, f"{told}'mydb.{name}' ORDER BY column_index", headers["A"])
        theirs = (
            f"{told}'tap_schema.columns' AND column_name IN ('table_name', 'column_index', 'unit', 'ucd')"
        )
        known = asked(client, theirs, headers["A"])
        assert sorted(own.split("\r\n")) == sorted(known.split("\r\n"))
        shown = client.get(f"/tap/tables/mydb.{name}", headers=headers["A"]).text
        assert f"<description>{QUERY}</description>" in shown
    assert client.post(f"{first}/save", data={"NAME": "x"}, headers=headers["B"]).status_code == 403
    assert client.post(f"{first}/save", data={"NAME": "x"}, headers={}).status_code == 401


@pytest.mark.parametrize(
    ("who", "name", "message"),
    [
        ("stranger", "kept", "strangers keep no tables"),
        ("A", "tap_schema.kept", "no table of your own"),
        ("A", "taken", "there is a table 'mydb.taken' already"),
    ],
)
def test_a_job_whose_result_cannot_be_saved_says_so(
    client: FlaskClient, headers: Headers, who: str, name: str, message: str
) -> None:
    put(client, "mydb.taken", headers["A"])
    path = job(client, headers[who], QUERY, MYDB=name)
    assert client.get(f"{path}/phase", headers=headers[who]).text == "ERROR"
    assert message in client.get(f"{path}/error", headers=headers[who]).text.replace("&apos;", "'").replace(
        "&#39;", "'"
    )


def test_results_that_are_cut_off_or_not_read_here_are_told_of(client: FlaskClient, headers: Headers) -> None:
    job(client, headers["A"], QUERY, MYDB="cut", MAXREC="2")
    shown = client.get("/tap/tables/mydb.cut", headers=headers["A"]).text
    assert "<description>The first 2 rows of: SELECT" in shown
    path = job(client, headers["A"], QUERY, RESPONSEFORMAT="json")
    refused = client.post(f"{path}/save", data={"NAME": "x"}, headers=headers["A"])
    assert (refused.status_code, "expected VOTable" in refused.text) == (400, True)
    refused = client.post(
        "/tap/sync", data={"LANG": "ADQL", "QUERY": QUERY, "MYDB": "x"}, headers=headers["A"]
    )
    assert (refused.status_code, "this is no job" in refused.text) == (400, True)


def test_an_attempt_that_had_made_the_table_is_not_repeated(
    client: FlaskClient, headers: Headers, shared: Archive
) -> None:
    path = job(client, headers["A"], QUERY, MYDB="kept")
    (made,) = catalogues.known(shared).entries
    assert made.source == f"job {path.rpartition('/')[2]}"
    folder = shared.config.archive / "jobs" / path.rpartition("/")[2]
    asked = (("LANG", "ADQL"), ("QUERY", QUERY), ("MYDB", "kept"))
    task = Task(shared, shared.caller("A"), "A", asked, folder, 60.0, lambda: False)
    assert sum(len(list(output.chunks)) for output in jobs.work(task)) > 0
    assert catalogues.known(shared).entries == (made,)


def test_a_column_is_indexed_by_a_job(client: FlaskClient, headers: Headers, shared: Archive) -> None:
    put(client, "mydb.stars", headers["A"])
    begun = client.post(
        "/tap/table-update", data={"TABLE": "mydb.stars", "INDEX": "MAG"}, headers=headers["A"]
    )
    assert begun.status_code == 303
    path = begun.headers["Location"].partition("8000")[2]
    assert client.get(f"{path}/phase", headers=headers["A"]).text == "PENDING"
    client.post(f"{path}/phase", data={"PHASE": "RUN"}, headers=headers["A"])
    run(shared)
    assert client.get(f"{path}/phase", headers=headers["A"]).text == "COMPLETED", client.get(
        f"{path}/error", headers=headers["A"]
    ).text
    query = "SELECT column_name FROM tap_schema.columns WHERE table_name = 'mydb.stars' AND indexed = 1 ORDER BY 1"
    assert asked(client, query, headers["A"]).split() == ["column_name", "hpx29", "mag"]
    client.post("/tap/load/mydb.stars", data=STARS, headers=headers["A"], content_type="text/csv")
    assert asked(client, query, headers["A"]).split() == ["column_name", "hpx29", "mag"]
    for data, message in (
        ({"TABLE": "mydb.stars"}, "INDEX is missing"),
        ({"TABLE": "mydb.stars", "INDEX": "mag", "unique": "true"}, "UNIQUE is"),
        ({"TABLE": "mydb.star", "INDEX": "mag"}, "there is no table"),
    ):
        assert message in client.post("/tap/table-update", data=data, headers=headers["A"]).text


def test_a_job_of_a_project_that_its_owner_has_left_is_refused(client: FlaskClient, shared: Archive) -> None:
    shared.add_account("D", "P")
    sent = bearer(tokens.issue(shared, "D", project="P")[1])
    url = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": QUERY, "PHASE": "RUN"}, headers=sent)
    projects.remove_member(shared, "P", "D")
    run(shared)
    path = url.headers["Location"].partition("8000")[2]
    own = bearer(tokens.issue(shared, "D")[1])
    assert client.get(f"{path}/phase", headers=own).text == "ERROR"
    assert "D is no member of project 'P'" in client.get(f"{path}/error", headers=own).text


def test_an_index_is_built_before_others_have_to_wait_for_the_change_of_a_table(
    client: FlaskClient, shared: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = shared.caller("A")
    entry = own_tables.create(shared, caller, "stars", positions([1.0], [2.0]), "x")
    built = []

    @contextmanager
    def changing(archive: Archive, user: str | None = None) -> Iterator[sa.Connection]:
        with archive.database.read() as connection:
            built.extend(sa.inspect(connection).get_indexes(entry.sql.name))
        with importing.changing(archive, user) as connection:
            yield connection

    monkeypatch.setattr(own_tables, "changing", changing)
    own_tables.index(shared, caller, "stars", "dec")
    assert ["dec"] in [each["column_names"] for each in built]
    (told,) = catalogues.known(shared).entries
    assert [column.name for column in told.columns if column.indexed] == ["dec", "hpx29"]


def test_a_table_whose_rows_change_while_it_is_indexed_is_indexed_with_the_new_ones(
    client: FlaskClient, shared: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = shared.caller("A")
    own_tables.create(shared, caller, "stars", positions([1.0], [2.0]), "x")

    def found(archive: Archive, name: str, who: Caller) -> catalogues.Entry:
        entry = names.found(archive, name, who)
        monkeypatch.undo()
        own_tables.append(archive, who, name, lambda: positions([3.0], [4.0]))
        return entry

    monkeypatch.setattr(own_tables, "found", found)
    made = own_tables.index(shared, caller, "stars", "dec")
    with shared.database.read() as connection:
        indexed = [each["column_names"] for each in sa.inspect(connection).get_indexes(made.sql.name)]
    assert (made.rows, ["dec"] in indexed) == (2, True)
