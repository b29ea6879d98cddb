"""A statement becomes described rows: the one door to the database."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from datamodel.batches import record_batch as record_batch
from datamodel.columns import Column, Rows
from datamodel.dialect import facts_of, is_forbidden, is_full
from datamodel.errors import BusyError, ForbiddenError
from datamodel.postgresql_source import PostgresqlSource
from datamodel.postgresql_wire import SilenceError
from datamodel.scanning import Readers, can_scan
from datamodel.speech import Speech, speech_of
from datamodel.streaming import Source, SqliteSource, Watch, answer

log = logging.getLogger("vo_server")

TRUSTED_S = 1.0
"""So long a connection that has been used is taken to be there without being asked."""


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
        self._readers: Readers | None = None
        self.engine = sa.create_engine(url, **_options(url, self.facts.engine_options))
        sa.event.listen(
            self.engine, "connect", lambda connection, record: self.facts.prepare(connection, record.info)
        )
        sa.event.listen(self.engine, "do_execute", _only_compiled)
        sa.event.listen(self.engine, "handle_error", _refused)
        if self.facts.breaks:
            sa.event.listen(self.engine, "reset", _ended)
            sa.event.listen(self.engine, "checkin", _used)
            sa.event.listen(self.engine, "checkout", partial(_alive, self.engine.dialect))

    @cached_property
    def speech(self) -> Speech:
        """How the database writes what SQL leaves open, given the extensions that it has when first asked."""
        found: list[str] = []
        if self.facts.extensions is not None:
            with self.read() as connection:
                found = list(connection.exec_driver_sql(self.facts.extensions).scalars())
        return speech_of(self.engine.dialect.name, found)

    @cached_property
    def only_reads(self) -> bool:
        """Whether one is connected as somebody who may only read; see `datamodel.row_security`."""
        if self.facts.only_reads is None:
            return False
        with self.read() as connection:
            return bool(connection.exec_driver_sql(self.facts.only_reads).scalar())

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for looking; each statement is for itself, and sees the latest committed state."""
        with self._connected() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end of the block, rolled back on any error."""
        with self._connected() as connection, self._writing(connection):
            yield connection

    @contextmanager
    def alter(self) -> Iterator[sa.Connection]:
        """A transaction that may make tables anew, while no other one changes tables.

        Whether rows refer to rows that are there is looked at where it ends.
        """
        with self._connected() as connection:
            try:
                if self.facts.free_tables:
                    connection.exec_driver_sql(self.facts.free_tables)
                with self._writing(connection):
                    self.lock_schema(connection)
                    yield connection
                    self._refuse_dangling(connection)
            finally:
                connection.invalidate()  # what was set on it must not meet others

    def _refuse_dangling(self, connection: sa.Connection) -> None:
        if self.facts.dangling:
            found = connection.exec_driver_sql(self.facts.dangling).first()
            if found is not None:
                raise sa.exc.IntegrityError(
                    self.facts.dangling, None, ValueError(f"a row refers to none: {tuple(found)}")
                )

    @contextmanager
    def _writing(self, connection: sa.Connection) -> Iterator[None]:
        connection.exec_driver_sql(self.facts.begin_write)
        try:
            yield
        except BaseException:
            with suppress(sa.exc.SQLAlchemyError):  # a connection that broke has nothing to roll back
                self._end(connection, "ROLLBACK")
            raise
        self._end(connection, "COMMIT")

    def _end(self, connection: sa.Connection, how: str) -> None:
        connection.exec_driver_sql(how)
        connection.rollback()  # of what the driver never began

    @contextmanager
    def roomy(self, connection: sa.Connection) -> Iterator[None]:
        """Have a transaction that changes many rows keep more pages in memory, not to write them over and over."""
        if self.facts.roomy:
            connection.exec_driver_sql(self.facts.roomy)
        try:
            yield
        finally:
            if self.facts.narrow:
                connection.exec_driver_sql(self.facts.narrow)

    def create(self, tables: list[sa.Table]) -> None:
        """Create the tables that do not exist yet, with their indices, in one transaction."""
        with self.write() as connection:
            self.create_missing(connection, tables)

    def create_missing(self, connection: sa.Connection, tables: list[sa.Table]) -> None:
        """The same within a transaction under way, which no other one then changes tables beside."""
        self.lock_schema(connection)
        present = set(sa.inspect(connection).get_table_names())
        for table in tables:
            if table.name not in present:
                table.create(connection, checkfirst=False)

    def lock_schema(self, connection: sa.Connection) -> None:
        """Wait until no other transaction changes tables, and have others wait for the end of this one."""
        if self.facts.lock_schema:
            connection.exec_driver_sql(self.facts.lock_schema)

    def share_events(self, connection: sa.Connection) -> None:
        """Have who waits for all events wait for the end of this transaction, which is going to write some."""
        if self.facts.share_events:
            connection.exec_driver_sql(self.facts.share_events)

    def hold_events(self, connection: sa.Connection) -> None:
        """Have everybody who is going to write events wait for the end of this transaction."""
        if self.facts.lock_events:
            connection.exec_driver_sql(self.facts.lock_events)

    def rows(
        self,
        select: sa.Select[Any] | sa.CompoundSelect[Any] | str,
        columns: tuple[Column, ...],
        *,
        limit: int | None = None,
        seconds: float = 3600.0,
        cancelled: Callable[[], bool] = lambda: False,
        before: Callable[[sa.Connection], None] | None = None,
        scan: bool = False,
    ) -> Rows:
        """Run a statement and give its rows in column batches, as they come.

        Parameters
        ----------
        select
            A statement whose tables are already narrowed to what the caller may see; or its text, with all its
            values, which gives one row more than `limit` itself.
        columns
            Describes the columns of the statement, in order.
        limit
            Rows at the most; one more is looked for, to tell an overflow.
        seconds
            Time after which the statement is interrupted, also while its rows are being read.
        cancelled
            Asked some times a second while the database is waited for; true interrupts.
        before
            Called with the connection in the transaction that the statement will run in, so that it can make
            temporary tables; they go with the transaction, however it ends.
        scan
            Whether the text gives rows of one table as they are kept, in no order: then they may come faster.

        Returns
        -------
        Rows
            The statement has been started: errors of the database come from here, not from the batches.

        Raises
        ------
        QueryTimeoutError
            The time was over before the first batch; later, the batches raise it.
        UsageError
            The database cannot compute the statement: its numbers overflow, it is too deep or too long, ...
            Which statements these are differs between databases; ADQL's own functions give NULL instead.
        """
        watch = Watch(seconds, cancelled)
        if scan and isinstance(select, str) and self._readers is not None and can_scan(columns):
            scanned = self._readers.source(select, columns, watch)
            if scanned is not None:
                return answer(scanned, columns, limit)
        begin = partial(self._begun, select, columns, limit, before, scan)
        try:
            return answer(begin(watch), columns, limit)
        except SilenceError:  # the database was started anew: no connection that was kept is of use
            self.engine.dispose()
            return answer(begin(Watch(seconds, cancelled)), columns, limit)

    def _begun(
        self,
        select: Any,
        columns: tuple[Column, ...],
        limit: int | None,
        before: Callable[[sa.Connection], None] | None,
        scan: bool,
        watch: Watch,
    ) -> Source:
        """The statement under way on a connection of its own."""
        connection = self._connected()
        try:
            if before is not None:
                self._prepared(connection, before)
            statement, parameters = _written(connection, select, limit)
            return _SOURCES[self.engine.dialect.name](connection, statement, parameters, columns, watch, scan)
        except BaseException:
            connection.close()
            raise

    def _connected(self) -> sa.Connection:
        try:
            return self.engine.connect()
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as failure:
            if is_full(failure):
                raise BusyError("the database has no connection left, try again later") from failure
            if self.facts.breaks and isinstance(failure, sa.exc.OperationalError):
                reason = str(failure.orig).strip().partition("\n")[0]
                log.warning("the database cannot be reached: %s", reason)
                raise BusyError("the database cannot be reached now, try again later") from failure
            raise

    def keep_readers(self) -> None:
        """Have a process ready that reads whole tables, where that is faster: for who answers many queries."""
        path = self.engine.url.database
        if self.facts.reads_in_process and path:
            self._readers = Readers(path)
            self._readers.begin()

    def _prepared(self, connection: sa.Connection, before: Callable[[sa.Connection], None]) -> None:
        connection.exec_driver_sql(self.facts.begin_read)
        before(connection)

    def close(self) -> None:
        """Give all connections back, and end the processes that read."""
        if self._readers is not None:
            self._readers.close()
        self.engine.dispose()


def _options(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """What the engine is made with; what the URL says of connecting stands."""
    said = sa.make_url(url).query
    return options | {"connect_args": {k: v for k, v in options["connect_args"].items() if k not in said}}


def _refused(context: sa.engine.ExceptionContext) -> None:
    """Say in words what a role of the database may not do.

    Raises
    ------
    ForbiddenError
        It may not.
    """
    failure = context.original_exception
    if is_forbidden(failure):
        told = str(failure).partition("\n")[0]
        raise ForbiddenError(f"the role that is connected to the database may not do that: {told}")


def _ended(connection: Any, _record: Any, _state: Any) -> None:
    """End a transaction that the driver did not begin, so that it does not know of it."""
    if connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")


def _used(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _alive(dialect: sa.Dialect, connection: Any, record: Any, _fairy: Any) -> None:
    """Ask a connection that nobody has used for a while whether it is still there; the pool makes another."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < TRUSTED_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as failure:
        raise sa.exc.DisconnectionError from failure


