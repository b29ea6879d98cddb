"""Can users keep tables of their own, ask for them by name, and does nobody else know of them?"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from astropy.io import votable
from flask.testing import FlaskClient
from hypothesis import given
from werkzeug.test import TestResponse

from datamodel import catalogues, mydb, projects, quotas, tap_schema, tokens
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import BusyError
from datamodel.job_claims import Holder
from datamodel.turns import Bounds, table_turns_of
from processing.classes import TABLES
from tests.accounts import CHEAP, PASSWORD, bearer, with_password
from tests.catalogues import COLUMNS, ask, brought, made_up, positions, reading
from vo_server.app import JOBS, create_app
from vo_server.catalogue import importing
from vo_server.formats.reading import Reading
from vo_server.mydb import body, jobs, names
from vo_server.mydb import tables as own_tables
from vo_server.mydb.publishing import publish
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.uws.service import Task
from vo_server.uws.worker import Worker

STARS = "ra,dec,Mag\n10.5,20.25,7.5\n11,21,8.5\n"
VOSI = """<?xml version="1.0"?><vosi:table xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0"
xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<name>ignored.name</name><description>Papers that cite us</description>
<column><name>article</name><description>Its number</description><ucd>meta.id</ucd>
<dataType xsi:type="vs:VOTableType" arraysize="30*">char</dataType><flag>indexed</flag></column>
<column><name>Count</name><unit>ct</unit><dataType xsi:type="vs:VOTableType">long</dataType></column>
<column><name>weight</name><dataType xsi:type="vs:TAPType">DOUBLE</dataType></column>
</vosi:table>"""

Headers = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without objects; accounts A and B are members of project P, C of project Q."""
    folder = tmp_path_factory.mktemp("mydb") / "archive"
    config = Config(archive=folder, database_url=new_database(), project="P")
    opened = Archive(config, lambda: datetime(2026, 1, 1))
    opened.prepare(TABLES)
    for account, project in (("A", "P"), ("B", "P"), ("C", "Q")):
        opened.add_account(account, project)
    update_tap_schema(opened, tables(opened.config))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def headers(shared: Archive) -> Headers:
    return {name: bearer(tokens.issue(shared, name)[1]) for name in "ABC"} | {"stranger": {}}


@pytest.fixture(scope="module")
def application(shared: Archive, headers: Headers) -> FlaskClient:
    made = create_app(shared).test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture
def client(
    shared: Archive, application: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """A client of the archive, whose users keep nothing yet; its configuration is as it was afterwards."""
    monkeypatch.setattr(shared, "config", shared.config)
    yield application
    for each in catalogues.known(shared).entries:
        own_tables.drop_known(shared, each)


def asked(client: FlaskClient, query: str, headers: dict[str, str]) -> str:
    sent = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": query}
    return client.post("/tap/sync", data=sent, headers=headers).text


def put(
    client: FlaskClient, name: str, headers: dict[str, str], data: str | bytes = STARS, mime: str = "text/csv"
) -> str:
    answer = client.put(f"/tap/tables/{name}", data=data, headers=headers, content_type=mime)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


@given(st.text("Aa_1.@+-é", max_size=100), st.text("Aa_1.@+-é", max_size=100))
def test_schemas_of_users_are_regular_identifiers_and_differ(one: str, other: str) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]{0,104}", mydb.schema_of(one))
    assert (mydb.schema_of(one) == mydb.schema_of(other)) == (one == other)


