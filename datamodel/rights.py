"""Who may change, promote, demote and delete an object? One table of levels, asked by every commit of a change."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel.accounts import membership
from datamodel.context import ARCHIVE, LEVELS, MYDB, PROJECT, SERVICE_ACCOUNT, VO, WORLD, Caller, may_see
from datamodel.errors import ForbiddenError
from datamodel.schema import metadata

CREATOR, MANAGER = "creator", "manager"

CHANGE, PROMOTE, DEMOTE, DELETE = "change", "promote", "demote", "delete"

RIGHTS: dict[str, dict[int, tuple[str, ...]]] = {
    CHANGE: {
        MYDB: (CREATOR,),
        PROJECT: (CREATOR, MANAGER),
        ARCHIVE: (MANAGER,),
        WORLD: (MANAGER,),
        VO: (MANAGER,),
    },
    PROMOTE: {MYDB: (CREATOR,), PROJECT: (MANAGER,), ARCHIVE: (MANAGER,), WORLD: (MANAGER,)},
    DEMOTE: {PROJECT: (CREATOR,)},
    DELETE: {MYDB: (CREATOR,), PROJECT: (CREATOR, MANAGER)},
}
"""By what is done and the level of the object: who may; where nobody is named, it is never done.

Promotion and demotion are by one level.
"""


@dataclass(frozen=True)
class Owned:
    """What decides over an object: who made it, for which project, and its level."""

    creator: str
    project: str
    privileges: int

    @property
    def level(self) -> str:
        """The level with its name: ``4 (World)``."""
        return f"{self.privileges} ({LEVELS.get(self.privileges, 'unknown')})"


def locked(connection: sa.Connection, object_id: str) -> Owned | None:
    """What decides over an object, which nobody else changes until the end of the transaction; None for no object."""
    c = metadata.tables["dbobject"].c
    here = sa.select(c.creator, c.project, c.privileges).where(c.object_id == object_id)
    row = connection.execute(here.with_for_update()).one_or_none()
    return None if row is None else Owned(*row)


def require_writer(caller: Caller) -> None:
    """See that a caller may change anything at all.

    Raises
    ------
    ForbiddenError
        It is a stranger, or looks back.
    """
    if caller.user is None:
        raise ForbiddenError("an anonymous caller cannot change the archive; log in first")
    if caller.as_of is not None:
        raise ForbiddenError(f"the archive as of {caller.as_of.isoformat()} cannot be changed")


def require_manager(caller: Caller, what: str) -> None:
    """See that a caller may do what holds for everybody: the managers of any project may, and the archive itself.

    Raises
    ------
    ForbiddenError
        It is a stranger, looks back, or manages nothing; `what` says what was asked for.
    """
    require_writer(caller)
    if caller.user != SERVICE_ACCOUNT and not caller.managed:
        raise ForbiddenError(
            f"{caller.user} may not {what}: it holds for everybody, and is for managers of projects"
        )


def sees(caller: Caller, owned: Owned) -> bool:
    """Whether a caller sees the object at all."""
    return may_see(caller, creator=owned.creator, project=owned.project, privileges=owned.privileges)


def may(caller: Caller, act: str, owned: Owned) -> bool:
    """Whether a caller may do one of the things in `RIGHTS` to an object."""
    return sees(caller, owned) and bool(_is(caller, owned) & {*RIGHTS[act].get(owned.privileges, ())})


def may_set_level(caller: Caller, owned: Owned, level: int) -> bool:
    """Whether a caller may promote or demote an object to a level, over all levels on the way."""
    return sees(caller, owned) and all(_is(caller, owned) & {*who} for who in _on_the_way(owned, level))


def require(connection: sa.Connection, caller: Caller, act: str, owned: Owned | None, named: Any) -> None:
    """See that a caller may do something to an object.

    Parameters
    ----------
    connection
        Knows who the managers are.
    caller, act, owned
        As in `may`; None is an object that there is not.
    named
        The object, as it is called in the message.

    Raises
    ------
    ForbiddenError
        It may not; the message says who may, to those who see the object.
    """
    if owned is not None and may(caller, act, owned):
        return
    refused = f"{caller.user} may not {act} {named!r}"
    if owned is None or not sees(caller, owned):
        raise ForbiddenError(refused)
    raise ForbiddenError(f"{refused}: {told(connection, owned, RIGHTS[act].get(owned.privileges, ()))}")


def require_level(connection: sa.Connection, caller: Caller, owned: Owned, level: int, named: Any) -> None:
    """See that a caller may promote or demote an object to a level; the same errors as `require`."""
    if may_set_level(caller, owned, level):
        return
    if not sees(caller, owned):
        raise ForbiddenError(f"{caller.user} may not change {named!r}")
    if level < owned.privileges:
        raise ForbiddenError(
            f"{named!r} has privileges {owned.privileges}; {caller.user} cannot lower them to {level}: "
            + ("only its creator can" if (owned.privileges, level) == (PROJECT, MYDB) else "nobody can")
        )
    raise ForbiddenError(
        f"{caller.user} may not promote {named!r} to level {level} ({LEVELS[level]}): "
        + told(connection, owned, lacking(caller, owned, level))
    )


def lacking(caller: Caller, owned: Owned, level: int) -> tuple[str, ...]:
    """Who the caller would have to be besides, to promote an object to a level."""
    missing = [who for who in _on_the_way(owned, level) if not _is(caller, owned) & {*who}]
    return tuple(dict.fromkeys(each for who in missing for each in who))


def told(connection: sa.Connection, owned: Owned, who: Iterable[str]) -> str:
    """Who may, in words: ``at level 4 (World), that is for the managers of project 'P' (eve)``."""
    words = {
        CREATOR: lambda: f"its creator ({owned.creator})",
        MANAGER: lambda: (
            f"the managers of project '{owned.project}' ({_managers(connection, owned.project)})"
        ),
    }
    named = " and ".join(words[each]() for each in who)
    return f"at level {owned.level}, that is for {named or 'nobody'}"


def _is(caller: Caller, owned: Owned) -> set[str]:
    """What a caller is to an object; the service account manages the projects that it works for."""
    manages = caller.projects if caller.user == SERVICE_ACCOUNT else caller.managed
    roles = {CREATOR: owned.creator == caller.user, MANAGER: owned.project in manages}
    return {role for role, holds in roles.items() if holds and caller.user is not None}


def _on_the_way(owned: Owned, level: int) -> list[tuple[str, ...]]:
    """Who may do each step from the level of an object to another."""
    here = owned.privileges
    if level >= here:
        return [RIGHTS[PROMOTE].get(each, ()) for each in range(here, level)]
    return [RIGHTS[DEMOTE].get(each, ()) for each in range(here, level, -1)]


def _managers(connection: sa.Connection, project: str) -> str:
    here = sa.select(membership.c.account).where(membership.c.project == project, membership.c.is_manager)
    return ", ".join(connection.scalars(here.order_by(membership.c.account))) or "it has none"
