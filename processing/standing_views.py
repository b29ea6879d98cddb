"""Through whose eyes does the index tell how products stand? The world's, and those of projects with hidden things.

A view holds for everybody who sees exactly the same hidden things: which level, project and creator hidden things have
is kept beside the index, so that this is known without looking at the things.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.clock import new_object_id
from datamodel.context import ARCHIVE, MYDB, PROJECT, SERVICE_ACCOUNT, WORLD, Caller, may_see
from datamodel.dialect import insert_absent
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import (
    OF_WORLD,
    SEEN_BY,
    hidden_group,
    standing,
    standing_role,
    standing_state,
    standing_view,
)

SETTLED = crash.declare("standings.settled", "views have begun or ended, the transaction is not committed")
FORGOTTEN = crash.declare("standings.forgotten", "what is hidden no more is forgotten, nothing is committed")

_PLAYS_NO_PART = "Comment"
"""The class of what products do not depend on, however hidden it is."""

EVERY_ACCOUNT = ""
"""Stands for a project in the view of who has an account, and sees what is at level 3."""


@dataclass(frozen=True)
class View:
    """One pair of eyes.

    Attributes
    ----------
    number
        Of its rows in the index; another view may have it later.
    caller
        Sees what it has.
    """

    number: int
    caller: Caller

    @property
    def project(self) -> str:
        """Whose it is, as in `standing_view`."""
        return next(iter(self.caller.projects), EVERY_ACCOUNT)


THE_WORLD = View(OF_WORLD, Caller(SERVICE_ACCOUNT, level=WORLD))
NO_VIEW = View(-1, Caller())
"""Is kept for nobody."""

Group = tuple[int, str, str]
"""Level, project and creator of hidden things, as in `hidden_group`."""


def group_of(privileges: int, project: str, creator: str) -> Group:
    """What a hidden thing belongs to, as far as it matters for who sees it."""
    return privileges, project if privileges < ARCHIVE else "", creator if privileges == MYDB else ""


def eyes_of(group: Group) -> Caller:
    """Sees what everybody sees who sees the things of a group."""
    privileges, project, creator = group
    if privileges == MYDB:
        return Caller(creator, level=MYDB, projects=frozenset({project}))
    return _eyes(project) if privileges < WORLD else Caller(SERVICE_ACCOUNT, level=WORLD)


def plays_a_part(class_name: str) -> bool:
    """Whether it can matter for any product who sees an object of a class."""
    return class_name != _PLAYS_NO_PART


def views(connection: sa.Connection) -> list[View]:
    """All there are, the world's first."""
    c = standing_view.c
    rows = connection.execute(sa.select(c.number, c.project).order_by(c.number))
    return [THE_WORLD, *(View(row.number, _eyes(row.project)) for row in rows)]


@dataclass(frozen=True)
class Sight:
    """Who sees what, as it was when it was looked up.

    Attributes
    ----------
    stamp
        Another one is told by the archive when it is otherwise.
    groups
        Of which there are hidden things.
    views
        All there are, the world's first.
    """

    stamp: str | None
    groups: frozenset[Group]
    views: tuple[View, ...]

    def view_of(self, caller: Caller) -> View:
        """The view that shows exactly what somebody sees; `NO_VIEW` where there is none."""
        if caller.user is None or caller.level >= WORLD:
            return THE_WORLD
        own = _seen(caller, self.groups)
        return next((each for each in self.views if _seen(each.caller, self.groups) == own), NO_VIEW)


def known_sight(session: Session, *, anew: bool = False) -> Sight:
    """Who sees what, as this process looked it up last; to be believed as long as the archive tells its stamp."""
    last: dict[str, Sight] = session.archive.resource("sight", dict)
    if anew or not last:
        with session.connection() as connection:
            last["last"] = look_around(connection)
    return last["last"]


def look_around(connection: sa.Connection) -> Sight:
    """Who sees what now."""
    here = (standing_state.c.view == OF_WORLD, standing_state.c.name == SEEN_BY)
    stamp = connection.scalar(sa.select(standing_state.c.value).where(*here))
    return Sight(stamp, frozenset(_groups(connection)), tuple(views(connection)))


def view_of(session: Session) -> View:
    """The view that shows what the caller of a session sees now, else the world's."""
    with session.connection() as connection:
        view = look_around(connection).view_of(session.caller)
    return THE_WORLD if view == NO_VIEW else view


