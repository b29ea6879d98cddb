"""Who asks, and which rows that caller may see."""

from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

MYDB, PROJECT, ARCHIVE, WORLD, VO = 1, 2, 3, 4, 5
LEVELS = {MYDB: "MyDB", PROJECT: "Project", ARCHIVE: "AstroWISE", WORLD: "World", VO: "VO"}

EVERY_PROJECT = "ALL"
SERVICE_ACCOUNT = "archive"


@dataclass(frozen=True)
class Caller:
    """The context in which something is asked: identity, project and minimum privileges.

    Attributes
    ----------
    user
        Account name; None is an anonymous stranger.
    project
        The current project, or ``ALL``: no project filter.
    level
        The minimum privileges 1..5: lower levels are hidden, and new objects are created at it.
    projects
        The projects the user is a member of.
    """

    user: str | None = None
    project: str = EVERY_PROJECT
    level: int = MYDB
    projects: frozenset[str] = field(default_factory=frozenset)

    def at(self, project: str | None = None, level: int | None = None) -> "Caller":
        """The same caller in another project or at another level."""
        return replace(self, project=project or self.project, level=level or self.level)


ANONYMOUS = Caller()


def visible(objects: Any, caller: Caller) -> sa.ColumnElement[bool]:
    """The predicate that keeps the rows which `caller` may see.

    Levels 3 to 5 are seen across projects, 1 and 2 in the current project only; the levels are those
    of `LEVELS`. It is added to every table of every statement.

    Parameters
    ----------
    objects
        Anything with columns ``privileges``, ``creator`` and ``project``: `dbobject` or an alias of it.
    caller
        Who asks.
    """
    c = objects.c
    seen: list[sa.ColumnElement[bool]] = [c.privileges >= max(WORLD, caller.level)]
    if caller.user is not None:
        here = sa.true() if caller.project == EVERY_PROJECT else c.project == caller.project
        member = c.project.in_(sorted(caller.projects))
        alternatives = {
            ARCHIVE: c.privileges == ARCHIVE,
            PROJECT: sa.and_(c.privileges == PROJECT, member, here),
            MYDB: sa.and_(c.privileges == MYDB, c.creator == caller.user, here),
        }
        seen += [predicate for level, predicate in alternatives.items() if level >= caller.level]
    return sa.or_(*seen)


def may_see(caller: Caller, *, creator: str, project: str, privileges: int) -> bool:
    """The same predicate for one object in memory."""
    if privileges < caller.level:
        return False
    here = caller.project in (EVERY_PROJECT, project)
    decide = {
        MYDB: caller.user is not None and creator == caller.user and here,
        PROJECT: caller.user is not None and project in caller.projects and here,
        ARCHIVE: caller.user is not None,
    }
    return decide.get(privileges, True)
