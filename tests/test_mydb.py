"""Can users keep tables of their own, ask for them by name, and does nobody else know of them?"""

import io
import re

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from astropy.io import votable
from flask.testing import FlaskClient
from hypothesis import given

from datamodel import catalogues, mydb, tap_schema, tokens
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.errors import BusyError
from tests import users_tables
from tests.accounts import bearer
from tests.catalogues import COLUMNS, ask, brought, made_up, positions, reading
from tests.users_tables import VOSI, Headers, asked, put
from vo_server.catalogue import importing
from vo_server.formats.reading import Reading
from vo_server.mydb import tables as own_tables
from vo_server.mydb.publishing import publish

shared, headers = users_tables.shared, users_tables.headers
application, client = users_tables.application, users_tables.client


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


def test_a_table_that_is_removed_is_gone(client: FlaskClient, headers: Headers) -> None:
    put(client, "mydb.stars", headers["A"])
    assert client.delete("/tap/tables/mydb.stars", headers=headers["A"]).text == "mydb.stars is removed\n"
    assert client.delete("/tap/tables/mydb.stars", headers=headers["A"]).status_code == 404
    assert "unknown table" in asked(client, "SELECT * FROM mydb.stars", headers["A"])


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
