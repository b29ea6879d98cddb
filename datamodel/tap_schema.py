"""``tap_schema.*``: the tables that tell of the tables, kept as rows, written and read back.

TAP 1.1 section 4. Names that are no regular ADQL identifiers, or are reserved words, stand in double quotes.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.catalogues import TABLES as CATALOGUES
from datamodel.catalogues import entry
from datamodel.catalogues import version as version_of_catalogues
from datamodel.columns import Column, ForeignKey, Table
from datamodel.context import ANONYMOUS, VO, WORLD, Caller, visible
from datamodel.datatypes import Timestamp
from datamodel.plain_tables import sql_table
from datamodel.schema import metadata
from datamodel.tap_schema_rows import ColumnEntry as ColumnEntry
from datamodel.tap_schema_rows import KeyEntry as KeyEntry
from datamodel.tap_schema_rows import SchemaEntry as SchemaEntry
from datamodel.tap_schema_rows import TableEntry as TableEntry
from datamodel.tap_schema_rows import Told, rows_of


def _c(name: str, description: str, type: str = "VARCHAR", ucd: str | None = None) -> Column:
    return Column(name, type, ucd=ucd, description=description, principal=True, std=True)


COLUMNS: dict[str, tuple[Column, ...]] = {
    "schemas": (
        _c("schema_name", "Name of the schema", ucd="meta.id;meta.main"),
        _c("utype", "UType of the schema", ucd="meta.code"),
        _c("description", "What the schema holds", "UNICODE", "meta.note"),
        _c("schema_index", "Place in the list of schemas", "INTEGER", "meta.number"),
    ),
    "tables": (
        _c("schema_name", "Name of the schema it is in", ucd="meta.id"),
        _c("table_name", "Name of the table, as a query writes it", ucd="meta.id;meta.main"),
        _c("table_type", "table or view", ucd="meta.code.class"),
        _c("utype", "UType of the table", ucd="meta.code"),
        _c("description", "What a row of the table stands for", "UNICODE", "meta.note"),
        _c("table_index", "Place in the list of tables", "INTEGER", "meta.number"),
    ),
    "columns": (
        _c("table_name", "Name of the table it is in", ucd="meta.id;meta.table"),
        _c("column_name", "Name of the column, as a query writes it", ucd="meta.id;meta.main"),
        _c("datatype", "Datatype, as in VOTable", ucd="meta.code"),
        _c("arraysize", "Shape, as in VOTable; NULL for a scalar", ucd="meta.code"),
        _c("xtype", "What a value stands for beyond its datatype, as in VOTable", ucd="meta.code"),
        _c("size", "Most elements; NULL for a scalar and where there is no bound", "INTEGER", "meta.number"),
        _c("description", "What the column holds", "UNICODE", "meta.note"),
        _c("utype", "UType of the column", ucd="meta.code"),
        _c("unit", "Unit, in VOUnits", "UNICODE", "meta.unit"),
        _c("ucd", "UCD of the column", ucd="meta.ucd"),
        _c("indexed", "1 where an index makes conditions on it fast, else 0", "INTEGER", "meta.code"),
        _c("principal", "1 where it is of the core of the table, else 0", "INTEGER", "meta.code"),
        _c("std", "1 where a standard defines it, else 0", "INTEGER", "meta.code"),
        _c("column_index", "Place in the table", "INTEGER", "meta.number"),
    ),
    "keys": (
        _c("key_id", "Identifier of the foreign key", ucd="meta.id;meta.main"),
        _c("from_table", "The table that refers", ucd="meta.id;meta.table"),
        _c("target_table", "The table referred to", ucd="meta.id;meta.table"),
        _c("description", "What the reference means", "UNICODE", "meta.note"),
        _c("utype", "UType of the reference", ucd="meta.code"),
    ),
    "key_columns": (
        _c("key_id", "The foreign key it is part of", ucd="meta.id"),
        _c("from_column", "Column of the table that refers", ucd="meta.id"),
        _c("target_column", "Column of the table referred to", ucd="meta.id"),
    ),
}

DESCRIPTIONS = {
    "schemas": "The schemas that can be queried",
    "tables": "The tables that can be queried",
    "columns": "The columns of the tables",
    "keys": "The foreign keys between the tables: how they are joined",
    "key_columns": "The columns of the foreign keys",
}

_KEYS = {
    "tables": (ForeignKey("tap_schema.schemas", (("schema_name", "schema_name"),), "The schema it is in"),),
    "columns": (ForeignKey("tap_schema.tables", (("table_name", "table_name"),), "The table it is in"),),
    "keys": (
        ForeignKey("tap_schema.tables", (("from_table", "table_name"),), "The table that refers"),
        ForeignKey("tap_schema.tables", (("target_table", "table_name"),), "The table referred to"),
    ),
    "key_columns": (ForeignKey("tap_schema.keys", (("key_id", "key_id"),), "The foreign key it is part of"),),
}


def _owner_columns() -> list[sa.Column[Any]]:
    """What decides who may see a row, and who keeps it; nobody is told of these columns."""
    return [
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("privileges", sa.SmallInteger, nullable=False),
        sa.Column("kept_by", sa.String(10), nullable=False),
    ]


_SQL = {
    name: sql_table(f"tap_schema_{name}", columns, *_owner_columns()) for name, columns in COLUMNS.items()
}

_state = sa.Table("tap_schema_digest", metadata, sa.Column("digest", sa.String(64), primary_key=True))
_written = sa.Table("tap_schema_written", metadata, sa.Column("at", Timestamp(), primary_key=True))

_EARLIER_STATE = sa.Table("tap_schema_state", sa.MetaData())
"""Is there where the tables do not say yet who may see a row."""

_OWN, _BROUGHT = "archive", "catalogues"
"""Who keeps a row: `write` or `write_catalogues`."""


@dataclass(frozen=True)
class Owner:
    """Who may see what is told of a table; see `datamodel.context.visible`."""

    creator: str = ""
    project: str = ""
    privileges: int = VO


def _seen(name: str, caller: Caller) -> sa.Subquery:
    """The rows that the caller may know of; each catalogue has one that tells of its schema, of which one is seen."""
    table = _SQL[name]
    seen = sa.select(*(table.c[column.name] for column in COLUMNS[name])).where(visible(table, caller))
    if name == "schemas":
        other = table.alias()
        better = (other.c.schema_name == table.c.schema_name) & (_place(other) < _place(table))
        seen = seen.where(~sa.exists().where(better, visible(other, caller)))
    return seen.subquery()


def _place(schemas: sa.FromClause) -> sa.ColumnElement[Any]:
    """What tells of a schema counts more where it says something, and then where fewer may see it."""
    c = schemas.c
    silent, brought = (sa.case((each, 1), else_=0) for each in (c.description == "", c.kept_by == _BROUGHT))
    return sa.tuple_(silent, brought, c.privileges, c.schema_index, c.project)


TAP_SCHEMA_TABLES: tuple[Table, ...] = tuple(
    Table(
        "tap_schema",
        name,
        columns,
        partial(_seen, name),
        description=DESCRIPTIONS[name],
        keys=_KEYS.get(name, ()),
    )
    for name, columns in COLUMNS.items()
)


Brought = tuple[int, Owner, SchemaEntry]
Which = Callable[[str, Any], Any]
"""Gives a condition on rows, from the name of one of the five tables and its columns."""


def write(
    archive: Archive,
    schemas: Iterable[SchemaEntry],
    digest: str,
    after: Callable[[sa.Connection], None] = lambda connection: None,
) -> bool:
    """Replace what is told of the tables that are no catalogues, in one transaction, unless the digest is the same.

    Parameters
    ----------
    archive
        An open archive.
    schemas
        All there is to tell.
    digest
        Stands for the content of `schemas`.
    after
        Called with the connection in the same transaction, if anything was written.

    Returns
    -------
    bool
        Whether anything was written.
    """
    with archive.database.write() as connection:
        _create(connection, archive)
        if connection.scalar(sa.select(_state.c.digest)) == digest:
            return False
        connection.execute(sa.delete(_state))
        connection.execute(sa.insert(_state).values(digest=digest))
        _replace(connection, _OWN, [(Owner(), rows_of(schemas))])
        _note(connection, archive)
        after(connection)
    return True


def write_catalogues(
    connection: sa.Connection, archive: Archive, catalogues: Iterable[Brought], which: Which | None = None
) -> None:
    """Replace what is told of catalogues, in a transaction under way, if `write` has been called before.

    Parameters
    ----------
    connection
        Of the transaction.
    archive
        Its clock says when.
    catalogues
        Each with its place and its owner, as a schema of one table.
    which
        The rows that these are in the place of; None for all that tell of catalogues.
    """
    if not sa.inspect(connection).has_table(_state.name):
        return
    before = _of_the_world(connection)
    told = [(owner, rows_of([schema], place)) for place, owner, schema in catalogues]
    _replace(connection, _BROUGHT, told, which)
    if _of_the_world(connection) != before:  # else strangers would see when something changed that is hidden
        _note(connection, archive)


def _create(connection: sa.Connection, archive: Archive) -> None:
    if sa.inspect(connection).has_table(_EARLIER_STATE.name):
        for table in (*_SQL.values(), _EARLIER_STATE):
            table.drop(connection)
    archive.database.create_missing(connection, [*_SQL.values(), _state, _written, *CATALOGUES])


def _replace(
    connection: sa.Connection, keeper: str, told: Sequence[tuple[Owner, Told]], which: Which | None = None
) -> None:
    for name, table in _SQL.items():
        these = which(name, table.c) if which is not None else sa.true()
        connection.execute(sa.delete(table).where(table.c.kept_by == keeper, these))
        rows = [row | asdict(owner) | {"kept_by": keeper} for owner, given in told for row in given[name]]
        if rows:
            connection.execute(sa.insert(table), rows)


def _of_the_world(connection: sa.Connection) -> list[Any]:
    """What strangers are told of catalogues."""
    found: list[Any] = []
    for table in _SQL.values():
        here = (table.c.kept_by == _BROUGHT) & (table.c.privileges >= WORLD)
        found += sorted(connection.execute(sa.select(table).where(here)).all(), key=repr)
    return found


def _note(connection: sa.Connection, archive: Archive) -> None:
    connection.execute(sa.delete(_written))
    connection.execute(sa.insert(_written).values(at=archive.clock()))


def version(archive: Archive) -> str:
    """What stands for all that is told now; empty where nothing is."""
    with archive.database.read() as connection:
        digest = connection.scalar(sa.select(_state.c.digest))
        return f"{digest}-{version_of_catalogues(connection)}" if digest else ""


def version_for(archive: Archive, caller: Caller) -> tuple[str, datetime | None]:
    """What stands for what a caller is told, and when a stranger was told another thing last, naive UTC.

    What is hidden from the caller changes neither. The time is None for who may see more than strangers.
    """
    told_of = sa.select(entry.c.id, entry.c.privileges, entry.c.made).where(visible(entry, caller))
    written = sa.select(sa.func.max(_written.c.at)).scalar_subquery()
    with archive.database.read() as connection:
        found = connection.execute(sa.select(_state.c.digest, written)).first()
        if found is None:
            return "", None
        seen = sorted(f"{id} {level} {made}" for id, level, made in connection.execute(told_of))
        told = " ".join([found[0], *seen])
    return hashlib.sha256(told.encode()).hexdigest(), found[1] if caller == ANONYMOUS else None


def read(archive: Archive, caller: Caller = ANONYMOUS) -> tuple[SchemaEntry, ...]:
    """What was written last and the caller may know of, in its order."""
    with archive.database.read() as connection:
        found = {name: _all(connection, name, caller) for name in COLUMNS}
    pairs = _grouped(found["key_columns"], "key_id")
    keys = _grouped(found["keys"], "from_table")
    columns = _grouped(found["columns"], "table_name")
    tables = defaultdict(list)
    for row in found["tables"]:
        name = row["table_name"]
        own_keys = tuple(_key(key, pairs[key["key_id"]]) for key in keys[name])
        own_columns = tuple(_column(column) for column in columns[name])
        entry = TableEntry(name, row["table_type"], row["description"], row["utype"], own_columns, own_keys)
        tables[row["schema_name"]].append(entry)
    return tuple(
        SchemaEntry(row["schema_name"], row["description"], row["utype"], tuple(tables[row["schema_name"]]))
        for row in found["schemas"]
    )


_ORDER = {
    "schemas": ("schema_index", "schema_name"),
    "tables": ("table_index", "table_name"),
    "columns": ("column_index",),
    "keys": ("key_id",),
    "key_columns": ("key_id", "from_column"),
}


def _all(connection: sa.Connection, name: str, caller: Caller) -> list[Any]:
    table = _seen(name, caller)
    return list(connection.execute(sa.select(table).order_by(*(table.c[n] for n in _ORDER[name]))).mappings())


def _grouped(rows: list[Any], name: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    return groups


def _column(row: Any) -> ColumnEntry:
    hidden = ("table_name", "column_name", "column_index")
    return ColumnEntry(name=row["column_name"], **{k: v for k, v in row.items() if k not in hidden})


def _key(row: Any, pairs: list[Any]) -> KeyEntry:
    columns = tuple((pair["from_column"], pair["target_column"]) for pair in pairs)
    return KeyEntry(row["target_table"], columns, row["description"], row["utype"])
