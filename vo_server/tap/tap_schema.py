"""Which tables can be queried, and what is TAP_SCHEMA told of them?"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from typing import Any

import sqlalchemy as sa

from datamodel import catalogues, mydb, tap_schema
from datamodel.archive import Archive
from datamodel.catalogue_places import placed
from datamodel.columns import Column, ForeignKey, Table
from datamodel.config import Config
from datamodel.context import ANONYMOUS, Caller
from datamodel.sources import SOURCES
from datamodel.tap_schema import TAP_SCHEMA_TABLES, ColumnEntry, KeyEntry, SchemaEntry, TableEntry
from datamodel.views import class_tables
from vo_server.obscore import obscore
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.words import RESERVED

SCHEMAS: dict[str, tuple[str, str | None]] = {
    "archive": ("What the archive holds: one table per class of objects, and the extracted sources", None),
    "ivoa": ("Tables that the VO defines", "ivo://ivoa.net/std/ObsCore"),
    "tap_schema": ("The tables that tell of the tables", None),
}
"""Description and utype of the schemas, in their order; others follow."""

KEPT_CATALOGUES = 50
"""Different sets of visible tables that are kept ready for queries."""

_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def tables(config: Config) -> tuple[Table, ...]:
    """Every table that can be queried."""
    return (*class_tables(), SOURCES, obscore(config), *TAP_SCHEMA_TABLES)


def catalogue(archive: Archive, caller: Caller = ANONYMOUS) -> Catalogue:
    """The tables that a caller may know of, for queries; catalogues that were brought here are as of now.

    Callers who may know of the same tables are given the same object, until one is added, replaced or dropped.
    """
    made: _Catalogues = archive.resource("tap catalogue", lambda: _Catalogues(archive))
    return made.seen_by(caller)


class _Catalogues:
    """The tables that callers may know of, made once for each set of catalogues and each who has tables there."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._own = tables(archive.config)
        self._made: dict[tuple[str | None, ...], Catalogue] = {}
        self._last: tuple[tuple[catalogues.Entry, ...], Catalogue] | None = None

    def seen_by(self, caller: Caller) -> Catalogue:
        seen = catalogues.known(self._archive).seen_by(caller)
        own = mydb.schema_of_caller(caller)
        if any(each.schema == own for each in seen):
            return self._of(seen, own)
        last = self._last
        if last is None or last[0] is not seen:
            last = self._last = (seen, self._of(seen, None))
        return last[1]

    def _of(self, seen: tuple[catalogues.Entry, ...], own: str | None) -> Catalogue:
        key = (own, *(f"{each.id} {each.privileges} {each.made}" for each in seen))
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= KEPT_CATALOGUES:
                self._made.clear()
            named = (_in_mydb(each.described) if each.schema == own else each.described for each in seen)
            found = self._made[key] = Catalogue([*self._own, *named], {mydb.SCHEMA: own} if own else {})
        return found


def _in_mydb(table: Table) -> Table:
    """A table as its creator calls it."""
    return replace(table, schema=mydb.SCHEMA)


def update_tap_schema(archive: Archive, tables: Iterable[Table]) -> bool:
    """Have TAP_SCHEMA tell of `tables`, and of the catalogues; nothing is written where it does already.

    Returns
    -------
    bool
        Whether anything was written.
    """
    schemas = entries(tables)
    content = json.dumps([asdict(schema) for schema in schemas], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return tap_schema.write(archive, schemas, digest, lambda it: tell_of_catalogues(it, archive))


def tell_of_catalogues(connection: sa.Connection, archive: Archive, user: str | None = None) -> None:
    """Have TAP_SCHEMA tell of the catalogues that there are, in a transaction that changed them.

    Parameters
    ----------
    connection
        Of the transaction.
    archive
        Its clock says when.
    user
        Whose own tables alone have changed; None where it may be more.
    """
    by_owner: dict[str, list[catalogues.Entry]] = {}
    for each in catalogues.entries(connection, user):
        own = mydb.is_mydb(each.schema)
        if own or user is None:
            by_owner.setdefault(each.creator if own else "", []).append(each)
    told = []
    for place, each in chain.from_iterable(placed(mydb.as_told(listed)) for listed in by_owner.values()):
        owner = tap_schema.Owner(each.creator, each.project, each.privileges)
        (schema,) = entries([each.described])
        told.append((place, owner, replace(schema, description=each.schema_description)))
    if user is None:
        tap_schema.write_catalogues(connection, archive, told)
    else:
        tap_schema.write_catalogues(connection, archive, told, partial(_own_tables_of, user))


_NAMES = {"schemas": "schema_name", "tables": "schema_name", "columns": "table_name"}


def _own_tables_of(user: str, name: str, columns: Any) -> Any:
    """The condition on rows of TAP_SCHEMA that tell of the own tables of a user, which have no keys."""
    if name not in _NAMES:
        return sa.false()
    told = columns[_NAMES[name]]
    begins = (told.startswith(f"{mydb.SCHEMA}{mark}", autoescape=True) for mark in (".", "_"))
    return sa.and_(columns.creator == user, sa.or_(told == mydb.SCHEMA, *begins))


def entries(tables: Iterable[Table]) -> tuple[SchemaEntry, ...]:
    """What TAP_SCHEMA is told of `tables`."""
    known = {table.full_name: table for table in tables}
    names = sorted({table.schema for table in known.values()}, key=_place)
    return tuple(_schema(name, known) for name in names)


def identifier(name: str) -> str:
    """A name as a query must write it: in double quotes where it is reserved or no regular identifier."""
    if _REGULAR.fullmatch(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _place(schema: str) -> tuple[int, str]:
    order = list(SCHEMAS)
    return (order.index(schema) if schema in order else len(order), schema)


def _schema(name: str, known: dict[str, Table]) -> SchemaEntry:
    description, utype = SCHEMAS.get(name, ("", None))
    own = tuple(_table(table, known) for table in known.values() if table.schema == name)
    return SchemaEntry(identifier(name), description, utype, own)


def _table(table: Table, known: dict[str, Table]) -> TableEntry:
    return TableEntry(
        _table_name(table),
        table.kind,
        table.description,
        table.utype,
        tuple(_column(column) for column in table.columns),
        tuple(_key(key, known[key.target_table]) for key in table.keys if _leads_somewhere(key, known)),
    )


def _table_name(table: Table) -> str:
    return f"{identifier(table.schema)}.{identifier(table.name)}"


def _leads_somewhere(key: ForeignKey, known: dict[str, Table]) -> bool:
    """Whether the other end can be queried; what no user's class list holds must not be told of."""
    target = known.get(key.target_table)
    names = {column.name for column in target.columns} if target else set()
    return target is not None and all(column in names for _, column in key.columns)


def _key(key: ForeignKey, target: Table) -> KeyEntry:
    columns = tuple((identifier(own), identifier(other)) for own, other in key.columns)
    return KeyEntry(_table_name(target), columns, key.description)


def _column(column: Column) -> ColumnEntry:
    arraysize = column.votable_arraysize
    bound = (arraysize or "").removesuffix("*")
    return ColumnEntry(
        identifier(column.name),
        column.datatype.votable,
        arraysize,
        column.votable_xtype,
        int(bound) if bound.isdigit() else None,
        column.description,
        column.utype,
        column.unit,
        column.ucd,
        int(column.indexed),
        int(column.principal),
        int(column.std),
    )
