"""Which database belongs to an archive's folder, and who is using the archive now?

An archive that was restored or moved has an identifier in its database, and the same one in its folder. Where they
differ, one of them was left half-way, or is the database that the archive had before: nobody opens these together.
Each process that has the archive open holds a lock on a file in its folder; who moves it holds that lock alone.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from datamodel.errors import ArchiveError, BusyError, UsageError

IN_USE = "in_use"
"""The file in the folder whose lock says that somebody has the archive open."""

BELONGS = "database.json"
"""The file in the folder that says which database belongs to it; not there before the first restore or move."""

MOVING = "moving.json"
"""The same of the database that a move is about to fill, so that what it leaves when it is killed is known."""

custody = sa.Table("custody", sa.MetaData(), sa.Column("id", sa.String(36), primary_key=True))
"""In the database: one row, or no such table."""


@dataclass(frozen=True)
class Custody:
    """What a folder knows of its database.

    Attributes
    ----------
    id
        In the row of `custody`, too.
    database
        Its URL, without a password, for people.
    since
        When it was restored or moved, ISO 8601, UTC.
    """

    id: str
    database: str
    since: str


class Use:
    """The lock of one who has an archive open.

    Parameters
    ----------
    folder
        Of the archive; it is there.
    alone
        Whether nobody else may have it open.

    Raises
    ------
    BusyError
        Somebody has it alone, or at all where it is wanted alone.
    """

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self._file = _opened(folder / IN_USE)
        if self._file is None:
            return
        try:
            fcntl.flock(self._file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.end()
            whose = "servers, workers or commands use it" if alone else "it is being moved or restored"
            raise BusyError(f"the archive at '{folder}' cannot be had now: {whose}; end them first") from None

    def end(self) -> None:
        """Give the lock up; it also goes with the process."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _opened(path: Path) -> int | None:
    """A descriptor of the file, made where it is missing; None in a folder in which this account may not write."""
    for how in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            return os.open(path, how, 0o666)
        except OSError:
            continue
    return None


def of_folder(folder: Path) -> Custody | None:
    """What the folder of an archive knows of its database; None where it never was restored or moved.

    Raises
    ------
    ArchiveError
        The file that says it cannot be read.
    """
    return read(folder / BELONGS)


def read(path: Path) -> Custody | None:
    """What such a file says; None where there is none.

    Raises
    ------
    ArchiveError
        It cannot be read.
    """
    try:
        return Custody(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        raise ArchiveError(f"'{path}' does not say which database belongs to the archive: {error}") from None


def write(path: Path, told: Custody) -> None:
    """Have such a file say so: at once and on disk, or not at all."""
    aside = path.with_name(f"{path.name}.partial")
    with aside.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(told), indent=1, sort_keys=True) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(aside, path)
    sync(path.parent)


def of_database(connection: sa.Connection) -> str | None:
    """The identifier in a database; None where it has none."""
    if not sa.inspect(connection).has_table(custody.name):
        return None
    return connection.scalar(sa.select(custody.c.id))


def mark(connection: sa.Connection, id: str) -> None:
    """Have a database, which has none yet, have an identifier, in a transaction under way."""
    custody.create(connection)
    connection.execute(sa.insert(custody).values(id=id))


def require(connection: sa.Connection, folder: Path) -> None:
    """See that a database and a folder belong together.

    Raises
    ------
    UsageError
        They do not; the message says which database does.
    """
    here, there = of_folder(folder), of_database(connection)
    if (here.id if here else None) == there:
        return
    given = connection.engine.url.render_as_string(hide_password=True)
    if here is None:
        raise UsageError(
            f"the database '{given}' does not belong to '{folder}': it was filled by a restore or a move that did not"
            " come to its end, which has to be begun again, or it is that of another archive"
        )
    raise UsageError(
        f"the database '{given}' does not belong to '{folder}', whose database is '{here.database}' since"
        f" {here.since}; set database_url to that"
    )


def sync(folder: Path) -> None:
    """Have the kernel put the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
