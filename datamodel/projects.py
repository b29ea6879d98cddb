"""Which projects are there, what may they hold at the most, and who works in them?"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.account_changes import checked_name
from datamodel.accounts import changing, membership, named, project
from datamodel.archive import Archive
from datamodel.context import EVERY_PROJECT, LEVELS
from datamodel.dialect import insert_absent
from datamodel.errors import NotFoundError, UsageError, nearest


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes
    ----------
    maximum_privileges
        Of its objects, 1 to 5.
    is_public
        Whether every account is a member.
    instrument
        The one it works with; None for any.
    members
        Accounts that were named as such, each with whether it is a manager.
    """

    name: str
    description: str
    maximum_privileges: int
    is_public: bool
    instrument: str | None
    members: tuple[tuple[str, bool], ...]


def add(archive: Archive, name: str, **values: Any) -> None:
    """Add a project.

    Parameters
    ----------
    archive, name
        Where, and which.
    **values
        As in `change`; a project is private and may hold every level where they do not say otherwise.

    Raises
    ------
    UsageError
        There is one of that name, or the name or a value cannot be one.
    """
    checked_name(name, "project")
    if name == EVERY_PROJECT:
        raise UsageError(f"'{name}' stands for every project, expected another name")
    usual = {"description": "", "maximum_privileges": max(LEVELS), "is_public": False}
    row = {"name": name, "created": archive.clock()} | usual | _checked(values)
    with changing(archive.database) as connection:
        if not insert_absent(connection, project, row):
            raise UsageError(
                f"there is a project '{name}' already; 'vo-server project change {name}' changes what it may"
            )


def change(archive: Archive, name: str, **values: Any) -> None:
    """Change what a project is; what its objects are already, they stay.

    Parameters
    ----------
    archive, name
        Where, and which.
    **values
        Any of `description`, `maximum_privileges`, `is_public` and `instrument`.

    Raises
    ------
    NotFoundError
        There is no such project.
    UsageError
        Nothing is said, or a value cannot be one.
    """
    new = _checked(values)
    if not new:
        raise UsageError(f"nothing is said of project '{name}', expected what is to change")
    with changing(archive.database) as connection:
        _named(connection, name)
        connection.execute(sa.update(project).where(project.c.name == name).values(**new))


def set_member(archive: Archive, name: str, user: str, is_manager: bool = False) -> None:
    """Make an account a member of a project, or a manager; who was a manager and is to be a member becomes one.

    Raises
    ------
    NotFoundError
        There is no such project or account.
    """
    key = {"project": name, "account": user}
    with changing(archive.database) as connection:
        _named(connection, name)
        named(connection, user)
        if not insert_absent(connection, membership, key | {"is_manager": is_manager}):
            here = (membership.c.project == name) & (membership.c.account == user)
            connection.execute(sa.update(membership).where(here).values(is_manager=is_manager))


def remove_member(archive: Archive, name: str, user: str) -> None:
    """Have an account be no member of a project any more; what it made there stays the project's.

    Raises
    ------
    NotFoundError
        There is no such project, or it is none of its members.
    """
    here = (membership.c.project == name) & (membership.c.account == user)
    with changing(archive.database) as connection:
        _named(connection, name)
        if not connection.execute(sa.delete(membership).where(here)).rowcount:
            known = connection.scalars(sa.select(membership.c.account).where(membership.c.project == name))
            raise NotFoundError(f"'{user[:100]}' is no member of project '{name}'{nearest(user, known)}")


def listed(archive: Archive) -> list[Project]:
    """All projects, by name."""
    members = sa.select(membership).order_by(membership.c.account)
    with archive.database.read() as connection:
        rows = list(connection.execute(sa.select(project).order_by(project.c.name)))
        who = list(connection.execute(members))
    return [
        Project(
            each.name,
            each.description or "",
            each.maximum_privileges,
            each.is_public,
            each.instrument,
            tuple((m.account, m.is_manager) for m in who if m.project == each.name),
        )
        for each in rows
    ]


def require_or_begin(archive: Archive, name: str) -> None:
    """See that there is a project; in an archive that has none it is the first, open to every level.

    Raises
    ------
    NotFoundError
        There are others, but not this.
    """
    with archive.database.read() as connection:
        if connection.scalar(sa.select(project.c.name).limit(1)) is not None:
            _named(connection, name)


def _named(connection: sa.Connection, name: str) -> None:
    if connection.scalar(sa.select(project.c.name).where(project.c.name == name)) is None:
        known = connection.scalars(sa.select(project.c.name))
        raise NotFoundError(f"there is no project '{name[:100]}'{nearest(name, known)}")


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Those values that are said."""
    said = {name: value for name, value in values.items() if value is not None}
    level = said.get("maximum_privileges", max(LEVELS))
    if level not in LEVELS:
        known = ", ".join(f"{number} {name}" for number, name in LEVELS.items())
        raise UsageError(f"the highest level of the project is {level}, expected one of {known}")
    return said
