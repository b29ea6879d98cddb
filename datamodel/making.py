"""How many things are being made for whom? A bound that holds across threads, processes and machines.

A caller may ask for the same target several times over: those requests wait for one making, and count
as one for the caller, but each of them among all that are in hand. Each holds a row with a lease, renewed
while its maker lives; what a killed process left behind counts no more once its lease is over.
"""

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.datatypes import Timestamp
from datamodel.errors import BusyError
from datamodel.schema import metadata

LEASE_S = 30.0
RETRY_AFTER_S = 10

making = sa.Table(
    "making",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("who", sa.String(200), nullable=False, index=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("expires", Timestamp(), nullable=False),
)
"""What is being made, or waited for, on request: for whom, and until when its maker is believed to live."""


class Slot:
    """The right of one caller to have one thing made; a context manager.

    Parameters
    ----------
    archive
        The archive; its configuration has the bounds.
    who
        The caller: an account, or the address of a stranger.
    what
        The target.

    Raises
    ------
    BusyError
        On entering: a bound is reached.
    """

    def __init__(self, archive: Archive, who: str, what: str) -> None:
        self.archive = archive
        self.who = who[:200]
        self.what = what
        self.id = new_object_id()
        self._done = threading.Event()

    def __enter__(self) -> "Slot":
        self.archive.resource("table making", lambda: self.archive.database.create([making]))
        now = self.archive.clock()
        database = self.archive.database
        with database.write() as connection:
            if database.facts.lock_schema:
                connection.exec_driver_sql(database.facts.lock_schema)  # counting and adding are one step
            connection.execute(sa.delete(making).where(making.c.expires <= now))
            self._refuse_too_many(connection)
            row = {"id": self.id, "who": self.who, "what": self.what, "expires": self._lease()}
            connection.execute(sa.insert(making).values(row))
        threading.Thread(target=self._renew, name="making", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        with self.archive.database.write() as connection:
            connection.execute(sa.delete(making).where(making.c.id == self.id))

    def _refuse_too_many(self, connection: sa.Connection) -> None:
        config = self.archive.config
        in_hand = sa.select(sa.func.count()).select_from(making)
        others = sa.select(sa.func.count(making.c.what.distinct()))
        others = others.where(making.c.who == self.who, making.c.what != self.what)
        if (connection.scalar(in_hand) or 0) >= config.makes_at_once:
            text = f"the archive takes {config.makes_at_once} requests to make things at a time"
            raise BusyError(f"{text} and has as many in hand; try again later", RETRY_AFTER_S)
        if (connection.scalar(others) or 0) >= config.makes_per_caller:
            text = f"{config.makes_per_caller} things at a time are made for one caller"
            raise BusyError(f"{text}, and so many others are in hand; try again later", RETRY_AFTER_S)

    def _lease(self) -> datetime:
        return self.archive.clock() + timedelta(seconds=LEASE_S)

    def _renew(self) -> None:
        while not self._done.wait(LEASE_S / 3):
            with self.archive.database.write() as connection:
                mine = sa.update(making).where(making.c.id == self.id)
                connection.execute(mine.values(expires=self._lease()))
