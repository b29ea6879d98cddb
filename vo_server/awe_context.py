"""Who works at the prompt, in which project, and from which level on? The object called ``context`` there."""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from datamodel.archive import project
from datamodel.context import EVERY_PROJECT, LEVELS, VO, Caller
from datamodel.errors import UsageError, nearest
from datamodel.session import Session
from processing.asking import instant as as_instant


@dataclass(frozen=True, repr=False)
class Project:
    """A project as one works in it.

    Attributes
    ----------
    name, id, description
        What it is called, what identifies it, and what it is for.
    instrument
        The name of the instrument that it is about; empty for any.
    maximum_privileges
        The level (1 to 5) up to which its objects may be published.
    current_privileges
        The level below which nothing is seen now, and which new objects get.
    """

    name: str
    id: str
    description: str
    instrument: str
    maximum_privileges: int
    current_privileges: int

    def __repr__(self) -> str:
        shown = {
            "name": self.name,
            "id": self.id,
            "description": self.description or "none",
            "instrument": self.instrument or "any",
            "maximum privileges": level_text(self.maximum_privileges),
            "current privileges": level_text(self.current_privileges),
        }
        return "\n".join(f"- {name} : {text}" for name, text in shown.items())


def level_text(level: int) -> str:
    """``4 (World)``."""
    return f"{level} ({LEVELS[level]})"


class Context:
    """Who asks, in which project, and from which level on.

    Parameters
    ----------
    session
        The session that the prompt works in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def caller(self) -> Caller:
        """The caller in force."""
        return self._session.caller

    def set_project(self, name: str) -> None:
        """Work in another project; ``ALL`` is every project.

        Raises
        ------
        UsageError
            The account is not a member of it.
        """
        known = self.projects()
        if name not in known:
            raise UsageError(
                f"{self.caller.user} is not a member of project '{name}'{nearest(str(name), known)}"
                f"; there are {', '.join(known)}"
            )
        self._session.caller = self.caller.at(project=name)

    def set_privileges(self, level: int) -> None:
        """Hide what has lower privileges than `level` (1 to 5), and make new objects at it.

        Raises
        ------
        UsageError
            There is no such level.
        """
        if level not in LEVELS:
            raise UsageError(f"privileges are {level!r}, expected one of {', '.join(map(str, LEVELS))}")
        self._session.caller = self.caller.at(level=level)

    def as_of(self, instant: Any) -> None:
        """See the archive as it was at an instant, such as ``'2010-10-11'`` (UTC); None for as it is.

        Raises
        ------
        UsageError
            It is no instant, or has not come yet.
        """
        seen = None if instant is None else as_instant(instant, "as_of")
        self._session.caller = replace(self.caller, as_of=seen)

    def projects(self) -> list[str]:
        """The names of the projects one may work in."""
        return sorted(self.caller.projects | {EVERY_PROJECT})

    def get_current_project(self) -> Project:
        """The current project, with its privileges and those in force now."""
        caller, row = self.caller, dict[str, Any]()
        if caller.project != EVERY_PROJECT:
            found = self._session.execute(sa.select(project).where(project.c.name == caller.project))
            row = dict(found[0]) if found else {}
        everything = "all that one may see, of whatever project" if caller.project == EVERY_PROJECT else ""
        return Project(
            caller.project,
            str(row.get("id", caller.project)),
            row.get("description") or everything,
            row.get("instrument") or "",
            row.get("maximum_privileges", VO),
            caller.level,
        )

    def __repr__(self) -> str:
        caller = self.caller
        shown = f"- username : {caller.user}\n- project : {caller.project}\n"
        past = f"\n- as of : {caller.as_of.isoformat(sep=' ')}" if caller.as_of else ""
        return f"{shown}- current privileges : {level_text(caller.level)}{past}"
