"""What does the world not see, of whom is it, and at which chip does it matter?

Kept beside the index of standings, so that this is known without looking at the things.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from datamodel import crash
from datamodel.among import among
from datamodel.attributes import all_classes
from datamodel.clock import new_object_id
from datamodel.context import ARCHIVE, MYDB, WORLD
from datamodel.dialect import insert_absent
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.schema import owner, table_of
from datamodel.session import Session
from datamodel.standings import OF_WORLD, SEEN_BY, hidden_group, standing_state
from processing.standing_entries import chunks

FORGOTTEN = crash.declare("standings.forgotten", "what is hidden no more is forgotten, nothing is committed")

EVERYWHERE = ""
"""Stands for all chips, in what may matter at any of them."""

Group = tuple[int, str, str]
"""Level, project and creator of hidden things."""


class Hidden(NamedTuple):
    """That there is something hidden: of which group, and at which chip; a row of `hidden_group`."""

    privileges: int
    project: str
    creator: str
    chip_id: str


def group_of(privileges: int, project: str, creator: str) -> Group:
    """What a hidden thing belongs to, as far as it matters for who sees it."""
    return privileges, project if privileges < ARCHIVE else "", creator if privileges == MYDB else ""


def known_hidden(connection: sa.Connection) -> frozenset[Hidden]:
    """What was noted."""
    return frozenset(Hidden(*row) for row in connection.execute(sa.select(*hidden_group.c)))


def note_hidden(connection: sa.Connection, found: Iterable[Hidden]) -> None:
    """Remember that there is something hidden."""
    rows = [each._asdict() for each in sorted(set(found))]
    new = [row for row in rows if insert_absent(connection, hidden_group, row)]
    if new:
        stamp(connection)


def hidden_among(connection: sa.Connection, ids: Mapping[str, Iterable[str]]) -> set[Hidden]:
    """What is hidden of some objects, given by the names of their classes."""
    root = table_of(DBObject)
    found: set[Hidden] = set()
    for name, given in ids.items():
        for chunk in chunks(list(dict.fromkeys(given))):
            found |= _of_class(connection, name, among(connection, root.c.object_id, chunk))
    return found


def look_for_hidden(connection: sa.Connection) -> set[Hidden]:
    """What is hidden of all that there is."""
    root = table_of(DBObject)
    names = connection.scalars(sa.select(root.c.class_name).where(root.c.privileges < WORLD).distinct())
    return {each for name in names.all() for each in _of_class(connection, name, sa.true())}


def forget_hidden(session: Session) -> None:
    """Forget what is hidden no more."""
    with session.connection() as connection:
        if not known_hidden(connection):
            return
    with session.transaction() as connection:
        session.archive.database.hold_events(connection)  # nobody hides anything meanwhile
        there = look_for_hidden(connection)
        note_hidden(connection, there)
        gone = known_hidden(connection) - there
        if gone:
            stamp(connection)
        for each in gone:
            here = [hidden_group.c[name] == value for name, value in each._asdict().items()]
            connection.execute(sa.delete(hidden_group).where(*here))
        crash.reach(FORGOTTEN)


def stamp(connection: sa.Connection) -> None:
    """Have everybody look again who sees what."""
    row = {"view": OF_WORLD, "name": SEEN_BY, "value": new_object_id()}
    if not insert_absent(connection, standing_state, row):
        here = (standing_state.c.view == OF_WORLD, standing_state.c.name == SEEN_BY)
        connection.execute(sa.update(standing_state).where(*here).values(value=row["value"]))


def _of_class(connection: sa.Connection, name: str, these: sa.ColumnElement[bool]) -> set[Hidden]:
    root = table_of(DBObject)
    cls = next((each for each in all_classes() if each.__name__ == name), None)
    if cls is not None and not _plays_a_part(cls):
        return set()
    clause, chip = (root, sa.literal(EVERYWHERE)) if cls is None else _chips(cls)
    columns = (root.c.privileges, root.c.project, root.c.creator, sa.func.coalesce(chip, EVERYWHERE))
    here = (root.c.class_name == name, root.c.privileges < WORLD, these)
    rows = connection.execute(sa.select(*columns).select_from(clause).where(*here).distinct())
    return {Hidden(*group_of(*whose), chip_id) for *whose, chip_id in rows}


@cache
def _plays_a_part(cls: Any) -> bool:
    """Whether it can matter for any product who sees an object of a class."""
    return hasattr(cls, "of_exposure") or issubclass(cls, RawFrame | Instrument | Chip | Filter)


@cache
def _chips(cls: Any) -> tuple[Any, Any]:
    """Where the objects of a class stand beside their chips, and the column that has these."""
    root = table_of(DBObject)
    if getattr(cls, "of_exposure", False):
        own, raw = _holder(cls, "raw"), _holder(RawScienceFrame, "chip").alias()
        link = own.c[cls.__attributes__["raw"].column_name]
        clause = root.join(own, own.c.object_id == root.c.object_id)
        clause = clause.outerjoin(raw, raw.c.object_id == link)
        return clause, raw.c[RawScienceFrame.__attributes__["chip"].column_name]
    if "chip" not in cls.__attributes__:
        return root, sa.literal(EVERYWHERE)
    own = _holder(cls, "chip")
    clause = root.join(own, own.c.object_id == root.c.object_id)
    return clause, own.c[cls.__attributes__["chip"].column_name]


def _holder(cls: Any, name: str) -> sa.Table:
    return table_of(owner(cls, name))
