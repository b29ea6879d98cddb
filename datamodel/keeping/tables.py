"""What is a table, said so that either database can have it, and how is it made in one?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from datamodel.datatypes import Timestamp
from datamodel.schema import metadata


@dataclass(frozen=True)
class KeptType:
    """A type under the name that backups call it.

    Attributes
    ----------
    sql
        Makes the SQLAlchemy type, of a length where it has one.
    arrow
        In which its values are kept; a REAL in 64 bits, as SQLite does not round what it is given.
    """

    sql: Callable[[int | None], sa.types.TypeEngine[Any]]
    arrow: pa.DataType


TYPES: dict[str, KeptType] = {
    "boolean": KeptType(lambda _: sa.Boolean(), pa.bool_()),
    "smallint": KeptType(lambda _: sa.SmallInteger(), pa.int16()),
    "integer": KeptType(lambda _: sa.Integer(), pa.int32()),
    "bigint": KeptType(lambda _: sa.BigInteger(), pa.int64()),
    "real": KeptType(lambda _: sa.REAL(), pa.float64()),
    "double": KeptType(lambda _: sa.Double(53), pa.float64()),
    "timestamp": KeptType(lambda _: Timestamp(), pa.timestamp("us")),
    "varchar": KeptType(sa.String, pa.string()),
    "text": KeptType(lambda _: sa.Text(), pa.string()),
    "bytes": KeptType(lambda _: sa.LargeBinary(), pa.binary()),
    "other": KeptType(lambda _: sa.Text(), pa.string()),
}
"""``other`` is any type that the archive makes no use of: its values are kept as text, and restored as such."""

_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (Timestamp, "timestamp"),
    (sa.DateTime, "timestamp"),
    (sa.Boolean, "boolean"),
    (sa.SmallInteger, "smallint"),
    (sa.BigInteger, "bigint"),
    (sa.Integer, "integer"),
    (sa.REAL, "real"),
    (sa.Float, "double"),
    (sa.Text, "text"),
    (sa.String, "varchar"),
    (sa.LargeBinary, "bytes"),
)


@dataclass(frozen=True)
class KeptColumn:
    """A column; `type` is a name in `TYPES`."""

    name: str
    type: str
    length: int | None
    nullable: bool


@dataclass(frozen=True)
class KeptReference:
    """A foreign key; `rules` are those of ON DELETE and the like."""

    name: str | None
    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KeptIndex:
    """An index, or where its name may be None, a constraint that rows are unique."""

    name: str | None
    columns: tuple[str, ...]
    unique: bool
    where: str | None = None


@dataclass(frozen=True)
class KeptTable:
    """A table.

    Attributes
    ----------
    columns
        In their order.
    key, key_name
        The primary key; empty, and None, where there is none.
    counted
        The column of the key that the database counts up, if there is one.
    last
        The last number it gave, if that is known.
    unique, references, indexes
        The rest.
    """

    name: str
    columns: tuple[KeptColumn, ...]
    key: tuple[str, ...]
    key_name: str | None
    counted: str | None
    last: int | None
    unique: tuple[KeptIndex, ...]
    references: tuple[KeptReference, ...]
    indexes: tuple[KeptIndex, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "KeptTable":
        """A table as JSON has it."""
        parts = {
            "columns": tuple(KeptColumn(**each) for each in told["columns"]),
            "unique": tuple(_index(each) for each in told["unique"]),
            "indexes": tuple(_index(each) for each in told["indexes"]),
            "references": tuple(
                KeptReference(
                    each["name"],
                    tuple(each["columns"]),
                    each["table"],
                    tuple(each["to"]),
                    tuple((name, value) for name, value in each["rules"]),
                )
                for each in told["references"]
            ),
            "key": tuple(told["key"]),
        }
        return cls(**{each.name: parts.get(each.name, told[each.name]) for each in fields(cls)})

    @property
    def schema(self) -> pa.Schema:
        """In which its rows are kept."""
        return pa.schema([(column.name, TYPES[column.type].arrow) for column in self.columns])


def _index(told: Mapping[str, Any]) -> KeptIndex:
    return KeptIndex(**{**told, "columns": tuple(told["columns"])})


def kind_of(type_: sa.types.TypeEngine[Any]) -> str:
    """The name in `TYPES` of a type."""
    return next((kind for kinds, kind in _KINDS if isinstance(type_, kinds)), "other")


def quoted(name: str) -> str:
    """A name as both databases take it."""
    return '"' + name.replace('"', '""') + '"'


def sql_tables(tables: Iterable[KeptTable]) -> list[sa.Table]:
    """The same tables as SQLAlchemy makes them, without their indexes."""
    made = sa.MetaData()
    return [_sql_table(made, table) for table in tables]


def _sql_table(made: sa.MetaData, table: KeptTable) -> sa.Table:
    declared = metadata.tables.get(table.name)
    columns = [_sql_column(table, column, declared) for column in table.columns]
    constraints: list[sa.Constraint] = [
        sa.ForeignKeyConstraint(
            each.columns,
            [f"{each.table}.{column}" for column in each.to],
            name=each.name,
            **dict(each.rules),  # type: ignore[arg-type]
        )
        for each in table.references
    ]
    constraints += [sa.UniqueConstraint(*each.columns, name=each.name) for each in table.unique]
    if table.key:
        constraints.append(sa.PrimaryKeyConstraint(*table.key, name=table.key_name))
    return sa.Table(table.name, made, *columns, *constraints)


def _sql_column(table: KeptTable, column: KeptColumn, declared: sa.Table | None) -> sa.Column[Any]:
    own = declared.c.get(column.name) if declared is not None else None
    type_ = TYPES[column.type].sql(column.length)
    counts: Any = column.name == table.counted
    if own is not None and kind_of(own.type) == column.type:
        type_, counts = own.type, own.autoincrement
    elif counts:
        type_ = type_.with_variant(sa.Integer(), "sqlite")  # the only key that SQLite counts up
    default = own.server_default if own is not None else None
    return sa.Column(
        column.name,
        type_,
        nullable=column.nullable,
        autoincrement=counts,
        server_default=getattr(default, "arg", None),
    )


def sql_indexes(tables: Iterable[KeptTable], made: Iterable[sa.Table]) -> list[sa.Index]:
    """The indexes of tables that `sql_tables` made; declared ones as they are declared."""
    return [index for table, sql in zip(tables, made, strict=True) for index in _indexes(table, sql)]


def _indexes(table: KeptTable, sql: sa.Table) -> list[sa.Index]:
    declared = metadata.tables.get(table.name)
    own = {str(i.name): i for i in declared.indexes} if declared is not None else {}
    there = {column.name for column in table.columns}
    known = {name: index for name, index in own.items() if {c.name for c in index.columns} <= there}
    others = [each for each in table.indexes if each.name not in known]
    return [*(index for _, index in sorted(known.items())), *(_index_on(sql, each) for each in others)]


def _index_on(sql: sa.Table, kept: KeptIndex) -> sa.Index:
    only: dict[str, Any] = {}
    if kept.where is not None:
        only = dict.fromkeys(("sqlite_where", "postgresql_where"), sa.text(kept.where))
    return sa.Index(kept.name, *(sql.c[column] for column in kept.columns), unique=kept.unique, **only)
