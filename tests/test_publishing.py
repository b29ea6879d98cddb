"""Is an object published with all that it shows, by its plan, in one transaction, and only by who may?"""

import random
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import Archive
from datamodel.comments import Comment
from datamodel.commit import commit
from datamodel.context import ANONYMOUS, Caller
from datamodel.errors import ForbiddenError, UsageError
from datamodel.history import event
from datamodel.publishing import level_of
from datamodel.session import Session
from datamodel.state import Restricted
from tests import published
from tests.published import PublishMade, PublishPart, all_of, chain, killed, levels
from tests.templates import FrozenClock

clock, shared, mine = published.clock, published.shared, published.mine


def newest_event(archive: Archive) -> int:
    with archive.database.read() as connection:
        return connection.scalar(sa.select(sa.func.max(event.c.id))) or 0


def test_all_that_an_object_shows_goes_along_and_the_log_has_each_step(mine: Session) -> None:
    made = chain()
    made.one.comment("looks good")
    before = newest_event(mine.archive)
    plan = made.publish_plan(4)
    assert plan.is_allowed
    assert levels(mine.archive, *all_of(made)) == [1] * 7
    assert sorted(plan.counted()) == [
        (1, "Comment", 1, 4),
        (4, "PublishMade", 1, 4),
        (4, "PublishPart", 1, 4),
    ]
    assert str(plan).splitlines()[0] == f"PublishMade {made.object_id} at level 4 World"
    assert made.publish(4) == plan
    assert levels(mine.archive, *all_of(made)) == [4] * 7
    assert {each._privileges for each in all_of(made)} == {4}
    columns = (event.c.object_id, event.c.kind, event.c.attribute, event.c.old, event.c.new, event.c.who)
    with mine.archive.database.read() as connection:
        told = connection.execute(sa.select(*columns).where(event.c.id > before)).all()
    assert {tuple(row[1:]) for row in told} == {("changed", "_privileges", "1", "4", "A")}
    assert len({row.object_id for row in told}) == len(told) == 9
    assert not made.publish(4).steps
    with Session(mine.archive, ANONYMOUS):
        found = PublishMade(object_id=made.object_id)
        assert [each.name for each in found.many] == ["middle 0", "middle 1"]
        assert found.one.one.part.name == "of the oldest"
        assert [c.text for c in Comment.about == found.one] == ["looks good"]


def test_who_looks_back_sees_it_as_it_was_seen(mine: Session, clock: FrozenClock) -> None:
    made = chain()
    then = clock()
    clock.advance(days=1)
    made.publish(4)
    for instant, seen in ((then, False), (clock(), True)):
        with Session(mine.archive, Caller(as_of=instant)) as session:
            assert bool(session.load_many(PublishMade, [made.object_id])) is seen


def test_what_was_to_stay_below_is_in_the_way_or_hidden_where_that_is_said(mine: Session) -> None:
    made = chain()
    with pytest.raises(ForbiddenError, match="and was to stay there"):
        made.publish(4, deep=False)
    assert levels(mine.archive, *all_of(made)) == [1] * 7
    plan = made.publish(4, deep=False, lineage="redacted")
    assert {left.object_id for left in plan.hidden} == {each.object_id for each in made.many}
    assert levels(mine.archive, *all_of(made)) == [4, 4, 1, 1, 1, 1, 1]
    with Session(mine.archive, ANONYMOUS):
        found = PublishMade(object_id=made.object_id)
        assert all(isinstance(each, Restricted) for each in (found.one, *found.many))


def test_what_cannot_be_seen_is_in_the_way_and_nothing_more_by_another_of_it(shared: Archive) -> None:
    secret = PublishMade(name="secret", one=PublishMade(name="behind", _privileges=1), _privileges=1)
    commit(Session(shared, shared.caller("B", "P")), [secret])
    with Session(shared, shared.caller("A", "P")):
        made = PublishMade(name="made")
        made.commit()
        with shared.database.write() as connection:
            table = sa.table("publish_made", sa.column("object_id"), sa.column("one"))
            here = sa.update(table).where(table.c.object_id == made.object_id)
            connection.execute(here.values(one=secret.object_id))
    with Session(shared, shared.caller("A", "P")):
        made = PublishMade(object_id=made.object_id)
        plan = made.publish_plan(2)
        assert [str(each) for each in plan.refused] == [f"PublishMade {secret.object_id}: you may not see it"]
        assert plan.steps[0].object_id == made.object_id
        with pytest.raises(ForbiddenError, match=r"is in the way: .* you may not see it"):
            made.publish(2)
        assert levels(shared, made, secret) == [1, 1]
        made.publish(2, lineage="redacted")
        assert levels(shared, made, secret) == [2, 1]