def test_a_table_is_its_owners_under_two_names_and_nobody_elses(
    client: FlaskClient, headers: Headers
) -> None:
    assert put(client, "mydb.Stars", headers["A"]).endswith("/tap/tables/mydb.stars")
    for name in ("mydb.stars", "mydb__41.stars", "stars", "MyDB.STARS"):
        assert asked(client, f"SELECT mag FROM {name} ORDER BY mag", headers["A"]) == "mag\r\n7.5\r\n8.5\r\n"
    assert "7.5" in asked(client, "SELECT mydb__41.stars.mag FROM mydb__41.stars", headers["A"])
    cone = "SELECT mag FROM mydb.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10.5, 20.25, 0.1))"
    assert asked(client, cone, headers["A"]) == "mag\r\n7.5\r\n"
    listed = "SELECT schema_name, table_name FROM tap_schema.tables WHERE table_name LIKE 'mydb%'"
    assert asked(client, listed, headers["A"]).split() == ["schema_name,table_name", "mydb,mydb.stars"]
    for who in ("B", "C", "stranger"):
        for name in ("mydb.stars", "mydb.star", "mydb__41.stars", "stars"):
            told = asked(client, f"SELECT * FROM {name}", headers[who])
            assert f"unknown table '{name}'" in told.replace("&apos;", "'").replace("&#39;", "'")
            assert "did you mean" not in told
        assert asked(client, listed, headers[who]).split() == ["schema_name,table_name"]
        assert "<name>mydb" not in client.get("/tap/tables", headers=headers[who]).text
        assert client.get("/tap/tables/mydb.stars", headers=headers[who]).status_code == 404
    for name in ("mydb.stars", "mydb__41.stars"):
        shown = client.get(f"/tap/tables/{name}", headers=headers["A"])
        assert (shown.status_code, shown.text.count("<column ")) == (200, 4)
    near = asked(client, "SELECT * FROM mydb.star", headers["A"])
    assert "did you mean" in near


def test_two_users_may_give_their_tables_the_same_name(client: FlaskClient, headers: Headers) -> None:
    for number, who in enumerate("ABC"):
        put(client, "mydb.mine", headers[who], f"x\n{number}\n")
    for number, who in enumerate("ABC"):
        assert asked(client, "SELECT x FROM mydb.mine", headers[who]).split() == ["x", str(number)]


def test_a_table_is_made_as_a_vosi_document_says_and_filled_in_parts(
    client: FlaskClient, headers: Headers
) -> None:
    put(client, "mydb.papers", headers["A"], VOSI, "text/xml")
    text = client.get("/tap/tables/mydb.papers", headers=headers["A"]).text
    assert "<description>Papers that cite us</description>" in text
    assert text.count("<flag>indexed</flag>") == 1
    parts = (
        ("text/tab-separated-values", b"COUNT\tarticle\n5\tfirst\n6\tsecond\n"),
        ("text/csv", b"article,weight\nthird,0.5\n"),
        ("application/x-votable+xml", _votable("article", ["fourth"])),
    )
    for number, (mime, data) in enumerate(parts):
        told = client.post("/tap/load/mydb.papers", data=data, headers=headers["A"], content_type=mime)
        assert (told.status_code, told.text.split()[2]) == (200, str(2 + number)), told.text
    found = asked(client, "SELECT * FROM mydb.papers ORDER BY article", headers["A"]).split()
    assert found == ["article,count,weight", "first,5,", "fourth,,", "second,6,", "third,,0.5"]


def _votable(name: str, values: list[str]) -> bytes:
    made = votable.tree.VOTableFile()
    made.resources.append(resource := votable.tree.Resource())
    resource.tables.append(table := votable.tree.TableElement(made))
    table.fields.append(votable.tree.Field(made, name=name, datatype="char", arraysize="*"))
    table.create_arrays(len(values))
    table.array[name] = np.array(values, dtype=object)
    out = io.BytesIO()
    made.to_xml(out)
    return out.getvalue()


def test_rows_that_come_in_two_parts_are_those_that_come_at_once(
    client: FlaskClient, shared: Archive
) -> None:
    values = made_up(400, 7)
    caller = shared.caller("A")
    own_tables.create(shared, caller, "whole", reading(values), "x")
    own_tables.create(shared, caller, "parts", reading({n: v[:150] for n, v in values.items()}), "x")
    rest = {name: column[150:] for name, column in values.items()}
    own_tables.append(shared, caller, "parts", lambda: reading(rest, tuple(reversed(COLUMNS))))
    whole, parts = (each for each in reversed(catalogues.known(shared).entries))
    assert parts.statistics == whole.statistics
    assert (parts.rows, parts.placed, parts.coverage) == (whole.rows, whole.placed, whole.coverage)
    found = []
    for entry in (whole, parts):
        rows = shared.database.rows(entry.sql.select(), entry.columns)
        found.append(pa.Table.from_batches(list(rows.batches)).to_pylist())
    key = lambda row: repr(sorted(row.items()))  # noqa: E731
    assert sorted(found[0], key=key) == sorted(found[1], key=key)


REFUSED = [
    ("PUT", "mydb.stars", STARS, "A", 409, "there is a table 'mydb.stars' already"),
    ("PUT", "mydb.new", STARS, "stranger", 401, "log in"),
    ("DELETE", "mydb.stars", "", "stranger", 401, "log in"),
    ("PUT", "mydb__42.new", STARS, "A", 403, "in the schema of somebody else, expected mydb.new"),
    ("PUT", "ivoa.obscore", STARS, "A", 403, "'ivoa.obscore' is no table of your own"),
    ("DELETE", "ivoa.obscore", "", "A", 403, "'ivoa.obscore' is no table of your own"),
    ("PUT", "mydb.7up", STARS, "A", 400, "the name is 'mydb.7up'"),
    ("PUT", "mydb.new", "", "A", 400, "the body is empty"),
    ("PUT", "mydb.new", VOSI.replace("long", "lnog"), "A", 400, "has the type 'lnog'; did you mean 'long'?"),
    ("PUT", "mydb.new", VOSI.replace("weight", "count"), "A", 400, "two columns called 'count'"),
    (
        "PUT",
        "mydb.new",
        VOSI.replace("<vosi:table", "<!DOCTYPE a><vosi:table"),
        "A",
        400,
        "entities are refused",
    ),
    ("LOAD", "mydb.stars", "ra,mga\n1,2\n", "A", 400, "no column 'mga'; did you mean 'mag'?"),
    ("LOAD", "mydb.stars", "mag\n1\nnine\n", "A", 400, "column 'mag' cannot be DOUBLE"),
    ("LOAD", "mydb.star", STARS, "A", 404, "there is no table 'mydb.star'; did you mean 'mydb.stars'?"),
    ("LOAD", "mydb__41.stars", STARS, "B", 404, "there is no table 'mydb__41.stars'"),
    ("DELETE", "mydb__41.stars", "", "C", 404, "there is no table 'mydb__41.stars'"),
]


def test_what_cannot_be_is_refused_and_changes_nothing(client: FlaskClient, headers: Headers) -> None:
    put(client, "mydb.stars", headers["A"])
    before = client.get("/tap/tables", headers=headers["A"]).text
    for verb, name, data, who, status, message in REFUSED:
        method, path = ("POST", "load") if verb == "LOAD" else (verb, "tables")
        mime = "text/xml" if data.startswith("<") else "text/csv"
        answer = client.open(
            f"/tap/{path}/{name}", method=method, data=data, headers=headers[who], content_type=mime
        )
        told = answer.text.replace("&apos;", "'").replace("&#39;", "'")
        assert (answer.status_code, message in told) == (status, True), (verb, name, answer.status_code, told)
    assert client.get("/tap/tables", headers=headers["A"]).text == before
    assert asked(client, "SELECT COUNT(*) AS n FROM mydb.stars", headers["A"]).split() == ["n", "2"]


def test_a_table_that_is_removed_is_gone(client: FlaskClient, headers: Headers) -> None:
    put(client, "mydb.stars", headers["A"])
    assert client.delete("/tap/tables/mydb.stars", headers=headers["A"]).text == "mydb.stars is removed\n"
    assert client.delete("/tap/tables/mydb.stars", headers=headers["A"]).status_code == 404
    assert "unknown table" in asked(client, "SELECT * FROM mydb.stars", headers["A"])


def test_a_page_elsewhere_cannot_make_tables_by_the_cookie_of_a_browser(
    client: FlaskClient, shared: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamodel.passwords.HASHER", CHEAP)
    with_password(shared, "A")
    browser = create_app(shared).test_client()
    page = browser.get("/login").text
    secret = re.search('name="csrf_token" value="([^"]+)"', page)
    assert secret is not None
    sent = {"username": "A", "password": PASSWORD, "csrf_token": secret[1]}
    assert browser.post("/login", data=sent).status_code == 303
    assert browser.put("/tap/tables/mydb.forged", data=STARS, content_type="text/csv").status_code == 403
    own = re.search('name="csrf_token" value="([^"]+)"', browser.get("/query").text)
    assert own is not None
    made = browser.put(
        "/tap/tables/mydb.own", data=STARS, content_type="text/csv", headers={"X-CSRF-Token": own[1]}
    )
    assert made.status_code == 201
    sent = {"LANG": "ADQL", "QUERY": QUERY, "PHASE": "RUN", "csrf_token": own[1]}
    url = browser.post("/tap/async", data=sent).headers["Location"]
    run(shared)
    assert "of 1.07 GB are used, most of it by mydb.own" in browser.get("/query/jobs").text
    form = re.search(
        r'<form class="save" method="post" action="([^"]+)"', browser.get("/query/jobs/list").text
    )
    assert form is not None
    assert form[1].endswith(f"{url.rpartition('/')[2]}/save")
    assert browser.post(form[1], data={"NAME": "later"}).status_code == 403
    assert browser.post(form[1], data={"NAME": "later", "csrf_token": own[1]}).status_code == 303
    assert browser.delete("/tap/tables/mydb.later", headers={"X-CSRF-Token": own[1]}).status_code == 200
    assert [each.table for each in catalogues.known(shared).entries] == ["own"]


def test_what_is_kept_beyond_the_quota_is_refused_and_told_by_what_it_is_used(
    client: FlaskClient, headers: Headers, shared: Archive
) -> None:
    shared.config = replace(shared.config, mydb_quota=13_000)
    put(client, "mydb.small", headers["A"])
    rows = "x,y\n" + "".join(f"{n},{n}\n" for n in range(100))
    put(client, "mydb.big", headers["A"], rows)
    for path, method in (("tables/mydb.more", "PUT"), ("load/mydb.big", "POST")):
        refused = client.open(
            f"/tap/{path}", method=method, data=rows * 1, headers=headers["A"], content_type="text/csv"
        )
        assert refused.status_code == 413
        assert "of 13 kB are used, most of it by" in refused.text
    put(client, "mydb.big", headers["B"], rows)
    quotas.set_quota(shared, "A", quotas.size("1 MB"))
    put(client, "mydb.more", headers["A"], rows)
    use = own_tables.use(shared, "A")
    assert [each.table for each in use.tables] == ["more", "big", "small"]
    assert use.bytes == sum(quotas.weight(each) for each in use.tables) > 13_000
    quotas.set_quota(shared, "A", None)


def test_tables_without_rows_count_what_is_told_of_them_and_are_not_too_many(
    client: FlaskClient, headers: Headers, shared: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, "mydb.papers", headers["A"], VOSI, "text/xml")
    (entry,) = catalogues.known(shared).entries
    assert entry.bytes == 0
    used = own_tables.use(shared, "A").bytes
    assert quotas.TABLE_BYTES + 500 < used < quotas.TABLE_BYTES + 5000
    assert quotas.weight(replace(entry)) == used
    shared.config = replace(shared.config, mydb_quota=2 * used - 1)
    for text in (VOSI, VOSI.replace("Papers", "Our papers")):
        refused = client.put(
            "/tap/tables/mydb.others", data=text, headers=headers["A"], content_type="text/xml"
        )
        assert (refused.status_code, "more than the quota" in refused.text) == (413, True)
    shared.config = replace(shared.config, mydb_quota=1 << 30)
    monkeypatch.setattr(quotas, "MOST_TABLES", 1)
    refused = client.put("/tap/tables/mydb.others", data=VOSI, headers=headers["A"], content_type="text/xml")
    assert (refused.status_code, "1 tables, expected 1 at the most" in refused.text) == (413, True)
    sent = {"data": "count\n1\n", "headers": headers["A"], "content_type": "text/csv"}
    assert client.post("/tap/load/mydb.papers", **sent).status_code == 200


def test_descriptions_are_cut_to_what_is_read(client: FlaskClient, headers: Headers, shared: Archive) -> None:
    text = VOSI.replace("Papers", "é" * 20_000).replace("Its number", "é" * 2_000)
    put(client, "mydb.papers", headers["A"], text, "text/xml")
    (entry,) = catalogues.known(shared).entries
    assert [len(entry.description), len(entry.columns[0].description)] == [10_000, 1_000]


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("1 kB", 1000), ("1.5GiB", 3 << 29), ("2M", 2_000_000), ("1Ti", 1 << 40), ("7b", 7)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert quotas.size(text) == size


def run(archive: Archive) -> None:
    with Holder(archive) as holder:
        assert Worker(archive, JOBS).run_one(holder)


def job(client: FlaskClient, headers: dict[str, str], query: str, **parameters: str) -> str:
    """The path of a job that has run."""
    sent = {"LANG": "ADQL", "QUERY": query, "PHASE": "RUN", **parameters}
    url = client.post("/tap/async", data=sent, headers=headers).headers["Location"]
    run(client.application.extensions["archive"])
    return str(url[url.index("/tap/async") :])


QUERY = (
    "SELECT table_name, column_index, unit, ucd FROM tap_schema.columns WHERE table_name = 'tap_schema.keys'"
)


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


def test_where_somebody_can_log_in_the_capabilities_say_where_tables_are_loaded(
    client: FlaskClient, headers: Headers
) -> None:
    text = client.get("/tap/capabilities").text
    assert text.count("#table-load-sync-1.x") == text.count("#table-update-async-1.x") == 1
    assert ANONYMOUS.user is None


def test_what_one_user_changes_leaves_what_is_told_of_others_tables_as_it_was(
    client: FlaskClient, shared: Archive
) -> None:
    """What is told after each change of one's own is what would be told if all were told anew."""
    brought(shared, positions([1.0], [2.0]), "mydbish.stars", level=1)
    for who, name in (("A", "one"), ("B", "one"), ("A", "two"), ("B", "three")):
        own_tables.create(shared, shared.caller(who), name, positions([1.0], [2.0]), "x")
    publish(shared, shared.caller("A"), "two", 2)
    own_tables.drop(shared, shared.caller("B"), "one")
    own_tables.append(shared, shared.caller("A"), "one", lambda: positions([1.0], [2.0]))
    callers = [shared.caller(name) for name in "ABC"]
    seen = [tap_schema.read(shared, caller) for caller in callers]
    with importing.changing(shared):
        pass
    assert [tap_schema.read(shared, caller) for caller in callers] == seen
    names = [
        [table.name for schema in told for table in schema.tables if "mydb" in table.name] for told in seen
    ]
    assert names == [
        ["mydb.one", "mydb.two", "mydb__41.two", "mydbish.stars"],
        ["mydb.three", "mydb__41.two"],
        [],
    ]


def test_rows_that_two_add_at_the_same_moment_are_all_there(client: FlaskClient, shared: Archive) -> None:
    caller = shared.caller("A")
    own_tables.create(shared, caller, "stars", positions([1.0], [2.0]), "x")
    before = [positions([2.0], [3.0])]

    def opened() -> Reading:
        found = positions([3.0], [4.0])
        if before:  # the table is changed after it was looked up and before its rows are kept
            other = before.pop()
            own_tables.append(shared, caller, "stars", lambda: other)
        return found

    own_tables.append(shared, caller, "stars", opened)
    assert [row["ra"] for row in ask(shared, "SELECT ra FROM mydb.stars ORDER BY ra", caller)] == [
        1.0,
        2.0,
        3.0,
    ]
    again = [positions([float(n)], [0.0]) for n in range(own_tables.ATTEMPTS)]

    def always() -> Reading:
        other = again.pop()
        own_tables.append(shared, caller, "stars", lambda: other)
        return positions([9.0], [0.0])

    with pytest.raises(BusyError, match="is being changed by others"):
        own_tables.append(shared, caller, "stars", always)


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


class Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("the body was read")


def writes(client: FlaskClient, headers: Headers, path: str, sent_body: io.BytesIO) -> list[TestResponse]:
    """What each request answers that writes a table."""
    sent = {
        "input_stream": sent_body,
        "content_type": "text/csv",
        "content_length": 20,
        "headers": headers["A"],
    }
    return [
        client.put("/tap/tables/mydb.more", **sent),
        client.post("/tap/load/mydb.stars", **sent),
        client.post(f"{path}/save", data={"NAME": "later"}, headers=headers["A"]),
    ]


def test_who_writes_two_tables_already_waits_for_a_turn_with_the_next(
    client: FlaskClient, headers: Headers, shared: Archive
) -> None:
    put(client, "mydb.stars", headers["A"])
    path = job(client, headers["A"], QUERY)
    shared.config = replace(shared.config, queue_seconds=0)
    turns, bounds = table_turns_of(shared), Bounds.of_tables(shared.config)
    held = [turns.ask("A", bounds) for _ in range(2)]
    for answer in writes(client, headers, path, Unread()):
        assert (answer.status_code, "2 tables at a time are answered for one" in answer.text) == (503, True)
    put(client, "mydb.other", headers["B"])
    for turn in held:
        turn.end()
    for _ in range(3):  # each gives its turn back
        client.put("/tap/tables/mydb.bad", data="", headers=headers["A"], content_type="text/csv")
    put(client, "mydb.more", headers["A"])


def test_where_the_disk_is_nearly_full_no_table_is_written(
    client: FlaskClient, headers: Headers, shared: Archive
) -> None:
    put(client, "mydb.stars", headers["A"])
    path = job(client, headers["A"], QUERY)
    shared.config = replace(shared.config, spare_bytes=1 << 62)
    for answer in writes(client, headers, path, Unread()):
        assert (answer.status_code, "for tables is full" in answer.text) == (503, True)
    with pytest.raises(BusyError, match="for tables is full"):
        own_tables.append(shared, shared.caller("A"), "stars", lambda: positions([1.0], [2.0]))


def test_the_body_of_a_request_lies_in_the_folder_of_the_archive_and_is_gone_afterwards(
    client: FlaskClient, headers: Headers, shared: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []
    monkeypatch.setattr(body, "open_table", lambda path, *_: paths.append(path) or positions([1.0], [2.0]))
    put(client, "mydb.stars", headers["A"])
    (path,) = paths
    assert path.is_relative_to(shared.config.archive)
    assert not path.parent.exists()


def test_who_works_from_level_2_on_finds_a_table_where_it_was_made_and_is_told_the_list_of_that_level(
    client: FlaskClient, headers: Headers, shared: Archive
) -> None:
    two = bearer(tokens.issue(shared, "A", project="P", level=2)[1])
    url = put(client, "mydb.team", two)
    assert client.get(url[url.index("/tap/") :], headers=two).status_code == 200
    lists = [client.get("/tap/tables", headers=sent) for sent in (headers["A"], two)]
    assert ["<name>mydb.team" in each.text for each in lists] == [True, False]
    known = {"If-None-Match": lists[0].headers["ETag"]}
    assert client.get("/tap/tables", headers=headers["A"] | known).status_code == 304
    assert client.get("/tap/tables", headers=two | known).status_code == 200


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
