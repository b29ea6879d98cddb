"""Through whose eyes does the index tell how products stand? The world's, and those of projects with hidden things.

A view holds for everybody who sees exactly the same hidden things: which level, project and creator hidden things have
is kept beside the index, so that this is known without looking at the things.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from datamodel import crash
from datamodel.context import ARCHIVE, MYDB, PROJECT, SERVICE_ACCOUNT, WORLD, Caller, may_see
from datamodel.dialect import insert_absent
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
from processing.standing_hidden import EVERYWHERE, Group, Hidden, known_hidden, stamp

SETTLED = crash.declare("standings.settled", "views have begun or ended, the transaction is not committed")
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


def eyes_of(group: Group) -> Caller:
    """Sees what everybody sees who sees the things of a group."""
    privileges, project, creator = group
    if privileges == MYDB:
        return Caller(creator, level=MYDB, projects=frozenset({project}))
    return _eyes(project) if privileges < WORLD else Caller(SERVICE_ACCOUNT, level=WORLD)


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
    hidden
        What the world does not see.
    views
        All there are, the world's first.
    """

    stamp: str | None
    hidden: frozenset[Hidden]
    views: tuple[View, ...]

    def view_of(self, caller: Caller, chip_id: str | None = None) -> View:
        """The view that shows exactly what somebody sees, of one chip or of all; `NO_VIEW` where there is none."""
        if caller.user is None or caller.level >= WORLD:
            return THE_WORLD
        hidden = self.hidden if chip_id is None else self._at(chip_id)
        own = _seen(caller, hidden)
        return next((each for each in self.views if _seen(each.caller, hidden) == own), NO_VIEW)

    def _at(self, chip_id: str) -> frozenset[Hidden]:
        return frozenset(each for each in self.hidden if each.chip_id in (chip_id, EVERYWHERE))


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
    return Sight(stamp, known_hidden(connection), tuple(views(connection)))


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
        stamp(connection)
        crash.reach(SETTLED)


def _eyes(project: str) -> Caller:
    if project == EVERY_ACCOUNT:
        return Caller(SERVICE_ACCOUNT, level=ARCHIVE)
    return Caller(SERVICE_ACCOUNT, level=PROJECT, projects=frozenset({project}))


def _seen(caller: Caller, hidden: Iterable[Hidden]) -> frozenset[Hidden]:
    return frozenset(
        each
        for each in hidden
        if may_see(caller, privileges=each.privileges, project=each.project, creator=each.creator)
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
