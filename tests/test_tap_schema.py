"""Does TAP_SCHEMA tell the truth of every table that can be queried?"""

import io
import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from astropy.io import votable

from datamodel import tap_schema as kept
from datamodel.archive import Archive
from datamodel.clock import utc_now
from datamodel.columns import Column, ForeignKey, Table
from datamodel.context import ANONYMOUS, WORLD
from datamodel.observatory import Instrument
from datamodel.session import Session
from tests.templates import COMPLETE, Templates
from vo_server.formats.negotiate import choose
from vo_server.tap import query, tap_schema
from vo_server.tap.adql.words import RESERVED
from vo_server.tap.parameters import TapQuery

REQUIRED = {
    "schemas": "schema_name utype description schema_index",
    "tables": "schema_name table_name table_type utype description table_index",
    "columns": "table_name column_name datatype arraysize xtype size description utype unit ucd indexed"
    " principal std column_index",
    "keys": "key_id from_table target_table description utype",
    "key_columns": "key_id from_column target_column",
}

Ask = Callable[[str], list[dict[str, object]]]


@pytest.fixture(scope="module")
def complete(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with all its tables, told of; for all tests that leave that as it is."""
    folder = tmp_path_factory.mktemp("complete") / "archive"
    archive = templates.opened(COMPLETE, folder, utc_now, project="P")
    archive.add_account("A", "P")
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def ask(complete: Archive) -> Ask:
    """Gives the rows of a query over the tables of a complete archive."""

    def rows(text: str) -> list[dict[str, object]]:
        answer = query.run(complete, ANONYMOUS, TapQuery(text, 1_000_000, choose("csv")))
        return [row for batch in answer.batches for row in batch.to_pylist()]

    return rows


def table(name: str, *columns: Column, **told: object) -> Table:
    return Table("toy", name, columns, lambda caller: sa.table("unused"), **told)  # type: ignore[arg-type]


def test_the_five_tables_describe_themselves_as_the_standard_lists_them(ask: Ask) -> None:
    for name, columns in REQUIRED.items():
        found = ask(
            "SELECT column_name, std FROM tap_schema.columns"
            f" WHERE table_name = 'tap_schema.{name}' ORDER BY column_index"
        )
        assert [str(row["column_name"]).strip('"') for row in found] == columns.split()
        assert all(row["std"] == 1 for row in found)
    tables = ask("SELECT table_name FROM tap_schema.tables WHERE schema_name = 'tap_schema'")
    assert {row["table_name"] for row in tables} == {f"tap_schema.{name}" for name in REQUIRED}


def test_the_five_foreign_keys_of_the_standard_are_there(ask: Ask) -> None:
    found = ask(
        "SELECT from_table, from_column, target_table, target_column FROM tap_schema.keys"
        " NATURAL JOIN tap_schema.key_columns WHERE from_table LIKE 'tap_schema.%'"
    )
    assert {tuple(row.values()) for row in found} == {
        ("tap_schema.tables", "schema_name", "tap_schema.schemas", "schema_name"),
        ("tap_schema.columns", "table_name", "tap_schema.tables", "table_name"),
        ("tap_schema.keys", "from_table", "tap_schema.tables", "table_name"),
        ("tap_schema.keys", "target_table", "tap_schema.tables", "table_name"),
        ("tap_schema.key_columns", "key_id", "tap_schema.keys", "key_id"),
    }


def test_nothing_refers_to_nowhere_and_nothing_is_unused(ask: Ask) -> None:
    schemas = {row["schema_name"] for row in ask("SELECT schema_name FROM tap_schema.schemas")}
    tables = ask("SELECT schema_name, table_name FROM tap_schema.tables")
    columns = ask("SELECT table_name, column_name FROM tap_schema.columns")
    ends = ask("SELECT * FROM tap_schema.keys NATURAL JOIN tap_schema.key_columns")
    assert {row["schema_name"] for row in tables} == schemas
    assert {row["table_name"] for row in columns} == {row["table_name"] for row in tables}
    there = {(row["table_name"], row["column_name"]) for row in columns}
    assert len(there) == len(columns)
    assert {(end["from_table"], end["from_column"]) for end in ends} <= there
    assert {(end["target_table"], end["target_column"]) for end in ends} <= there
    flags = ask('SELECT arraysize, "size", indexed, principal, std FROM tap_schema.columns')
    assert {value for row in flags for value in (row["indexed"], row["principal"], row["std"])} == {0, 1}
    for row in flags:
        bound = str(row["arraysize"] or "").rstrip("*")
        assert row["size"] == (int(bound) if bound else None)
    source_list = {"from_table": "archive.sources", "target_table": "archive.source_list"}
    assert any(source_list.items() <= end.items() for end in ends)


def test_names_can_be_written_into_a_query_as_they_stand(ask: Ask) -> None:
    names = [str(row["column_name"]) for row in ask("SELECT column_name FROM tap_schema.columns")]
    plain = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
    for name in names:
        quoted = name.startswith('"')
        assert quoted == (name.strip('"').upper() in RESERVED or not plain.fullmatch(name.strip('"')))
    assert '"size"' in names
    assert '"min"' in names


def test_every_column_is_answered_as_it_is_declared(ask: Ask, complete: Archive) -> None:
    declared: dict[str, list[dict[str, object]]] = {}
    for row in ask("SELECT * FROM tap_schema.columns ORDER BY column_index"):
        declared.setdefault(str(row["table_name"]), []).append(row)
    assert len(declared) > 20
    for name, columns in declared.items():
        listed = ", ".join(str(c["column_name"]) for c in columns)
        for selected in ("*", listed):
            asked = TapQuery(f"SELECT {selected} FROM {name}", 1, choose("csv"))
            answer = query.run(complete, ANONYMOUS, asked)
            answer.close()
            for column, row in zip(answer.columns, columns, strict=True):
                told = (column.datatype.votable, column.votable_arraysize, column.datatype.xtype)
                assert told == (row["datatype"], row["arraysize"], row["xtype"])
                assert (column.unit, column.ucd, column.utype) == (row["unit"], row["ucd"], row["utype"])
                assert column.name == str(row["column_name"]).strip('"')


def test_words_of_people_are_declared_as_they_are_written(complete: Archive, ask: Ask) -> None:
    """Whatever their alphabet: so a FIELD says what TAP_SCHEMA says, and clients read them."""
    words = "Télescope de Χίος ☉"
    with Session(complete, complete.caller("A", "P", WORLD)):
        Instrument(name=f"{words} 1", telescope=words).commit()
    said = "SELECT name, telescope, creator FROM archive.instrument"
    answer = query.run(complete, ANONYMOUS, TapQuery(said, 10, choose("votable")))
    document = b"".join(choose("votable").write(answer))
    table = votable.parse_single_table(io.BytesIO(document))
    assert [str(table.array[name][0]) for name in ("name", "telescope", "creator")] == [
        f"{words} 1",
        words,
        "A",
    ]
    declared = ask(
        "SELECT column_name, datatype FROM tap_schema.columns WHERE table_name = 'archive.instrument' "
        "AND column_name IN ('name', 'telescope', 'creator')"
    )
    assert {field.name: field.datatype for field in table.fields} == {
        row["column_name"]: row["datatype"] for row in declared
    }
    people = {
        "ivoa.obscore": "target_name",
        "archive.raw_science_frame": "observer",
        "tap_schema.columns": "description",
    }
    for name, column in people.items():
        told = ask(
            f"SELECT datatype FROM tap_schema.columns WHERE table_name = '{name}' AND column_name = '{column}'"
        )
        assert told == [{"datatype": "unicodeChar"}]


def test_what_is_kept_is_read_back(archive: Archive) -> None:
    one = table("one", Column("position", "POINT"), Column("day", "TIMESTAMP", std=True), description="First")
    two = table(
        "filter",
        Column("Ünï-code", "CHAR", arraysize="12*"),
        Column("ref", "BIGINT", "m", "meta.id", 'It\'s "so"', "x:y", principal=True, indexed=True),
        kind="view",
        utype="a:b",
        keys=(ForeignKey("toy.one", (("ref", "position"),), "why"),),
    )
    entries = tap_schema.entries([one, two])
    assert tap_schema.update_tap_schema(archive, [one, two])
    assert kept.read(archive) == entries
    (schema,) = entries
    first, second = schema.tables
    assert [c.name for c in first.columns] == ['"position"', '"day"']
    assert [(c.name, c.size) for c in second.columns] == [('"Ünï-code"', 12), ("ref", None)]
    assert second.keys[0].columns == (("ref", '"position"'),)


def test_a_key_to_a_table_that_cannot_be_queried_is_left_out() -> None:
    lost = ForeignKey("toy.two", (("a", "b"),))
    ((entry,),) = [s.tables for s in tap_schema.entries([table("one", Column("a", "INTEGER"), keys=(lost,))])]
    assert entry.keys == ()


def test_nothing_is_written_unless_something_changed(archive: Archive, statements: Callable[[], int]) -> None:
    one, more = table("one", Column("a", "INTEGER")), table("one", Column("a", "INTEGER", "m"))
    assert tap_schema.update_tap_schema(archive, [one])
    statements()
    assert not tap_schema.update_tap_schema(archive, [one])
    assert tap_schema.update_tap_schema(archive, [more])
    assert kept.read(archive)[0].tables[0].columns[0].unit == "m"


def test_an_update_that_fails_leaves_what_was_there(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = table("one", Column("a", "INTEGER"))
    tap_schema.update_tap_schema(archive, [one])
    before = kept.read(archive)
    monkeypatch.setattr(kept, "rows_of", lambda _schemas: {"schemas": [{"schema_name": object()}]})
    with pytest.raises(sa.exc.SQLAlchemyError):
        kept.write(archive, (), "another digest")
    assert kept.read(archive) == before
