"""How does a table become a catalogue, one is replaced by another, or dropped? All at once, or not at all."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pyarrow as pa
import sqlalchemy as sa

from datamodel import catalogues, crash
from datamodel.archive import Archive
from datamodel.catalogue_making import Progress, Weigh, make
from datamodel.catalogue_workshop import sweep, workshop
from datamodel.catalogues import Entry
from datamodel.context import Caller
from datamodel.errors import NotFoundError, UsageError, nearest
from datamodel.mydb import is_mydb
from vo_server.catalogue.described import Given, draft, rows
from vo_server.catalogue.meanings import Tell, understood
from vo_server.catalogue.names import checked
from vo_server.formats.reading import Reading
from vo_server.tap.tap_schema import tell_of_catalogues

REGISTERED = crash.declare(
    "catalogue.registered", "a catalogue and what TAP_SCHEMA tells of it are written, not committed"
)
COMMITTED = crash.declare(
    "catalogue.done", "a catalogue is committed, other processes were not told and nothing is cleared up"
)


def bring(
    archive: Archive,
    reading: Reading,
    given: Given,
    caller: Caller,
    source: str,
    progress: Progress = lambda doing, done, total: None,
    replaces: bool = False,
    tell: Tell = lambda note: None,
) -> Entry:
    """Make a catalogue of a table, and have it known by all servers of the archive.

    Parameters
    ----------
    archive
        Prepared.
    reading
        The table; it is closed at the end.
    given
        Its name, and what else a person says of it.
    caller
        Owns it.
    source
        Name of the file.
    progress
        Is told now and then.
    replaces
        Whether it takes the place of the one of that name; queries under way keep the rows they began with.
    tell
        Is told what of the file was not taken as it is.

    Raises
    ------
    UsageError
        Something has no meaning, a value is none that a database can hold, or there is a catalogue of that name.
    NotFoundError
        There is none of that name to be replaced.
    """
    with reading:
        former = _former(archive, given.name, replaces)
        sweep(archive)
        wanted = draft(understood(reading, tell), given, caller, source, archive.config.level, former)
        batches = _told(rows(reading, wanted), reading.rows, progress)
        return keep(archive, wanted, batches, progress, replaces=replaces)


def keep(
    archive: Archive,
    wanted: Entry,
    batches: Iterable[pa.RecordBatch],
    progress: Progress = lambda doing, done, total: None,
    *,
    replaces: bool = False,
    weigh: Weigh = lambda size: None,
    check: Callable[[sa.Connection, Entry], object] = lambda connection, made: None,
) -> Entry:
    """Make the table of a catalogue that is described, fill it, and have it known by all servers.

    Parameters
    ----------
    archive
        Prepared.
    wanted
        All that is known before the rows are; it is given another identifier.
    batches
        The rows, in its columns without that of the index of the sky.
    progress
        Is told now and then.
    replaces
        Whether it takes the place of the one of its name.
    weigh
        See `datamodel.catalogue_making.Weigh`.
    check
        Called in the transaction in which the catalogue becomes known, before it does; it raises where it may not.

    Raises
    ------
    UsageError
        A value is none that a database can hold, or there is a catalogue of that name.
    """
    with workshop(archive) as (id, folder):
        made = make(archive, replace(wanted, id=id), batches, folder, progress, weigh)
        with changing(archive, made.creator if is_mydb(made.schema) else None) as connection:
            check(connection, made)
            return catalogues.register(connection, archive, made, replaces=replaces)


def drop(archive: Archive, name: str) -> None:
    """Have a catalogue known no more; its rows are removed when no query reads them.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    drop_known(archive, catalogues.named(catalogues.known(archive).entries, name))


def drop_known(
    archive: Archive, found: Entry, check: Callable[[sa.Connection], object] = lambda connection: None
) -> None:
    """Do the same with one that is there, as it was looked up a moment ago.

    Parameters
    ----------
    archive
        Prepared.
    found
        The catalogue.
    check
        Called in the transaction, before anything is done; it raises where the catalogue may not be dropped any more.

    Raises
    ------
    NotFoundError
        It was dropped meanwhile, or has other rows.
    """
    with changing(archive, found.creator if is_mydb(found.schema) else None) as connection:
        check(connection)
        catalogues.drop(connection, archive, found)
    sweep(archive)


def listed(archive: Archive) -> tuple[Entry, ...]:
    """Every catalogue, by name."""
    sweep(archive)
    return catalogues.known(archive).entries


def _former(archive: Archive, name: str, replaces: bool) -> Entry | None:
    full = ".".join(checked(name))
    known = {each.name: each for each in catalogues.known(archive).entries}
    if replaces and full not in known:
        raise NotFoundError(f"there is no catalogue '{full}' to replace{nearest(full, known)}")
    if not replaces and full in known:
        raise UsageError(
            f"there is a catalogue '{full}' already, expected another name or 'catalogue replace'"
        )
    return known.get(full)


def _told(
    batches: Iterator[pa.RecordBatch], total: int | None, progress: Progress
) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in batches:
        yield batch
        done += batch.num_rows
        progress("reading", done, total)


@contextmanager
def changing(archive: Archive, user: str | None = None) -> Iterator[sa.Connection]:
    """A transaction that changes which catalogues there are, and TAP_SCHEMA with it; others are told after it.

    Parameters
    ----------
    archive
        Prepared.
    user
        Whose own tables alone it changes; None where it may be more.
    """
    with archive.database.write() as connection:
        archive.database.create_missing(connection, catalogues.TABLES)  # one at a time may change tables
        yield connection
        tell_of_catalogues(connection, archive, user)
        crash.reach(REGISTERED)
        version = catalogues.version(connection)
    crash.reach(COMMITTED)
    with suppress(OSError):  # it is so already, and they look for themselves every second
        catalogues.announce(archive, version)
