"""How much may an account keep in tables of its own, and how much does it? Counted as `weight` says."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from datamodel.accounts import account_quota, changing, named
from datamodel.archive import Archive
from datamodel.catalogues import Entry
from datamodel.context import PROJECT
from datamodel.errors import TooLargeError, UsageError
from datamodel.mydb import SCHEMA, is_mydb

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([kMGTP]?)(i?)B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_LARGEST = 1 << 62
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_NAMED = 3

TABLE_BYTES = 1 << 12
"""What a table counts without rows, besides what is told of it."""

MOST_TABLES = 1000
"""Of one account: each change of one has what is told of all of them written anew."""


@dataclass(frozen=True)
class Use:
    """What an account keeps.

    Attributes
    ----------
    tables
        Those that count: of its own, and not published beyond its project. The largest come first.
    bytes
        All of them together.
    quota
        Bytes that they may be.
    """

    tables: tuple[Entry, ...]
    bytes: int
    quota: int

    @property
    def words(self) -> str:
        """How much is used, of how much, and by what most of it."""
        said = [f"{SCHEMA}.{each.table} {size_in_words(weight(each))}" for each in self.tables[:_NAMED]]
        most = f", most of it by {', '.join(said)}" if said else ""
        return f"{size_in_words(self.bytes)} of {size_in_words(self.quota)} are used{most}"

    def require(self, size: int) -> None:
        """See that a table of so many bytes has room.

        Raises
        ------
        TooLargeError
            It has not; the message says how much is used, and by what. Or there are as many as may be.
        """
        if len(self.tables) >= MOST_TABLES:
            raise TooLargeError(f"you keep {len(self.tables)} tables, expected {MOST_TABLES} at the most")
        if self.bytes + size > self.quota:
            raise TooLargeError(f"the table is more than the quota has room for: {self.words}")


def weight(entry: Entry) -> int:
    """What a table counts: the bytes of its values and of what is told of it, and a sum that is the same for all."""
    return entry.bytes + entry.told_bytes + TABLE_BYTES


def use_of(
    connection: sa.Connection, archive: Archive, user: str, entries: Iterable[Entry], but: str = ""
) -> Use:
    """What an account keeps, and may keep.

    Parameters
    ----------
    connection
        To look for a quota of its own.
    archive
        Its configuration has the usual quota.
    user
        The account.
    entries
        All catalogues.
    but
        The identifier of one that does not count, because it is going to be replaced.
    """
    own = [e for e in entries if is_mydb(e.schema) and e.creator == user and e.privileges <= PROJECT]
    counted = sorted((e for e in own if e.id != but), key=lambda e: (-weight(e), e.name))
    return Use(tuple(counted), sum(map(weight, counted)), quota_of(connection, archive, user))


def quota_of(connection: sa.Connection, archive: Archive, user: str) -> int:
    """How many bytes an account may keep."""
    said = sa.select(account_quota.c.bytes).where(account_quota.c.account == user)
    found: int | None = connection.scalar(said)
    return archive.config.mydb_quota if found is None else found


def set_quota(archive: Archive, user: str, size: int | None) -> None:
    """Have an account keep so many bytes at the most; None is as many as the setting says.

    Raises
    ------
    NotFoundError
        There is no such account.
    """
    with changing(archive.database) as connection:
        named(connection, user)
        connection.execute(sa.delete(account_quota).where(account_quota.c.account == user))
        if size is not None:
            connection.execute(sa.insert(account_quota).values(account=user, bytes=size))


def size(text: str) -> int:
    """A number of bytes, as people write it: ``500 MB``, ``1.5GiB``, ``1000``.

    Raises
    ------
    UsageError
        It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"the size is '{text[:60]}', expected one such as 500MB, 1.5GiB or a number of bytes"
        )
    made: int = round(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].upper()])
    if made > _LARGEST:
        raise UsageError(f"the size is '{text[:60]}', expected {_LARGEST} bytes at the most")
    return made


def size_in_words(size: int) -> str:
    """A number of bytes in three digits, such as ``1.5 GB``."""
    power = 0
    while size >= 999.5 * 1000**power and power < len(_UNITS) - 1:
        power += 1
    return f"{size / 1000**power:.3g} {_UNITS[power]}" if power else f"{size} B"
