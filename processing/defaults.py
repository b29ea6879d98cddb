"""What is a process parameter where nobody says? Defaults of a person, of a project, and of instruments and chips."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamodel import crash, history
from datamodel.context import EVERY_PROJECT, Caller
from datamodel.datatypes import Timestamp
from datamodel.errors import ForbiddenError, NotFoundError, UsageError, nearest
from datamodel.rights import require_manager
from datamodel.schema import metadata, serial_column
from datamodel.session import Session
from processing.declarations import default_values, parameters
from processing.keys import Keys

USER, PROJECT, EVERYBODY = "user", "project", "everybody"
SCOPES = {
    EVERYBODY: "for everybody; it needs an instrument, chip or filter",
    PROJECT: "for those who work in the project",
    USER: "for oneself",
}
"""Whose default it is; the later ones win."""

SET = crash.declare("default.rows", "a default is written, the transaction is not committed")

default_value = sa.Table(
    "default_value",
    metadata,
    serial_column(),
    sa.Column("class_name", sa.String(100), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("scope", sa.String(10), nullable=False),
    sa.Column("owner", sa.String(100)),
    sa.Column("instrument", sa.String(100)),
    sa.Column("chip", sa.String(100)),
    sa.Column("filter", sa.String(100)),
    sa.Column("set_at", Timestamp(), nullable=False),
    sa.Column("set_by", sa.String(100), nullable=False),
    sa.Column("unset_at", Timestamp()),
    sa.Column("unset_by", sa.String(100)),
)
"""Defaults of process parameters as JSON, until `unset_at`; NULL names mean all instruments, chips or filters."""

_PLACES = ("instrument", "chip", "filter")


@dataclass(frozen=True)
class Place:
    """Where a default holds: names, or None for everywhere."""

    instrument: str | None = None
    chip: str | None = None
    filter: str | None = None

    def holds(self, keys: Keys) -> bool:
        """Whether some keys are in it."""
        named = ((getattr(self, place), getattr(keys, place)) for place in _PLACES)
        return all(wanted is None or (there is not None and there.name == wanted) for wanted, there in named)

    @property
    def specific(self) -> int:
        """How much of it is said; what says more wins."""
        return sum(getattr(self, place) is not None for place in _PLACES)

    def __str__(self) -> str:
        return " ".join(getattr(self, place) for place in _PLACES if getattr(self, place)) or "everywhere"


@dataclass(frozen=True)
class Default:
    """One default in force."""

    number: int
    class_name: str
    name: str
    value: Any
    scope: str
    place: Place
    set_by: str

    @property
    def strength(self) -> tuple[int, int, int]:
        """The largest wins."""
        return list(SCOPES).index(self.scope), self.place.specific, self.number


def in_force(session: Session) -> list[Default]:
    """All defaults that hold for the caller, the weakest first."""
    caller = session.caller
    t = default_value.c
    whose = [t.scope == EVERYBODY, sa.and_(t.scope == PROJECT, t.owner == caller.project)]
    if caller.user is not None:
        whose.append(sa.and_(t.scope == USER, t.owner == caller.user))
    when: list[sa.ColumnElement[bool]] = [t.unset_at.is_(None)]
    if caller.as_of is not None:
        when = [t.set_at <= caller.as_of, sa.or_(t.unset_at.is_(None), t.unset_at > caller.as_of)]
    with session.connection() as connection:
        rows = connection.execute(sa.select(default_value).where(sa.or_(*whose), *when)).mappings()
        found = [
            Default(
                row["id"],
                row["class_name"],
                row["name"],
                json.loads(row["value"]),
                row["scope"],
                Place(row["instrument"], row["chip"], row["filter"]),
                row["set_by"],
            )
            for row in rows
        ]
    return sorted(found, key=lambda default: default.strength)


def values_of(defaults: list[Default], cls: Any, keys: Keys) -> dict[str, Any]:
    """The parameters of a class for some keys, by name: what the defaults in force say, else the class."""
    known = parameters(cls)
    return default_values(cls) | {
        each.name: known[each.name].value(each.value)
        for each in defaults
        if each.class_name == cls.__name__ and each.name in known and each.place.holds(keys)
    }


def set_default(
    session: Session, cls: Any, name: str, value: Any, scope: str = USER, place: Place | None = None
) -> int:
    """Set a default in place of the one with the same scope and place, if there was one; gives its number.

    Raises
    ------
    UsageError
        There is no such parameter or scope, or the value is not of its type.
    ForbiddenError
        The caller may not set it.
    """
    place = place or Place()
    known = parameters(cls)
    if name not in known:
        raise UsageError(f"{cls.__name__} has no parameter '{name}'{nearest(name, known)}")
    who, owner = _owner(session.caller, scope)
    if scope == EVERYBODY and not place.specific:
        raise UsageError(
            "a default for everybody needs an instrument, a chip or a filter: the class has the rest"
        )
    row = {"class_name": cls.__name__, "name": name, "value": json.dumps(known[name].value(value))}
    row |= {"scope": scope, "owner": owner, **{p: getattr(place, p) for p in _PLACES}}
    with session.transaction() as connection:
        now = history.now(connection, session.archive.clock)
        same = [default_value.c[k].is_not_distinct_from(v) for k, v in row.items() if k != "value"]
        ended = {"unset_at": now, "unset_by": who}
        connection.execute(
            sa.update(default_value).where(*same, default_value.c.unset_at.is_(None)).values(ended)
        )
        made = connection.execute(sa.insert(default_value), row | {"set_at": now, "set_by": who})
        crash.reach(SET)
        return int((made.inserted_primary_key or (0,))[0])


def unset_default(session: Session, number: int) -> None:
    """End a default.

    Raises
    ------
    NotFoundError
        There is none of that number in force for the caller.
    ForbiddenError
        The caller may not end it.
    """
    found = next((each for each in in_force(session) if each.number == number), None)
    if found is None:
        raise NotFoundError(f"there is no default {number} in force")
    who, _ = _owner(session.caller, found.scope)
    with session.transaction() as connection:
        ended = {"unset_at": history.now(connection, session.archive.clock), "unset_by": who}
        here = sa.and_(default_value.c.id == number, default_value.c.unset_at.is_(None))
        connection.execute(sa.update(default_value).where(here).values(ended))


def _owner(caller: Caller, scope: str) -> tuple[str, str | None]:
    """Who sets a default, and whose it is."""
    if scope not in SCOPES:
        raise UsageError(f"scope is '{scope}', expected one of {', '.join(SCOPES)}{nearest(scope, SCOPES)}")
    if caller.as_of is not None:
        raise ForbiddenError(f"the archive as of {caller.as_of.isoformat()} cannot be changed")
    if caller.user is None:
        raise ForbiddenError("an anonymous caller has no defaults; log in first")
    if scope == EVERYBODY:
        require_manager(caller, "set or end a default for everybody")
    if scope == PROJECT and (caller.project == EVERY_PROJECT or caller.project not in caller.projects):
        raise ForbiddenError(f"{caller.user} is not a member of project '{caller.project}'")
    return caller.user, {USER: caller.user, PROJECT: caller.project}.get(scope)
