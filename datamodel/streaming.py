"""How does an answer come from the database while it is being read, and how does it end, whoever ends it?

A *source* runs one statement on one connection and owns that connection: `next` gives a batch or None at the
end, `close` may be called at any time by any thread, and the connection goes back to its pool exactly
once. What reads from a source need not know which database it is.

A reader slower than the database would hold a state of the database, which SQLite's write-ahead log and
PostgreSQL's dead rows then pile up behind. Bytes for slow readers therefore go through
`vo_server.formats.spool.unhurried`, which reads ahead into memory and then into a file, so that the source comes to
its end and releases itself; where the reader leaves before that, closing the spool closes the source.
"""

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from datamodel import dialect
from datamodel.batches import BATCH_BYTES, BATCH_ROWS, FIRST_ROWS, joined, next_step, record_batch
from datamodel.columns import Column, Rows
from datamodel.errors import OutOfRangeError, QueryTimeoutError, UsageError

_STEP_ROWS = 2048
_GROWTH = 8
_SETTLING_S = 0.003
_FIRST_PATIENCE_S = 0.005
_PATIENCE_S = 0.02  # after which the rows that are there are handed on, be they few
_OPERATIONS = 20_000
_ASK_S = 0.1


class Watch:
    """When and why must a statement stop? Asked by whoever runs it.

    Parameters
    ----------
    seconds
        From now until the time is over.
    cancelled
        Asked ten times a second at the most, by one thread at a time.
    """

    def __init__(self, seconds: float, cancelled: Callable[[], bool]) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._cancelled = cancelled
        self._ask_at = 0.0
        self._why = ""

    def close(self) -> None:
        """Nobody wants the answer any more."""
        self._why = self._why or "the query was stopped before its end"

    def stops(self) -> bool:
        """Whether the statement must stop now; once true, always true."""
        now = time.monotonic()
        if not self._why and now >= self._ask_at:
            self._ask_at = now + _ASK_S
            if now > self._deadline:
                self._why = self._too_long()
            elif self._cancelled():
                self._why = "the query was cancelled"
        return bool(self._why)

    def error(self) -> QueryTimeoutError:
        """Why the statement was stopped, for the caller."""
        return QueryTimeoutError(self._why or self._too_long())

    def told(self, failure: BaseException) -> BaseException:
        """The failure as its caller is told of it: stopped, not computable, or itself if it is a bug."""
        if dialect.was_interrupted(failure):
            return self.error()
        fault = dialect.fault_of(failure)
        kind = OutOfRangeError if dialect.left_range(failure) else UsageError
        return failure if fault is None else kind(f"the database cannot compute this query: {fault}")

    def _too_long(self) -> str:
        return f"the query was stopped at the limit of {self.seconds:g} s"


class Source(Protocol):
    """One statement under way."""

    def next(self) -> pa.RecordBatch | None:
        """The next rows, at least one, or None at the end; raises what `Watch.told` makes of failures."""

    def ended(self, patience_s: float) -> bool:
        """Whether the last rows are there and the connection is released; waits a little to see."""

    def close(self) -> None:
        """Stop the statement and release its connection; when this returns, it is released."""


def answer(source: Source, columns: tuple[Column, ...], limit: int | None) -> Rows:
    """The rows of a source, of which the first are there.

    Parameters
    ----------
    source
        Closed at the end, at any failure, by ``Rows.close``, and when the rows are forgotten.
    columns
        Of the batches.
    limit
        Rows at the most; a source that has more overflows.
    """
    try:
        first = source.next()
    except BaseException:
        source.close()
        raise
    rows = Rows(columns, iter(()), close=source.close, complete=source.ended(_SETTLING_S))
    rows.batches = _Batches(source, first, limit, rows)
    return rows


def driver_of(connection: sa.Connection) -> Any:
    """The driver's own connection."""
    return connection.connection.dbapi_connection


class _Batches(Iterator[pa.RecordBatch]):
    """The batches of a source, up to the limit."""

    def __init__(self, source: Source, first: pa.RecordBatch | None, limit: int | None, rows: Rows) -> None:
        self._source = source
        self._first = first
        self._left = limit
        self._rows = weakref.ref(rows)
        self._ended = first is None
        weakref.finalize(self, source.close).atexit = False

    def __next__(self) -> pa.RecordBatch:
        batch, self._first = self._first, None
        if batch is None and not self._ended:
            batch = self._fetched()
        if batch is None:
            self._ended = True
            raise StopIteration
        return self._cut(batch)

    def _fetched(self) -> pa.RecordBatch | None:
        try:
            return self._source.next()
        except BaseException:
            self._ended = True
            self._source.close()
            raise

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._left is None:
            return batch
        if batch.num_rows > self._left:
            self._overflow()
            batch = batch.slice(0, self._left)
        self._left -= batch.num_rows
        return batch if batch.num_rows else next(self)

    def _overflow(self) -> None:
        self._ended = True
        self._source.close()
        rows = self._rows()
        if rows is not None:
            rows.overflow = True


class SqliteSource:
    """A statement on SQLite, run by whoever reads; one who closes waits until the reader's step is interrupted.

    As long as it is open, SQLite keeps the state of the database that it reads, and the write-ahead log
    grows with all that others write. So it must not be left to a slow reader: read it ahead into a file.
    """

    def __init__(
        self,
        connection: sa.Connection,
        statement: str,
        parameters: Any,
        columns: tuple[Column, ...],
        watch: Watch,
        _stored: bool = False,
    ) -> None:
        self._connection: sa.Connection | None = connection
        self._columns = columns
        self._watch = watch
        self._step = FIRST_ROWS
        self._ended = False
        self._lock = threading.Lock()
        self._raw = driver_of(connection)
        self._cursor = self._raw.cursor()
        self._call: tuple[Any, ...] | None = (statement, parameters)
        self._raw.set_progress_handler(lambda: int(watch.stops()), _OPERATIONS)

    def next(self) -> pa.RecordBatch | None:
        """See `Source`."""
        with self._lock:
            if self._ended:
                return None
            if self._connection is None:
                raise self._watch.error()
            try:
                batch = self._fetched()
            except sqlite3.Error as failure:
                self._release()
                raise self._watch.told(failure) from None
            except BaseException:
                self._release()
                raise
            if batch is None:
                self._release()
            return batch

    def ended(self, patience_s: float) -> bool:
        """See `Source`."""
        return self._ended

    def close(self) -> None:
        """See `Source`."""
        self._watch.close()
        with self._lock:
            self._release()

    def _fetched(self) -> pa.RecordBatch | None:
        patience_s = _PATIENCE_S
        if self._call is not None:
            call, self._call = self._call, None
            statement, parameters = call
            self._cursor.execute(statement, () if parameters is None else parameters)
            patience_s = _FIRST_PATIENCE_S
        parts: list[pa.RecordBatch] = []
        rows = size = 0
        until = time.monotonic() + patience_s
        while rows < BATCH_ROWS and size < BATCH_BYTES:
            fetched = self._cursor.fetchmany(self._step)
            self._ended = len(fetched) < self._step
            if not fetched:
                break
            part = record_batch(fetched, self._columns)
            self._step = next_step(part, min(_STEP_ROWS, _GROWTH * self._step))
            parts.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
            if self._ended or time.monotonic() > until:
                break
        if self._ended:
            self._release()
        return joined(parts) if parts else None

    def _release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._cursor.close()
            self._raw.set_progress_handler(None, 0)
            connection.close()
