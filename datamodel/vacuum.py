"""Which bytes does nobody need any more, and how do they go without a needed one going with them?

A file of the store that no row names may be one whose row is just going to be written. So only files that nobody has
stored for a while are looked at, and whether a row names one is asked again where no row can be written meanwhile; the
file goes in that very moment. Who stores equal bytes makes the file young again, and who commits a row looks in its
transaction whether the file is still there: see `datamodel.store` and `datamodel.commit`.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from datamodel import catalogue_workshop, crash
from datamodel.archive import Archive
from datamodel.database import Database
from datamodel.errors import UsageError

REMOVED = crash.declare("vacuum.removed", "some files that no row names are removed, the others are not yet")

A_DAY_S = 86400.0
LEAST_S = 3600.0
"""Makers store bytes before rows, and take as long as recipes run."""

AT_ONCE = 100
"""Files that go while nobody can commit."""

_CHUNK = 500
_PATIENCE_MS = 5000
_OBJECTS = sa.table("data_object", sa.column("filename"))

_COMPACT: dict[str, tuple[str, ...]] = {
    "sqlite": (f"PRAGMA busy_timeout = {_PATIENCE_MS}", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"),
    "postgresql": (f"SET lock_timeout = {_PATIENCE_MS}", "VACUUM (ANALYZE)"),
}
_SIZE: dict[str, str] = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True)
class Reclaimed:
    """What went, or would go.

    Attributes
    ----------
    files, bytes
        Of the store.
    left_over
        Files that killed processes left aside, and of the quarantine.
    tables
        Catalogues that were replaced or dropped, whose rows are removed.
    database_bytes
        By how much the database is smaller; None where it was not made smaller.
    """

    files: int
    bytes: int
    left_over: int = 0
    tables: int = 0
    database_bytes: int | None = None


def look(archive: Archive, older_than_s: float = A_DAY_S) -> Reclaimed:
    """What `reclaim` would remove from the store; changes nothing."""
    found = [path.stat().st_size for path in _unnamed(archive, _limit(older_than_s))]
    return Reclaimed(len(found), sum(found))


def reclaim(
    archive: Archive, older_than_s: float = A_DAY_S, *, quarantine: bool = False, compact: bool = False
) -> Reclaimed:
    """Remove what nobody needs; it may be killed at any moment.

    Others may use the archive meanwhile, but where the database is made smaller.

    Parameters
    ----------
    archive
        Prepared.
    older_than_s
        Files that somebody has stored since then stay.
    quarantine
        Whether files of the quarantine go that are older than that.
    compact
        Whether the database is made smaller, too: SQLite then takes room for a copy of it, and lets nobody write
        while it makes that.

    Raises
    ------
    BusyError
        A backup is being made: it is going to read files by what rows said a while ago.
    UsageError
        `older_than_s` is less than `LEAST_S`.
    """
    limit = _limit(older_than_s)
    with archive.store.alone():
        files, size = _removed(archive, limit)
    left_over = archive.store.sweep(older_than_s) + (_swept(archive.quarantine, limit) if quarantine else 0)
    tables = catalogue_workshop.sweep(archive)
    return Reclaimed(files, size, left_over, tables, _compacted(archive.database) if compact else None)


def _limit(older_than_s: float) -> float:
    """The time of the last change that a file may have at the latest, in seconds since 1970."""
    if older_than_s < LEAST_S:
        raise UsageError(
            f"files older than {older_than_s:g} s are to go, expected {LEAST_S:g} s at the least: bytes precede rows"
        )
    return time.time() - older_than_s


def _removed(archive: Archive, limit: float) -> tuple[int, int]:
    """Remove the files that no row names; gives how many, and their bytes."""
    files = size = 0
    for chunk in _pieces(_unnamed(archive, limit), AT_ONCE):
        with archive.database.write() as connection:
            archive.database.hold_events(connection)  # nobody commits until the end
            named = _named(connection, [path.name for path in chunk])
            for path in chunk:
                gone = None if path.name in named else archive.store.remove(path.name, limit)
                if gone is not None:
                    files, size = files + 1, size + gone
                    crash.reach(REMOVED)
    return files, size


def _unnamed(archive: Archive, limit: float) -> Iterator[Path]:
    """Old files of the store that no row names now."""
    for chunk in _pieces(archive.store.untouched(limit), _CHUNK):
        with archive.database.read() as connection:
            named = _named(connection, [path.name for path in chunk])
        yield from (path for path in chunk if path.name not in named)


def _named(connection: sa.Connection, names: list[str]) -> set[str]:
    """Those of some files that rows name, whatever class they are of."""
    if not sa.inspect(connection).has_table(_OBJECTS.name):
        return set()
    found = sa.select(_OBJECTS.c.filename).where(_OBJECTS.c.filename.in_(names))
    return set(connection.scalars(found))


def _pieces(paths: Iterator[Path], size: int) -> Iterator[list[Path]]:
    piece: list[Path] = []
    for path in paths:
        piece.append(path)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece


def _swept(folder: Path, limit: float) -> int:
    removed = 0
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError, OSError):
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    return removed


def _compacted(database: Database) -> int | None:
    """Have the database give room back; by how many bytes, or None where others kept it from that."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.dialect.name
        try:
            before = connection.exec_driver_sql(_SIZE[name]).scalar_one()
            for statement in _COMPACT[name]:
                connection.exec_driver_sql(statement)
            return int(before - connection.exec_driver_sql(_SIZE[name]).scalar_one())
        except sa.exc.OperationalError:
            return None
        finally:
            connection.invalidate()  # what was set on it must not meet others
