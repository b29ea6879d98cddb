"""What differs between the databases, as one table of facts and what to do on connecting."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from datamodel import sqlite_functions
from datamodel.errors import UsageError


@dataclass(frozen=True)
class Facts:
    """How one kind of database is connected to, bounded and written.

    Attributes
    ----------
    engine_options
        Keyword arguments of `sqlalchemy.create_engine`.
    prepare
        Called with each new DBAPI connection, and with a dictionary that is kept beside it.
    begin_write, begin_read
        Statements that start a transaction which is going to write, and one that only looks; without them each
        statement is a transaction.
    lock_schema
        Statement that lets one transaction at a time change tables, or None where `begin_write` does.
    share_events, lock_events
        Statements of those who write events, beside each other, and of one who waits until all events
        with smaller numbers than the newest are committed; None where `begin_write` keeps their order.
    roomy, narrow
        Statements that have a connection keep more pages of tables in memory, and as many as usual again.
    writes_alone
        Whether everybody else who writes waits for a transaction that does.
    takes_lists
        Whether many texts are better given as one value; see `datamodel.among`.
    reads_in_process
        Whether whole tables are read faster by a process of their own.
    insert
        Begins an INSERT that can pass over rows that are there.
    extensions
        Lists the extensions whose functions statements find; None where there are no extensions.
    breaks
        Whether a connection may have broken while nobody used it.
    free_tables
        Statement after which, and outside of a transaction, tables that others refer to can be made anew.
    dangling
        Gives the rows that refer to none, where `free_tables` let them.
    secures_rows
        Whether it can keep rows of a table from those who connect to it.
    only_reads
        Asks whether one is connected as somebody who may only read; None where there is nobody of that kind.
    """

    engine_options: dict[str, Any]
    prepare: Callable[[Any, dict[Any, Any]], None]
    begin_write: str
    begin_read: str
    lock_schema: str | None
    share_events: str | None
    lock_events: str | None
    writes_alone: bool
    takes_lists: bool
    reads_in_process: bool
    insert: Callable[[sa.Table], Any]
    extensions: str | None = None
    breaks: bool = False
    free_tables: str | None = None
    dangling: str | None = None
    secures_rows: bool = False
    only_reads: str | None = None
    roomy: str | None = None
    narrow: str | None = None


LONGEST_BYTES = 1 << 24
"""Of a row that a query may make, or of one value."""

PLAIN = "plain"
"""Beside a connection to PostgreSQL: whether it is known not to be encrypted."""


_CACHE_KB = -16000


def _prepare_sqlite(connection: Any, _info: dict[Any, Any]) -> None:
    connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=60000",
        "foreign_keys=ON",
        "case_sensitive_like=ON",
        f"cache_size={_CACHE_KB}",
        "temp_store=FILE",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_BYTES)
    sqlite_functions.register(connection)


def _prepare_postgresql(connection: Any, info: dict[Any, Any]) -> None:
    connection.set_client_encoding("UTF8")
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'; SET standard_conforming_strings = on; SET jit = off")
        cursor.execute("SELECT encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()")
        info[PLAIN] = cursor.fetchall() == [(False,)] and not connection.info.ssl_in_use
    connection.commit()


_LOST = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""By when a host that is gone is noticed: seconds, but for the last, which are milliseconds."""

_OPTIONS_OF_POSTGRESQL: dict[str, Any] = {
    "connect_args": _LOST,
    "isolation_level": "AUTOCOMMIT",  # else each look would begin and end a transaction, with a message for both
    "pool_size": 20,
    "max_overflow": 40,
    "pool_use_lifo": True,
}

