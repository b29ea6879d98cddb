"""How does a statement on PostgreSQL give its rows to a reader that may stop at any time?

A thread of its own owns the connection from the first message to the release. It receives the answer by COPY and
waits while some batches lie ready. A text of ours has its fields cast to types that can be decoded; of any other
statement the thread asks first what types the answer has, which has the database plan it twice, and where one is
not known to be decoded it receives the answer by a server-side cursor. Whoever wants it to stop cancels the
statement from outside.
"""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from datamodel import standby
from datamodel.batches import BATCH_ROWS, FIRST_ROWS, next_step, record_batch
from datamodel.columns import Column
from datamodel.postgresql_copy import HEADER_BYTES, TRAILER, decode, receivable, received
from datamodel.streaming import Watch, driver_of

_BATCH_BYTES = 5 << 19
_FIRST_BYTES = 1 << 14
_GROWTH = 8
_ROW_BYTES = 64  # about what Python adds to the bytes of a row
_READY = 2
_POLL_S = 0.1
_CANCEL_AGAIN_S = 0.2
_LONGEST_MS = 2**31 - 1


class PostgresqlSource:
    """A statement on PostgreSQL; see `datamodel.streaming.Source`.

    One without parameters is a text of ours; its columns may be `stored` ones, as they are kept.
    """

    def __init__(
        self,
        connection: sa.Connection,
        statement: str,
        parameters: Any,
        columns: tuple[Column, ...],
        watch: Watch,
        stored: bool = False,
    ) -> None:
        self._stored = stored
        self._connection = connection
        self._raw = driver_of(connection)
        self._statement, self._parameters = statement, parameters
        self._columns = columns
        self._watch = watch
        self._ready: deque[Callable[[], pa.RecordBatch]] = deque()
        self._changed = threading.Condition()
        self._cancelling = threading.Lock()
        self._stopped = self._ended = False
        self._failure: BaseException | None = None
        self._worker: threading.Thread | None = None
        standby.begin(self._work)

    def next(self) -> pa.RecordBatch | None:
        """See `Source`."""
        self._ask()
        while not self._something():
            self._ask()
        with self._changed:
            made = self._ready.popleft() if self._ready else None
            self._changed.notify_all()
        if made is not None:
            return made()
        if self._stopped:
            raise self._watch.error()
        if self._failure is not None:
            raise self._watch.told(self._failure) from None
        return None

    def ended(self, patience_s: float) -> bool:
        """See `Source`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._ready) >= _READY, patience_s)
            return self._ended

    def close(self) -> None:
        """See `Source`."""
        self._watch.close()
        self._stop()

    def _ask(self) -> None:
        if not self._stopped and not self._ended and self._watch.stops():
            self._stop()

    def _something(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._ready) or self._ended, _POLL_S)

    def _stop(self) -> None:
        """Cancel until the thread has ended; a cancel between two statements goes unheard."""
        with self._changed:
            self._stopped = self._stopped or not self._ended or bool(self._ready)
            self._ready.clear()
            self._changed.notify_all()
        while self._worker is not threading.current_thread() and not self._ended:
            with self._cancelling:
                if self._raw is not None:
                    self._raw.cancel()
            with self._changed:
                self._changed.wait_for(lambda: self._ended, _CANCEL_AGAIN_S)

    def _work(self) -> None:
        self._worker = threading.current_thread()
        failure: BaseException | None = None
        try:
            self._produce()
        except BaseException as raised:  # carried over to the reader
            failure = raised
        try:
            self._release()
        except BaseException as raised:
            failure = failure or raised
        with self._changed:
            self._failure, self._ended, self._worker = failure, True, None
            self._changed.notify_all()

    def _release(self) -> None:
        with self._cancelling:  # no cancel may reach whoever has the connection next
            raw, self._raw = self._raw, None
        try:
            if raw.autocommit:
                raw.autocommit = False
        finally:
            self._connection.close()

    def _produce(self) -> None:
        with self._raw.cursor() as cursor:
            if self._parameters is None:
                self._copy(cursor, self._statement, received(self._columns, self._stored))
                return
            statement = cursor.mogrify(self._statement, self._parameters).decode()
            form = receivable(self._columns, self._types(cursor, statement))
            if form is not None:
                self._copy(cursor, statement, form)
                return
        with self._raw.cursor("rows") as cursor:
            self._fetch(cursor, statement)

    def _bounded(self) -> str:
        """What bounds the time of the statement that follows it."""
        longest = min(_LONGEST_MS, max(1, int(self._watch.seconds * 1000)))
        return f"SET LOCAL statement_timeout = {longest};"

    def _types(self, cursor: Any, statement: str) -> list[int]:
        """The types of the answer, by their numbers; bounds the time of what follows, too."""
        cursor.execute(f"{self._bounded()} {_nothing_of(statement)}")
        return [described.type_code for described in cursor.description]

    def _copy(self, cursor: Any, statement: str, form: tuple[list[str], list[int]]) -> None:
        casts, types = form
        if self._raw.info.transaction_status == TRANSACTION_STATUS_IDLE:
            self._raw.autocommit = True  # what is sent at once is a transaction, and ends with its answer
        sink = _Sink(lambda rows: self._hand(partial(decode, rows, self._columns, types)))
        wanted = _cast(statement, casts)
        cursor.copy_expert(f"{self._bounded()} COPY ({wanted}) TO STDOUT (FORMAT BINARY)", sink)
        sink.end()

    def _fetch(self, cursor: Any, statement: str) -> None:
        cursor.execute(statement)
        step = FIRST_ROWS
        while rows := cursor.fetchmany(step):
            batch = record_batch(rows, self._columns)
            self._hand(partial(_same, batch))
            step = next_step(batch, BATCH_ROWS)

    def _hand(self, made: Callable[[], pa.RecordBatch]) -> None:
        """Lay a batch ready; when nobody wants any, drop it until the cancel is heard."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._ready) < _READY)
            if not self._stopped:
                self._ready.append(made)
                self._changed.notify_all()


class _Sink:
    """What psycopg2 writes the messages of COPY to; gives lists of rows, without header and trailer."""

    def __init__(self, hand: Callable[[list[bytes]], None]) -> None:
        self._hand = hand
        self._rows: list[bytes] = []
        self._size = 0
        self._enough = 1
        self._started = False

    def write(self, message: bytes) -> None:
        """Take one message."""
        self._rows.append(message)
        self._size += len(message) + _ROW_BYTES
        if self._size >= self._enough:
            self._flush(self._rows)

    def end(self) -> None:
        """All has been written."""
        self._flush(self._rows)

    def _flush(self, rows: list[bytes]) -> None:
        self._rows, self._size = [], 0
        self._enough = min(_BATCH_BYTES, _GROWTH * self._enough + _FIRST_BYTES)
        if rows and not self._started:
            self._started = True
            rows[0] = rows[0][HEADER_BYTES:]
        if rows and rows[-1] == TRAILER:
            rows.pop()
        if rows:
            self._hand(rows)


def _nothing_of(statement: str) -> str:
    return f"SELECT * FROM ({statement}) AS answer LIMIT 0"  # noqa: S608  the driver has quoted all values


def _cast(statement: str, wanted: list[str]) -> str:
    """The statement with some of its fields cast; rows keep their order through a plain projection."""
    if not any(wanted):
        return statement
    names = [f"f{i}" for i in range(len(wanted))]
    fields = [f"CAST({n} AS {cast})" if cast else n for n, cast in zip(names, wanted, strict=True)]
    return f"SELECT {', '.join(fields)} FROM ({statement}) AS answer ({', '.join(names)})"  # noqa: S608


def _same(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch
