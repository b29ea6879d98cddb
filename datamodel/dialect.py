"""What differs between the databases, as one table of facts and what to do on connecting."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

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
        Called with each new DBAPI connection.
    begin_write
        Statement that starts a transaction which is going to write, or None for the driver's own.
    lock_schema
        Statement that lets one transaction at a time change tables, or None where `begin_write` does.
    """

    engine_options: dict[str, Any]
    prepare: Callable[[Any], None]
    begin_write: str | None
    lock_schema: str | None


def _prepare_sqlite(connection: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=60000",
        "foreign_keys=ON",
        "case_sensitive_like=ON",
        "mmap_size=268435456",
        "cache_size=-16000",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    sqlite_functions.register(connection)


def _prepare_postgresql(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()


FACTS: dict[str, Facts] = {
    "sqlite": Facts(
        {"connect_args": {"check_same_thread": False, "timeout": 60}, "pool_size": 20, "max_overflow": 40},
        _prepare_sqlite,
        "BEGIN IMMEDIATE",
        None,
    ),
    "postgresql": Facts(
        {"pool_size": 20, "max_overflow": 40, "pool_pre_ping": True},
        _prepare_postgresql,
        None,
        "SELECT pg_advisory_xact_lock(7307189)",
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


def interrupter(
    connection: sa.Connection, seconds: float, cancelled: Callable[[], bool]
) -> Callable[[], None]:
    """Bound the statements of a connection; gives a function that lifts the bound.

    Parameters
    ----------
    connection
        An open connection.
    seconds
        A statement that runs longer is ended by the database.
    cancelled
        Asked now and then where the database can; true ends the statement.
    """
    return _INTERRUPTERS[connection.dialect.name](connection, seconds, cancelled)


def _bound_sqlite(
    connection: sa.Connection, seconds: float, cancelled: Callable[[], bool]
) -> Callable[[], None]:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.set_progress_handler(lambda: int(cancelled()), 20_000)
    return lambda: raw.set_progress_handler(None, 0)


def _bound_postgresql(
    connection: sa.Connection, seconds: float, cancelled: Callable[[], bool]
) -> Callable[[], None]:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
    return lambda: None


_INTERRUPTERS: dict[str, Callable[..., Callable[[], None]]] = {
    "sqlite": _bound_sqlite,
    "postgresql": _bound_postgresql,
}

INTERRUPTED = ("interrupted", "statement timeout", "canceling statement")
"""How the drivers say that a statement was ended from outside."""
