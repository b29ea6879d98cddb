"""Do Python classes and their objects persist as they were declared?"""

import gc
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from datamodel.objects import DBMeta, DBObject
from datamodel.persistent import persistent
from datamodel.schema import metadata, table_of
from datamodel.session import Session, current


class PersistentDated:
    """A mixin that contributes a column."""

    seen_at = persistent("When it was seen", datetime)


class PersistentPart(DBObject):
    """A part."""

    name = persistent("Name", str)


class PersistentWhole(PersistentDated, DBObject):
    """Something with an attribute of every type."""

    truth = persistent("A truth", bool)
    small = persistent("A small number", "SMALLINT")
    medium = persistent("A number", "INTEGER")
    large = persistent("A large number", int)
    single = persistent("A float", "REAL")
    double = persistent("A double", float, 1.5)
    text = persistent("A text", str, "none")
    region = persistent("A polygon", "POLYGON")
    numbers = persistent("Some numbers", [float])
    part = persistent("A part", PersistentPart)
    parts = persistent("Some parts", [PersistentPart])
    later = persistent("A link to a class declared later", "PersistentLater")


class PersistentLater(PersistentDated, DBObject):
    """Declared after the class that links to it."""


VALUES: list[tuple[str, Any, Any]] = [
    ("truth", np.True_, True),
    ("small", np.int16(-7), -7),
    ("medium", 2**31 - 1, 2**31 - 1),
    ("large", 2**63 - 1, 2**63 - 1),
    ("large", 5.0, 5),
    ("single", np.float32(0.5), 0.5),
    ("double", 0.1 + 0.2, 0.1 + 0.2),
    ("double", float("nan"), None),
    ("double", float("inf"), float("inf")),
    ("text", "o'Brien \\ % ☉", "o'Brien \\ % ☉"),
    ("region", (1, 2.5, 3), "1.0 2.5 3.0"),
    ("seen_at", "2003-02-14T01:02:03.000004", datetime(2003, 2, 14, 1, 2, 3, 4)),
    ("seen_at", datetime(2003, 2, 14, tzinfo=timezone(timedelta(hours=2))), datetime(2003, 2, 13, 22)),
    ("seen_at", datetime(2003, 2, 14, tzinfo=UTC), datetime(2003, 2, 14)),
    ("numbers", (3, 1, 2, None, 1), [3.0, 1.0, 2.0, None, 1.0]),
    ("numbers", [], []),
]


def test_every_type_of_value_comes_back_as_it_was(archive: Archive) -> None:
    kept = []
    with Session(archive, archive.caller("A", "P")):
        for name, given, expected in VALUES:
            whole = PersistentWhole(**{name: given})
            assert getattr(whole, name) == expected
            whole.commit()
            kept.append((whole.object_id, name, expected))
    with Session(archive, archive.caller("A", "P")):
        for oid, name, expected in kept:
            found = getattr(PersistentWhole(object_id=oid), name)
            assert (found, type(found) is bool) == (expected, type(expected) is bool)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("truth", 2),
        ("small", 40_000),
        ("medium", 2.5),
        ("large", float("inf")),
        ("large", "many"),
        ("double", "x"),
        ("text", "nul\x00"),
        ("seen_at", "soon"),
        ("seen_at", 5),
        ("numbers", 3.0),
        ("numbers", ["x"]),
        ("part", "wheel"),
        ("parts", [None]),
        ("parts", "wheel"),
    ],
)
def test_a_value_of_another_type_is_refused_and_quoted(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name}.*{re.escape(repr(value)[1:4])}"):
        PersistentWhole(**{name: value})


def test_declarations_that_cannot_be_kept_are_refused() -> None:
    def declare(cls: str, *bases: type, **namespace: Any) -> None:
        DBMeta(cls, bases, namespace)

    with pytest.raises(UsageError, match="are the same column 'date'"):
        declare("PersistentBad", DBObject, date=persistent("", str), DATE=persistent("", str))
    with pytest.raises(UsageError, match="same column"):
        declare("PersistentBad", DBObject, creator=persistent("", str))
    with pytest.raises(UsageError, match="more than one persistent parent"):
        declare("PersistentBad", PersistentPart, PersistentWhole)
    with pytest.raises(UsageError, match="declared otherwise than in its parent"):
        declare("PersistentBad", PersistentPart, name=persistent("", int))
    with pytest.raises(UsageError, match="hides the persistent attribute"):
        declare("PersistentBad", PersistentPart, name="a plain value")
    with pytest.raises(UsageError, match="'event', but that is taken"):
        declare("Event", DBObject)
    with pytest.raises(UsageError, match="cannot be of type complex"):
        persistent("", complex)
    with pytest.raises(UsageError, match="cannot be mutable"):
        persistent("", [str], mutable=True)


