"""Up to which event was each receiver of quality events told, and who is telling it?

The log of events is what is still to be sent: it is written in the transaction of what it tells of. Here stands how far
each receiver has come. One process at a time tells a receiver, for as long as its lease lasts.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import Archive
from datamodel.datatypes import Timestamp
from datamodel.dialect import insert_absent
from datamodel.schema import metadata
from processing.quality_events import newest_number

SENT = crash.declare("qc.sent", "a receiver was told of an event, that is not written down")

LEASE = timedelta(seconds=60)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(hours=1)

qc_delivery = sa.Table(
    "qc_delivery",
    metadata,
    sa.Column("url", sa.String(500), primary_key=True),
    sa.Column("last_event", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_at", Timestamp(), nullable=False),
    sa.Column("holder", sa.String(32)),
    sa.Column("held_until", Timestamp()),
)
"""A row for each receiver: the last event it was told of, how often the next one was tried in vain, and the lease."""


def begin(archive: Archive, url: str) -> None:
    """Have a receiver that is new told of everything from now on."""
    here = sa.select(qc_delivery.c.url).where(qc_delivery.c.url == url)
    with archive.database.read() as connection:
        if connection.scalar(here) is not None:
            return
    row = {"url": url, "last_event": newest_number(archive, 0), "tries": 0, "next_at": archive.clock()}
    with archive.database.write() as connection:
        insert_absent(connection, qc_delivery, row)


@dataclass
class Turn:
    """The right to tell a receiver, until `give_back` or until the lease runs out."""

    archive: Archive
    url: str
    holder: str
    last_event: int
    tries: int

    def told(self, number: int) -> bool:
        """Write down that the receiver knows of all events up to one; whether the turn is still one's own."""
        crash.reach(SENT)
        self.last_event, self.tries = number, 0
        until = self.archive.clock() + LEASE
        return self._write(last_event=number, tries=0, held_until=until)

    def failed(self) -> None:
        """Have the next one tried again, later each time; ends the turn."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.tries, 20))
        next_at = self.archive.clock() + delay
        self._write(tries=self.tries + 1, next_at=next_at, holder=None, held_until=None)

    def give_back(self) -> None:
        """End the turn."""
        self._write(holder=None, held_until=None)

    def _write(self, **values: object) -> bool:
        mine = (qc_delivery.c.url == self.url, qc_delivery.c.holder == self.holder)
        with self.archive.database.write() as connection:
            done = connection.execute(sa.update(qc_delivery).where(*mine).values(values))
            return bool(done.rowcount == 1)


def take_turn(archive: Archive, url: str) -> Turn | None:
    """The turn, where there is news for a receiver, its time has come and nobody else is at it."""
    present, c = archive.clock(), qc_delivery.c
    free = (c.url == url, c.next_at <= present, sa.or_(c.held_until.is_(None), c.held_until <= present))
    with archive.database.read() as connection:
        known = connection.scalar(sa.select(c.last_event).where(*free))
    if known is None or newest_number(archive, known) <= known:
        return None
    holder = uuid.uuid4().hex
    with archive.database.write() as connection:
        taken = sa.update(qc_delivery).where(*free).values(holder=holder, held_until=present + LEASE)
        if connection.execute(taken).rowcount != 1:
            return None
        last, tries = connection.execute(sa.select(c.last_event, c.tries).where(c.url == url)).one()
        return Turn(archive, url, holder, last, tries)
