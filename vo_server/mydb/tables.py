"""How are tables of a user's own made, filled further, indexed and removed? Each all at once, or not at all.

They are catalogues, so that all of it goes as it does for these: rows come into a table that nobody knows of, which
becomes known in one transaction.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa
import sqlalchemy as sa

from datamodel import accounts, catalogues, mydb, quotas
from datamodel.archive import Archive
from datamodel.arrays import KINDS
from datamodel.catalogue_workshop import sweep
from datamodel.catalogues import Entry
from datamodel.columns import Column
from datamodel.context import EVERY_PROJECT, MYDB, PROJECT, Caller
from datamodel.errors import BusyError, ForbiddenError, TakenError, UsageError, nearest
from datamodel.job_bounds import refuse_full_disk
from datamodel.temporary import position_of
from vo_server.catalogue.described import PIXEL, Given, cast, draft, rows
from vo_server.catalogue.importing import changing, drop_known, keep
from vo_server.catalogue.meanings import understood
from vo_server.catalogue.names import legal
from vo_server.formats.reading import Reading
from vo_server.mydb.names import (
    found,
    named,
    new_name,
    require_held,
    require_own,
    require_project,
    require_removable,
    shown,
    user_of,
)

Noted = Callable[[int], object]
"""Is told the bytes of a table so far; what it raises ends the making of it."""

ATTEMPTS = 3
"""So often rows are added anew to a table that somebody has changed meanwhile."""

LONGEST, LONGEST_OF_COLUMN = 10_000, 1_000
"""Characters of the description of a table and of a column; what is beyond is cut off."""

_HINTED = 12


class _ChangedError(Exception):
    """The table is not what it was when its rows were read."""


def require_new(archive: Archive, name: str, caller: Caller) -> str:
    """See that the caller could make a table of a name; gives the full one.

    Raises
    ------
    ForbiddenError
        It would be another's, or hidden from the caller, who has chosen to see higher levels alone; or seen in
        a project that the caller is no member of, or that holds no such level.
    TakenError
        There is one.
    TooLargeError
        The caller has no room for any.
    """
    full = new_name(name, caller)
    if caller.level > PROJECT:
        raise ForbiddenError(
            f"you work from level {caller.level} on, expected 1 or 2: tables of one's own begin there"
        )
    if any(each.name == full for each in catalogues.known(archive).entries):
        raise TakenError(f"there is a table '{mydb.own_name(full, caller)}' already, expected another name")
    with archive.database.read() as connection:
        _require_home(connection, archive, caller)
    use(archive, user_of(caller)).require(quotas.TABLE_BYTES)
    return full


def create(
    archive: Archive,
    caller: Caller,
    name: str,
    reading: Reading,
    source: str,
    description: str = "",
    noted: Noted = lambda size: None,
) -> Entry:
    """Make a table of one's own, at level 1, or at 2 where that is the lowest which the caller works at.

    Parameters
    ----------
    archive
        Prepared.
    caller
        Owns it.
    name
        See `vo_server.mydb.names.meant`.
    reading
        Its columns and rows; it is closed at the end.
    source
        What it comes from, for people.
    description
        What a row stands for; empty for what the reading says.
    noted
        See `Noted`.

    Raises
    ------
    LoginError, ForbiddenError
        A stranger cannot have it, nor the caller under that name.
    TakenError
        There is a table of that name.
    TooLargeError
        It is larger than the quota has room for.
    UsageError
        Its name, a column or a value cannot be.
    """
    with reading:
        full = require_new(archive, name, caller)
        sweep(archive)
        told = understood(_without_pixels(reading), lambda note: None)
        level, home = max(caller.level, MYDB), _home(archive, caller)
        given = Given(full, description=description or None, level=level)
        wanted = replace(_cut(draft(told, given, caller, source, level)), project=home)
        return _kept(archive, caller, wanted, rows(told, wanted), None, noted)


def append(archive: Archive, caller: Caller, name: str, opened: Callable[[], Reading]) -> Entry:
    """Add rows to a table of one's own, all of them or none.

    Parameters
    ----------
    archive
        Prepared.
    caller
        Owns it.
    name
        See `vo_server.mydb.names.meant`.
    opened
        Gives the rows, in columns with names of the table's, in any order; others of the table are NULL.

    Raises
    ------
    NotFoundError, ForbiddenError
        There is no such table, or it is not the caller's to change.
    TooLargeError
        It grows larger than the quota has room for.
    UsageError
        A column is none of the table's, or a value cannot be one of its column.
    BusyError
        Others change the table again and again.
    """
    for _ in range(ATTEMPTS):
        former = require_own(found(archive, name, caller), caller)
        with opened() as reading, suppress(_ChangedError):
            batches = _chained(archive, former, _matched(reading, former, shown(former, caller)))
            return _kept(archive, caller, former, batches, former)
    raise BusyError(f"the table '{name[:200]}' is being changed by others, try again later")


def drop(archive: Archive, caller: Caller, name: str) -> Entry:
    """Remove a table; its rows go when no query reads them.

    Raises
    ------
    NotFoundError, ForbiddenError
        There is no such table, it is not the caller's to remove, or it was changed by others at this very moment.
    """
    gone = require_removable(found(archive, name, caller), caller)

    def check(connection: sa.Connection) -> None:
        now = catalogues.entries(connection, gone.creator)
        require_removable(named(now, name, caller), caller)

    drop_known(archive, gone, check)
    return gone


def index(archive: Archive, caller: Caller, name: str, column: str) -> Entry:
    """Have conditions on a column of one's own table be fast; nothing happens where they are.

    Raises
    ------
    NotFoundError, ForbiddenError
        There is no such table, or it is not the caller's to change.
    UsageError
        There is no such column, or it has no order.

    Notes
    -----
    To index many rows takes long; so that is done before others have to wait for this change of what tables there
    are. An index that is there and not told of, because the process ended in between, is taken as it is.
    """
    entry = require_own(found(archive, name, caller), caller)
    place = _place_of_index(entry, column)
    if not entry.columns[place].indexed:
        same = suppress(sa.exc.IntegrityError)  # somebody else has built it at this very moment
        with same, archive.database.write() as connection:
            _index(connection, entry, place)
    with changing(archive, user_of(caller)) as connection:
        entry = require_own(named(catalogues.entries(connection), name, caller), caller)
        place = _place_of_index(entry, column)
        if entry.columns[place].indexed:
            return entry
        _index(connection, entry, place)
        columns = list(entry.columns)
        columns[place] = replace(columns[place], indexed=True)
        return catalogues.change(connection, archive, replace(entry, columns=tuple(columns)))


def use(archive: Archive, user: str) -> quotas.Use:
    """What an account keeps in tables of its own, and may keep."""
    with archive.database.read() as connection:
        return quotas.use_of(connection, archive, user, catalogues.known(archive).entries)


def _kept(
    archive: Archive,
    caller: Caller,
    wanted: Entry,
    batches: Iterable[pa.RecordBatch],
    former: Entry | None,
    noted: Noted = lambda size: None,
) -> Entry:
    """Keep a table within the quota; in place of `former`, if that is still what it was."""
    user, but = user_of(caller), former.id if former else ""
    with archive.database.read() as connection:
        room = quotas.use_of(connection, archive, user, catalogues.known(archive).entries, but)

    def weigh(size: int) -> None:
        noted(size)
        room.require(size)
        refuse_full_disk(archive)

    def check(connection: sa.Connection, made: Entry) -> None:
        now = catalogues.entries(connection, user)
        if former is None:
            _require_home(connection, archive, caller)
        elif _state(former) not in map(_state, now):
            raise _ChangedError
        quotas.use_of(connection, archive, user, now, but).require(quotas.weight(made))

    replaces = former is not None
    return keep(archive, wanted, batches, replaces=replaces, weigh=weigh, check=check)


def _cut(entry: Entry) -> Entry:
    """A table whose descriptions are not longer than they may be."""
    columns = (replace(each, description=each.description[:LONGEST_OF_COLUMN]) for each in entry.columns)
    return replace(entry, description=entry.description[:LONGEST], columns=tuple(columns))


def _home(archive: Archive, caller: Caller) -> str:
    """The project of a table that the caller makes."""
    return archive.config.project if caller.project == EVERY_PROJECT else caller.project


def _require_home(connection: sa.Connection, archive: Archive, caller: Caller) -> None:
    """See that the caller's project, with its memberships of now, may hold a table that others see."""
    if caller.level > MYDB:
        home = _home(archive, caller)
        require_project(accounts.caller(connection, user_of(caller), caller.project, caller.level), home)
        require_held(connection, home, caller.level)