def holds(connection: sa.Connection, view: View) -> bool:
    """Whether there is still such a view; nobody ends it until the end of the transaction."""
    here = (standing_view.c.number == view.number, standing_view.c.project == view.project)
    there = sa.select(standing_view.c.number).where(*here).with_for_update()
    return view == THE_WORLD or connection.scalar(there) is not None


def note_hidden(connection: sa.Connection, groups: Iterable[Group]) -> None:
    """Remember that there are hidden things of some groups."""
    rows = [dict(zip(hidden_group.c.keys(), group, strict=True)) for group in sorted(set(groups))]
    new = [row for row in rows if insert_absent(connection, hidden_group, row)]
    if new:
        _stamp(connection)


def look_for_hidden(connection: sa.Connection) -> set[Group]:
    """The groups of which there are hidden things."""
    root = table_of(DBObject)
    columns = (root.c.privileges, root.c.project, root.c.creator)
    hidden = sa.select(*columns).where(root.c.privileges < WORLD, root.c.class_name != _PLAYS_NO_PART)
    return {group_of(*row) for row in connection.execute(hidden.distinct())}


def forget_groups(session: Session) -> None:
    """Forget of which groups there is nothing hidden any more."""
    with session.transaction() as connection:
        session.archive.database.hold_events(connection)  # nobody hides anything meanwhile
        gone = _groups(connection) - look_for_hidden(connection)
        if gone:
            _stamp(connection)
        for group in gone:
            here = [column == value for column, value in zip(hidden_group.c, group, strict=True)]
            connection.execute(sa.delete(hidden_group).where(*here))
        crash.reach(FORGOTTEN)


def settle(session: Session) -> None:
    """Have a view for each project that has hidden things, as many as the archive is set to; end the others."""
    with session.connection() as connection:
        there = views(connection)[1:]
        if _wanted(session, connection, there) == {view.project for view in there}:
            return
    with session.transaction() as connection:
        there = views(connection)[1:]
        wanted = _wanted(session, connection, there)
        for view in there:
            if view.project not in wanted:
                _end(connection, view)
        for project in sorted(wanted - {view.project for view in there}):
            number = 1 + (connection.scalar(sa.select(sa.func.max(standing_view.c.number))) or OF_WORLD)
            insert_absent(connection, standing_view, {"number": number, "project": project})
        _stamp(connection)
        crash.reach(SETTLED)


def _eyes(project: str) -> Caller:
    if project == EVERY_ACCOUNT:
        return Caller(SERVICE_ACCOUNT, level=ARCHIVE)
    return Caller(SERVICE_ACCOUNT, level=PROJECT, projects=frozenset({project}))


def _stamp(connection: sa.Connection) -> None:
    """Have everybody look again who sees what."""
    row = {"view": OF_WORLD, "name": SEEN_BY, "value": new_object_id()}
    if not insert_absent(connection, standing_state, row):
        here = (standing_state.c.view == OF_WORLD, standing_state.c.name == SEEN_BY)
        connection.execute(sa.update(standing_state).where(*here).values(value=row["value"]))


def _groups(connection: sa.Connection) -> set[Any]:
    return {tuple(row) for row in connection.execute(sa.select(*hidden_group.c))}


def _seen(caller: Caller, groups: Iterable[Any]) -> frozenset[Any]:
    return frozenset(
        group for group in groups if may_see(caller, privileges=group[0], project=group[1], creator=group[2])
    )


def _wanted(session: Session, connection: sa.Connection, there: Iterable[View]) -> set[str]:
    """The projects that are to have a view: those that have one, then others in the order of their names."""
    levels = hidden_group.c.privileges.in_((PROJECT, ARCHIVE))
    found = set(connection.scalars(sa.select(hidden_group.c.project).where(levels)))
    known = {view.project for view in there}
    ordered = sorted(found, key=lambda project: (project not in known, project))
    return set(ordered[: session.archive.config.standing_views])


def _end(connection: sa.Connection, view: View) -> None:
    if holds(connection, view):
        connection.execute(sa.delete(standing_view).where(standing_view.c.number == view.number))
        for table in (standing_role, standing, standing_state):
            connection.execute(sa.delete(table).where(table.c.view == view.number))
