"""Does the query language in Python find what a plain comprehension over the same objects finds?"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from datamodel import session as session_module
from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.errors import UsageError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session
from datamodel.sky import hpx29


class QueryMaker(DBObject):
    """Who grinds a mirror."""

    natural_key = "name"
    name = persistent("Name", str)


class QueryMirror(DBObject):
    """A mirror."""

    maker = persistent("Who ground it", QueryMaker)
    diameter = persistent("Diameter", float, unit="m")
    coatings = persistent("Metals, inner first", [str])


class QueryScope(DBObject):
    """A telescope."""

    label = persistent("Its name", str)
    mirror = persistent("Its main mirror", QueryMirror)
    mirrors = persistent("All its mirrors", [QueryMirror])
    makers = persistent("All its makers", [QueryMaker])
    count = persistent("How many nights", int)
    ratio = persistent("Focal ratio", float)
    active = persistent("Whether it is in use", bool)
    first_light = persistent("First light", datetime)


class QueryRadioScope(QueryScope):
    """A radio telescope."""

    frequency = persistent("Frequency", float, unit="MHz")
    ra = persistent("Right ascension it points at", float)
    dec = persistent("Declination it points at", float)
    hpx29 = persistent("Pixel it points at", int)


LABELS = ["100%", "a_b", "axb", "alpha*", "Alpha", "alphabet", "beta", "back\\slash", "it's", "", None, "ünï"]


@pytest.fixture
def scopes(archive: Archive) -> Iterator[list[Any]]:
    """Twelve telescopes of A, committed; the session is A's."""
    with Session(archive, archive.caller("A", "P")) as session:
        makers = [QueryMaker(name=n) for n in ("Zeiss", "Grubb")]
        mirrors = [QueryMirror(maker=makers[i % 2], diameter=float(i)) for i in range(4)]
        mirrors.append(QueryMirror(diameter=9.0, coatings=["Al", "Ag"]))
        made = []
        for i, label in enumerate(LABELS):
            cls = QueryRadioScope if i % 3 == 0 else QueryScope
            scope = cls(label=label, count=i % 5, ratio=i / 4 if i % 4 else None, active=i % 2 == 0)
            scope.first_light = datetime(2000, 1, 1 + i)
            scope.mirror = mirrors[i % 5] if i != 7 else None
            scope.mirrors = [mirrors[(i + k) % 5] for k in range(i % 4)]
            scope.makers = makers[: i % 3]
            if cls is QueryRadioScope:
                scope.ra, scope.dec, scope.frequency = 359.9 + i / 10 - 360 * (i > 0), 10.0, float(i)
                scope.hpx29 = int(hpx29(scope.ra, scope.dec))
            made.append(scope)
        commit(session, made)
        yield made


S = QueryScope
R = QueryRadioScope


