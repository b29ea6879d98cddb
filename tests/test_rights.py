"""May exactly those change, promote and take back an object of whom the specification of contexts says so?"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from datamodel import projects, rights
from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.config import Config
from datamodel.context import ANONYMOUS, SERVICE_ACCOUNT, Caller
from datamodel.errors import ForbiddenError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.rights import CHANGE, DELETE, Owned, may, may_set_level
from datamodel.session import Session


class RightsThing(DBObject):
    """Something that A made."""

    when = persistent("An attribute that can be changed", "INTEGER", 0, mutable=True)


CALLERS = {
    "creator": Caller("A", "P", 1, frozenset("P")),
    "manager": Caller("M", "P", 1, frozenset("P"), managed=frozenset("P")),
    "both": Caller("A", "P", 1, frozenset("P"), managed=frozenset("P")),
    "member": Caller("B", "P", 1, frozenset("P")),
    "manager elsewhere": Caller("C", "ALL", 1, frozenset("Q"), managed=frozenset("Q")),
    "service": Caller(SERVICE_ACCOUNT, "ALL", 1, frozenset("P")),
    "stranger": ANONYMOUS,
}


def allowed(level: int, column: str) -> set[str]:
    """Table 3.2 of the specification, written out for these callers; the service account works for project P."""
    creator, manager = {"creator", "both"}, {"manager", "both", "service"}
    by_column = {
        "change": {1: creator, 2: creator | manager, 3: manager, 4: manager, 5: manager},
        "promote": {1: creator, 2: manager, 3: manager, 4: manager, 5: set()},
        "delete": {1: creator, 2: creator | manager, 3: set(), 4: set(), 5: set()},
    }
    return by_column[column][level]


@pytest.mark.parametrize("level", range(1, 6))
def test_the_rights_are_those_of_the_specification(level: int) -> None:
    thing = Owned("A", "P", level)
    for name, caller in CALLERS.items():
        assert may(caller, CHANGE, thing) is (name in allowed(level, "change")), name
        assert may(caller, DELETE, thing) is (name in allowed(level, "delete")), name
        if level < 5:
            assert may_set_level(caller, thing, level + 1) is (name in allowed(level, "promote")), name


def test_who_goes_over_several_levels_needs_the_right_to_each_step() -> None:
    for name, level in product(CALLERS, (3, 4, 5)):
        assert may_set_level(CALLERS[name], Owned("A", "P", 1), level) is (name == "both")


def test_what_is_taken_back_is_taken_from_the_project_by_its_creator_alone() -> None:
    for name, (before, after) in product(CALLERS, [(2, 1), (3, 2), (3, 1), (4, 3), (5, 4), (5, 1)]):
        expected = (before, after) == (2, 1) and name in ("creator", "both")
        assert may_set_level(CALLERS[name], Owned("A", "P", before), after) is expected


def test_what_one_hides_from_oneself_one_does_not_change() -> None:
    assert not may(CALLERS["both"].at(level=3), CHANGE, Owned("A", "P", 2))


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A, B and M work in P, which M manages; C in Q."""
    config = Config(archive=tmp_path_factory.mktemp("rights"), database_url=new_database(), project="P")
    opened = Archive(config)
    opened.prepare()
    for account, project in (("A", "P"), ("B", "P"), ("M", "P"), ("C", "Q")):
        opened.add_account(account, project)
    projects.set_member(opened, "P", "M", is_manager=True)
    yield opened
    opened.close()


def made(archive: Archive, level: int) -> Any:
    thing = RightsThing(_privileges=level)
    commit(Session(archive, archive.caller("A", "P")), [thing])
    return thing


@pytest.mark.parametrize("attribute", ["is_valid", "when"])
def test_every_commit_of_a_change_asks(shared: Archive, attribute: str) -> None:
    for level, name in product(range(1, 6), "ABMC"):
        oid = made(shared, level).object_id
        with Session(shared, shared.caller(name, "ALL")) as session:
            found = session.load_many(RightsThing, [oid]).get(oid)
            if found is None:
                continue
            setattr(found, attribute, 2)
            owned = Owned("A", "P", level)
            if may(session.caller, CHANGE, owned):
                found.commit()
            else:
                with pytest.raises(ForbiddenError, match=rf"{name} may not change .* at level {level}"):
                    found.commit()


def test_a_refusal_says_who_may(shared: Archive) -> None:
    oid = made(shared, 4).object_id
    with Session(shared, shared.caller("A", "P")) as session:
        found = session.load(RightsThing, oid)
        found.is_valid = 0
        with pytest.raises(ForbiddenError, match=r"level 4 \(World\), .* the managers of project 'P' \(M\)"):
            found.commit()
    oid = made(shared, 2).object_id
    with Session(shared, shared.caller("A", "P")) as session:
        found = session.load(RightsThing, oid)
        found._privileges = 3
        with pytest.raises(ForbiddenError, match=r"A may not promote .* the managers of project 'P' \(M\)"):
            found.commit()


def test_who_sees_nothing_is_told_nothing_of_who_may(shared: Archive) -> None:
    thing = made(shared, 2)
    thing.is_valid = 0
    with Session(shared, shared.caller("C", "Q")) as session, pytest.raises(ForbiddenError) as refused:
        commit(session, [thing])
    assert str(refused.value) == f"C may not change {thing!r}"


def test_whoever_runs_an_archive_manages_its_projects() -> None:
    assert rights.may(CALLERS["service"], CHANGE, Owned("X", "P", 4))
    assert not rights.may(CALLERS["service"], CHANGE, Owned("X", "Q", 4))
