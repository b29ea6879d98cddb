"""What happened to objects, for ever; and what they were at an earlier instant.

What can change on an object is written over, and what it was stands in the log: the present is as quick as if there
were no past, and the past is as it was whatever is changed later.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.clock import Clock
from datamodel.datatypes import Timestamp
from datamodel.schema import metadata, oid_column, serial_column

event = sa.Table(
    "event",
    metadata,
    serial_column(),
    sa.Column("at", Timestamp(), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    oid_column("object_id", index=True),
    sa.Column("attribute", sa.String(100)),
    sa.Column("old", sa.Text),
    sa.Column("new", sa.Text),
    sa.Column("who", sa.String(100)),
)
"""The append-only log of what happened to objects: made, changed, ingested.

``old`` and ``new`` are values as `written`; NULL is no value.
"""


def written(value: Any) -> str | None:
    """A value of an attribute as text that the database can cast back; None for no value.

    Parameters
    ----------
    value
        A number, a text, an identifier, or a naive instant in UTC, which has six decimals.
    """
    if value is None:
        return None
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def now(connection: sa.Connection, clock: Clock) -> datetime:
    """The instant of a transaction that writes events: never before the newest one, though clocks be set back."""
    newest = connection.scalar(sa.select(event.c.at).order_by(event.c.id.desc()).limit(1))
    present = clock()
    return present if newest is None else max(present, newest)


def as_it_was(
    column: sa.ColumnElement[Any], object_id: Any, attribute: str, instant: datetime
) -> sa.ColumnElement[Any]:
    """What a column held at an earlier instant, for statements.

    Parameters
    ----------
    column
        Of an attribute that can change.
    object_id
        The column of whose it is.
    attribute
        Its name in Python.
    instant
        Naive, UTC; what was committed at that very instant counts.
    """
    log = event.alias()
    later = (log.c.object_id == object_id, log.c.attribute == attribute, log.c.at > instant)
    first = sa.select(log.c.old).where(*later).order_by(log.c.id).limit(1).correlate_except(log)
    changed = sa.exists().where(*later).correlate_except(log)
    return sa.case((changed, sa.cast(first.scalar_subquery(), column.type)), else_=column)


def lock(connection: sa.Connection, object_id: str) -> None:
    """Have those who change an object wait for the end of the transaction."""
    objects = metadata.tables["dbobject"]
    connection.execute(
        sa.select(objects.c.object_id).where(objects.c.object_id == object_id).with_for_update()
    )
