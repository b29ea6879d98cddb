"""Which calibrations does a project prefer? What was pinned by whom and when, for ever."""

from typing import Any

import sqlalchemy as sa

from datamodel.context import EVERY_PROJECT, Caller
from datamodel.datatypes import Timestamp
from datamodel.schema import metadata, oid_column, serial_column

favourite = sa.Table(
    "favourite",
    metadata,
    serial_column(),
    sa.Column("project", sa.String(100), nullable=False),
    oid_column("object_id", nullable=False, index=True),
    sa.Column("set_at", Timestamp(), nullable=False),
    sa.Column("set_by", sa.String(100), nullable=False),
    sa.Column("unset_at", Timestamp()),
    sa.Column("unset_by", sa.String(100)),
)
"""A row for each time that a project pinned an object; until `unset_at`, which is NULL while it lasts."""


def is_favourite(object_id: Any, caller: Caller) -> sa.ColumnElement[bool]:
    """Whether an object is a favourite of the caller's project, for statements.

    Parameters
    ----------
    object_id
        A column.
    caller
        Without a project of its own there are no favourites.
    """
    if caller.project == EVERY_PROJECT:
        return sa.false()
    pins = favourite.alias()
    return sa.exists().where(pins.c.object_id == object_id, *_in_force(pins, caller)).correlate_except(pins)


def favourites(connection: sa.Connection, caller: Caller) -> frozenset[str]:
    """The identifiers of all favourites of the caller's project."""
    if caller.project == EVERY_PROJECT:
        return frozenset()
    statement = sa.select(favourite.c.object_id).where(*_in_force(favourite, caller))
    return frozenset(connection.scalars(statement))


def how_many(project: Any, name: str) -> sa.Select[Any]:
    """A statement that gives, under a name, how many favourites a project, which may be a parameter, has now."""
    here = (favourite.c.project == project, favourite.c.unset_at.is_(None))
    return sa.select(sa.func.count(favourite.c.id).label(name)).where(*here)


def _in_force(pins: Any, caller: Caller) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [pins.c.project == caller.project]
    if caller.as_of is None:
        return [*where, pins.c.unset_at.is_(None)]
    ended = sa.or_(pins.c.unset_at.is_(None), pins.c.unset_at > caller.as_of)
    return [*where, pins.c.set_at <= caller.as_of, ended]
