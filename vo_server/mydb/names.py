"""Which table of whom does a name mean, and what may its caller do with it?"""

from collections.abc import Iterable

import sqlalchemy as sa

from datamodel import accounts, mydb, rights
from datamodel.archive import Archive
from datamodel.catalogues import Entry, known
from datamodel.context import PROJECT, VO, Caller
from datamodel.errors import ForbiddenError, LoginError, NotFoundError, UsageError, nearest
from vo_server.catalogue.names import LONGEST, is_regular


def user_of(caller: Caller) -> str:
    """The account that asks.

    Raises
    ------
    LoginError
        It is a stranger.
    """
    if caller.user is None:
        raise LoginError("strangers keep no tables here; log in to have some of your own")
    return caller.user


def meant(name: str, caller: Caller) -> tuple[str, str]:
    """The schema, as it is kept, and the table of a name.

    Parameters
    ----------
    name
        ``stars``, ``mydb.stars`` or ``mydb_<user>.stars``, in any case, with or without quotes.
    caller
        Whose ``mydb`` it is.

    Raises
    ------
    LoginError
        It is a stranger's.
    ForbiddenError
        It is a table of the archive.
    UsageError
        No table can be called so.
    """
    own = mydb.schema_of(user_of(caller))
    schema, dot, table = name.replace('"', "").strip().lower().rpartition(".")
    if dot and not mydb.is_mydb(schema):
        raise ForbiddenError(f"'{name[:200]}' is no table of your own, expected {mydb.SCHEMA}.NAME")
    if not is_regular(table):
        raise UsageError(
            f"the name is '{name[:200]}', expected {mydb.SCHEMA}.NAME, NAME being letters, digits and _, "
            f"a letter first, at most {LONGEST} characters"
        )
    return own if not dot or schema == mydb.SCHEMA else schema, table


def new_name(name: str, caller: Caller) -> str:
    """The full name of a table that the caller is going to make; see `meant`.

    Raises
    ------
    ForbiddenError
        It would be another's.
    """
    schema, table = meant(name, caller)
    if schema != mydb.schema_of(user_of(caller)):
        raise ForbiddenError(
            f"'{name[:200]}' is in the schema of somebody else, expected {mydb.SCHEMA}.{table}"
        )
    return f"{schema}.{table}"


def found(archive: Archive, name: str, caller: Caller) -> Entry:
    """The table of a name that the caller may see.

    Raises
    ------
    NotFoundError
        There is none; the message has the nearest of those that the caller may see.
    """
    return named(known(archive).seen_by(caller), name, caller)


def named(entries: Iterable[Entry], name: str, caller: Caller) -> Entry:
    """The same among catalogues of which the caller may see some."""
    schema, table = meant(name, caller)
    seen = [each for each in entries if mydb.is_mydb(each.schema) and each.seen_by(caller)]
    for each in seen:
        if (each.schema, each.table) == (schema, table):
            return each
    near = nearest(mydb.own_name(f"{schema}.{table}", caller), [shown(each, caller) for each in seen])
    raise NotFoundError(f"there is no table '{name[:200]}'{near}")


def require_own(entry: Entry, caller: Caller) -> Entry:
    """See that the caller may change the rows of a table.

    Raises
    ------
    ForbiddenError
        It is somebody else's, or published beyond its project.
    """
    if entry.creator != caller.user:
        raise ForbiddenError(f"the table '{shown(entry, caller)}' is somebody else's: you may only read it")
    _refuse_published(entry, caller)
    return entry


def require_removable(entry: Entry, caller: Caller) -> Entry:
    """See that the caller may remove a table, as if it were an object.

    Raises
    ------
    ForbiddenError
        It is somebody else's, or published beyond its project.
    """
    _refuse_published(entry, caller)
    if not rights.may(caller, rights.DELETE, owned(entry)):
        raise ForbiddenError(f"the table '{shown(entry, caller)}' is somebody else's: you may only read it")
    return entry


def require_project(caller: Caller, project: str) -> None:
    """See that the caller may have a table be seen in a project.

    Raises
    ------
    ForbiddenError
        It is no member.
    """
    if project not in caller.projects:
        mine = ", ".join(sorted(caller.projects)) or "none"
        raise ForbiddenError(f"you are no member of project '{project}'; your projects are: {mine}")


def require_held(connection: sa.Connection, project: str, level: int) -> None:
    """See that a project holds what is at a level.

    Raises
    ------
    ForbiddenError
        It holds nothing that is so high.
    """
    said = sa.select(accounts.project.c.maximum_privileges)
    most = connection.scalar(said.where(accounts.project.c.name == project))
    if level > (VO if most is None else most):
        raise ForbiddenError(f"project '{project}' holds nothing above level {most}")


def owned(entry: Entry) -> rights.Owned:
    """What decides over a table."""
    return rights.Owned(entry.creator, entry.project, entry.privileges)


def _refuse_published(entry: Entry, caller: Caller) -> None:
    if entry.privileges > PROJECT:
        raise ForbiddenError(
            f"the table '{shown(entry, caller)}' is published at level {entry.privileges}: it stays as it is"
        )


def shown(entry: Entry, caller: Caller) -> str:
    """A table as the caller calls it."""
    return mydb.own_name(entry.name, caller)
