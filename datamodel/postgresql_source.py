"""How does a statement on PostgreSQL give its rows?

They are received by COPY, many at a time where nothing else is under way on the connection. A text of ours has
its fields cast to types that can be decoded; of any other statement the thread asks first what types the answer has,
which has the database plan it twice, and where one is not known to be decoded it receives the answer by a server-side
cursor.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg2
import pyarrow as pa
import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from datamodel.batches import BATCH_ROWS, FIRST_ROWS, next_step, record_batch
from datamodel.columns import Column
from datamodel.dialect import PLAIN
from datamodel.postgresql_copy import HEADER_BYTES, TRAILER, RowsOfCopy, decode, receivable, received
from datamodel.postgresql_wire import copied
from datamodel.streaming import Watch, driver_of
from datamodel.threaded_source import ThreadedSource

_BATCH_BYTES = 5 << 19
_FIRST_BYTES = 1 << 14
_GROWTH = 8
_ROW_BYTES = 64  # about what Python adds to the bytes of a row
_LONGEST_MS = 2**31 - 1


class PostgresqlSource(ThreadedSource):
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
        self._broken = False
        super().__init__(watch)

    def _cancel(self) -> None:
        with suppress(psycopg2.Error):  # a server that is gone has nothing to end
            self._raw.cancel()

    def _abandon(self) -> None:
        with (
            suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(self._raw.fileno())) as connection,
        ):
            connection.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._broken:
            self._connection.invalidate()
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
            self._fetch(cursor, statement)

    def _is_idle(self) -> bool:
        return bool(self._raw.info.transaction_status == TRANSACTION_STATUS_IDLE)

    def _bounded(self) -> str:
        """What bounds the time of the statement that follows it."""
        longest = min(_LONGEST_MS, max(1, int(self._watch.seconds * 1000)))
        return f"SET LOCAL statement_timeout = {longest};"

    def _types(self, cursor: Any, statement: str) -> list[int]:
        """The types of the answer, by their numbers; bounds the time of what follows, too."""
        cursor.execute(f"{self._bounded()} {_nothing_of(statement)}")
        return [described.type_code for described in cursor.description]

    def _copy(self, cursor: Any, statement: str, form: tuple[list[str], list[int]]) -> None:
        types_wanted, types = form
        wanted = _cast(statement, types_wanted)
        statements = f"{self._bounded()} COPY ({wanted}) TO STDOUT (FORMAT BINARY)"
        if self._is_idle() and self._connection.info[PLAIN]:
            self._receive(statements, types)
            return
        sink = Sink(lambda rows: self._hand(lambda: decode(RowsOfCopy.of(rows), self._columns, types)))
        cursor.copy_expert(statements, sink)
        sink.end()

    def _receive(self, statements: str, types: list[int]) -> None:
        """Have the statements run, as one transaction, and many rows received at a time."""
        try:
            copied(
                self._raw,
                statements,
                len(types),
                lambda rows: self._hand(partial(decode, rows, self._columns, types)),
            )
        except psycopg2.Error:
            raise
        except BaseException:
            self._broken = True
            raise

    def _fetch(self, cursor: Any, statement: str) -> None:
        if self._is_idle():
            cursor.execute("BEGIN")
        cursor.execute(f"{self._bounded()} DECLARE answer NO SCROLL CURSOR FOR {statement}")
        step = FIRST_ROWS
        while True:
            cursor.execute(f"FETCH {step} FROM answer")
            rows = cursor.fetchall()
            if not rows:
                return
            batch = record_batch(rows, self._columns)
            self._hand(partial(_same, batch))
            step = next_step(batch, BATCH_ROWS)


class Sink:
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
    fields = [f"CAST({n} AS {type_})" if type_ else n for n, type_ in zip(names, wanted, strict=True)]
    return f"SELECT {', '.join(fields)} FROM ({statement}) AS answer ({', '.join(names)})"  # noqa: S608


def _same(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch
