"""Is the index true for each who sees what others do not, and not believed by those for whom there is none?"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import projects
from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, ARCHIVE, EVERY_PROJECT, MYDB, PROJECT, WORLD, Caller
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from datamodel.standings import CHECKED, hidden_group, standing, standing_role, standing_state, standing_view
from processing.bias_frame import BiasFrame
from processing.plan import Planner
from processing.site import instruments_of
from processing.source_list import SourceList
from processing.standing import counts, kept
from processing.standing_check import check_some, differences
from processing.standing_hidden import FORGOTTEN
from processing.standing_keeping import distrust, renew
from processing.standing_views import SETTLED, views
from processing.upkeep import keep_up
from tests.happenings import NIGHT, killed_at, something

DATE, CHIP = NIGHT["date"], NIGHT["chip"]
STALE = ["dep:frame", "dep:weight"]


@contextmanager
def eyes(archive: Archive, user: str, level: int) -> Iterator[Session]:
    """Somebody at work in the project of the archive; A and B are its members, C is of another."""
    project = "other" if user == "C" else archive.config.project
    with Session(archive, archive.caller(user, project, level)) as session:
        yield session


@pytest.fixture
def archive(observatory: Archive) -> Archive:
    """The tiny survey, of which the world has a source list that stands."""
    for user in "AB":
        observatory.add_account(user, observatory.config.project)
    projects.add(observatory, "other")
    observatory.add_account("C", "other")
    with eyes(observatory, "A", WORLD):
        SourceList.get(raw=(RawScienceFrame.chip == "A5382")[0])
    return observatory


def told(archive: Archive, user: str | None, level: int, product: Any) -> list[str] | None:
    """What the index says to somebody of a product, which is what a walk says."""
    caller = archive.caller(user, archive.config.project, level) if user else ANONYMOUS
    if user == "C":
        caller = archive.caller(user, "other", level)
    return told_to(archive, caller, product)


def told_to(archive: Archive, caller: Caller, product: Any) -> list[str] | None:
    with Session(archive, caller) as session:
        found = kept(session, session.load(type(product), product.object_id))
        if found is None:
            return None
        own = session.load(type(product), product.object_id)
        walked = Planner(instruments_of(archive)).node_of(own, own.own_keys()).reasons
        assert {str(each) for each in found} == {str(each) for each in walked}
        return [str(each) for each in found]


def test_members_are_told_of_what_their_project_has_and_others_of_what_they_see(archive: Archive) -> None:
    with eyes(archive, "A", PROJECT) as session:
        product = SourceList.select_all()[0]
        newer = BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
        assert newer._privileges == PROJECT
        keep_up(archive)
        assert differences(session) == []
    for member in "AB":
        assert told(archive, member, PROJECT, product) == STALE
    others: tuple[tuple[str | None, int], ...] = (("A", WORLD), ("A", ARCHIVE), ("C", MYDB), (None, MYDB))
    for user, level in others:
        assert told(archive, user, level, product) == []
    with eyes(archive, "A", PROJECT) as session:
        assert counts(session)["SourceList"] == {"outdated": 1}
        assert newer.impact(is_valid=0).mended["SourceList"] == [product.object_id]
        newer.delete()
    assert told(archive, "A", PROJECT, product) == []
    with eyes(archive, "C", PROJECT) as session:
        assert counts(session)["SourceList"] == {"ok": 1}


@pytest.mark.thorough
def test_who_writes_at_a_level_has_it_told_at_once(archive: Archive) -> None:
    keep_up(archive)
    with eyes(archive, "A", PROJECT):
        newer = BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
    product = _product(archive)
    assert told(archive, "A", PROJECT, product) is None
    keep_up(archive)
    with eyes(archive, "A", PROJECT):
        newer.is_valid = 0
        newer.commit()
    assert told(archive, "A", PROJECT, product) == []
    with _manager(archive, WORLD):
        product.is_valid = 0
        product.commit()
        product.is_valid = 1
        product.commit()
    assert told(archive, "A", WORLD, product) == []
    assert told(archive, "A", PROJECT, product) is None  # until a worker was there
    keep_up(archive)
    assert told(archive, "A", PROJECT, product) == []


@pytest.mark.thorough
def test_what_only_its_creator_sees_is_walked_for_it_and_kept_for_others(archive: Archive) -> None:
    with eyes(archive, "A", WORLD):
        elsewhere = BiasFrame.get(date=DATE, chip="ccd50")
    with eyes(archive, "A", MYDB):
        BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
    keep_up(archive)
    product = _product(archive)
    assert told(archive, "A", MYDB, product) is None
    assert told(archive, "A", MYDB, elsewhere) == []
    with eyes(archive, "A", MYDB) as session:
        own = session.load(SourceList, product.object_id)
        assert [str(reason) for reason in own.why()] == STALE
    assert told(archive, "A", PROJECT, product) == []
    assert told(archive, "B", MYDB, product) == []


def test_who_works_in_several_projects_is_told_by_the_one_that_hides_things_at_the_chip(
    archive: Archive,
) -> None:
    for user, chip in (("A", CHIP), ("C", "ccd50")):
        with eyes(archive, user, PROJECT):
            BiasFrame.get(date=DATE, chip=chip, SIGMA_CLIP=4.0)
    projects.set_member(archive, "other", "A", is_manager=False)
    with eyes(archive, "A", WORLD):
        biases = [BiasFrame.get(date=DATE, chip=chip) for chip in ("ccd50", "ccd53")]
    keep_up(archive)
    caller = replace(archive.caller("A", archive.config.project, PROJECT), project=EVERY_PROJECT)
    assert caller.projects == {"other", archive.config.project}
    assert told_to(archive, caller, _product(archive)) == STALE
    assert [told_to(archive, caller, each) for each in biases] == [[], []]
    with eyes(archive, "C", PROJECT):
        BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=2.0)
    keep_up(archive)
    assert told_to(archive, caller, _product(archive)) is None, "both hide something there"
    assert told(archive, "A", PROJECT, biases[1]) == []


@pytest.mark.thorough
def test_what_all_accounts_see_has_a_view_of_its_own(archive: Archive) -> None:
    with eyes(archive, "A", ARCHIVE):
        BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
    keep_up(archive)
    product = _product(archive)
    for user, level in (("A", ARCHIVE), ("B", MYDB), ("C", PROJECT)):
        assert told(archive, user, level, product) == STALE
    assert told(archive, None, MYDB, product) == []


@pytest.mark.thorough
def test_comments_hide_nothing(archive: Archive) -> None:
    keep_up(archive)
    product = _product(archive)
    with eyes(archive, "A", MYDB) as session:
        session.load(SourceList, product.object_id).comment("between you and me")
    keep_up(archive)
    assert told(archive, "A", MYDB, product) == []


@pytest.mark.thorough
def test_a_view_ends_with_what_was_hidden_and_with_the_room_for_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with eyes(archive, "A", PROJECT):
        newer = BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
    keep_up(archive)
    product = _product(archive)
    assert _kept(archive) == {0, 1}
    monkeypatch.setattr(archive, "config", replace(archive.config, standing_views=0))
    with killed_at(SETTLED, 1):
        keep_up(archive)
    assert told(archive, "A", PROJECT, product) == STALE
    keep_up(archive)
    assert _kept(archive) == {0}
    assert told(archive, "A", PROJECT, product) is None
    monkeypatch.undo()
    keep_up(archive)
    assert told(archive, "A", PROJECT, product) == STALE
    with _manager(archive, PROJECT) as session:
        newer.publish(WORLD)
        assert told(archive, None, MYDB, product) == STALE
        _renewed_wholly(session)
    assert _kept(archive) == {0}
    assert told(archive, "A", MYDB, product) == STALE


def test_what_is_hidden_no_more_is_forgotten_on_the_next_day(archive: Archive) -> None:
    with eyes(archive, "A", MYDB):
        mine = BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
        keep_up(archive)
        assert told(archive, "A", MYDB, _product(archive)) is None
        mine.delete()
    keep_up(archive)
    with archive.database.write() as connection:
        connection.execute(sa.delete(standing_state).where(standing_state.c.name == CHECKED))
    check_some(archive)
    assert told(archive, "A", MYDB, _product(archive)) == []


@pytest.mark.thorough
def test_a_view_that_is_wrong_is_found_out(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with eyes(archive, "A", PROJECT):
        BiasFrame.get(date=DATE, chip=CHIP, SIGMA_CLIP=4.0)
    keep_up(archive)
    with archive.database.write() as connection:
        view = views(connection)[1].number
        wrong = sa.update(standing).where(standing.c.view == view, standing.c.class_name == "SourceList")
        connection.execute(wrong.values(own='[["recipe", "", 0, ""]]'))
    assert told_wrong(archive)
    while check_some(archive):
        pass
    keep_up(archive)
    assert not told_wrong(archive)


def told_wrong(archive: Archive) -> list[str]:
    with eyes(archive, "A", WORLD) as session:
        return differences(session)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_every_view_says_what_a_walk_says_whatever_happens(archive: Archive, seed: int) -> None:
    chance = random.Random(seed)
    for step in range(8):
        level = chance.choice((PROJECT, PROJECT, ARCHIVE, WORLD))
        with _manager(archive, level) as session:
            raws = list((RawScienceFrame.chip == "A5382").limit(3))
            what = something(session, chance, raws)
            renew(session)
            assert differences(session) == [], (step, level, what)


def _manager(archive: Archive, level: int) -> Session:
    member = archive.caller("A", archive.config.project, level)
    return Session(archive, replace(member, managed=member.projects))


def _product(archive: Archive) -> SourceList:
    with eyes(archive, "A", WORLD):
        found: SourceList = SourceList.select_all()[0]
        return found


def _kept(archive: Archive) -> set[int]:
    """The numbers of the views of which there is anything."""
    found: set[int] = set()
    with archive.database.read() as connection:
        for table in (standing, standing_role, standing_state):
            found |= set(connection.scalars(sa.select(table.c.view)))
        known = set(connection.scalars(sa.select(standing_view.c.number)))
    assert found == known | {0}
    return found


def _renewed_wholly(session: Session) -> None:
    distrust(session)
    with killed_at(FORGOTTEN, 1):
        renew(session)
    distrust(session)
    renew(session)
    with session.connection() as connection:
        assert connection.execute(sa.select(hidden_group)).all() == []