def test_an_unknown_attribute_is_refused_with_the_nearest(archive: Archive) -> None:
    with pytest.raises(UsageError, match="did you mean 'parts'"):
        PersistentWhole(prats=[])
    names = PersistentWhole.get_persistent_properties()
    assert {"object_id", "creation_date", "seen_at", "parts", "later"} < set(names)
    assert not any(name.startswith("_") for name in names)


def test_defaults_are_made_for_each_object_and_kept(archive: Archive) -> None:
    first, second = PersistentWhole(), PersistentWhole()
    first.numbers.append(1.0)
    assert second.numbers == []
    with Session(archive, archive.caller("A", "P")):
        first.commit()
        second.commit()
        assert [(o.text, o.double, o.is_valid) for o in PersistentWhole.select_all()] == [
            ("none", 1.5, 1)
        ] * 2


def test_a_mixin_contributes_columns_to_each_class_that_mixes_it_in(archive: Archive) -> None:
    assert "seen_at" in table_of(PersistentWhole).c
    assert "seen_at" in table_of(PersistentLater).c
    assert "persistent_dated" not in metadata.tables
    with Session(archive, archive.caller("A", "P")):
        PersistentLater(seen_at="2001-01-01").commit()
        assert len(PersistentLater.seen_at > "2000-01-01") == 1
        assert len(PersistentWhole.seen_at > "2000-01-01") == 0


