"""How is an empty database filled so that all of it is there, or nothing?

PostgreSQL does it in one transaction. SQLite is filled in a file of another name, which gets its own at the end; nobody
waits for it. Either has the identifier of `datamodel.custody` then, so that what a killed process left can be told
from the database of an archive.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from datamodel import custody
from datamodel.database import Database
from datamodel.errors import BusyError, UsageError
from datamodel.keeping.digests import Content
from datamodel.keeping.files import file_of
from datamodel.keeping.looking import table_names
from datamodel.keeping.reading import OF_CATALOGUE, read
from datamodel.keeping.tables import KeptTable, quoted, sql_indexes, sql_tables
from datamodel.table_rows import analyse, insert

Step = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True)
class Place:
    """Where a database is to be filled.

    Attributes
    ----------
    url
        Of the database.
    id
        What it has in `datamodel.custody` when it is full. One of that very identifier is what a process that was
        killed has left, and gives way.
    file
        Of SQLite: where its file is while it is filled, if its folder is renamed later; else it is the file's own.
    """

    url: str
    id: str
    file: Path | None = None


class Filling:
    """A database that is being filled; nobody else knows of it.

    Parameters
    ----------
    step
        Gives the connection for one step: of a transaction of its own, or of the one for all.
    tables
        All that it will have.
    """

    def __init__(self, step: Step, tables: tuple[KeptTable, ...]) -> None:
        self._step = step
        self._made = dict(zip(tables, sql_tables(tables), strict=True))
        with step() as connection:
            for sql in self._made.values():
                connection.execute(CreateTable(sql))

    def put(self, table: KeptTable, batch: pa.RecordBatch) -> None:
        """Add rows to a table, after those that it has.

        Raises
        ------
        UsageError
            A value is none that the database can hold.
        """
        with self._step() as connection:
            storable = _STORABLE[connection.dialect.name]
            arrays = [storable.get(c.type, _same)(batch.column(i)) for i, c in enumerate(table.columns)]
            batch = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
            insert(connection, self._made[table], [batch], f"table '{table.name}'")

    def complete(self, id: str) -> None:
        """All rows are there: make the indexes, have keys counted on, and write the identifier."""
        with self._step() as connection:
            for index in sql_indexes(self._made, self._made.values()):
                connection.execute(CreateIndex(index))
            for table, sql in self._made.items():
                _count_on(connection, table)
                if OF_CATALOGUE.fullmatch(table.name):
                    analyse(connection, sql)
            custody.mark(connection, id)

    def content(self, table: KeptTable) -> Content:
        """The rows that a table has, read from the database."""
        content = Content(table)
        with self._step() as connection:
            read(connection, table, content.add)
        return content


def _same(values: pa.Array) -> pa.Array:
    return values


def _instants(values: pa.Array) -> pa.Array:
    return pc.strftime(values, "%Y-%m-%dT%H:%M:%S", locale="C")


def _numbers(values: pa.Array) -> pa.Array:
    """The same numbers, if all are such: SQLite would make NULL of another."""
    if pc.any(pc.is_nan(values), min_count=0).as_py():
        raise UsageError("SQLite cannot hold the value NaN, which is in a table of this archive")
    return values


def _bytes_as_text(values: pa.Array) -> pa.Array:
    return pa.array([None if v is None else f"\\x{v.hex()}" for v in values.to_pylist()], pa.string())


_STORABLE: dict[str, dict[str, Callable[[pa.Array], pa.Array]]] = {
    "sqlite": {"timestamp": _instants, "double": _numbers, "real": _numbers},
    "postgresql": {"timestamp": _instants, "bytes": _bytes_as_text},
}
"""By database and type, in which form `datamodel.table_rows` is given values."""


def _count_on(connection: sa.Connection, table: KeptTable) -> None:
    """Have the database go on counting after the last number that it gave, or that is there."""
    statement = _COUNT_ON[connection.dialect.name]
    if table.counted is None or statement is None:
        return
    given = {"t": quoted(table.name), "c": table.counted, "last": table.last or 0}
    names = {"table": quoted(table.name), "column": quoted(table.counted)}
    connection.execute(sa.text(statement.format(**names)), given)


_COUNT_ON: dict[str, str | None] = {
    "sqlite": None,
    "postgresql": "SELECT setval(pg_get_serial_sequence(:t, :c)::regclass, last) FROM "
    "(SELECT greatest(max({column}), :last) AS last FROM {table}) AS numbers WHERE last > 0",
}


@contextmanager
def filling(place: Place, tables: tuple[KeptTable, ...]) -> Iterator[Filling]:
    """An empty database to fill, in the block; at the end of the block it is there, and after any error it is not.

    Parameters
    ----------
    place
        Where.
    tables
        All that it will have.

    Raises
    ------
    UsageError
        There is something already.
    BusyError
        Others are filling it.
    """
    with _HOW[sa.make_url(place.url).get_backend_name()](place) as step:
        yield Filling(step, tables)


@contextmanager
def _in_one_transaction(place: Place) -> Iterator[Step]:
    database = Database(place.url)
    try:
        with database.write() as connection:
            if database.facts.lock_schema:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
                _locked(connection, database.facts.lock_schema)
            _clear(connection, place)
            yield lambda: nullcontext(connection)
    finally:
        database.close()


def _locked(connection: sa.Connection, lock: str) -> None:
    try:
        connection.exec_driver_sql(lock)
    except sa.exc.OperationalError:
        raise BusyError("others are changing the tables of the database; try again later") from None


def _clear(connection: sa.Connection, place: Place) -> None:
    """Remove what a killed process has left, and nothing else."""
    there = table_names(connection)
    if not there:
        return
    if custody.of_database(connection) != place.id:
        named = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        shown = sa.make_url(place.url).render_as_string(hide_password=True)
        raise UsageError(f"the database '{shown}' has tables already ({named}), expected an empty one")
    for name in there:
        connection.exec_driver_sql(f"DROP TABLE {quoted(name)} CASCADE")


@contextmanager
def _in_another_file(place: Place) -> Iterator[Step]:
    final = place.file or file_of(place.url)
    if final is None:
        raise UsageError(
            f"the database '{place.url}' has no file, expected one such as sqlite:////data/x.sqlite"
        )
    if not final.parent.is_dir():
        raise UsageError(f"there is no folder '{final.parent}' for the database")
    _remove_left(final, place)
    aside = final.with_name(f"{final.name}.partial")
    _unlink(aside)
    database = Database(f"sqlite:///{aside}")
    try:
        yield database.write
        database.close()
        _to_disk(aside)
        os.replace(aside, final)
        custody.sync(final.parent)
    finally:
        database.close()
        _unlink(aside)


def _remove_left(final: Path, place: Place) -> None:
    if not final.exists():
        return
    left = Database(f"sqlite:///{final}")
    try:
        with left.read() as connection:
            id = custody.of_database(connection)
    except sa.exc.DatabaseError:
        id = None
    finally:
        left.close()
    if id != place.id:
        raise UsageError(f"there is a file '{final}' already, expected none where the database is to be")
    _unlink(final)


def _unlink(file: Path) -> None:
    """Remove a database's file, and those that SQLite has beside it."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)


def _to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_HOW = {"sqlite": _in_another_file, "postgresql": _in_one_transaction}
