"""Is the archive seen as it was, whatever is changed later?"""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import history, projects
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session


class Remembered(DBObject):
    """Something on which everything can change."""

    name = persistent("Name", str)
    seen = persistent("When it was seen", "TIMESTAMP", mutable=True)
    note = persistent("What is thought of it", "UNICODE", mutable=True)
    size = persistent("How large it is", float, mutable=True)
    friend = persistent("Another one", "Remembered", mutable=True)


_NAMES = ("name", "seen", "note", "size", "is_valid", "_privileges")


def _seen(archive: Archive, caller: Any) -> dict[str, tuple[Any, ...]]:
    """Everything of all that a caller sees, and what queries on what can change find."""
    with Session(archive, caller):
        found = {o.object_id: tuple(getattr(o, n) for n in _NAMES) for o in Remembered.select_all()}
        for each in Remembered.select_all():
            found[each.object_id] += (getattr(each.friend, "object_id", None),)
        queries = {
            "good": Remembered.is_valid > 0,
            "early": Remembered.seen < datetime(2026, 1, 5),
            "none": Remembered.note == None,  # noqa: E711
            "of good": Remembered.friend.is_valid == 1,
            "large": Remembered.friend.size > 0.5,
        }
        return found | {name: tuple(o.object_id for o in query) for name, query in queries.items()}


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.thorough) for s in (0, 2))])
@pytest.mark.thorough
def test_what_was_seen_is_seen_for_ever(archive: Archive, clock: Any, seed: int) -> None:
    chance = random.Random(seed)
    projects.set_member(archive, "P", "A", is_manager=True)
    callers = [archive.caller("A", "P"), archive.caller("B", "P"), archive.caller("C"), ANONYMOUS]
    seen: list[tuple[datetime, list[Any]]] = []
    made: list[str] = []
    for _ in range(15):
        with Session(archive, archive.caller("A", "P")):
            for _ in range(chance.randint(1, 3)):
                if not made or chance.random() < 0.3:
                    each = Remembered(name=f"n{len(made)}")
                else:
                    each = Remembered(object_id=chance.choice(made))
                _change(each, chance, made)
                each.commit()
                made += [each.object_id] if each.object_id not in made else []
        seen.append((archive.clock(), [_seen(archive, caller) for caller in callers]))
        if chance.random() < 0.8:
            clock.advance(seconds=chance.choice((1e-6, 0.5, 1000)))
        else:
            seen.pop()  # more is going to happen at this very instant
    clock.advance(days=1)
    for instant, before in seen[:: max(1, len(seen) // 5)]:
        assert [_seen(archive, caller.at(as_of=instant)) for caller in callers] == before, instant


def _change(each: Any, chance: random.Random, made: list[str]) -> None:
    each.is_valid = chance.choice((0, 1, 2))
    each.seen = chance.choice((None, datetime(2026, 1, 1) + timedelta(days=chance.randint(0, 9))))
    each.note = chance.choice((None, "", "None", "null", "ü\n'\"", "12"))
    each.size = chance.choice((None, 0.0, 1e-300, 0.1, -1.7976931348623157e308))
    each.friend = Remembered(object_id=chance.choice(made)) if made and chance.random() < 0.7 else None
    if each._privileges is None or each._privileges < 4:
        each._privileges = max(each._privileges or 1, chance.choice((1, 2, 3, 4)))


def test_who_looks_back_changes_nothing_and_sees_nothing_that_came_later(
    archive: Archive, clock: Any
) -> None:
    caller = archive.caller("A", "P")
    with Session(archive, caller):
        old = Remembered(name="old", note="first")
        old.commit()
    then = clock()
    clock.advance(days=1)
    with Session(archive, caller) as session:
        found = Remembered(object_id=old.object_id)
        found.note = "second"
        found.commit()
        new = Remembered(name="new")
        new.friend = found
        new.commit()
        assert [o.name for o in Remembered.select_all()] == ["old", "new"]
        session.caller = caller.at(as_of=then)
        assert [(o.name, o.note) for o in Remembered.select_all()] == [("old", "first")]
        with pytest.raises(NotFoundError):
            Remembered(object_id=new.object_id)
        with pytest.raises(ForbiddenError, match="as of 2026-01-01T00:00:00 cannot be changed"):
            Remembered(name="forged").commit()
        session.caller = caller
        assert Remembered(object_id=old.object_id).note == "second"


def test_nobody_sees_the_future(archive: Archive, clock: Any) -> None:
    with pytest.raises(UsageError, match="as of '2026-01-02T00:00:00': that lies in the future"):
        Session(archive, archive.caller("A").at(as_of=clock() + timedelta(days=1)))


def test_an_object_is_of_the_instant_of_its_commit_whatever_it_says(archive: Archive, clock: Any) -> None:
    with Session(archive, archive.caller("A", "P")):
        forged = Remembered(name="forged", creation_date=datetime(1990, 1, 1))
        forged.commit()
        assert forged.creation_date == clock()


def test_a_clock_that_is_set_back_does_not_change_the_past(archive: Archive, clock: Any) -> None:
    caller = archive.caller("A", "P")
    with Session(archive, caller):
        Remembered(name="first").commit()
        then = clock()
        clock.advance(hours=-1)
        later = Remembered(name="second")
        later.commit()
        assert later.creation_date == then


def test_the_log_tells_no_value_from_the_word_for_it(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        each = Remembered(name="x")
        each.commit()
        for note in ("None", None, ""):
            each.note = note
            each.commit()
    log = history.event
    with archive.database.read() as connection:
        changes = connection.execute(
            sa.select(log.c.old, log.c.new).where(log.c.kind == "changed").order_by(log.c.id)
        )
        assert [tuple(row) for row in changes] == [(None, "None"), ("None", None), (None, "")]