def same(a: Any, b: Any) -> bool:
    return a is not None and a == b


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], bool]]] = {
    "equal": (lambda: S.count == 3, lambda o: o.count == 3),
    "not equal": (lambda: S.count != 3, lambda o: o.count != 3),
    "less": (lambda: S.count < 2.5, lambda o: o.count < 2.5),
    "at most": (lambda: S.count <= 2, lambda o: o.count <= 2),
    "more": (lambda: S.ratio > 1, lambda o: o.ratio is not None and o.ratio > 1),
    "at least": (lambda: S.ratio >= 1.25, lambda o: o.ratio is not None and o.ratio >= 1.25),
    "turned round": (lambda: 2 < S.count, lambda o: o.count > 2),  # noqa: SIM300
    "none": (lambda: S.ratio == None, lambda o: o.ratio is None),  # noqa: E711
    "not none": (lambda: S.mirror != None, lambda o: o.mirror is not None),  # noqa: E711
    "boolean": (lambda: S.active == True, lambda o: o.active),  # noqa: E712
    "instant as text": (lambda: S.first_light < "2000-01-05", lambda o: o.first_light < datetime(2000, 1, 5)),
    "instant": (lambda: S.first_light == datetime(2000, 1, 5), lambda o: o.first_light.day == 5),
    "quote": (lambda: S.label == "it's", lambda o: o.label == "it's"),
    "deep": (lambda: S.mirror.diameter > 2, lambda o: o.mirror is not None and o.mirror.diameter > 2),
    "deeper": (
        lambda: S.mirror.maker.name == "Zeiss",
        lambda o: o.mirror is not None and o.mirror.maker is not None and o.mirror.maker.name == "Zeiss",
    ),
    "natural key": (
        lambda: S.mirror.maker == "Grubb",
        lambda o: o.mirror is not None and o.mirror.maker is not None and o.mirror.maker.name == "Grubb",
    ),
    "and": (lambda: (S.count > 1) & (S.active == False), lambda o: o.count > 1 and not o.active),  # noqa: E712
    "or": (lambda: (S.count == 1) | (S.label == "beta"), lambda o: o.count == 1 or o.label == "beta"),
    "not": (lambda: ~(S.count == 1), lambda o: o.count != 1),
    "nested": (
        lambda: ~((S.count == 1) | (S.count == 2)) & (S.ratio > 0.5),
        lambda o: o.count not in (1, 2) and o.ratio is not None and o.ratio > 0.5,
    ),
    "in": (lambda: S.count.in_([1, 4]), lambda o: o.count in (1, 4)),
    "in nothing": (lambda: S.count.in_([]), lambda o: False),
    "in with none": (lambda: S.ratio.in_([None, 0.25]), lambda o: o.ratio in (None, 0.25)),
    "bits": (lambda: S.count.has_bits(1), lambda o: o.count in (1, 3)),
    "some bits": (lambda: S.count.has_bits(3), lambda o: o.count == 3),
    "no bits": (lambda: S.count.has_bits(0), lambda o: True),
    "between": (lambda: S.count.between(1, 3), lambda o: 1 <= o.count <= 3),
    "like star": (lambda: S.label.like("alpha*"), lambda o: (o.label or "").startswith("alpha")),
    "like question mark": (lambda: S.label.like("a?b"), lambda o: o.label in ("a_b", "axb")),
    "like percent is itself": (lambda: S.label.like("*%"), lambda o: o.label == "100%"),
    "like underscore is itself": (lambda: S.label.like("a_b"), lambda o: o.label == "a_b"),
    "like backslash is itself": (lambda: S.label.like("*\\*"), lambda o: "\\" in (o.label or "")),
    "like empty": (lambda: S.label.like(""), lambda o: o.label == ""),
    "like knows case": (lambda: S.label.like("A*"), lambda o: o.label == "Alpha"),
    "list any": (
        lambda: S.mirrors.any(QueryMirror.diameter > 2),
        lambda o: any(m.diameter > 2 for m in o.mirrors),
    ),
    "list path": (lambda: S.mirrors.diameter > 2, lambda o: any(m.diameter > 2 for m in o.mirrors)),
    "list by key": (lambda: S.makers.contains("Grubb"), lambda o: "Grubb" in [m.name for m in o.makers]),
    "not in list": (lambda: ~S.makers.contains("Grubb"), lambda o: "Grubb" not in [m.name for m in o.makers]),
    "list in a list": (
        lambda: S.mirrors.coatings.contains("Ag"),
        lambda o: any("Ag" in m.coatings for m in o.mirrors),
    ),
    "list behind a link": (
        lambda: S.mirror.coatings.contains("Al"),
        lambda o: o.mirror is not None and "Al" in o.mirror.coatings,
    ),
    "subclass": (lambda: R.count > 1, lambda o: isinstance(o, R) and o.count > 1),
    "class and subclass": (
        lambda: (S.count > 1) & (R.frequency < 7),
        lambda o: isinstance(o, R) and o.count > 1 and o.frequency < 7,
    ),
    "root class": (lambda: DBObject.is_valid < 1, lambda o: False),
    "all": (lambda: S.select_all(), lambda o: True),
    "cone across zero": (
        lambda: R.select_all().cone(0.0, 10.0, 0.35),
        lambda o: isinstance(o, R) and o.label in ("100%", "alpha*"),
    ),
}


def test_a_query_finds_what_a_comprehension_finds(scopes: list[Any], archive: Archive) -> None:
    for name, (query, condition) in CASES.items():
        expected = [o for o in scopes if condition(o)]
        assert list(query()) == expected, name
        assert len(query()) == len(expected), name
        assert query().exists() is bool(expected), name


def test_a_query_finds_the_same_in_a_new_session(scopes: list[Any], archive: Archive) -> None:
    caller = archive.caller("A", "P")
    for name, (query, condition) in CASES.items():
        with Session(archive, caller):
            found = list(query())
            assert [o.object_id for o in found] == [o.object_id for o in scopes if condition(o)], name
            assert all(condition(o) for o in found), name


def test_a_list_is_searched_for_objects(scopes: list[Any]) -> None:
    mirror = scopes[3].mirrors[1]
    assert list(S.mirrors.contains(mirror)) == [o for o in scopes if mirror in o.mirrors]
    assert list(S.mirror == mirror) == [o for o in scopes if o.mirror is mirror]
    assert list(S.mirror.in_([mirror, None])) == [o for o in scopes if o.mirror in (mirror, None)]
    grubb = (QueryMaker.name == "Grubb")[0]
    found = QueryMirror.maker.in_([grubb, "Zeiss"])
    assert len(found) == 4