_SOURCES: dict[str, Callable[..., Source]] = {"sqlite": SqliteSource, "postgresql": PostgresqlSource}


def compiled(connection: sa.Connection, select: Any) -> tuple[str, Any]:
    """The text and the parameters with which SQLAlchemy would call the driver."""
    kept: list[tuple[str, Any]] = []
    connection.execute(select, execution_options={"only_compiled": kept}).close()
    return kept[0]


def _written(connection: sa.Connection, select: Any, limit: int | None) -> tuple[str, Any]:
    if isinstance(select, str):
        return select, None
    return compiled(connection, select if limit is None else _limited(select, limit))


def _only_compiled(_cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Keep what was going to be executed where `compiled` asked for it; true stops SQLAlchemy there."""
    kept = context.execution_options.get("only_compiled")
    if kept is None:
        return False
    kept.append((statement, parameters))
    return True


def _limited(select: Any, limit: int) -> Any:
    """The statement with one row more than `limit`, so that an overflow is seen; its order stays.

    Where the statement has a limit of its own that is no plain number, reading stops instead.
    """
    if select._fetch_clause is not None:
        return select
    if select._limit_clause is None:
        return select.limit(limit + 1)
    own = getattr(select._limit_clause, "value", None)
    return select.limit(limit + 1) if isinstance(own, int) and own > limit else select
