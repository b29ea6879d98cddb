"""How much may users keep, how much at once, and what becomes of what is refused?"""

import io
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel import catalogues, quotas
from datamodel.archive import Archive
from datamodel.errors import BusyError
from datamodel.turns import Bounds, table_turns_of
from tests import users_tables
from tests.accounts import CHEAP, PASSWORD, with_password
from tests.catalogues import positions
from tests.users_tables import QUERY, STARS, VOSI, Headers, asked, job, put, run
from vo_server.app import create_app
from vo_server.mydb import body
from vo_server.mydb import tables as own_tables

shared, headers = users_tables.shared, users_tables.headers
application, client = users_tables.application, users_tables.client


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
