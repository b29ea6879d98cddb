"""A statement becomes described rows: the one door to the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from datamodel.columns import Column, Rows
from datamodel.dialect import INTERRUPTED, facts_of, interrupter
from datamodel.errors import QueryTimeoutError

BATCH_ROWS = 16_384


class Database:
    """One database, SQLite or PostgreSQL, and the transactions on it.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.facts = facts_of(url)
        self.engine = sa.create_engine(url, **self.facts.engine_options)
        sa.event.listen(self.engine, "connect", lambda connection, _record: self.facts.prepare(connection))
        sa.event.listen(self.engine, "do_execute", _only_compiled)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for looking; each statement sees the latest committed state."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end of the block, rolled back on any error."""
        with self.engine.connect() as connection:
            if self.facts.begin_write:
                connection.exec_driver_sql(self.facts.begin_write)
            try:
                yield connection
            except BaseException:
                self._end(connection, "ROLLBACK")
                raise
            self._end(connection, "COMMIT")

    def _end(self, connection: sa.Connection, how: str) -> None:
        if self.facts.begin_write:
            connection.exec_driver_sql(how)
        elif how == "COMMIT":
            connection.commit()
        connection.rollback()

    def create(self, tables: list[sa.Table]) -> None:
        """Create the tables that do not exist yet, with their indices, in one transaction."""
        with self.write() as connection:
            self.create_missing(connection, tables)

    def create_missing(self, connection: sa.Connection, tables: list[sa.Table]) -> None:
        """The same within a transaction under way, which no other one then changes tables beside."""
        if self.facts.lock_schema:
            connection.exec_driver_sql(self.facts.lock_schema)
        present = set(sa.inspect(connection).get_table_names())
        for table in tables:
            if table.name not in present:
                table.create(connection, checkfirst=False)

    def rows(
        self,
        select: sa.Select[Any] | sa.CompoundSelect[Any],
        columns: tuple[Column, ...],
        *,
        limit: int | None = None,
        seconds: float = 3600.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Rows:
        """Run a statement and give its rows in column batches, as they come.

        Parameters
        ----------
        select
            A statement whose tables are already narrowed to what the caller may see.
        columns
            Describes the columns of the statement, in order.
        limit
            Rows at the most; one more is looked for, to tell an overflow.
        seconds
            Time after which the statement is interrupted.
        cancelled
            Asked now and then; true interrupts.

        Returns
        -------
        Rows
            The statement has been started: errors of the database come from here, not from the batches.

        Raises
        ------
        QueryTimeoutError
            The time was over before the first batch.
        """
        return _Stream(self, select, columns, limit, seconds, cancelled).rows()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


class _Stream:
    """One statement under way."""

    def __init__(
        self,
        database: Database,
        select: Any,
        columns: tuple[Column, ...],
        limit: int | None,
        seconds: float,
        cancelled: Callable[[], bool],
    ) -> None:
        self.columns = columns
        self.left = limit
        self.seconds = seconds
        deadline = time.monotonic() + seconds
        self.connection = database.engine.connect()
        self._release: Callable[[], None] = lambda: None
        try:
            self._release = interrupter(
                self.connection, seconds, lambda: time.monotonic() > deadline or cancelled()
            )
            bounded = select if limit is None else _limited(select, limit + 1)
            statement, parameters = compiled(self.connection, bounded)
            raw = self.connection.connection
            named = ("rows",) if database.engine.dialect.name == "postgresql" else ()
            self.cursor: Any = raw.cursor(*named)
            self.cursor.execute(statement, parameters)
            self.first = self._fetch()
        except BaseException as error:
            self.close()
            if _was_interrupted(error):
                raise QueryTimeoutError(self._too_long()) from None
            raise

    def rows(self) -> Rows:
        answer = Rows(self.columns, iter(()), close=self.close)
        answer.batches = self._batches(answer)
        return answer

    def _fetch(self) -> list[Any]:
        return list(self.cursor.fetchmany(BATCH_ROWS))

    def _batches(self, answer: Rows) -> Iterator[pa.RecordBatch]:
        fetched = self.first
        self.first = []
        try:
            while fetched:
                if self.left is not None and len(fetched) > self.left:
                    answer.overflow, fetched = True, fetched[: self.left]
                    yield record_batch(fetched, self.columns)
                    return
                if self.left is not None:
                    self.left -= len(fetched)
                yield record_batch(fetched, self.columns)
                fetched = self._fetch()
        except Exception as error:
            if _was_interrupted(error):
                raise QueryTimeoutError(self._too_long()) from None
            raise
        finally:
            self.close()

    def _too_long(self) -> str:
        return f"the query was stopped at the limit of {self.seconds:g} s"

    def close(self) -> None:
        if not self.connection.closed:
            self._release()
            self.connection.close()


def compiled(connection: sa.Connection, select: Any) -> tuple[str, Any]:
    """The text and the parameters with which SQLAlchemy would call the driver."""
    kept: list[tuple[str, Any]] = []
    connection.execute(select, execution_options={"only_compiled": kept}).close()
    return kept[0]


def _only_compiled(_cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Keep what was going to be executed where `compiled` asked for it; true stops SQLAlchemy there."""
    kept = context.execution_options.get("only_compiled")
    if kept is None:
        return False
    kept.append((statement, parameters))
    return True


def _was_interrupted(error: BaseException) -> bool:
    return any(word in str(error).lower() for word in INTERRUPTED)


def _limited(select: Any, limit: int) -> Any:
    """The statement with at most `limit` rows; its own limit stands where it is smaller."""
    if isinstance(select, sa.Select) and select._limit_clause is None:
        return select.limit(limit)
    inner = select.subquery()
    return sa.select(*inner.c).limit(limit)


def record_batch(rows: list[Any], columns: tuple[Column, ...]) -> pa.RecordBatch:
    """Rows as the driver gives them, as one Arrow record batch of the columns' types.

    NaN and infinities are kept; a geometry arrives as text of numbers, a timestamp as text or `datetime`.
    """
    if not columns:
        return pa.RecordBatch.from_arrays([], names=[])
    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    arrays = [_array(v, c) for v, c in zip(values, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def _array(values: Any, column: Column) -> pa.Array:
    convert = _CONVERT.get(column.type if column.type == "BOOLEAN" else column.datatype.kind)
    if convert is not None:
        values = [None if v is None else convert(v) for v in values]
    try:
        return pa.array(values, type=column.datatype.arrow, from_pandas=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _strained(values, column)


def _strained(values: Any, column: Column) -> pa.Array:
    """Values of a computed column that do not all fit its declared type: what does not fit is NULL."""
    if column.datatype.kind == "text":
        return pa.array([None if v is None else str(v) for v in values], type=pa.string())
    numbers = np.array([np.nan if v is None else float(v) for v in values], dtype="f8")
    dtype = column.datatype.numpy
    if dtype.kind == "i":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        fits = np.isfinite(numbers) & (numbers >= low) & (numbers <= high)
        return pa.array(np.where(fits, numbers, 0).astype(dtype), mask=~fits)
    return pa.array(numbers.astype(dtype), mask=np.isnan(numbers))


def _dali_time(value: Any) -> str:
    """DALI 1.1 section 3.3.3: ``YYYY-MM-DDThh:mm:ss.SSS``, UTC."""
    text = value if isinstance(value, str) else value.isoformat(timespec="milliseconds")
    return text.replace(" ", "T")[:23]


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "BOOLEAN": bool,
    "timestamp": _dali_time,
    "geometry": lambda value: [float(x) for x in value.split()] if isinstance(value, str) else list(value),
}