FACTS: dict[str, Facts] = {
    "sqlite": Facts(
        {"connect_args": {"check_same_thread": False, "timeout": 60}, "pool_size": 20, "max_overflow": 40},
        _prepare_sqlite,
        "BEGIN IMMEDIATE",
        "BEGIN",
        None,
        None,
        None,
        True,
        False,
        True,
        sqlite.insert,
        free_tables="PRAGMA foreign_keys=OFF",
        dangling="PRAGMA foreign_key_check",
        roomy="PRAGMA cache_size=-262144",
        narrow=f"PRAGMA cache_size={_CACHE_KB}",
    ),
    "postgresql": Facts(
        _OPTIONS_OF_POSTGRESQL,
        _prepare_postgresql,
        "BEGIN",
        "BEGIN",
        "SELECT pg_advisory_xact_lock(7307189)",
        "SELECT pg_advisory_xact_lock_shared(7307190)",
        "SELECT pg_advisory_xact_lock(7307190)",
        False,
        True,
        False,
        postgresql.insert,
        "SELECT extname FROM pg_extension WHERE extnamespace::regnamespace::text = ANY (current_schemas(false))",
        True,
        secures_rows=True,
        only_reads="SELECT coalesce(NOT has_table_privilege(to_regclass('event'), 'INSERT'), false)",
    ),
}


def facts_of(url: str) -> Facts:
    """The facts of the database that a URL names.

    Raises
    ------
    UsageError
        The URL cannot be read or names a database that is not supported.
    """
    try:
        name = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError:
        raise UsageError(f"database_url '{url}' is not a database URL, such as sqlite:///x.sqlite") from None
    if name not in FACTS:
        raise UsageError(f"database '{name}' is not supported; there are {', '.join(FACTS)}")
    return FACTS[name]


def insert_absent(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there; whether it was inserted.

    Where another transaction is inserting the same key, its end is waited for; what it committed can be
    read afterwards.
    """
    statement = FACTS[connection.dialect.name].insert(table).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount == 1)


def was_interrupted(failure: BaseException) -> bool:
    """Whether a statement was ended from outside: by its time limit, or because nobody wanted it any more."""
    if isinstance(failure, sqlite3.OperationalError):
        return str(failure) == "interrupted"
    return isinstance(failure, psycopg2.extensions.QueryCanceledError)


def is_forbidden(failure: BaseException | None) -> bool:
    """Whether the role that one is connected as may not do that."""
    return isinstance(failure, psycopg2.errors.InsufficientPrivilege)


def is_full(failure: sa.exc.SQLAlchemyError) -> bool:
    """Whether there was no connection because there are as many as there may be."""
    words = str(getattr(failure, "orig", ""))
    return isinstance(failure, sa.exc.TimeoutError) or any(each in words for each in _FULL_POSTGRESQL)


def fault_of(failure: BaseException) -> str | None:
    """What a caller may be told of a statement that its database could not compute; None for a bug.

    The text comes from the database, or from a table, and quotes at most data, never SQL.
    """
    if isinstance(failure, psycopg2.Error):
        code = failure.pgcode or ""
        return failure.diag.message_primary or str(failure) if code.startswith(_FAULTS_POSTGRESQL) else None
    if isinstance(failure, sqlite3.Error):
        return next((told for text, told in _FAULTS_SQLITE.items() if text in str(failure)), None)
    return None


def left_range(failure: BaseException) -> bool:
    """Whether a number on the way was too large for its type, or too near to 0."""
    if isinstance(failure, psycopg2.Error):
        return bool(failure.pgcode == "22003")
    return isinstance(failure, sqlite3.Error) and "integer overflow" in str(failure)


_FULL_POSTGRESQL = ("too many clients", "too many connections", "remaining connection slots")

_FAULTS_POSTGRESQL = ("21", "22", "54", "53400")
"""Classes of SQLSTATE: cardinality violation, data exception, program limit exceeded, a configured limit exceeded."""

_FAULTS_SQLITE = {
    "integer overflow": "integer overflow",
    "too big": "a text or a number is too big",
    "Could not decode to UTF-8": "a text in the answer is not UTF-8",
    "Expression tree is too large": "the query is nested too deeply",
    "parser stack overflow": "the query is nested too deeply",
    "too many": "the query has too many terms",
    "at most 64 tables": "the query joins more than 64 tables",
    "pattern too complex": "the pattern of LIKE is too long",
}
"""Parts of SQLite's messages, and what is told of them."""
