"""How are batches put into an SQL table, fast, on either database?"""

import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa
from numpy.typing import NDArray

from datamodel import arrays
from datamodel.columns import Column
from datamodel.database import Database
from datamodel.dialect import fault_of
from datamodel.errors import UsageError
from datamodel.healpix import FARTHEST_DEG, NO_PIXEL, hpx29
from datamodel.streaming import driver_of

_TIME_LENGTH = len("2026-01-31T12:00:00.000000")
_CSV = pyarrow.csv.WriteOptions(include_header=False)

SQLITE_ROWS = 50_000
_PART_BYTES = 16 << 20
"""Of a transaction that fills a catalogue in SQLite: others who want to write wait for no more than these."""

_VALUES_IN_MEMORY = 300_000
"""Values that are Python's own at a time."""

_ROWS_AT_ONCE = 16
_VALUES_AT_ONCE = 2000
"""What one statement inserts into SQLite: several rows cost it little more than one."""


def storable(array: pa.Array, column: Column, where: str = "") -> pa.Array:
    """A column of a batch as databases are given it: NaN is NULL, lists are text, times have a fixed width.

    Parameters
    ----------
    array
        Of the type ``column.datatype.arrow``.
    column
        What it is.
    where
        Follows the name of the column in messages, such as `` of table x``.

    Raises
    ------
    UsageError
        A value is none that both databases can hold; the message names the column and quotes it.
    """
    if column.datatype.kind == "timestamp":
        return _times(array, column, where)
    kept = arrays.stored(array, column)
    if pa.types.is_floating(kept.type):
        nan = pc.is_nan(kept)
        return pc.if_else(nan, pa.scalar(None, kept.type), kept) if pc.any(nan).as_py() else kept
    if pa.types.is_string(kept.type) and pc.any(pc.match_substring(kept, "\0")).as_py():
        raise UsageError(f"column '{column.name}'{where} holds the character NUL, expected text")
    return kept