def test_what_describes_an_object_goes_along_or_nothing_does(shared: Archive) -> None:
    """Without chip and instrument nobody can use a frame, nor can the listing of ObsCore."""
    with Session(shared, shared.caller("Z", "ALL")):
        part = PublishPart(name="low", _project="Q", _privileges=1)
        used = PublishMade(name="used", part=part, _project="P", _privileges=1)
        made = PublishMade(name="made", one=used, _project="P", _privileges=1)
        made.commit()
        for each, deep, others in ((used, True, 0), (used, False, 0), (made, True, 0), (made, False, 1)):
            plan = each.publish_plan(4, deep=deep, lineage="redacted")
            assert (len(plan.hidden), plan.is_allowed) == (others, each is made and not deep)
            assert [left.object_id for left in plan.refused] == [part.object_id] * (1 - others)


def test_projects_that_do_not_let_their_objects_so_far_are_in_the_way(shared: Archive) -> None:
    with Session(shared, shared.caller("Z", "ALL")):
        low = PublishMade(name="low", _project="Q", _privileges=1)
        made = PublishMade(name="made", one=low, _project="P", _privileges=1)
        made.commit()
        assert [each.why for each in made.publish_plan(4).refused] == [
            "project 'Q' allows levels up to 3 AstroWISE"
        ]
        assert [each.why for each in made.publish_plan(3).refused] == [
            "at level 1 (MyDB), that is for the managers of project 'Q' (C)"
        ]
        assert [each.why for each in made.publish_plan(2).refused] == [
            "it is of project 'Q', and not seen in 'P'"
        ]
        assert [step.object_id for step in made.publish(4, lineage="redacted").steps] == [made.object_id]
        low.publish(2)
        with pytest.raises(ForbiddenError, match="project 'Q' allows levels up to 3"):
            low.publish(4, lineage="redacted")


def test_what_is_taken_back_is_the_object_alone_and_only_from_the_project(mine: Session) -> None:
    made = chain(level=2)
    made.comment("mine again")
    with Session(mine.archive, mine.archive.caller("B", "P")):
        refused = PublishMade(object_id=made.object_id).publish_plan(1).refused
        assert [each.why for each in refused] == [
            "it is taken back by its creator alone, from 2 Project to 1 MyDB"
        ]
    made.publish(1)
    assert levels(mine.archive, *all_of(made)) == [1] + [2] * 6
    with Session(mine.archive, mine.archive.caller("B", "P")):
        assert len(Comment.text == "mine again") == 0
    made.publish(3)
    for level in (1, 2):
        with pytest.raises(ForbiddenError, match="taken back by its creator alone"):
            made.publish(level)


@pytest.mark.parametrize("how", ["one", "many", "part"])
def test_what_others_have_used_is_not_taken_back_and_it_is_not_said_by_what(mine: Session, how: str) -> None:
    used = (PublishPart if how == "part" else PublishMade)(name="used", _privileges=2)
    used.commit()
    used.comment("mine")
    with Session(mine.archive, mine.archive.caller("Z", "P")):
        theirs = PublishMade(name="theirs", _privileges=1)
        setattr(theirs, how, [used] if how == "many" else used)
        theirs.commit()
    used.publish(1)
    used.publish(2)
    with Session(mine.archive, mine.archive.caller("Z", "P")):
        PublishMade(object_id=theirs.object_id).publish(2)
    refused = used.publish_plan(1).refused
    assert [each.why for each in refused] == [
        "something at level 2 Project or above refers to it, so it is not taken back"
    ]
    with pytest.raises(ForbiddenError, match="or above refers to it"):
        used.publish(1)
    used._privileges = 1
    with pytest.raises(ForbiddenError, match="or above refers to it"):
        used.commit()
    assert levels(mine.archive, used) == [2]


def test_nothing_can_refer_to_what_was_taken_back_while_it_was_made(mine: Session) -> None:
    used = PublishMade(name="used", _privileges=2)
    used.commit()
    with Session(mine.archive, mine.archive.caller("Z", "P")):
        found = PublishMade(object_id=used.object_id)
        with Session(mine.archive, mine.caller):
            PublishMade(object_id=used.object_id).publish(1)
        with pytest.raises(UsageError, match="was taken back by its creator meanwhile"):
            PublishMade(name="late", one=found).commit()


def test_who_takes_something_back_waits_for_those_who_are_about_to_refer_to_it(mine: Session) -> None:
    used = PublishMade(name="used", _privileges=2)
    used.commit()

    def take_back() -> str:
        with Session(mine.archive, mine.caller):
            try:
                PublishMade(object_id=used.object_id).publish(1)
            except ForbiddenError as error:
                return str(error)
        return "taken back"

    with (
        ThreadPoolExecutor() as pool,
        Session(mine.archive, mine.archive.caller("Z", "P")) as other,
        other.transaction(),
    ):
        PublishMade(name="theirs", one=PublishMade(object_id=used.object_id), _privileges=2).commit()
        told = pool.submit(take_back)
        wait([told], 0.3)
        assert not told.done()
    assert "or above refers to it" in told.result()


