"""Write no value as NULL, and instants as ISO 8601, in the log of events.

What changes of objects were, and became, was written as Python shows it: the word None for no value, and instants
without a T. In an attribute that is a text, somebody may have meant the word: there it stays.
"""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BATCH_ROWS = 10_000

INSTANT_LENGTH = 26
"""Of the texts that instants are kept as where the database has no type for them."""

event = sa.table("event", *map(sa.column, ("id", "object_id", "attribute", "old", "new")))


def upgrade() -> None:
    """Mend the values of each attribute, by the type that the tables of classes have for it."""
    connection = op.get_bind()
    changed = sa.select(event.c.attribute).where(event.c.attribute.is_not(None)).distinct()
    for attribute in connection.scalars(changed).all():
        for table, kept in _columns(connection, attribute.lower().lstrip("_")):
            objects = sa.table(table, sa.column("object_id"))
            here = (event.c.attribute == attribute) & event.c.object_id.in_(sa.select(objects.c.object_id))
            if not isinstance(kept, sa.Text):
                _empty(connection, here)
            if isinstance(kept, sa.DateTime) or getattr(kept, "length", None) == INSTANT_LENGTH:
                _rewrite(connection, here)


def _columns(connection: sa.Connection, name: str) -> Iterator[tuple[str, sa.types.TypeEngine[object]]]:
    """The tables of classes that have a column of that name, with its type."""
    inspector = sa.inspect(connection)
    keys = inspector.get_multi_pk_constraint()
    for place, columns in inspector.get_multi_columns().items():
        if keys[place]["constrained_columns"] == ["object_id"]:
            yield from ((place[1], column["type"]) for column in columns if column["name"] == name)


def _empty(connection: sa.Connection, here: sa.ColumnElement[bool]) -> None:
    for column in (event.c.old, event.c.new):
        connection.execute(sa.update(event).where(here, column == "None").values({column.name: None}))


def _rewrite(connection: sa.Connection, here: sa.ColumnElement[bool]) -> None:
    mend = sa.update(event).where(event.c.id == sa.bindparam("row"))
    mend = mend.values(old=sa.bindparam("was"), new=sa.bindparam("now"))
    last = 0
    while True:
        some = sa.select(event.c.id, event.c.old, event.c.new).where(here, event.c.id > last)
        rows = connection.execute(some.order_by(event.c.id).limit(BATCH_ROWS)).all()
        if not rows:
            return
        connection.execute(mend, [{"row": id, "was": _iso(old), "now": _iso(new)} for id, old, new in rows])
        last = rows[-1].id


def _iso(text: str | None) -> str | None:
    """``2026-01-01 00:00:00`` as ``2026-01-01T00:00:00.000000``; what is no instant stays."""
    try:
        return text and datetime.fromisoformat(text).isoformat(timespec="microseconds")
    except ValueError:
        return text