def pixels_of(ra: pa.Array | pa.ChunkedArray, dec: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Pixels of order 29 of positions in degrees; `NO_PIXEL` for one that is no place in the sky.

    A right ascension may be many turns, but no more than `FARTHEST_DEG`.
    """
    ra_deg, dec_deg = (np.asarray(pc.cast(a, pa.float64(), safe=False)) for a in (ra, dec))
    with np.errstate(invalid="ignore"):
        known = (np.abs(ra_deg) <= FARTHEST_DEG) & (np.abs(dec_deg) <= 90.0)
    pixels = np.full(len(ra_deg), NO_PIXEL, np.int64)
    pixels[known] = hpx29(ra_deg[known], dec_deg[known])
    return pixels


def insert(connection: sa.Connection, table: sa.Table, batches: Iterable[pa.RecordBatch], called: str) -> int:
    """Put rows into a table in the transaction under way; gives their number.

    Parameters
    ----------
    connection
        Of the transaction.
    table
        With one column for each of the batches', in their order.
    batches
        As `storable` makes their columns, in the order in which they shall lie on disk.
    called
        What messages call the table.

    Raises
    ------
    UsageError
        A value is none that the database can hold.
    """
    with _told(called):
        return _INSERT[connection.dialect.name](driver_of(connection), table.name, batches)


def fill(database: Database, table: sa.Table, batches: Iterable[pa.RecordBatch], whole: bool = False) -> int:
    """Put the rows of a catalogue into a table that nobody else knows of; see `insert`.

    Where everybody who writes waits for one that does, there are several transactions. If these are the `whole` table,
    which is empty, it needs no care afterwards.
    """
    total = 0
    for part in _parts(batches) if database.facts.writes_alone else [batches]:
        with database.write() as connection, _told("the catalogue"):
            put = (_FILL if whole else _INSERT)[connection.dialect.name]
            total += put(driver_of(connection), table.name, part)
    return total


def analyse(connection: sa.Connection, table: sa.Table) -> None:
    """Have the database look at some rows of a table, so that it plans queries on it well."""
    for statement in _ANALYSE[connection.dialect.name]:
        connection.exec_driver_sql(statement.format(table=table.name))


@contextmanager
def _told(called: str) -> Iterator[None]:
    """Say in words what the driver says of a value that its database cannot hold."""
    try:
        yield
    except (sqlite3.Error, psycopg2.Error) as failure:
        fault = fault_of(failure)
        if fault is None:
            raise
        raise UsageError(f"the database cannot hold a row of {called}: {fault}") from None


def _times(array: pa.Array, column: Column, where: str) -> pa.Array:
    """ISO 8601 texts with six decimals, UTC, which PostgreSQL reads too; an empty text is NULL."""
    texts = pc.utf8_rtrim(pc.replace_substring(pc.utf8_trim_whitespace(array), " ", "T"), "Zz")
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        instants = pc.utf8_slice_codeunits(texts, 0, _TIME_LENGTH).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        wrong = next(text for text in texts.to_pylist() if text is not None and not _is_time(text))
        raise UsageError(
            f"column '{column.name}'{where} holds '{wrong[:60]}', expected a time such as 2026-01-31T12:00:00.000"
        ) from None
    return pc.strftime(instants, "%Y-%m-%dT%H:%M:%S", locale="C")


def _is_time(text: str) -> bool:
    try:
        pa.scalar(text[:_TIME_LENGTH]).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True


def _parts(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """The rows of one transaction after the other; those of the next are there before it begins."""
    part: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for start in range(0, batch.num_rows, SQLITE_ROWS):
            piece = batch.slice(start, SQLITE_ROWS)
            if part and (rows + piece.num_rows > SQLITE_ROWS or size + piece.nbytes > _PART_BYTES):
                yield part
                part, rows, size = [], 0, 0
            part.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
    if part:
        yield part


def _insert_sqlite(raw: Any, name: str, batches: Iterable[pa.RecordBatch]) -> int:
    total = 0
    for batch in batches:
        step = max(1, _VALUES_IN_MEMORY // batch.num_columns)
        for start in range(0, batch.num_rows, step):
            _insert_batch(raw, name, batch.slice(start, step))
        total += batch.num_rows
    return total


def _insert_batch(raw: Any, name: str, batch: pa.RecordBatch) -> None:
    width = batch.num_columns
    values: list[Any] = [None] * (batch.num_rows * width)
    for place, column in enumerate(batch.columns):
        values[place::width] = _values(column)
    row = f"({', '.join('?' * width)})"
    begin = 0
    for rows in (max(1, min(_ROWS_AT_ONCE, _VALUES_AT_ONCE // width)), 1):
        step = rows * width
        end = len(values) - (len(values) - begin) % step
        statement = f'INSERT INTO "{name}" VALUES {", ".join([row] * rows)}'  # noqa: S608  the name is our own
        raw.executemany(statement, (values[at : at + step] for at in range(begin, end, step)))
        begin = end


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


def _fill_postgresql(raw: Any, name: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Rows that all transactions see at once, so that no vacuum has to say so; only an emptied table takes them."""
    with raw.cursor() as cursor:
        cursor.execute(f'TRUNCATE "{name}"')
    return _insert_postgresql(raw, name, batches, ", FREEZE")


def _insert_postgresql(raw: Any, name: str, batches: Iterable[pa.RecordBatch], how: str = "") -> int:
    source = _Csv(batches)
    try:
        with raw.cursor() as cursor:
            cursor.copy_expert(f'COPY "{name}" FROM STDIN (FORMAT CSV{how})', source)
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


_INSERT: dict[str, Callable[[Any, str, Iterable[pa.RecordBatch]], int]] = {
    "sqlite": _insert_sqlite,
    "postgresql": _insert_postgresql,
}

_FILL = _INSERT | {"postgresql": _fill_postgresql}

_ANALYSE: dict[str, tuple[str, ...]] = {
    "sqlite": ("PRAGMA analysis_limit = 1000", 'ANALYZE "{table}"'),
    "postgresql": ('ANALYZE "{table}"',),
}
