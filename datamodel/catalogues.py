"""Which catalogues were brought to this archive, and who may see each of them?

The rows of a catalogue are in an SQL table with a name that is never used again; which of these tables
``gaia.bright`` means is said by a row of `entry`. So a catalogue is replaced by changing that row: a query that
is under way keeps the rows it began with, and their table is removed later.
"""

import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from datamodel import row_security
from datamodel.archive import Archive
from datamodel.catalogue_entry import OWN, told_of
from datamodel.catalogue_entry import ROW as ROW
from datamodel.catalogue_entry import Entry as Entry
from datamodel.catalogue_entry import sql_name as sql_name
from datamodel.catalogue_entry import sql_names as sql_names
from datamodel.clock import new_object_id
from datamodel.columns import Column, PointIndex
from datamodel.context import ANONYMOUS, MYDB, Caller
from datamodel.datatypes import Timestamp
from datamodel.dialect import insert_absent
from datamodel.errors import NotFoundError, TakenError, nearest
from datamodel.schema import metadata

POLL_S = 1.0
"""A change is seen at once by the file that tells of it; after this long also where that was not written."""

FOLDER = "catalogues"
"""Below the archive: the file that tells of changes, and the folders of imports under way."""

entry = sa.Table(
    "catalogue_entry",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("creator", sa.String(100), nullable=False),
    sa.Column("project", sa.String(100), nullable=False),
    sa.Column("privileges", sa.SmallInteger, nullable=False),
    sa.Column("made", Timestamp(), nullable=False),
    sa.Column("told", sa.Text, nullable=False),
)
"""The catalogues there are; a row stands for the one object that owns all rows of its catalogue."""

retired = sa.Table(
    "catalogue_retired",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("at", Timestamp(), nullable=False),
)
"""Catalogues that were replaced or dropped, whose rows queries may still be reading."""

