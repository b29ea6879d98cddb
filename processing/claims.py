"""One maker per product, across threads, processes and machines: a row with a lease."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import Archive
from datamodel.clock import new_object_id
from datamodel.datatypes import Timestamp
from datamodel.errors import ArchiveError
from datamodel.schema import metadata

log = logging.getLogger("vo_server.processing")

LEASE_S = 30.0
CLAIMED = crash.declare("make.claimed", "the product is claimed, nothing is computed yet")

claim = sa.Table(
    "claim",
    metadata,
    sa.Column("derivation_key", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(36), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("expires", Timestamp(), nullable=False),
)
"""What is being made now, and until when its maker is believed to live."""


class ClaimLostError(ArchiveError):
    """The lease ran out, and somebody else may have made the product."""


class Claim:
    """The right to make one product; renewed until released.

    Parameters
    ----------
    archive
        The archive.
    derivation_key
        Identifies the product.
    """

    def __init__(self, archive: Archive, derivation_key: str) -> None:
        self.archive = archive
        self.key = derivation_key
        self.holder = new_object_id()
        self._done = threading.Event()

    def acquire(self) -> bool:
        """Take the claim if nobody alive has it."""
        archive = self.archive
        now = archive.clock()
        here = sa.select(claim).where(claim.c.derivation_key == self.key)
        with archive.database.read() as looking:
            if _holds(looking.execute(here).mappings().first(), now):
                return False
        row = {
            "derivation_key": self.key,
            "holder": self.holder,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "expires": now + timedelta(seconds=LEASE_S),
        }
        try:
            with archive.database.write() as connection:
                held = connection.execute(here).mappings().first()
                if _holds(held, now):
                    return False
                if held is not None:
                    gone = sa.and_(claim.c.derivation_key == self.key, claim.c.holder == held["holder"])
                    connection.execute(sa.delete(claim).where(gone))
                connection.execute(sa.insert(claim).values(row))
        except sa.exc.IntegrityError:
            return False  # somebody was faster by a moment
        crash.reach(CLAIMED)
        threading.Thread(target=self._renew, name="claim", daemon=True).start()
        return True

    def _renew(self) -> None:
        while not self._done.wait(LEASE_S / 3):
            expires = self.archive.clock() + timedelta(seconds=LEASE_S)
            mine = sa.and_(claim.c.derivation_key == self.key, claim.c.holder == self.holder)
            try:
                with self.archive.database.write() as connection:
                    connection.execute(sa.update(claim).where(mine).values(expires=expires))
            except sa.exc.DBAPIError:
                log.warning("a claim could not be renewed; trying again", exc_info=True)

    def release(self, connection: sa.Connection | None = None) -> bool:
        """Give the claim up, in a transaction under way if there is one; false if it was lost before."""
        self._done.set()
        mine = sa.delete(claim).where(claim.c.derivation_key == self.key, claim.c.holder == self.holder)
        if connection is not None:
            return bool(connection.execute(mine).rowcount)
        with self.archive.database.write() as own:
            return bool(own.execute(mine).rowcount)


def is_claimed(connection: sa.Connection, now: datetime, keys: list[str]) -> set[str]:
    """Those of some keys whose product is being made."""
    rows = connection.execute(sa.select(claim).where(claim.c.derivation_key.in_(keys))).mappings()
    return {row["derivation_key"] for row in rows if _holds(row, now)}


def _holds(held: Any, now: datetime) -> bool:
    return held is not None and held["expires"] > now and _alive(held)


def _alive(held: Any) -> bool:
    """Whether the holder may still be alive: certain only for processes of this machine."""
    if held["host"] != socket.gethostname():
        return True
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


PLANNED, MAKING, ELSEWHERE, MADE = "planned", "making", "made by another", "made"
THERE, LEFT_OUT, FAILED, GIVEN_UP = "up to date", "left out", "failed", "given up"


@dataclass(frozen=True)
class Step:
    """How far one product of a plan is.

    Attributes
    ----------
    node
        The `processing.plan.Node`.
    state
        `PLANNED`, `MAKING`, `ELSEWHERE` (somebody else has the claim), `MADE` (now), `THERE` (it was there, or
        somebody else made it), `LEFT_OUT` (there is none, and making one is beyond the depth), `FAILED`, or
        `GIVEN_UP` (it was under way when all was interrupted).
    seconds
        Since its making began, or what that took; 0 where it was not made here.
    said
        What went wrong; empty where nothing did.
    """

    node: Any
    state: str
    seconds: float = 0.0
    said: str = ""


Progress = Callable[[Sequence[Step]], None]
"""Told again and again how far all products of a plan are, inputs before what is made from them; last at the end."""
