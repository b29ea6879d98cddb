"""How often may a password be guessed? Failures are counted in the database, for all processes alike.

After some failures of an account, or from an address, each further one doubles the time until the next attempt is
looked at. What failed long ago is forgotten. Names and addresses stand in the table as digests: people type
passwords where a name belongs.
"""

import hashlib
import math
from datetime import datetime, timedelta

import sqlalchemy as sa

from datamodel.accounts import changing, login_failure
from datamodel.archive import Archive
from datamodel.dialect import insert_absent
from datamodel.errors import TooOftenError

FREE = {"account": 5, "address": 20}
"""Failures without consequence; many people may share an address."""

LONGEST_S = {"account": 60.0, "address": 900.0}
"""Strangers can fail in the name of an account, so its owner must not be kept out for long."""

FORGOTTEN_S = 3600.0


def refuse_many(archive: Archive, name: str, address: str) -> None:
    """Refuse an attempt that comes too early.

    Parameters
    ----------
    archive
        Its clock decides.
    name
        Of the account, whether or not there is one.
    address
        From which the attempt comes.

    Raises
    ------
    TooOftenError
        It does; the message says for how long.
    """
    keys = _keys(name, address)
    here = sa.select(login_failure).where(login_failure.c.key.in_(keys))
    with archive.database.read() as connection:
        rows = connection.execute(here).all()
    now = archive.clock()
    left = max((_left_s(keys[row.key], row.failures, row.last, now) for row in rows), default=0.0)
    if left > 0:
        seconds = math.ceil(left)
        raise TooOftenError(f"log-ins have failed too often here; try again in {seconds} s", seconds)


def note(archive: Archive, name: str, address: str) -> None:
    """Count a failure."""
    now = archive.clock()
    old = login_failure.c.last < now - timedelta(seconds=FORGOTTEN_S)
    count = sa.case((old, 1), else_=login_failure.c.failures + 1)
    with changing(archive.database) as connection:
        for key in sorted(_keys(name, address)):
            insert_absent(connection, login_failure, {"key": key, "failures": 0, "last": now})
            here = sa.update(login_failure).where(login_failure.c.key == key)
            connection.execute(here.values(failures=count, last=now))


def forget(archive: Archive, name: str) -> None:
    """Forget the failures of an account whose owner has been here; those from an address stay."""
    with archive.database.read() as connection:
        here = login_failure.c.key == _key("account", name)
        if connection.scalar(sa.select(login_failure.c.failures).where(here)) is None:
            return
    with changing(archive.database) as connection:
        connection.execute(sa.delete(login_failure).where(here))


def sweep(archive: Archive) -> int:
    """Remove what is forgotten anyway; how many rows."""
    old = login_failure.c.last < archive.clock() - timedelta(seconds=FORGOTTEN_S)
    with archive.database.read() as connection:
        if not connection.scalar(sa.select(sa.func.count()).select_from(login_failure).where(old)):
            return 0
    with changing(archive.database) as connection:
        return connection.execute(sa.delete(login_failure).where(old)).rowcount


def _left_s(kind: str, failures: int, last: datetime, now: datetime) -> float:
    """Seconds until another attempt is looked at."""
    gone = (now - last).total_seconds()
    if failures < FREE[kind] or gone > FORGOTTEN_S:
        return 0.0
    return min(LONGEST_S[kind], 2.0 ** min(failures - FREE[kind], 30)) - gone


def _keys(name: str, address: str) -> dict[str, str]:
    """The keys of an attempt, and what each counts."""
    return {_key("account", name): "account", _key("address", address): "address"}


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind} {value}".encode(errors="replace")).hexdigest()
