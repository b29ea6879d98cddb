"""What has happened since somebody looked last?"""

from typing import Any

import sqlalchemy as sa

from datamodel.history import event
from datamodel.session import Session


def news(session: Session, seen: Any) -> tuple[int, int] | None:
    """The last event that was looked at, and the newest one; None where they are the same.

    No event with a smaller number than the newest is going to be committed later.

    Parameters
    ----------
    session
        Not within a transaction.
    seen
        A scalar subquery: the number of the last event that was looked at; NULL for none.
    """
    statement = sa.select(sa.func.coalesce(seen, 0), sa.func.coalesce(sa.func.max(event.c.id), 0))
    with session.connection() as connection:
        last, newest = connection.execute(statement).one()
    database = session.archive.database
    if newest > last and database.facts.lock_events:
        with session.transaction() as connection:
            database.hold_events(connection)
            last, newest = connection.execute(statement).one()
    return (last, newest) if newest > last else None