def _state(entry: Entry) -> tuple[object, ...]:
    """What of a table must be as it was when rows are added."""
    return entry.id, entry.columns, entry.privileges, entry.project


def _without_pixels(reading: Reading) -> Reading:
    """A table without the index of the sky that it has from here, where it is given one anew."""
    names = [column.name for column in reading.columns]
    if PIXEL.name not in names or position_of(reading.columns) is None:
        return reading
    place = names.index(PIXEL.name)
    if reading.columns[place].ucd != PIXEL.ucd:
        return reading
    kept = tuple(column for column in reading.columns if column.name != PIXEL.name)
    return replace(reading, columns=kept, batches=(batch.remove_column(place) for batch in reading.batches))


def _chained(archive: Archive, former: Entry, more: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows that a table has, and then more."""
    stored = _stored(former)
    kept = archive.database.rows(sa.select(*(former.sql.c[c.name] for c in stored)), stored)
    try:
        yield from kept.batches
    finally:
        kept.close()
    yield from more


def _stored(entry: Entry) -> tuple[Column, ...]:
    """The columns of a table without that of the index of the sky."""
    return entry.columns[:-1] if entry.point else entry.columns


def _matched(reading: Reading, former: Entry, called: str) -> Iterator[pa.RecordBatch]:
    """The rows of a file in the columns of a table, told by their names.

    Raises
    ------
    UsageError
        The table has no column of the name of one of the file's.
    """
    columns = _stored(former)
    places = {column.name: place for place, column in enumerate(columns)}
    of: dict[int, int] = {}
    pairs = enumerate(zip(reading.columns, legal(reading.columns), strict=True))
    for place, (given, plain) in pairs:
        target = places.get(given.name.lower(), places.get(plain.name))
        if target is None and former.point and given.name.lower() == former.point.hpx29:
            continue
        if target is None or target in of:
            near = nearest(given.name, places) or f", expected one of {', '.join(list(places)[:_HINTED])}"
            raise UsageError(f"the table '{called}' has no column '{given.name[:100]}'{near}")
        of[target] = place
    return (_arranged(batch, columns, of) for batch in reading)


def _arranged(batch: pa.RecordBatch, columns: tuple[Column, ...], of: dict[int, int]) -> pa.RecordBatch:
    arrays = []
    for place, column in enumerate(columns):
        arrow = column.datatype.arrow
        array = batch.column(of[place]) if place in of else pa.nulls(batch.num_rows, arrow)
        arrays.append(array if array.type == arrow else cast(array, column))
    return pa.RecordBatch.from_arrays(arrays, names=[str(place) for place in range(len(arrays))])


def _index(connection: sa.Connection, entry: Entry, place: int) -> None:
    column = entry.sql.c[entry.columns[place].name]
    made = sa.Index(f"ix_{entry.sql.name}_{place}", column)
    connection.execute(sa.schema.CreateIndex(made, if_not_exists=True))


def _place_of_index(entry: Entry, column: str) -> int:
    """The place of a column that can be indexed."""
    place = _place(entry, column)
    wanted = entry.columns[place]
    if wanted.datatype.kind in KINDS:
        raise UsageError(f"column '{wanted.name}' is {wanted.type}, expected numbers, texts or times")
    return place


def _place(entry: Entry, column: str) -> int:
    names = [each.name for each in entry.columns]
    wanted = column.replace('"', "").strip().lower()
    if wanted not in names:
        near = nearest(column, names) or f", expected one of {', '.join(names[:_HINTED])}"
        raise UsageError(f"the table has no column '{column[:100]}'{near}")
    return names.index(wanted)
