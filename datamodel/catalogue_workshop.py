"""Where is a catalogue made before anybody knows of it, and who clears up after a killed import?

Each import has a folder, which is locked as long as the process lives that made it, wherever the database is.
What is found in a folder without a lock was left behind, with the SQL table of the same import.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg2.errorcodes
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.catalogues import FOLDER, TABLES, entry, retired, sql_names
from datamodel.clock import new_object_id

LEAST_GRACE_S = 60.0
"""The rows of a catalogue that was replaced stay so long at least: a query may be about to read them."""

_LOCK = "lock"
_PATIENCE: dict[str, str | None] = {"sqlite": None, "postgresql": "SET LOCAL lock_timeout = '1s'"}
"""What bounds the wait for queries that still read a table, where removing it waits for these."""


@contextmanager
def workshop(archive: Archive) -> Iterator[tuple[str, Path]]:
    """The identifier of a new catalogue, and a folder for what it is made of, gone at the end.

    A catalogue that was not registered under its identifier is gone then, too.
    """
    _create_tables(archive)
    id = new_object_id()
    folder = archive.config.archive / FOLDER / id
    with _one_at_a_time(archive):
        folder.mkdir()
        held = _locked(folder)
    assert held is not None
    try:
        yield id, folder
    finally:
        _clear(archive, id, folder)
        os.close(held)


def sweep(archive: Archive, wait: bool = True) -> int:
    """Remove what killed imports left behind, and retired catalogues that nobody reads; gives how many.

    What queries are reading still, or were a moment ago, stays until the next time.

    Parameters
    ----------
    archive
        Prepared.
    wait
        Whether to wait for another process that is sweeping; else it is left to that one.
    """
    folder = archive.config.archive / FOLDER
    if not folder.is_dir():
        return 0
    _create_tables(archive)
    try:
        with _one_at_a_time(archive, wait):
            left = [path for path in folder.iterdir() if path.is_dir()]
            return sum(_clear_if_left(archive, path) for path in left) + _remove_retired(archive)
    except BlockingIOError:
        return 0


def _create_tables(archive: Archive) -> None:
    archive.resource("tables of catalogues", lambda: archive.database.create(TABLES))


@contextmanager
def _one_at_a_time(archive: Archive, wait: bool = True) -> Iterator[None]:
    """Keeps a sweep from seeing a folder that is not locked yet; BlockingIOError if it may not wait and would."""
    folder = archive.config.archive / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder, or None where a living process has it."""
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _clear_if_left(archive: Archive, folder: Path) -> bool:
    """Clear the folder of an import that is no more; another process may just have removed it itself."""
    try:
        held = _locked(folder)
    except FileNotFoundError:
        return False
    if held is None:
        return False
    _clear(archive, folder.name, folder)
    os.close(held)
    return True


def _clear(archive: Archive, id: str, folder: Path) -> None:
    """End an import: its files go, and its table unless it is a catalogue now, or was one until it was replaced."""
    with archive.database.write() as connection:
        known = (sa.exists().where(table.c.id == id) for table in (entry, retired))
        if not connection.scalar(sa.select(sa.or_(*known))):
            _drop_tables(connection, id)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_retired(archive: Archive) -> int:
    grace = timedelta(seconds=max(LEAST_GRACE_S, archive.config.query_seconds))
    with archive.database.read() as connection:
        old = sa.select(retired.c.id).where(retired.c.at <= archive.clock() - grace)
        ids = list(connection.scalars(old))
    return sum(_remove(archive, id) for id in ids)


def _remove(archive: Archive, id: str) -> bool:
    """Remove the rows of a retired catalogue; whether it could be done now."""
    try:
        with archive.database.write() as connection:
            patience = _PATIENCE[connection.dialect.name]
            if patience:
                connection.exec_driver_sql(patience)
            _drop_tables(connection, id)
            connection.execute(sa.delete(retired).where(retired.c.id == id))
    except sa.exc.OperationalError as failure:
        if getattr(failure.orig, "pgcode", None) != psycopg2.errorcodes.LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def _drop_tables(connection: sa.Connection, id: str) -> None:
    for name in sql_names(id):
        connection.execute(sa.schema.DropTable(sa.Table(name, sa.MetaData()), if_exists=True))
