"""How do more people come to see an object? A plan says what goes along and what is in the way; then all, or nothing.

An object is seen with what describes it (its chip, filter, statistics) and with what it was made from.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from datamodel import crash, history, levels, rights
from datamodel.accounts import project
from datamodel.attributes import is_known
from datamodel.context import LEVELS, MYDB, PROJECT, VO
from datamodel.deletion import referring
from datamodel.errors import ForbiddenError, UsageError, nearest
from datamodel.levels import Step
from datamodel.linked import Thing, links, things
from datamodel.rights import Owned
from datamodel.session import Session

WRITTEN = crash.declare("publish.levels", "all levels are set, the transaction is not committed")
DONE = crash.declare("publish.done", "all levels are committed, the caller does not know yet")

WHOLE, REDACTED = "whole", "redacted"
LINEAGES = {
    WHOLE: "all that it was made from is seen by those who see it, or it is refused",
    REDACTED: "what it was made from and cannot go along stays hidden: one sees that it was used, and its class",
}

SHOWN = 20
"""Objects that are in the way, and are named one by one at the most."""


RELIED_ON = f"something at level {PROJECT} {LEVELS[PROJECT]} or above refers to it, so it is not taken back"
"""Tells nothing of what that is, for not everybody may see it."""


@dataclass(frozen=True)
class Left:
    """An object that stays at its level, and why."""

    object_id: str
    class_name: str
    why: str

    def __str__(self) -> str:
        return f"{self.class_name} {self.object_id}: {self.why}"


@dataclass(frozen=True)
class PublishPlan:
    """What publishing an object does.

    Attributes
    ----------
    object_id, class_name
        The object.
    level
        Its level then.
    deep
        Whether what it was made from goes along.
    lineage
        One of `LINEAGES`.
    steps
        The objects whose level changes, the object itself first; comments are among them.
    refused
        What is in the way; nothing can be done then.
    hidden
        What it was made from that stays hidden from those who will see it.
    """

    object_id: str
    class_name: str
    level: int
    deep: bool
    lineage: str
    steps: tuple[Step, ...]
    refused: tuple[Left, ...] = ()
    hidden: tuple[Left, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether it can be carried out."""
        return not self.refused

    @property
    def digest(self) -> str:
        """Stands for all that it says: another one, and it is another plan."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]

    def counted(self) -> list[tuple[int, str, int, int]]:
        """How many objects of each class come from a level to another."""
        found = Counter((s.class_name, s.before, s.after) for s in self.steps)
        return [(count, *which) for which, count in found.items()]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self) | {"is_allowed": self.is_allowed}

    def __str__(self) -> str:
        goal = f"{self.class_name} {self.object_id} at level {said(self.level)}"
        lines = [goal if self.is_allowed else f"{goal}: refused"]
        lines += [f"{n:8d}  {name}  {said(old)} -> {said(new)}" for n, name, old, new in self.counted()]
        if self.is_allowed and not self.steps:
            lines.append("nothing changes")
        for title, left in (("is in the way", self.refused), ("stays hidden", self.hidden)):
            lines += [f"  {title}: {each}" for each in left[:SHOWN]]
            if len(left) > SHOWN:
                lines.append(f"  {title}: {len(left) - SHOWN} more")
        return "\n".join(lines)


def said(level: int) -> str:
    """A level with its name: ``4 World``."""
    return f"{level} {LEVELS[level]}"


def level_of(text: str) -> int:
    """A level that was given by its number or its name.

    Raises
    ------
    UsageError
        It is neither; the message names all, and the nearest.
    """
    known = {str(number): number for number in LEVELS} | {n.lower(): number for number, n in LEVELS.items()}
    if text.strip().lower() not in known:
        listed = ", ".join(map(said, LEVELS))
        raise UsageError(
            f"the level is '{text[:100]}', expected one of {listed}{nearest(text, LEVELS.values())}"
        )
    return known[text.strip().lower()]


def plan(
    session: Session, instance: Any, level: int, *, deep: bool = True, lineage: str = WHOLE
) -> PublishPlan:
    """What `publish` would do; changes nothing.

    Parameters
    ----------
    session
        Whose caller is to publish.
    instance
        A stored object.
    level
        1 to 5; a lower one than it has takes the object back, which only its creator can, from 2 to 1, and only
        while nothing from level 2 on refers to it.
    deep
        Whether what it was made from goes along, at any depth. What describes it always does.
    lineage
        One of `LINEAGES`.

    Raises
    ------
    UsageError
        There is no such level or lineage, or it is no object that is published by itself.
    """
    _check(instance, level, lineage)
    levels.prepare(session)
    with session.connection() as connection:
        found = things(connection, [instance.object_id]).get(instance.object_id)
        if found is None:
            raise UsageError(f"commit {instance!r} before it is published")
        walk = _Walk(session, connection, found, level, deep, lineage)
        if level < found.owned.privileges:
            walk.take_back()
        else:
            walk.follow()
        about = {found.object_id: level} | {step.object_id: step.after for step in walk.steps}
        comments = levels.of_comments(connection, about) if not walk.refused else []
    steps = (*walk.steps, *comments)
    return PublishPlan(
        found.object_id,
        found.class_name,
        level,
        deep,
        lineage,
        steps,
        tuple(walk.refused),
        tuple(walk.hidden),
    )


def publish(
    session: Session, instance: Any, level: int, *, deep: bool = True, lineage: str = WHOLE, agreed: str = ""
) -> PublishPlan:
    """Carry out the plan, all of it or nothing; gives it back.

    Parameters
    ----------
    session, instance, level, deep, lineage
        As in `plan`.
    agreed
        Digest of the plan that was looked at; nothing is done where it is another one by now.

    Raises
    ------
    UsageError
        As in `plan`; or it is another plan by now.
    ForbiddenError
        Something is in the way; the message has the plan.
    """
    rights.require_writer(session.caller)
    with session.transaction() as connection:
        if level == MYDB:
            session.archive.database.hold_events(connection)  # nobody begins to refer to it
        session.archive.database.share_events(connection)
        found = plan(session, instance, level, deep=deep, lineage=lineage)
        if not found.is_allowed:
            raise ForbiddenError(str(found))
        if agreed and agreed != found.digest:
            raise UsageError("the plan has changed since it was shown; look at it again")
        carry_out(session, connection, found)
        crash.reach(WRITTEN)
    crash.reach(DONE)
    return found


def carry_out(session: Session, connection: sa.Connection, found: PublishPlan) -> None:
    """Set the levels of a plan that is allowed, in a transaction."""
    if found.steps:
        levels.write(session, connection, found.steps, history.now(connection, session.archive.clock))
        for listener in session.archive.listeners:
            session.after_commit(listener)


def follow(session: Session, connection: sa.Connection, promoted: Sequence[Any]) -> None:
    """Have what describes objects, and the comments on them, follow a change of their levels in a transaction.

    Parameters
    ----------
    session, connection
        Where, and the transaction that has changed their levels.
    promoted
        The objects.

    Raises
    ------
    ForbiddenError
        What one of them was made from is not seen by those who see it now, or one that is taken back is in use.
    """
    for instance in promoted:
        if instance._privileges == MYDB and _is_relied_on(connection, instance.object_id):
            raise ForbiddenError(f"{instance!r}: {RELIED_ON}")
        found = plan(session, instance, instance._privileges, deep=False)
        if not found.is_allowed:
            raise ForbiddenError(f"{found}\nuse publish({found.level}), which takes along what it can")
        carry_out(session, connection, found)


def is_taken_back(instance: Any) -> bool:
    """Whether the changes of a stored object hide it from others."""
    return "_privileges" in instance.__state__.changed and instance._privileges == MYDB


def _is_relied_on(connection: sa.Connection, object_id: str) -> bool:
    """Whether what others may see refers to an object, so that it cannot be hidden from them."""
    found = things(connection, referring(connection, object_id))
    return any(each.owned.privileges >= PROJECT for each in found.values())


def _check(instance: Any, level: int, lineage: str) -> None:
    if isinstance(level, bool) or level not in LEVELS:
        raise UsageError(f"the level is {level!r}, expected one of {', '.join(map(said, LEVELS))}")
    if lineage not in LINEAGES:
        raise UsageError(
            f"the lineage is '{lineage}', expected one of {', '.join(LINEAGES)}{nearest(str(lineage), LINEAGES)}"
        )
    if type(instance).__name__ == "Comment":
        raise UsageError("a comment has the level of what it is about: publish that")


class _Walk:
    """The way from an object over all that it shows, one statement for each kind of link and depth."""

    def __init__(
        self,
        session: Session,
        connection: sa.Connection,
        root: Thing,
        level: int,
        deep: bool,
        lineage: str,
    ) -> None:
        self.caller = session.caller
        self.connection = connection
        self.root = root
        self.level = level
        self.deep = deep
        self.lineage = lineage
        self.steps: list[Step] = []
        self.refused: list[Left] = []
        self.hidden: list[Left] = []
        self._most: dict[str, int] = {}

    def take_back(self) -> None:
        """Lower the object alone."""
        if self.level >= PROJECT or not rights.may_set_level(self.caller, self.root.owned, self.level):
            self._refuse(self.root, "it is taken back by its creator alone, from 2 Project to 1 MyDB")
        elif _is_relied_on(self.connection, self.root.object_id):
            self._refuse(self.root, RELIED_ON)
        else:
            self._step(self.root)

    def follow(self) -> None:
        """Go along all links; what is not seen by those who see the object is raised, or left with a reason."""
        known = {self.root.object_id}
        shown = [self.root]
        self._take(self.root)
        while shown:
            parts = self._new(links(self.connection, shown, roles=False), known)
            made_from = self._new(links(self.connection, shown, roles=True), known)
            shown = [each for each in parts if self._take(each)]
            shown += [each for each in made_from if self._take(each, is_used=True)]

    def _new(self, ids: Iterable[str], known: set[str]) -> list[Thing]:
        fresh = [each for each in ids if each not in known]
        known.update(fresh)
        found = things(self.connection, fresh)
        return [found[each] for each in fresh if each in found]

    def _take(self, each: Thing, *, is_used: bool = False) -> bool:
        """Whether those who will see the root see this object too; where need be it is raised for them.

        Only what others were made from can stay hidden: without what describes it, nobody can use an object.
        """
        if self._is_seen(each.owned):
            return True
        why = self._why_not(each, is_used and not self.deep)
        if not why:
            self._step(each)
            return True
        if self.lineage == REDACTED and is_used:
            self.hidden.append(Left(each.object_id, each.class_name, why))
        else:
            self._refuse(each, why)
        return False

    def _is_seen(self, owned: Owned) -> bool:
        """Whether an object is seen by all who see the root at its new level."""
        if self.level == PROJECT:
            return owned.privileges > PROJECT or (owned.privileges, owned.project) == (
                PROJECT,
                self.root.owned.project,
            )
        return self.level == MYDB or owned.privileges >= self.level

    def _why_not(self, each: Thing, stays: bool) -> str:
        """What keeps an object from being raised; empty for nothing."""
        owned, caller = each.owned, self.caller
        if not rights.sees(caller, owned):
            return "you may not see it"
        if stays:
            return f"it is at level {owned.level}, and was to stay there"
        if not is_known(each.class_name):
            return "its class is not known to this program, nor what it links to"
        if self.level == PROJECT and owned.project != self.root.owned.project:
            return f"it is of project '{owned.project}', and not seen in '{self.root.owned.project}'"
        if self._maximum(owned.project) < self.level:
            return f"project '{owned.project}' allows levels up to {said(self._maximum(owned.project))}"
        if not rights.may_set_level(caller, owned, self.level):
            return rights.told(self.connection, owned, rights.lacking(caller, owned, self.level))
        return ""

    def _maximum(self, name: str) -> int:
        if name not in self._most:
            here = sa.select(project.c.maximum_privileges).where(project.c.name == name)
            self._most[name] = self.connection.scalar(here) or VO
        return self._most[name]

    def _step(self, each: Thing) -> None:
        owned = each.owned
        self.steps.append(Step(each.object_id, each.class_name, owned.project, owned.privileges, self.level))

    def _refuse(self, each: Thing, why: str) -> None:
        self.refused.append(Left(each.object_id, each.class_name, why))
