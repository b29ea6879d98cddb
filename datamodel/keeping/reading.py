"""How are all tables of an archive read as they are at one moment, while others go on writing?

In one transaction. SQLite's write-ahead log, and PostgreSQL where it is asked for repeatable reads, let it see the
state in which it began, and hold up nobody. Catalogues that are being brought, or are retired, are left out: nobody
knows of them.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg2
import psycopg2.errorcodes
import pyarrow as pa
import sqlalchemy as sa

from datamodel.batches import BATCH_ROWS, FIRST_ROWS, next_step
from datamodel.catalogues import entry, sql_names
from datamodel.columns import Column
from datamodel.custody import custody
from datamodel.database import Database
from datamodel.errors import ArchiveError, BusyError
from datamodel.keeping.looking import described, table_names
from datamodel.keeping.tables import KeptTable, quoted
from datamodel.postgresql_copy import RowsOfCopy, decode
from datamodel.postgresql_source import Sink
from datamodel.revisions import revision_of
from datamodel.streaming import driver_of

Hand = Callable[[pa.RecordBatch], object]
"""Takes some rows in the columns of `KeptTable.schema`."""

OF_CATALOGUE = re.compile(r"catalogue_[0-9a-f]{32}(_cover|_edge)?")
"""The tables with the rows of a catalogue: they are filled before anybody knows of them, and never change."""

_EPOCH_US = 946_684_800_000_000  # 2000-01-01, from which PostgreSQL counts
_ATTEMPTS = 5
_WAIT_S = 10


@dataclass(frozen=True)
class Snapshot:
    """An archive's tables at one moment.

    Attributes
    ----------
    connection
        In the transaction that sees them.
    tables
        Each after those it refers to.
    """

    connection: sa.Connection
    tables: tuple[KeptTable, ...]

    def read(self, table: KeptTable, hand: Hand) -> None:
        """Hand over all rows of a table, in the order in which they lie."""
        read(self.connection, table, hand)

    @property
    def revision(self) -> str | None:
        """Which form the tables have; see `datamodel.revisions`."""
        return revision_of(self.connection)


@contextmanager
def snapshot(database: Database, *, alone: bool = False) -> Iterator[Snapshot]:
    """The tables of an archive as they are now, until the end of the block.

    Parameters
    ----------
    database
        Of the archive.
    alone
        Whether nobody may write meanwhile.

    Raises
    ------
    BusyError
        Others write, or change tables, again and again.
    """
    for _ in range(_ATTEMPTS):
        with database.read() as connection:
            taken = _taken(connection, alone)
            if taken is not None:
                yield taken
                return
    raise BusyError("the tables of the database are being changed, or written to; try again later")


def _taken(connection: sa.Connection, alone: bool) -> Snapshot | None:
    """The snapshot, or None where a table came or went, or could not be had, before it was held."""
    name = connection.dialect.name
    isolation, lock = _ISOLATION[name], _LOCK[name, alone]
    if isolation is not None:
        connection.execution_options(isolation_level=isolation)
    names: list[str] = []
    if lock is not None:
        names = _names(connection)
        connection.rollback()
    for statement in _BEGIN[name, alone]:
        connection.exec_driver_sql(statement).close()
    if lock is not None and names:
        try:
            connection.exec_driver_sql(
                lock.format(tables=", ".join(map(quoted, names)))
            )  # before it sees anything
        except sa.exc.DBAPIError as failure:
            if getattr(failure.orig, "pgcode", None) not in _GONE:
                raise
            return None
        if _names(connection) != names:
            return None
    return Snapshot(connection, tuple(described(connection, names or _names(connection))))


def _names(connection: sa.Connection) -> list[str]:
    """The tables there are, without `custody` and those of catalogues that nobody knows of."""
    names = [name for name in table_names(connection) if name != custody.name]
    if not any(map(OF_CATALOGUE.fullmatch, names)):
        return names
    known = {name for id in connection.scalars(sa.select(entry.c.id)) for name in sql_names(id)}
    return [name for name in names if name in known or not OF_CATALOGUE.fullmatch(name)]


_ISOLATION = {"sqlite": None, "postgresql": "REPEATABLE READ"}

_IN_ORDER = [
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL row_security = off",
    f"SET LOCAL lock_timeout = '{_WAIT_S}s'",
    "SET LOCAL statement_timeout = 0",
]
"""Rows come as they lie, and all of them or none."""

_BEGIN: dict[tuple[str, bool], list[str]] = {
    ("sqlite", False): ["BEGIN", "SELECT count(*) FROM sqlite_master"],
    ("sqlite", True): ["BEGIN IMMEDIATE"],
    ("postgresql", False): _IN_ORDER,
    ("postgresql", True): _IN_ORDER,
}

_LOCK: dict[tuple[str, bool], str | None] = {
    ("sqlite", False): None,
    ("sqlite", True): None,
    ("postgresql", False): "LOCK TABLE {tables} IN ACCESS SHARE MODE",
    ("postgresql", True): "LOCK TABLE {tables} IN SHARE MODE",
}

_GONE = (psycopg2.errorcodes.UNDEFINED_TABLE, psycopg2.errorcodes.LOCK_NOT_AVAILABLE)


def read(connection: sa.Connection, table: KeptTable, hand: Hand) -> None:
    """Hand over all rows of a table, in the order in which they lie, some at a time.

    Parameters
    ----------
    connection
        In a transaction that sees them.
    table
        As it is there.
    hand
        Takes them.

    Raises
    ------
    ArchiveError
        A value is none of its column's type, which SQLite does not prevent.
    """
    _READ[connection.dialect.name](driver_of(connection), table, hand)


def _read_sqlite(raw: sqlite3.Connection, table: KeptTable, hand: Hand) -> None:
    wanted = ", ".join(_WANTED_OF_SQLITE.get(c.type, "{}").format(quoted(c.name)) for c in table.columns)
    cursor = raw.execute(f"SELECT {wanted} FROM {quoted(table.name)} NOT INDEXED")  # noqa: S608  quoted
    step = FIRST_ROWS
    while rows := cursor.fetchmany(step):
        values = zip(*rows, strict=True)
        arrays = [_of_sqlite(v, table, place) for place, v in enumerate(values)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=table.schema)
        hand(batch)
        step = next_step(batch, BATCH_ROWS)


_WANTED_OF_SQLITE = {"other": "CAST({} AS TEXT)"}
_COMES_AS = {"boolean": pa.int8(), "timestamp": pa.string()}


def _of_sqlite(values: tuple[Any, ...], table: KeptTable, place: int) -> pa.Array:
    wanted = table.schema.field(place).type
    column = table.columns[place]
    try:
        return pa.array(values, _COMES_AS.get(column.type, wanted)).cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise ArchiveError(
            f"the table '{table.name}' has something else than {column.type} in '{column.name}': {error}"
        ) from None


def _read_postgresql(raw: Any, table: KeptTable, hand: Hand) -> None:
    columns, types = zip(*(_RECEIVED[c.type] for c in table.columns), strict=True)
    wanted = ", ".join(_WANTED_OF_POSTGRESQL.get(c.type, "{}").format(quoted(c.name)) for c in table.columns)

    def take(rows: list[bytes]) -> None:
        found = decode(RowsOfCopy.of(rows), columns, types).columns
        arrays = [_of_postgresql(values, table, place) for place, values in enumerate(found)]
        hand(pa.RecordBatch.from_arrays(arrays, schema=table.schema))

    kept = _Careful(take)
    sink = Sink(kept)
    with raw.cursor() as cursor:
        select = f"SELECT {wanted} FROM {quoted(table.name)}"  # noqa: S608  names are quoted
        cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT BINARY)", sink)
    sink.end()
    if kept.failure is not None:
        raise kept.failure


class _Careful:
    """Calls a function until it fails once: a COPY that is broken off would leave a connection of no use."""

    def __init__(self, take: Callable[[list[bytes]], None]) -> None:
        self._take = take
        self.failure: BaseException | None = None

    def __call__(self, rows: list[bytes]) -> None:
        if self.failure is None:
            try:
                self._take(rows)
            except BaseException as failure:
                self.failure = failure


_WANTED_OF_POSTGRESQL = {"other": "CAST({} AS text)"}

_RECEIVED: dict[str, tuple[Column, int]] = {
    "boolean": (Column("c", "BOOLEAN"), 16),
    "smallint": (Column("c", "SMALLINT"), 21),
    "integer": (Column("c", "INTEGER"), 23),
    "bigint": (Column("c", "BIGINT"), 20),
    "real": (Column("c", "REAL"), 700),
    "double": (Column("c", "DOUBLE"), 701),
    "timestamp": (Column("c", "BIGINT"), 20),
    "varchar": (Column("c", "VARCHAR"), 25),
    "text": (Column("c", "VARCHAR"), 25),
    "bytes": (Column("c", "VARCHAR"), 25),
    "other": (Column("c", "VARCHAR"), 25),
}
"""As what `datamodel.postgresql_copy` decodes each type, and its number; instants are microseconds since 2000."""


def _of_postgresql(values: pa.Array, table: KeptTable, place: int) -> pa.Array:
    if table.columns[place].type == "timestamp":
        counted = np.asarray(values.fill_null(0)) + _EPOCH_US
        values = pa.array(counted, mask=np.asarray(values.is_null()))
    return values.cast(table.schema.field(place).type)


_READ: dict[str, Callable[[Any, KeptTable, Hand], None]] = {
    "sqlite": _read_sqlite,
    "postgresql": _read_postgresql,
}
