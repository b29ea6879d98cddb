"""How does an archive get another database, of the same kind or not? Its bytes stay where they are.

Nobody uses it meanwhile. When the new database has all rows and they have been compared, the file in the folder that
says which database belongs to it is replaced: before that moment the archive is as it was, after it the old database
is refused by whoever opens the archive.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from datamodel import crash, custody
from datamodel.clock import new_object_id
from datamodel.config import Config
from datamodel.custody import Custody, Use
from datamodel.database import Database
from datamodel.dialect import facts_of
from datamodel.errors import UsageError
from datamodel.keeping.digests import Content
from datamodel.keeping.files import Progress, file_of
from datamodel.keeping.filling import Filling, Place, filling
from datamodel.keeping.manifest import StoredTable
from datamodel.keeping.reading import Snapshot, snapshot
from datamodel.keeping.restoring import compare
from datamodel.keeping.tables import KeptTable

FILLED = crash.declare("move.filled", "all rows are in the new database, the transaction is not committed")
COMMITTED = crash.declare("move.committed", "the new database is there, the old one is still the archive's")
SWITCHED = crash.declare(
    "move.switched", "the new database is the archive's, the old one is still in its place"
)


@dataclass(frozen=True)
class Moved:
    """What a move did.

    Attributes
    ----------
    rows
        By table.
    database
        The URL of the new database, without a password.
    old
        Where the old one is now: a file, or its URL without a password.
    """

    rows: dict[str, int]
    database: str
    old: str


def move(config: Config, url: str, progress: Progress, *, now: datetime) -> Moved:
    """Have an archive have its rows in another database, which is empty.

    Parameters
    ----------
    config
        Says where the archive is, and its present database.
    url
        Of the new database.
    progress
        Is told now and then.
    now
        The present instant, naive UTC.

    Raises
    ------
    UsageError
        There is something in the new database already, or it is the old one.
    BusyError
        Somebody uses the archive.
    DataLostError
        The new database does not give what it was given.
    """
    facts_of(url)
    _refuse_same(config.database, url)
    use = Use(config.archive, alone=True)
    try:
        told = _intended(config.archive, url, now)
        rows = _copied(config, Place(url, told.id), progress)
        crash.reach(COMMITTED)
        custody.write(config.archive / custody.BELONGS, told)
        crash.reach(SWITCHED)
        (config.archive / custody.MOVING).unlink(missing_ok=True)
        return Moved(rows, told.database, _put_aside(config.database, told.id))
    finally:
        use.end()


def _refuse_same(old: str, new: str) -> None:
    files = [file.absolute() if file else None for file in (file_of(old), file_of(new))]
    same_file = files[0] is not None and files[0] == files[1]
    if same_file or sa.make_url(old) == sa.make_url(new):
        shown = sa.make_url(new).render_as_string(hide_password=True)
        raise UsageError(f"the archive has its database at '{shown}' already, expected another one")


def _intended(archive: Path, url: str, now: datetime) -> Custody:
    """What the folder is going to know of its database; the same identifier where a move did not come to its end."""
    path = archive / custody.MOVING
    left = custody.read(path)
    present = custody.of_folder(archive)
    unfinished = left is not None and (present is None or present.id != left.id)
    id = left.id if left is not None and unfinished else new_object_id()
    shown = sa.make_url(url).render_as_string(hide_password=True)
    told = Custody(id, shown, now.isoformat(timespec="seconds"))
    custody.write(path, told)
    return told


def _copied(config: Config, place: Place, progress: Progress) -> dict[str, int]:
    """Have the new database have all rows; gives how many there are in each table."""
    database = Database(config.database)
    try:
        with snapshot(database, alone=True) as taken:
            custody.require(taken.connection, config.archive)
            with filling(place, taken.tables) as filled:
                stored = _put_all(taken, filled, progress)
                filled.complete(place.id)
                compare(filled, stored, progress)
                crash.reach(FILLED)
    finally:
        database.close()
    return {name: each.rows for name, each in stored.items()}


def _put_all(taken: Snapshot, filled: Filling, progress: Progress) -> dict[str, StoredTable]:
    stored: dict[str, StoredTable] = {}
    done = 0
    for table in taken.tables:
        content = Content(table)

        def hand(batch: pa.RecordBatch, table: KeptTable = table, content: Content = content) -> None:
            nonlocal done
            content.add(batch)
            filled.put(table, batch)
            done += batch.num_rows
            progress("moving tables", done, None, "row")

        taken.read(table, hand)
        stored[table.name] = StoredTable(table, "", 0, "", content.rows, content.digest)
    return stored


def _put_aside(url: str, id: str) -> str:
    """Have the old database keep out of the way, where it is a file; gives where it is."""
    file = file_of(url)
    if file is None:
        return sa.make_url(url).render_as_string(hide_password=True)
    aside = file.with_name(f"{file.name}.before-{id[:8]}-{id[9:13]}")
    for suffix in ("-wal", "-shm", ""):
        beside = file.with_name(f"{file.name}{suffix}")
        if beside.exists():
            os.rename(beside, aside.with_name(f"{aside.name}{suffix}"))
    custody.sync(file.parent)
    return str(aside)