INDICES = (0, 1, 11, -1, -12)
SLICES = ((None,), (2, 5), (5, 2), (-3, None), (None, -10), (None, None, 2), (1, 9, 3), (20, 30), (0, 0))
BACKWARD = ((None, None, -1), (9, 2, -2), (-1, -13, -5), (2, 9, -1))


def test_a_query_is_indexed_like_a_list(scopes: list[Any]) -> None:
    for index in (*INDICES, *(slice(*s) for s in SLICES + BACKWARD)):
        assert S.select_all()[index] == scopes[index], index
        assert S.select_all().limit(100)[index] == scopes[index], index


def test_an_index_beyond_the_end_is_refused(scopes: list[Any]) -> None:
    for index in (12, -13, 10**30, -(10**30)):
        with pytest.raises(IndexError, match="finds 12 objects"):
            S.select_all()[index]


def test_a_limit_cuts_everything_alike(scopes: list[Any]) -> None:
    for limit in (0, 1, 5, 12, 20):
        query = S.select_all().limit(limit)
        assert list(query) == scopes[:limit]
        assert len(query) == len(scopes[:limit])
        assert query[:] == scopes[:limit]
        assert query[-3:] == scopes[:limit][-3:]
        assert query.exists() is bool(scopes[:limit])
        with pytest.raises(IndexError):
            query[limit]


def test_objects_come_in_the_order_asked_for(scopes: list[Any]) -> None:
    by_count = sorted(scopes, key=lambda o: -o.count)
    assert list(S.select_all().order_by("-count")) == by_count
    known = [o for o in scopes if o.ratio is not None]
    unknown = [o for o in scopes if o.ratio is None]
    assert list(S.select_all().order_by("ratio")) == sorted(known, key=lambda o: o.ratio) + unknown
    assert list(S.select_all().order_by("-ratio")) == sorted(known, key=lambda o: -o.ratio) + unknown
    deep = S.mirror.diameter >= 0
    having = [o for o in scopes if o.mirror is not None]
    assert list(deep.order_by("mirror.diameter")) == sorted(having, key=lambda o: o.mirror.diameter)
    assert list(S.select_all().order_by("-count") & (S.active == True)) == [  # noqa: E712
        o for o in by_count if o.active
    ]


def test_extremes_are_objects(scopes: list[Any]) -> None:
    assert (S.count > 0).max("ratio") is max(scopes, key=lambda o: o.ratio or 0)
    assert S.select_all().min("ratio") is scopes[1]
    assert S.select_all().max("mirror.diameter").mirror.diameter == 9
    assert (S.count > 100).max("ratio") is None