state = sa.Table(
    "catalogue_state",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

TABLES = [entry, retired, state]


def register(
    connection: sa.Connection, archive: Archive, catalogue: Entry, *, replaces: bool = False
) -> Entry:
    """Have a catalogue whose table is filled known under its name, in a transaction; `announce` it after that.

    Parameters
    ----------
    connection
        Of the transaction.
    archive
        Its clock says when.
    catalogue
        What is to be known.
    replaces
        Whether there is one of that name, which is retired.

    Returns
    -------
    Entry
        The catalogue, with the time.

    Raises
    ------
    TakenError
        There is one of that name already, and `replaces` is false.
    NotFoundError
        There is none, and `replaces` is true.
    """
    made = replace(catalogue, made=archive.clock())
    if replaces:
        _retire(connection, archive, made.name)
    if not insert_absent(connection, entry, _row(made)):
        raise TakenError(f"there is a catalogue '{made.name}' already, expected another name or 'replace'")
    _count(connection)
    row_security.follow(connection, archive.database, sql_names(made.id))
    return made


def change(connection: sa.Connection, archive: Archive, catalogue: Entry) -> Entry:
    """Have other things known of a catalogue than were, but for its rows, in a transaction; `announce` it after that.

    Parameters
    ----------
    connection
        Of the transaction.
    archive
        Its clock says when.
    catalogue
        With what is known from now on; its rows, and so its identifier, are those that it had.

    Raises
    ------
    NotFoundError
        It was dropped, or has other rows.
    """
    made = replace(catalogue, made=archive.clock())
    here = sa.update(entry).where(entry.c.id == made.id)
    if not connection.execute(here.values(**_row(made))).rowcount:
        raise NotFoundError(f"there is no catalogue '{made.name}' any more, or it has other rows")
    _count(connection)
    return made


def drop(connection: sa.Connection, archive: Archive, catalogue: Entry) -> None:
    """Have a catalogue known no more, in a transaction; `announce` it after that.

    Raises
    ------
    NotFoundError
        It was dropped, or has other rows.
    """
    id = connection.scalar(sa.select(entry.c.id).where(entry.c.name == catalogue.name))
    if id != catalogue.id:
        raise NotFoundError(f"there is no catalogue '{catalogue.name}' any more, or it has other rows")
    _retire(connection, archive, catalogue.name)
    _count(connection)


def announce(archive: Archive, version: int) -> None:
    """Tell all server processes, after the commit, that what is known has changed."""
    folder = archive.config.archive / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"version-{new_object_id()}"
    written.write_text(f"{version}\n", encoding="ascii")
    os.replace(written, folder / "version")


def entries(connection: sa.Connection, creator: str | None = None) -> tuple[Entry, ...]:
    """Every catalogue, or those of a creator, by name."""
    whose = entry.c.creator == creator if creator is not None else sa.true()
    return tuple(map(_entry, connection.execute(sa.select(entry).where(whose).order_by(entry.c.name))))


def version(connection: sa.Connection) -> int:
    """How often what is known has changed."""
    return connection.scalar(sa.select(state.c.version)) or 0


def named(known: Iterable[Entry], name: str) -> Entry:
    """The catalogue of a name, in any case.

    Raises
    ------
    NotFoundError
        There is none; the message names the nearest.
    """
    by_name = {each.name: each for each in known}
    if name.lower() not in by_name:
        raise NotFoundError(f"there is no catalogue '{name[:200]}'{nearest(name, by_name)}")
    return by_name[name.lower()]


def _retire(connection: sa.Connection, archive: Archive, name: str) -> None:
    id = connection.scalar(sa.select(entry.c.id).where(entry.c.name == name))
    if id is None:
        raise NotFoundError(f"there is no catalogue '{name}'")
    connection.execute(sa.insert(retired).values(id=id, at=archive.clock()))
    connection.execute(sa.delete(entry).where(entry.c.id == id))


def _count(connection: sa.Connection) -> None:
    insert_absent(connection, state, {"one": 1, "version": 0})
    connection.execute(sa.update(state).values(version=state.c.version + 1))


def _row(catalogue: Entry) -> dict[str, Any]:
    own = {name: getattr(catalogue, name) for name in OWN}
    return own | {"name": catalogue.name, "told": told_of(catalogue)}


def _entry(row: Any) -> Entry:
    told = json.loads(row.told)
    told["columns"] = tuple(Column(**column) for column in told["columns"])
    told["point"] = told["point"] and PointIndex(**told["point"])
    told["origin"] = tuple((name, value) for name, value in told["origin"])
    made = Entry(**told, **{name: getattr(row, name) for name in OWN})
    made.__dict__["told_bytes"] = len(row.told)  # to write it anew takes long where there are many
    return made


@dataclass(frozen=True)
class Known:
    """The catalogues as they were at one moment."""

    version: int
    entries: tuple[Entry, ...]

    @cached_property
    def public(self) -> tuple[Entry, ...]:
        """Those that strangers may know of."""
        return tuple(each for each in self.entries if each.seen_by(ANONYMOUS))

    @cached_property
    def _shared(self) -> tuple[Entry, ...]:
        """Those that somebody besides the creator may know of."""
        return tuple(each for each in self.entries if each.privileges > MYDB)

    @cached_property
    def _own(self) -> dict[str, list[Entry]]:
        """The others, by creator: of the many that all users have, a query looks at those of one."""
        found: dict[str, list[Entry]] = {}
        for each in self.entries:
            if each.privileges <= MYDB:
                found.setdefault(each.creator, []).append(each)
        return found

    def seen_by(self, caller: Caller) -> tuple[Entry, ...]:
        """Those that a caller may know of."""
        if caller.level <= ANONYMOUS.level and (caller.user is None or self.public == self.entries):
            return self.public
        own = self._own.get(caller.user, []) if caller.user is not None else []
        return tuple(each for each in (*self._shared, *own) if each.seen_by(caller))


class Catalogues:
    """What one process knows of the catalogues; it costs two microseconds to see that nothing has changed."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._told_by = archive.config.archive / FOLDER / "version"
        self._lock = threading.Lock()
        self._known = Known(-1, ())
        self._there = False
        self._seen: tuple[int, int] | None = None
        self._until = 0.0

    def now(self) -> Known:
        """The catalogues there are."""
        if self._stamp() != self._seen or time.monotonic() >= self._until:
            with self._lock:
                self._look()
        return self._known

    def _stamp(self) -> tuple[int, int]:
        try:
            found = os.stat(self._told_by)
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def _look(self) -> None:
        stamp, until = self._stamp(), time.monotonic() + POLL_S  # before the database is asked
        with self._archive.database.read() as connection:
            self._there = self._there or sa.inspect(connection).has_table(state.name)
            current = version(connection) if self._there else 0
            if current != self._known.version:  # the entries may be newer, and are read again then
                self._known = Known(current, entries(connection) if current else ())
        self._seen, self._until = stamp, until


def known(archive: Archive) -> Known:
    """The catalogues that there are now."""
    found: Catalogues = archive.resource("catalogues", lambda: Catalogues(archive))
    return found.now()
