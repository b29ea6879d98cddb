"""How does a project come to prefer a calibration, and cease to?"""

from typing import Any

import sqlalchemy as sa

from datamodel import crash, history
from datamodel.context import EVERY_PROJECT, Caller
from datamodel.errors import ForbiddenError, UsageError
from datamodel.favourites import favourite
from datamodel.session import Session

PINNED = crash.declare("favourite.rows", "the favourite is written, the transaction is not committed")


def pin(session: Session, instance: Any) -> None:
    """Have the caller's project prefer an object to all others of its keys; a second time changes nothing.

    Raises
    ------
    UsageError
        The caller has no project of its own, or looks back.
    ForbiddenError
        The caller is not a member of it.
    """
    _write(session, instance, pinned=True)


def unpin(session: Session, instance: Any) -> None:
    """End that; the same errors as `pin`."""
    _write(session, instance, pinned=False)


def _write(session: Session, instance: Any, *, pinned: bool) -> None:
    caller = session.caller
    _check(caller)
    with session.transaction() as connection:
        session.archive.database.share_events(connection)
        history.lock(connection, instance.object_id)
        here = (favourite.c.object_id == instance.object_id, favourite.c.project == caller.project)
        last = sa.select(favourite.c.id).where(*here, favourite.c.unset_at.is_(None))
        number = connection.scalar(last)
        if (number is not None) is pinned:
            return
        instant = history.now(connection, session.archive.clock)
        if pinned:
            row = {"set_at": instant, "set_by": caller.user}
            row |= {"object_id": instance.object_id, "project": caller.project}
            connection.execute(sa.insert(favourite), row)
        else:
            ended = {"unset_at": instant, "unset_by": caller.user}
            connection.execute(sa.update(favourite).where(favourite.c.id == number).values(ended))
        old, new = (None, caller.project) if pinned else (caller.project, None)
        happened = {"at": instant, "kind": "favourite", "object_id": instance.object_id, "who": caller.user}
        connection.execute(sa.insert(history.event), happened | {"old": old, "new": new})
        for listener in session.archive.listeners:
            session.after_commit(listener)
        crash.reach(PINNED)


def _check(caller: Caller) -> None:
    if caller.as_of is not None:
        raise ForbiddenError(f"the archive as of {caller.as_of.isoformat()} cannot be changed")
    if caller.project == EVERY_PROJECT:
        raise UsageError("a favourite is that of a project: set one first, 'ALL' has none")
    if caller.user is None or caller.project not in caller.projects:
        raise ForbiddenError(f"{caller.user or 'a stranger'} is not a member of project '{caller.project}'")
