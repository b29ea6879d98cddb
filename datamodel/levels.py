"""How is the level of stored objects changed? With the comments on them, with events, and for the objects in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from datamodel.accounts import project
from datamodel.attributes import class_named, is_known
from datamodel.errors import BusyError
from datamodel.history import event
from datamodel.schema import metadata, table_of
from datamodel.session import Session

CHUNK = 500
"""Identifiers in a statement at the most."""

_COMMENT = "Comment"


@dataclass(frozen=True)
class Step:
    """One object: its level now, and then."""

    object_id: str
    class_name: str
    project: str
    before: int
    after: int


def write(session: Session, connection: sa.Connection, steps: Iterable[Step], instant: datetime) -> None:
    """Set levels, in the transaction of a caller who may do that.

    Parameters
    ----------
    session, connection
        Where, and the transaction.
    steps
        Each object once.
    instant
        Of the transaction, as `datamodel.history.now` gives it.

    Raises
    ------
    BusyError
        Somebody else has just changed the level of one of them.
    """
    steps = list(steps)
    for before, after in sorted({(step.before, step.after) for step in steps}):
        ids = [step.object_id for step in steps if (step.before, step.after) == (before, after)]
        for start in range(0, len(ids), CHUNK):
            _set(connection, ids[start : start + CHUNK], before, after)
    if steps:
        happened = {"at": instant, "kind": "changed", "attribute": "_privileges", "who": session.caller.user}
        rows = [
            happened | {"object_id": s.object_id, "old": str(s.before), "new": str(s.after)} for s in steps
        ]
        connection.execute(sa.insert(event), rows)
    for step in steps:
        _remember(session, step)


def prepare(session: Session) -> None:
    """Make sure that there is a table of comments."""
    if is_known(_COMMENT):
        session.prepare(class_named(_COMMENT))


def of_comments(connection: sa.Connection, levels: dict[str, int]) -> list[Step]:
    """The steps by which the comments on some objects follow them, as far as their own projects let them.

    Parameters
    ----------
    connection
        To a database that was prepared.
    levels
        The levels that the objects get, by identifier.
    """
    if not is_known(_COMMENT):
        return []
    objects, own = metadata.tables["dbobject"], table_of(class_named(_COMMENT))
    columns = (
        own.c.about,
        objects.c.object_id,
        objects.c.project,
        objects.c.privileges,
        project.c.maximum_privileges,
    )
    statement = sa.select(*columns).select_from(
        own.join(objects, objects.c.object_id == own.c.object_id).outerjoin(
            project, project.c.name == objects.c.project
        )
    )
    found, ids = [], list(levels)
    for start in range(0, len(ids), CHUNK):
        rows = connection.execute(statement.where(own.c.about.in_(ids[start : start + CHUNK])))
        for about, object_id, name, before, most in rows:
            after = levels[about] if most is None else min(levels[about], most)
            if after != before:
                found.append(Step(object_id, _COMMENT, name, before, after))
    return found


def _set(connection: sa.Connection, ids: list[str], before: int, after: int) -> None:
    objects = metadata.tables["dbobject"]
    here = sa.update(objects).where(objects.c.object_id.in_(ids), objects.c.privileges == before)
    if connection.execute(here.values(privileges=after)).rowcount != len(ids):
        raise BusyError("somebody else has just changed who sees some of these objects; try again")


def _remember(session: Session, step: Step) -> None:
    """Have an object in memory know its level, until the transaction fails."""
    instance: Any = session.known(step.object_id)
    if instance is None or "_privileges" not in instance.__state__.values:
        return
    state = instance.__state__
    session.on_rollback(partial(state.values.__setitem__, "_privileges", step.before))
    state.values["_privileges"] = step.after
