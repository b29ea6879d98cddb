"""Who asks, and which rows that caller may see."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.history import as_it_was

MYDB, PROJECT, ARCHIVE, WORLD, VO = 1, 2, 3, 4, 5
LEVELS = {MYDB: "MyDB", PROJECT: "Project", ARCHIVE: "AstroWISE", WORLD: "World", VO: "VO"}

NEWEST, NEAREST_SCOPE = "newest", "nearest-scope"
POLICIES = {
    NEWEST: "the newest wins, whoever sees it",
    NEAREST_SCOPE: "one's own wins over the project's, and that over everybody's; then the newest",
}
"""How the best of several calibrations is chosen."""

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
        The projects the user is a member of, all public ones among them.
    as_of
        The instant (naive, UTC) at which everything is seen as it was; None is the present.
    policy
        One of `POLICIES`.
    managed
        Those of the projects that the user is a manager of.
    """

    user: str | None = None
    project: str = EVERY_PROJECT
    level: int = MYDB
    projects: frozenset[str] = field(default_factory=frozenset)
    as_of: datetime | None = None
    policy: str = NEWEST
    managed: frozenset[str] = field(default_factory=frozenset)

    def at(
        self,
        project: str | None = None,
        level: int | None = None,
        as_of: datetime | None = None,
        policy: str | None = None,
    ) -> "Caller":
        """The same caller in another project, at another level, looking back from another instant, ..."""
        return replace(
            self,
            project=project or self.project,
            level=level or self.level,
            as_of=self.as_of if as_of is None else as_of,
            policy=policy or self.policy,
        )


ANONYMOUS = Caller()


def visible(objects: Any, caller: Caller) -> sa.ColumnElement[bool]:
    """The predicate that keeps the rows which `caller` may see.

    Levels 3 to 5 are seen across projects, 1 and 2 in the current project only; the levels are those
    of `LEVELS`. It is added to every table of every statement.

    Parameters
    ----------
    objects
        Anything with columns ``privileges``, ``creator`` and ``project``: `dbobject` or an alias of it. For a caller
        who looks back, it must be one of these.
    caller
        Who asks.
    """
    c = objects.c
    privileges = c.privileges
    if caller.as_of is not None:
        privileges = as_it_was(c.privileges, c.object_id, "_privileges", caller.as_of)
    seen: list[sa.ColumnElement[bool]] = [privileges >= max(WORLD, caller.level)]
    if caller.user is not None:
        here = sa.true() if caller.project == EVERY_PROJECT else c.project == caller.project
        member = c.project.in_(sorted(caller.projects))
        alternatives = {
            ARCHIVE: privileges == ARCHIVE,
            PROJECT: sa.and_(privileges == PROJECT, member, here),
            MYDB: sa.and_(privileges == MYDB, c.creator == caller.user, here),
        }
        seen += [predicate for level, predicate in alternatives.items() if level >= caller.level]
    if caller.as_of is not None:
        return sa.and_(c.creation_date <= caller.as_of, sa.or_(*seen))
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
