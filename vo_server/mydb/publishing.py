"""Who sees a table of one's own besides its creator, and who may decide that? The rules are those of all objects."""

from dataclasses import replace

import sqlalchemy as sa

from datamodel import catalogues, rights
from datamodel.archive import Archive
from datamodel.catalogues import Entry
from datamodel.context import LEVELS, MYDB, Caller
from datamodel.errors import UsageError
from vo_server.catalogue.importing import changing
from vo_server.mydb.names import named, owned, require_held, require_project, shown


def publish(archive: Archive, caller: Caller, name: str, level: int, project: str | None = None) -> Entry:
    """Have a table be seen by more, or from its project by its creator alone again.

    Parameters
    ----------
    archive
        Prepared.
    caller
        Its creator, or beyond level 2 a manager of its project.
    name
        See `vo_server.mydb.names.meant`.
    level
        Privileges 1 to 5 that it has from then on.
    project
        To which it goes as it leaves level 1; None for the one that it has.

    Returns
    -------
    Entry
        The table as it is now.

    Raises
    ------
    NotFoundError
        There is no such table.
    ForbiddenError
        The caller may not decide that, it is published already, or its project holds no such level.
    UsageError
        There is no such level, it has that level, or a project is named where it has one.
    """
    if level not in LEVELS:
        known = ", ".join(f"{number} {word}" for number, word in LEVELS.items())
        raise UsageError(f"the level is {level}, expected one of {known}")
    found = named(catalogues.known(archive).seen_by(caller), name, caller)
    with changing(archive, found.creator) as connection:
        entry = named(catalogues.entries(connection, found.creator), name, caller)
        if project is not None and project != entry.project:
            if entry.privileges != MYDB:
                raise UsageError(
                    f"the table '{shown(entry, caller)}' is of project '{entry.project}' already"
                )
            entry = replace(entry, project=project)
        _require(connection, entry, caller, level)
        return catalogues.change(connection, archive, replace(entry, privileges=level))


def _require(connection: sa.Connection, entry: Entry, caller: Caller, level: int) -> None:
    called = f"the table '{shown(entry, caller)}'"
    if level == entry.privileges:
        raise UsageError(f"{called} is at level {level} already")
    if level > MYDB:
        require_project(caller, entry.project)
    rights.require_level(connection, caller, owned(entry), level, shown(entry, caller))
    require_held(connection, entry.project, level)