def test_objects_of_subclasses_are_of_their_own_class(scopes: list[Any], archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        found = list(S.count >= 0)
        assert [type(o) for o in found] == [type(o) for o in scopes]
        assert [o.frequency for o in found if isinstance(o, R)] == [0.0, 3.0, 6.0, 9.0]
        assert {type(o) for o in DBObject.select_all()} == {S, R, QueryMaker, QueryMirror}


def test_columns_of_a_subclass_are_loaded_for_the_whole_page_at_once(
    scopes: list[Any], archive: Archive, statements: Callable[[], int]
) -> None:
    with Session(archive, archive.caller("A", "P")):
        statements()
        found = [o for o in S.count >= 0]  # noqa: C416 - a comprehension does not ask for the length
        assert statements() == 1
        assert sum(o.frequency + o.ra for o in found if isinstance(o, R)) != 0
        assert statements() == 1


def test_following_links_takes_one_statement_per_step_and_page(
    scopes: list[Any], archive: Archive, statements: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(archive, archive.caller("A", "P")):
        statements()
        names = [k.mirror.maker.name for k in S.mirror.maker != None]  # noqa: E711
        assert len(names) == 10 - 1
        assert statements() <= 4
    with Session(archive, archive.caller("A", "P")):
        statements()
        members = [m.diameter for k in S.count >= 0 for m in k.mirrors]
        assert len(members) == sum(len(o.mirrors) for o in scopes)
        assert statements() <= 4


def test_objects_found_one_by_one_are_completed_together_with_their_page(
    scopes: list[Any], archive: Archive, statements: Callable[[], int]
) -> None:
    with Session(archive, archive.caller("A", "P")):
        kept = [S(object_id=o.object_id) for o in scopes]
        statements()
        assert len([k.mirror.diameter for k in S.mirror != None]) == 11  # noqa: E711
        assert statements() <= 3
        assert len(kept) == 12


def test_pages_hide_nothing_and_repeat_nothing(
    scopes: list[Any], archive: Archive, statements: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (session_module, __import__("sys").modules["datamodel.query"]):
        monkeypatch.setattr(module, "PAGE_ROWS", 5)
    with Session(archive, archive.caller("A", "P")):
        statements()
        assert [o.object_id for o in S.select_all()] == [o.object_id for o in scopes]
        assert statements() == 4  # two whole pages, the rest, and which objects there are
        order = sorted(scopes, key=lambda o: o.count)
        assert [o.object_id for o in S.select_all().order_by("count")] == [o.object_id for o in order]
        assert [o.object_id for o in S.select_all().limit(7)] == [o.object_id for o in scopes[:7]]


def test_judging_objects_while_iterating_skips_none(
    scopes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (session_module, __import__("sys").modules["datamodel.query"]):
        monkeypatch.setattr(module, "PAGE_ROWS", 5)
    for scope in S.is_valid == 1:
        scope.is_valid = 0
        scope.commit()
    assert len(S.is_valid == 0) == 12
    assert not (S.is_valid == 1).exists()


def test_a_condition_is_neither_true_nor_false(scopes: list[Any]) -> None:
    with pytest.raises(TypeError, match=r"& \| ~"):
        bool(S.count == 1)
    with pytest.raises(TypeError, match="awe prompt"):
        list((S.count == 1) and (S.count == 2))
    with pytest.raises(TypeError):
        bool(S.count)
    with pytest.raises(TypeError):
        (S.count == 1) & True


def test_narrowing_to_the_project_or_the_user(scopes: list[Any], archive: Archive) -> None:
    everywhere = archive.caller("B", "P")
    with Session(archive, everywhere):
        shared = QueryMaker(name="shared", _privileges=3)
        shared.commit()
    with Session(archive, archive.caller("C", "Q")):
        QueryMaker(name="mine").commit()
        assert len(QueryMaker.select_all()) == 2
        assert [m.name for m in QueryMaker.select_all().project_only()] == ["mine"]
        assert [m.name for m in QueryMaker.select_all().user_only()] == ["mine"]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no such attribute": (lambda: S.select_all().order_by("cuont"), "did you mean 'count'"),
    "order by a list": (lambda: S.select_all().order_by("mirrors"), "is a list"),
    "wrong kind of object": (lambda: S.mirror == QueryMaker(name="x"), "compare it with such an object"),
    "link without natural key": (lambda: S.mirror == "big", "compare it with such an object"),
    "text for a number": (lambda: S.count == "many", "expected BIGINT, not 'many'"),
    "no instant": (lambda: S.first_light > "yesterday", "expected TIMESTAMP, not 'yesterday'"),
    "less than none": (lambda: S.count < None, "None can only be equal"),
    "nan": (lambda: S.ratio == float("nan"), "cannot be compared with nan"),
    "too large": (lambda: S.count == 10**30, "cannot be compared"),
    "like a number": (lambda: S.count.like("1*"), "is not text"),
    "bits of text": (lambda: S.label.has_bits(1), "is no integer"),
    "bits of a fraction": (
        lambda: S.count.has_bits(1.5),
        "bits are an integer from 0 to 2147483647, not 1.5",
    ),
    "pattern is none": (lambda: S.label.like(None), "a pattern is text"),
    "list compared": (lambda: S.mirrors == 3, "is a list"),
    "contains on a value": (lambda: S.count.contains(3), "is not a list"),
    "any without condition": (lambda: S.mirrors.any(3), "takes a condition"),
    "any of another class": (lambda: S.mirrors.any(QueryMaker.name == "x"), "holds QueryMirror"),
    "none in a list": (lambda: S.mirrors.contains(None), "None is never in it"),
    "two attributes": (lambda: S.count == S.ratio, "can be compared with a value"),
    "unrelated classes": (lambda: (S.count == 1) & (QueryMaker.name == "x"), "cannot be combined"),
    "either of two classes": (lambda: (S.count == 1) | (R.frequency > 1), "cannot be combined"),
    "limit before and": (lambda: (S.count == 1).limit(3) & (S.count == 1), r"limit\(\) comes last"),
    "negative limit": (lambda: S.select_all().limit(-1), "cannot be limited to -1"),
    "no position": (lambda: S.select_all().cone(0, 0, 1), "has no position"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_condition_without_meaning_is_refused_at_once(name: str) -> None:
    ask, message = REFUSED[name]
    with pytest.raises(UsageError, match=message):
        ask()


def test_a_misspelt_path_names_the_nearest_attribute() -> None:
    with pytest.raises(AttributeError, match="did you mean 'diameter'"):
        S.mirror.diametre  # noqa: B018
    with pytest.raises(AttributeError, match="is a value"):
        S.count.real  # noqa: B018
