"""How are the rows of a catalogue put into an SQL table, fast, on either database?"""

import io
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa

from datamodel import arrays
from datamodel.columns import Column
from datamodel.database import Database
from datamodel.dialect import fault_of
from datamodel.errors import UsageError
from datamodel.streaming import driver_of

_TIME_LENGTH = len("2026-01-31T12:00:00.000000")
_CSV = pyarrow.csv.WriteOptions(include_header=False)

SQLITE_ROWS = 50_000
"""Rows in a transaction: others who want to write wait for no more than these."""


def storable(array: pa.Array, column: Column) -> pa.Array:
    """A column of a batch as databases are given it: NaN is NULL, lists are text, times have a fixed width.

    Parameters
    ----------
    array
        Of the type ``column.datatype.arrow``.
    column
        What it is.

    Raises
    ------
    UsageError
        A value is none that both databases can hold; the message names the column and quotes it.
    """
    if column.datatype.kind == "timestamp":
        return _times(array, column)
    kept = arrays.stored(array, column)
    if pa.types.is_floating(kept.type):
        return pc.if_else(pc.is_nan(kept), pa.scalar(None, kept.type), kept)
    if pa.types.is_string(kept.type) and pc.any(pc.match_substring(kept, "\0")).as_py():
        raise UsageError(f"column '{column.name}' holds the character NUL, expected text")
    return kept


def fill(database: Database, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> int:
    """Put rows into a table that nobody else knows of; gives their number.

    Parameters
    ----------
    database
        Where the table is.
    table
        With one column for each of the batches', in their order.
    batches
        As `storable` makes their columns, in the order in which they shall lie on disk.

    Raises
    ------
    UsageError
        A value is none that the database can hold.
    """
    try:
        return _FILL[database.engine.dialect.name](database, table, batches)
    except (sqlite3.Error, psycopg2.Error) as failure:
        fault = fault_of(failure)
        if fault is None:
            raise
        raise UsageError(f"the database cannot hold a row of the catalogue: {fault}") from None


def analyse(connection: sa.Connection, table: sa.Table) -> None:
    """Have the database look at a table, so that it plans queries on it well."""
    connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)}")


def _times(array: pa.Array, column: Column) -> pa.Array:
    """ISO 8601 texts with six decimals, UTC, which PostgreSQL reads too; an empty text is NULL."""
    texts = pc.utf8_rtrim(pc.replace_substring(pc.utf8_trim_whitespace(array), " ", "T"), "Zz")
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        instants = pc.utf8_slice_codeunits(texts, 0, _TIME_LENGTH).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        wrong = next(text for text in texts.to_pylist() if text is not None and not _is_time(text))
        raise UsageError(
            f"column '{column.name}' holds '{wrong[:60]}', expected a time such as 2026-01-31T12:00:00.000"
        ) from None
    return pc.strftime(instants, "%Y-%m-%dT%H:%M:%S", locale="C")


def _is_time(text: str) -> bool:
    try:
        pa.scalar(text[:_TIME_LENGTH]).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True


def _fill_sqlite(database: Database, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> int:
    marks = ", ".join("?" * len(table.columns))
    statement = f'INSERT INTO "{table.name}" VALUES ({marks})'  # noqa: S608  the name is our own
    total = 0
    for batch in batches:
        for start in range(0, batch.num_rows, SQLITE_ROWS):
            values = [_values(column) for column in batch.slice(start, SQLITE_ROWS).columns]
            with database.write() as connection:
                driver_of(connection).executemany(statement, zip(*values, strict=True))
        total += batch.num_rows
    return total


def _values(array: pa.Array) -> list[Any]:
    """The values as Python's own; numbers by way of numpy, which is many times as fast."""
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        listed: list[Any] = array.to_pylist()
        return listed
    filled = array.fill_null(0) if array.null_count else array
    values: list[Any] = filled.to_numpy().tolist()
    if array.null_count:
        for place in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
            values[place] = None
    return values


def _fill_postgresql(database: Database, table: sa.Table, batches: Iterable[pa.RecordBatch]) -> int:
    source = _Csv(batches)
    try:
        with database.write() as connection, driver_of(connection).cursor() as cursor:
            connection.begin()  # else what the driver is told is not committed
            cursor.copy_expert(f'COPY "{table.name}" FROM STDIN (FORMAT CSV)', source)
    except psycopg2.Error:
        if source.failure is not None:
            raise source.failure from None
        raise
    return source.rows


class _Csv(io.RawIOBase):
    """Batches as CSV, made while it is read: NULL is empty, a text stands in quotes.

    The driver makes an error of its own of whatever goes wrong here, so that it is kept as `failure`.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.rows = 0
        self.failure: BaseException | None = None
        self._batches = iter(batches)
        self._text = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._read(size)
        except BaseException as failure:
            self.failure = failure
            raise

    def _read(self, size: int) -> bytes:
        while not self._text:
            batch = next(self._batches, None)
            if batch is None:
                return b""
            self.rows += batch.num_rows
            made = io.BytesIO()
            pyarrow.csv.write_csv(batch, made, _CSV)
            self._text = made.getbuffer()
        end = len(self._text) if size < 0 else size
        taken, self._text = bytes(self._text[:end]), self._text[end:]
        return taken


_FILL: dict[str, Callable[[Database, sa.Table, Iterable[pa.RecordBatch]], int]] = {
    "sqlite": _fill_sqlite,
    "postgresql": _fill_postgresql,
}