def test_a_plain_commit_of_a_level_goes_by_the_same_rules(mine: Session) -> None:
    made = chain()
    made._privileges = 4
    with pytest.raises(ForbiddenError, match=r"was to stay there\n(.*\n)*use publish\(4\)"):
        made.commit()
    assert levels(mine.archive, *all_of(made)) == [1] * 7
    oldest = made.one.one
    oldest.comment("first light")
    oldest._privileges = 4
    oldest.commit()
    assert levels(mine.archive, oldest, oldest.part) == [4, 4]
    with Session(mine.archive, ANONYMOUS):
        assert len(Comment.text == "first light") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"level": 6}, r"the level is 6, expected one of 1 MyDB, 2 Project"),
        ({"level": True}, r"the level is True"),
        ({"level": 4, "lineage": "redcated"}, r"did you mean 'redacted'"),
        ({"level": 4, "agreed": "another"}, r"the plan has changed since it was shown"),
    ],
)
def test_what_has_no_meaning_is_said(mine: Session, given: dict[str, Any], message: str) -> None:
    made = PublishMade(name="alone")
    with pytest.raises(UsageError, match=r"commit .* before it is published"):
        made.publish(4)
    made.commit()
    made.comment("said")
    with pytest.raises(UsageError, match=message):
        made.publish(**given)
    with pytest.raises(UsageError, match="publish that"):
        (Comment.about == made)[0].publish(4)
    assert (level_of("world"), level_of(" 5 ")) == (4, 5)
    with pytest.raises(UsageError, match="did you mean 'World'"):
        level_of("wrold")


def test_a_random_lineage_is_published_as_a_plain_walk_says(mine: Session) -> None:
    """Compared with following every link of the objects in memory."""
    chance = random.Random(4)
    for _ in range(5):
        made: list[Any] = []
        for number in range(12):
            before = chance.sample(made, min(len(made), chance.randint(0, 3)))
            one = PublishMade(name=str(number), one=before[0] if before else None, many=before[1:])
            one._privileges = chance.choice((1, 1, 2, 3, 4))
            made.append(one)
        commit(mine, made)
        target = chance.choice((2, 3, 4, 5))
        if made[-1]._privileges > target:
            continue
        reached, pending = {made[-1].object_id}, [made[-1]]
        while pending:
            each = pending.pop()
            news = [o for o in (each.one, *each.many) if o is not None and o.object_id not in reached]
            reached |= {o.object_id for o in news}
            pending += news
        made[-1].publish(target)
        expected = [max(o._privileges, target) if o.object_id in reached else o._privileges for o in made]
        assert levels(mine.archive, *made) == expected


def test_every_crash_point_is_hit_here() -> None:
    points = {p for p in crash.CRASH_POINTS if p.startswith(("publish.", "retract."))}
    assert points == {"publish.levels", "publish.done", "retract.written"}


@pytest.mark.killing
@pytest.mark.parametrize("point", ["publish.levels", "publish.done"])
def test_a_publication_killed_at_any_moment_is_whole_or_nothing(mine: Session, point: str) -> None:
    made = chain()
    before = newest_event(mine.archive)
    assert killed(mine.archive, made.object_id, "publish", point) == 137
    done = point == "publish.done"
    assert levels(mine.archive, *all_of(made)) == [4 if done else 1] * 7
    assert (newest_event(mine.archive) > before) is done


def failing(name: str) -> None:
    if name in ("publish.levels", "retract.written"):
        raise RuntimeError("the disk is full")


def test_what_fails_before_its_end_leaves_nothing_also_not_in_memory(mine: Session) -> None:
    made = chain()
    before = newest_event(mine.archive)
    stop = crash.watch(failing)
    try:
        with pytest.raises(RuntimeError, match="the disk is full"):
            made.publish(4)
        with pytest.raises(RuntimeError, match="the disk is full"):
            made.retract("no reason")
    finally:
        stop()
    assert (made._privileges, made.part._privileges, made.is_valid, made.retracted) == (1, 1, 1, None)
    assert (levels(mine.archive, *all_of(made)), newest_event(mine.archive)) == ([1] * 7, before)
    made.publish(2)


def test_a_level_that_is_said_again_is_no_change_of_it(mine: Session) -> None:
    behind = PublishMade(name="behind it", _privileges=1)
    PublishMade(name="before it", one=behind, _privileges=2).commit()
    behind._privileges = 1
    behind.commit()
    assert behind._privileges == 1
