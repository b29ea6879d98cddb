"""Which tables does a database have, and what are they like?

That is asked of the database, not of the program: tables of classes that this program does not know, and columns that
it has no use for any more, are kept as well. What the program declares of a table only tells what a database
does not say, such as that texts of 26 characters are instants.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from datamodel.datatypes import Timestamp
from datamodel.keeping.tables import KeptColumn, KeptIndex, KeptReference, KeptTable, kind_of, quoted
from datamodel.schema import metadata

_TIME_LENGTH = 26
_DIGITS = "[0-9]"
_TIME_LIKE = (
    f"{_DIGITS * 4}-{_DIGITS * 2}-{_DIGITS * 2}T{_DIGITS * 2}:{_DIGITS * 2}:{_DIGITS * 2}.{_DIGITS * 6}"
)


def table_names(connection: sa.Connection) -> list[str]:
    """The tables of a database, without those of its extensions."""
    others = set(connection.exec_driver_sql(_OF_EXTENSIONS[connection.dialect.name]).scalars())
    return sorted(set(sa.inspect(connection).get_table_names()) - others)


def described(connection: sa.Connection, names: Iterable[str]) -> list[KeptTable]:
    """What some tables of a database are like, each after those it refers to."""
    inspector = sa.inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # of indexes on expressions: these are declared
        found = [_described(connection, inspector, name) for name in names]
    return _in_order(found)


def _described(connection: sa.Connection, inspector: sa.Inspector, name: str) -> KeptTable:
    declared = metadata.tables.get(name)
    reflected = inspector.get_columns(name)
    key = inspector.get_pk_constraint(name)
    pairs = [_column(connection, name, each, declared) for each in reflected]
    names = tuple(key["constrained_columns"])
    counted = _counted(reflected, names, declared)
    columns = tuple(
        KeptColumn(c.name, "bigint", None, False) if c.name == counted and c.type == "integer" else c
        for c in pairs
    )
    return KeptTable(
        name,
        columns,
        names,
        _given(key["name"], f"{name}_pkey"),
        counted,
        _last(connection, name, counted),
        tuple(
            KeptIndex(_given(each["name"], f"{name}_{'_'.join(each['column_names'])}_key"), cols, True)
            for each in sorted(inspector.get_unique_constraints(name), key=lambda u: u["column_names"])
            for cols in [tuple(each["column_names"])]
        ),
        tuple(
            sorted(
                (_reference(name, each) for each in inspector.get_foreign_keys(name)), key=lambda r: r.columns
            )
        ),
        tuple(
            KeptIndex(each["name"], tuple(str(c) for c in each["column_names"]), bool(each["unique"]), where)
            for each in sorted(inspector.get_indexes(name), key=lambda i: str(i["name"]))
            if "duplicates_constraint" not in each and None not in each["column_names"]
            for where in [_where(each)]
        ),
    )


def _given(name: str | None, automatic: str) -> str | None:
    """The name of a constraint, unless it is the one that PostgreSQL gives to those without."""
    return None if name == automatic else name


def _where(index: Mapping[str, Any]) -> str | None:
    options = index.get("dialect_options", {})
    found = next((value for option, value in options.items() if option.endswith("_where")), None)
    return None if found is None else str(found)


def _reference(table: str, found: Mapping[str, Any]) -> KeptReference:
    columns = tuple(found["constrained_columns"])
    return KeptReference(
        _given(found["name"], f"{table}_{'_'.join(columns)}_fkey"),
        columns,
        found["referred_table"],
        tuple(found["referred_columns"]),
        tuple(sorted((name, str(value)) for name, value in found.get("options", {}).items() if value)),
    )


def _column(
    connection: sa.Connection, table: str, found: Mapping[str, Any], declared: sa.Table | None
) -> KeptColumn:
    name, type_ = found["name"], found["type"]
    own = declared.c.get(name) if declared is not None else None
    if own is not None and _called(own.type, connection) == _called(type_, connection):
        type_ = own.type
    kind = kind_of(type_)
    if kind == "timestamp" and not isinstance(type_, Timestamp) and not _is_plain_time(connection, type_):
        kind = "other"
    if kind == "varchar" and type_.length == _TIME_LENGTH and _holds_times(connection, table, name):
        kind = "timestamp"
    length = type_.length if kind == "varchar" else None
    return KeptColumn(name, kind, length, bool(found["nullable"]))


def _called(type_: sa.types.TypeEngine[Any], connection: sa.Connection) -> str:
    try:
        return str(type_.compile(dialect=connection.dialect))
    except sa.exc.CompileError:
        return repr(type_)


def _is_plain_time(connection: sa.Connection, type_: Any) -> bool:
    """Whether a type of the database's own counts instants without a time zone, as ours does."""
    return connection.dialect.name == "postgresql" and not type_.timezone and type_.precision in (None, 6)


def _holds_times(connection: sa.Connection, table: str, column: str) -> bool:
    """Whether a column of texts is one of instants: SQLite has no type for them."""
    if connection.dialect.name != "sqlite":
        return False
    place, name = quoted(table), quoted(column)
    other = connection.exec_driver_sql(
        f"SELECT 1 FROM {place} WHERE {name} NOT GLOB '{_TIME_LIKE}' LIMIT 1"  # noqa: S608  names are quoted
    )
    return other.first() is None


def _counted(
    reflected: Sequence[Mapping[str, Any]], key: Sequence[str], declared: sa.Table | None
) -> str | None:
    if len(key) != 1:
        return None
    if declared is not None:
        own = declared.autoincrement_column
        return own.name if own is not None and own.name == key[0] else None
    column = next(each for each in reflected if each["name"] == key[0])
    is_counted = column.get("autoincrement") is True or column.get("identity") is not None
    in_sqlite = column.get("autoincrement") == "auto" and type(column["type"]) is sa.INTEGER
    return key[0] if is_counted or in_sqlite else None


def _last(connection: sa.Connection, table: str, counted: str | None) -> int | None:
    statement = _LAST_NUMBER[connection.dialect.name]
    if counted is None or statement is None:
        return None
    number: int | None = connection.execute(sa.text(statement), {"t": quoted(table), "c": counted}).scalar()
    return number


_LAST_NUMBER: dict[str, str | None] = {
    "sqlite": None,
    "postgresql": "SELECT pg_sequence_last_value(pg_get_serial_sequence(:t, :c)::regclass)",
}

_OF_EXTENSIONS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE 0",
    "postgresql": "SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e' "
    "AND d.classid = 'pg_class'::regclass WHERE c.relnamespace = current_schema()::regnamespace",
}


def _in_order(tables: list[KeptTable]) -> list[KeptTable]:
    """Each table after those it refers to."""
    by_name = {table.name: table for table in tables}
    ordered: dict[str, KeptTable] = {}

    def add(table: KeptTable, above: tuple[str, ...]) -> None:
        for each in table.references:
            if each.table in by_name and each.table not in (*above, table.name, *ordered):
                add(by_name[each.table], (*above, table.name))
        ordered.setdefault(table.name, table)

    for table in tables:
        add(table, ())
    return list(ordered.values())
