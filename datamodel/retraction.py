"""Which objects were retracted, by whom and why? A row for each, for ever; the object stays."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.context import Caller
from datamodel.datatypes import Timestamp
from datamodel.dialect import insert_absent
from datamodel.errors import ForbiddenError, UsageError
from datamodel.history import event
from datamodel.schema import metadata, oid_column

WRITTEN = crash.declare(
    "retract.written", "an object is invalid and its tombstone is set, nothing is committed"
)

LONGEST = 1000
"""Characters of a reason at the most."""

_CHUNK = 500

retraction = sa.Table(
    "retraction",
    metadata,
    oid_column("object_id", primary_key=True),
    sa.Column("at", Timestamp(), nullable=False),
    sa.Column("who", sa.String(100), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""The tombstones."""


@dataclass(frozen=True)
class Retraction:
    """A tombstone.

    Attributes
    ----------
    at
        When it was set, naive UTC.
    who
        Account name.
    reason
        Why, for those who have used the object.
    """

    at: datetime
    who: str
    reason: str

    def __str__(self) -> str:
        return f"retracted on {self.at:%Y-%m-%d} by {self.who}: {self.reason}"


def checked(reason: str) -> str:
    """A reason without blanks around it.

    Raises
    ------
    UsageError
        It says nothing, or too much.
    """
    said = reason.strip()
    if not 0 < len(said) <= LONGEST:
        raise UsageError(f"the reason has {len(said)} characters, expected 1 to {LONGEST}")
    return said


def write(connection: sa.Connection, object_id: str, reason: str, who: str, instant: datetime) -> None:
    """Set a tombstone, in the transaction that makes the object invalid.

    Parameters
    ----------
    connection
        Of the transaction.
    object_id, reason, who
        The object, a reason that was `checked`, and the account that may do this.
    instant
        Of the transaction.

    Raises
    ------
    UsageError
        It has one already.
    """
    row = {"object_id": object_id, "at": instant, "who": who, "reason": reason}
    if not insert_absent(connection, retraction, row):
        raise UsageError(f"the object {object_id} has been retracted already")
    happened = {"at": instant, "kind": "retracted", "object_id": object_id, "who": who}
    connection.execute(sa.insert(event), happened | {"new": reason})
    crash.reach(WRITTEN)


def retractions(
    connection: sa.Connection, object_ids: Iterable[str], caller: Caller
) -> dict[str, Retraction]:
    """The tombstones of objects that a caller sees, by identifier; who looks back sees those of then."""
    c, wanted, found = retraction.c, list(dict.fromkeys(object_ids)), {}
    for start in range(0, len(wanted), _CHUNK):
        here = sa.select(retraction).where(c.object_id.in_(wanted[start : start + _CHUNK]))
        if caller.as_of is not None:
            here = here.where(c.at <= caller.as_of)
        for row in connection.execute(here):
            found[row.object_id] = Retraction(row.at, row.who, row.reason)
    return found


def refuse(connection: sa.Connection, instance: Any) -> None:
    """Refuse to have a retracted object judged good.

    Raises
    ------
    ForbiddenError
        It was retracted.
    """
    here = sa.select(retraction.c.reason).where(retraction.c.object_id == instance.object_id)
    reason = connection.scalar(here)
    if reason is not None:
        raise ForbiddenError(f"{instance!r} was retracted, and stays bad: {reason}")