def test_links_and_lists_come_back_in_order(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        parts = [PersistentPart(name=n) for n in "cab"]
        whole = PersistentWhole(part=parts[1], parts=[*parts, parts[0]], later=PersistentLater())
        whole.commit()
        oid = whole.object_id
    with Session(archive, archive.caller("A", "P")):
        found = DBObject(object_id=oid)
        assert type(found) is PersistentWhole
        assert [p.name for p in found.parts] == ["c", "a", "b", "c"]
        assert found.part is found.parts[1]
        assert found.parts[0] is found.parts[3]
        assert type(found.later) is PersistentLater
        assert found.numbers == []


def test_an_object_of_an_oid_is_one_object_in_a_session(archive: Archive) -> None:
    caller = archive.caller("A", "P")
    with Session(archive, caller):
        part = PersistentPart(name="wheel")
        part.commit()
        oid = part.object_id
        assert PersistentPart(object_id=oid) is part
        assert (PersistentPart.name == "wheel")[0] is part
        assert DBObject(object_id=oid) is part
    with Session(archive, caller):
        other = PersistentPart(object_id=oid)
        assert other is not part
        assert PersistentPart(object_id=oid) is other
        assert [o for o in DBObject.select_all()][0] is other  # noqa: C416, RUF015
        del other
        gc.collect()
        assert PersistentPart(object_id=oid).name == "wheel"


def test_a_committed_object_is_fixed(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        whole = PersistentWhole(numbers=[1.0], parts=[PersistentPart(name="x")])
        whole.commit()
        for name, value in (("text", "new"), ("part", None), ("numbers", []), ("_creator", "B")):
            with pytest.raises(ForbiddenError, match="is fixed"):
                setattr(whole, name, value)
        with pytest.raises(ForbiddenError, match="list is fixed"):
            whole.numbers.append(2.0)
        with pytest.raises(ForbiddenError, match="list is fixed"):
            whole.parts[0] = None
        whole.is_valid = 2
        whole.commit()
    with Session(archive, archive.caller("A", "P")):
        assert PersistentWhole(object_id=whole.object_id).is_valid == 2
        with pytest.raises(ForbiddenError, match="never set"):
            PersistentWhole().object_id = "mine"


def test_an_object_that_does_not_exist_is_not_found(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        part = PersistentPart(name="x")
        part.commit()
        for cls, oid in ((DBObject, "nothing"), (PersistentWhole, part.object_id)):
            with pytest.raises(NotFoundError, match=f"there is no {cls.__name__} with object_id '{oid}'"):
                cls(object_id=oid)


def test_nothing_is_found_outside_a_session() -> None:
    with pytest.raises(UsageError, match="no archive is open here"):
        current()
    with pytest.raises(UsageError, match="no archive is open here"):
        len(PersistentPart.select_all())


def test_what_another_session_judged_is_seen_when_the_object_is_found_again(archive: Archive) -> None:
    caller = archive.caller("A", "P")
    with Session(archive, caller):
        part = PersistentPart(name="wheel")
        part.commit()
        with Session(archive, caller):
            other = PersistentPart(object_id=part.object_id)
            other.is_valid = 0
            other.commit()
        assert part.is_valid == 1
        assert (PersistentPart.is_valid == 0)[0] is part
        assert part.is_valid == 0


def declare_gadget(**attributes: Any) -> Any:
    return DBMeta("PersistentGadget", (DBObject,), {"__doc__": "Declared at the prompt.", **attributes})


def test_a_class_declared_at_the_prompt_can_be_used_at_once(archive: Archive) -> None:
    gadget = declare_gadget(name=persistent("Name", str))
    with Session(archive, archive.caller("A", "P")):
        gadget(name="a").commit()
        child = DBMeta("PersistentGadgetChild", (gadget,), {"size": persistent("Size", int)})
        assert len(child.select_all()) == 0
        child(name="b", size=3).commit()
        assert [type(o) for o in gadget.select_all()] == [gadget, child]


def test_a_class_can_be_declared_again_with_more_attributes(archive: Archive) -> None:
    gadget = declare_gadget(name=persistent("Name", str, "old"))
    with Session(archive, archive.caller("A", "P")):
        gadget(name="a").commit()
        first = gadget.select_all()[0]
        again = declare_gadget(
            name=persistent("Name", str),
            colour=persistent("Colour", str, "red", indexed=True),
            friends=persistent("Others", ["PersistentGadget"]),
            maker=persistent("Link", PersistentPart),
        )
        assert list(metadata.tables["persistent_gadget"].c.keys()) == ["object_id", "name", "colour", "maker"]
        assert [(o.name, o.colour, o.friends, o.maker) for o in again.select_all()] == [
            ("a", "red", [], None)
        ]
        assert type(again.select_all()[0]) is again
        assert type(first) is gadget
        again(name="b", colour="blue", friends=list(again.select_all())).commit()
        assert [o.name for o in again.colour == "blue"] == ["b"]
    with archive.database.read() as connection:
        indices = {i["name"] for i in sa.inspect(connection).get_indexes("persistent_gadget")}
    assert indices == {"ix_persistent_gadget_colour", "ix_persistent_gadget_maker"}


def test_preparing_twice_changes_nothing(archive: Archive) -> None:
    declare_gadget(name=persistent("Name", str))
    archive.prepare()
    archive.prepare()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": persistent("Name", int)}, "is kept as .* and now declared as BIGINT"),
        ({"name": persistent("Names", [str])}, "is kept as one value and now declared as a list"),
        ({"many": persistent("One", str)}, "is kept as a list and now declared as one value"),
    ],
)
def test_a_change_that_old_rows_cannot_follow_is_refused(
    archive: Archive, attributes: dict[str, Any], message: str
) -> None:
    declare_gadget(name=persistent("Name", str), many=persistent("Many", [str]))
    archive.prepare()
    declare_gadget(**attributes)
    try:
        with pytest.raises(UsageError, match=f"PersistentGadget.*{message}"):
            archive.prepare()
    finally:
        declare_gadget(name=persistent("Name", str))
    archive.prepare()


def test_a_class_keeps_its_parent(archive: Archive) -> None:
    declare_gadget(name=persistent("Name", str))
    archive.prepare()
    DBMeta("PersistentGadget", (PersistentPart,), {})
    try:
        with pytest.raises(UsageError, match="a class keeps its parent"):
            archive.prepare()
    finally:
        declare_gadget(name=persistent("Name", str))
