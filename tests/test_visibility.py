"""Does a caller see what `may_see` allows, and nothing else, through every door of the data model?"""

from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.context import ANONYMOUS, Caller, may_see
from datamodel.errors import NotFoundError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session
from datamodel.state import Restricted
from datamodel.views import class_table, class_tables


class VisibleThing(DBObject):
    """Something of one level, project and creator."""

    natural_key = "label"
    label = persistent("Says who, where and which level", str, indexed=True)


class VisibleHolder(DBObject):
    """Seen by everybody; links to things that are not."""

    key = persistent("Names the thing", str)
    thing = persistent("A thing", VisibleThing)
    things = persistent("All things", [VisibleThing])
    plain = persistent("The thing once more, as a plain object", DBObject)


OWNERS = (("A", "P"), ("B", "P"), ("C", "Q"))
CALLERS = [
    Caller(user, project, level, projects)
    for (user, projects), project, level in product(
        (("A", frozenset("P")), ("B", frozenset("P")), ("C", frozenset("Q")), (None, frozenset())),
        ("P", "Q", "ALL"),
        (1, 2, 3, 4, 5),
    )
]


@pytest.fixture
def things(archive: Archive) -> list[Any]:
    """One thing per owner and level, each held by a holder of level 4; one more holder holds all."""
    made = []
    for user, project in OWNERS:
        session = Session(archive, archive.caller(user, project))
        new = [VisibleThing(label=f"{user}{project}{level}", _privileges=level) for level in range(1, 6)]
        commit(session, new)
        made += new
    holders = [VisibleHolder(key=t.label, thing=t, plain=t, _privileges=4) for t in made]
    holders.append(VisibleHolder(key="all", things=made, _privileges=5))
    commit(Session(archive, archive.caller("A", "P")), holders)
    return made


def seen_by(caller: Caller, things: list[Any]) -> list[str]:
    return [
        t.label
        for t in things
        if may_see(caller, creator=t._creator, project=t._project, privileges=t._privileges)
    ]


def test_the_levels_are_those_of_the_written_oracle(archive: Archive, things: list[Any]) -> None:
    own = [t for t in things if t.label.startswith("AP")]
    for user, project, level, expected in (
        ("A", "P", 1, "12345"),
        ("B", "P", 1, "2345"),
        ("C", "Q", 1, "345"),
        (None, "ALL", 1, "45"),
        ("A", "P", 3, "345"),
        ("A", "Q", 1, "345"),
        ("A", "ALL", 1, "12345"),
    ):
        caller = archive.caller(user, project, level) if user else ANONYMOUS
        assert "".join(label[-1] for label in seen_by(caller, own)) == expected
        with Session(archive, caller):
            found = [t.label for t in VisibleThing.select_all() if t.label.startswith("AP")]
        assert "".join(label[-1] for label in found) == expected


def test_queries_counts_and_views_show_what_may_be_seen(archive: Archive, things: list[Any]) -> None:
    for caller in CALLERS:
        expected = seen_by(caller, things)
        with Session(archive, caller):
            assert [t.label for t in VisibleThing.select_all()] == expected
            assert len(VisibleThing.select_all()) == len(expected)
            assert [t.label for t in ~(VisibleThing.label == "none")] == expected
            assert len(VisibleThing.label.like("*")[:]) == len(expected)
        rows = class_table(VisibleThing).selectable(caller)
        with archive.database.read() as connection:
            labels = list(connection.execute(sa.select(rows.c.label)).scalars())
        assert sorted(labels) == sorted(expected)


def test_a_link_to_a_hidden_object_is_a_stub(archive: Archive, things: list[Any]) -> None:
    for caller in CALLERS:
        expected = seen_by(caller, things)
        with Session(archive, caller):
            for holder in VisibleHolder.key != "all":
                shown = not isinstance(holder.thing, Restricted)
                assert shown is (holder.key in expected)
                assert isinstance(holder.plain, Restricted) is not shown
                if not shown:
                    with pytest.raises(NotFoundError, match="is restricted: its label may not be seen"):
                        holder.thing.label  # noqa: B018
                    with pytest.raises(NotFoundError, match="there is no VisibleThing"):
                        VisibleThing(object_id=holder.thing.object_id)


def test_conditions_cannot_be_used_to_guess_hidden_values(archive: Archive, things: list[Any]) -> None:
    for caller in CALLERS[::4]:
        held = seen_by(caller, things) if caller.level < 5 else []
        with Session(archive, caller):
            holders = VisibleHolder.key != "all"
            assert [h.key for h in holders & (VisibleHolder.thing.label.like("*"))] == held
            assert [h.key for h in holders & ~(VisibleHolder.thing.label == "none")] == held
            assert [h.key for h in holders & ~VisibleHolder.thing.label.in_(["none"])] == held
            assert [h.key for h in holders & (VisibleHolder.plain.creation_date != None)] == held  # noqa: E711
            for thing in things[::3]:
                hit = (VisibleHolder.things.label == thing.label).exists()
                assert hit is (thing.label in seen_by(caller, things))
                assert VisibleHolder.things.contains(thing.label).exists() is hit
            first = (VisibleHolder.thing.label.like("*")).min("thing.label")
            assert (first.key if first else None) == min(held, default=None)


def test_a_list_holds_stubs_for_hidden_members_and_its_view_leaves_them_out(
    archive: Archive, things: list[Any]
) -> None:
    view = next(t for t in class_tables() if t.name == "visible_holder__things")
    for caller in CALLERS:
        expected = seen_by(caller, things)
        with Session(archive, caller):
            members = (VisibleHolder.key == "all")[0].things
            assert [m.object_id for m in members] == [t.object_id for t in things]
            assert [m.label for m in members if not isinstance(m, Restricted)] == expected
        with archive.database.read() as connection:
            rows = view.selectable(caller)
            ids = set(connection.execute(sa.select(rows.c.member_id)).scalars())
        assert ids == {t.object_id for t in things if t.label in expected}


def test_the_natural_key_of_a_hidden_object_is_null_in_the_view(archive: Archive, things: list[Any]) -> None:
    for caller in CALLERS:
        rows = class_table(VisibleHolder).selectable(caller)
        with archive.database.read() as connection:
            shown = set(connection.execute(sa.select(rows.c.thing).where(rows.c.key != "all")).scalars())
        expected = set(seen_by(caller, things)) if caller.level < 5 else set()
        assert shown - {None} == expected


def test_the_dbobject_view_counts_only_what_may_be_seen(archive: Archive, things: list[Any]) -> None:
    for caller in CALLERS:
        with Session(archive, caller):
            expected = len(VisibleThing.select_all()) + len(VisibleHolder.select_all())
        rows = class_table(DBObject).selectable(caller)
        with archive.database.read() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(rows)) == expected
