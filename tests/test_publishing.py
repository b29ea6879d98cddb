"""Is an object published with all that it shows, or not at all; and is what was retracted given to nobody?"""

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import html5lib
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from datamodel import crash, projects, tokens
from datamodel.archive import Archive
from datamodel.comments import Comment
from datamodel.commit import commit
from datamodel.config import Config
from datamodel.context import ANONYMOUS, Caller
from datamodel.dataobject import DataObject
from datamodel.errors import ForbiddenError, UsageError
from datamodel.frames import RawBiasFrame
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.observatory import Chip, Instrument
from datamodel.persistent import persistent
from datamodel.publishing import level_of
from datamodel.session import Session
from datamodel.state import Restricted
from processing.classes import TABLES
from tests import accounts as of_tests
from tests.accounts import PASSWORD, bearer, with_password
from tests.templates import FrozenClock
from vo_server import commands
from vo_server.app import create_app

cheap = of_tests.cheap


class PublishPart(DBObject):
    """Describes a product."""

    name = persistent("Its name", str)


class PublishMade(DBObject):
    """Made from others, and described by a part."""

    name = persistent("Its name", str)
    part = persistent("What describes it", PublishPart)
    one = persistent("What it was made from", "PublishMade", kind="role")
    many = persistent("More that it was made from", ["PublishMade"], kind="role")


@pytest.fixture(scope="module")
def clock() -> FrozenClock:
    """Ahead of the clocks of the commands that are run here."""
    made = FrozenClock()
    made.advance(days=36_500)
    return made


@pytest.fixture(scope="module")
def shared(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory, clock: FrozenClock
) -> Iterator[Archive]:
    """A manages P, where B works too; C manages Q, which holds level 3 at the most; Z is in both."""
    config = Config(archive=tmp_path_factory.mktemp("publishing"), database_url=new_database(), project="P")
    opened = Archive(config, clock)
    opened.prepare(TABLES)
    for name, *where in (("A", "P"), ("B", "P"), ("C", "Q"), ("Z", "P", "Q")):
        opened.add_account(name, *where)
    projects.set_member(opened, "P", "A", is_manager=True)
    projects.set_member(opened, "Q", "C", is_manager=True)
    projects.set_member(opened, "P", "Z", is_manager=True)
    projects.change(opened, "Q", maximum_privileges=3)
    yield opened
    opened.close()


@pytest.fixture
def mine(shared: Archive) -> Iterator[Session]:
    """A at work in P."""
    with Session(shared, shared.caller("A", "P")) as session:
        yield session


def chain(*, level: int = 1, **others: Any) -> Any:
    """A product of two generations below it, each with a part."""
    oldest = PublishMade(name="oldest", part=PublishPart(name="of the oldest", _privileges=level))
    middle = [
        PublishMade(name=f"middle {i}", one=oldest, part=PublishPart(_privileges=level)) for i in range(2)
    ]
    made = PublishMade(name="made", one=middle[0], many=middle, part=PublishPart(_privileges=level), **others)
    for each in (oldest, *middle, made):
        each._privileges = level
    made.commit()
    return made


def levels(archive: Archive, *objects: Any) -> list[int]:
    """The levels that the database has."""
    table = sa.table("dbobject", sa.column("object_id"), sa.column("privileges"))
    with archive.database.read() as connection:
        found = dict(connection.execute(sa.select(table.c.object_id, table.c.privileges)).all())
    return [found[each.object_id] for each in objects]


def all_of(made: Any) -> list[Any]:
    return [made, made.part, *made.many, made.one.part, made.one.one, made.one.one.part]


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


PROGRAM = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.session import Session
from tests.test_publishing import PublishMade
import processing.classes

folder, url, oid, what = sys.argv[1:]
archive = Archive(Config(archive=Path(folder), database_url=url, project="P"))
archive.prepare()
with Session(archive, archive.caller("A", "P")):
    found = PublishMade(object_id=oid)
    found.publish(4) if what == "publish" else found.retract("killed")
"""


def killed(archive: Archive, oid: str, what: str, point: str) -> int:
    command = [sys.executable, "-c", PROGRAM, str(archive.config.archive), archive.config.database, oid, what]
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "VO_CRASH_AT": point}
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


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


@pytest.mark.killing
def test_a_retraction_killed_before_its_end_is_none(mine: Session) -> None:
    made = chain()
    assert killed(mine.archive, made.object_id, "retract", "retract.written") == 137
    with Session(mine.archive, mine.caller):
        found = PublishMade(object_id=made.object_id)
        assert (found.is_valid, found.retracted) == (1, None)


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


def test_what_is_retracted_stays_with_its_reason_for_ever(mine: Session, clock: FrozenClock) -> None:
    made = chain(level=4)
    then = clock()
    now = clock.advance(days=1)
    made.retract("  the wrong filter was in the beam ")
    assert (made.is_valid, made.retracted.at, made.retracted.who) == (0, now, "A")
    assert str(made.retracted) == f"retracted on {now:%Y-%m-%d} by A: the wrong filter was in the beam"
    with pytest.raises(ForbiddenError, match="was retracted, and stays bad: the wrong filter"):
        made.judge(1)
    assert made.is_valid == 0
    with pytest.raises(UsageError, match="has been retracted already"):
        made.retract("once more")
    with Session(mine.archive, Caller(as_of=then)):
        assert PublishMade(object_id=made.object_id).retracted is None
    with Session(mine.archive, ANONYMOUS):
        assert PublishMade(object_id=made.object_id).retracted == made.retracted


@pytest.mark.parametrize("by_another", [True, False])
def test_what_others_judged_good_meanwhile_is_bad_once_it_is_retracted(
    mine: Session, by_another: bool
) -> None:
    made = chain(level=2)
    if by_another:
        made.judge(0)
        with Session(mine.archive, mine.archive.caller("Z", "P")):
            PublishMade(object_id=made.object_id).judge(1)
    else:
        made.is_valid = 0  # and not committed
    made.retract("it was never observed")
    with Session(mine.archive, mine.archive.caller("Z", "P")):
        assert PublishMade(object_id=made.object_id).is_valid == made.is_valid == 0


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_that_says_nothing_or_too_much_is_refused(mine: Session, reason: str) -> None:
    made = PublishMade(name="x")
    with pytest.raises(UsageError, match=r"the reason has \d+ characters, expected 1 to 1000"):
        made.retract(reason)
    with pytest.raises(UsageError, match="before it is retracted"):
        made.retract("too early")


def test_only_who_may_judge_may_retract(shared: Archive) -> None:
    with Session(shared, shared.caller("A", "P")):
        made = chain(level=4)
    for caller in (shared.caller("B", "P"), shared.caller("C", "Q"), ANONYMOUS):
        with Session(shared, caller), pytest.raises(ForbiddenError):
            PublishMade(object_id=made.object_id).retract("I do not like it")
    with Session(shared, shared.caller("Z", "P")):
        PublishMade(object_id=made.object_id).retract("a manager says so")


# The doors of the server ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(shared: Archive) -> Any:
    made = create_app(shared).test_client()
    made.open = partial(made.open, buffered=True)  # reads and closes, as a server does
    return made


@pytest.fixture(scope="module")
def secrets(shared: Archive) -> dict[str, str]:
    return {name: tokens.issue(shared, name)[1] for name in "ABC"}


def filed(session: Session, tmp_path: Path, level: int) -> Any:
    """An object with a file."""
    path = tmp_path / f"{datetime.now().timestamp()}.txt"
    path.write_text(path.name)
    thing = DataObject(pathname=path, _privileges=level)
    thing.store()
    thing.commit()
    return thing


def test_what_was_retracted_is_gone_for_those_who_see_it_and_absent_for_others(
    mine: Session, client: Any, secrets: dict[str, str], tmp_path: Path
) -> None:
    bad, gone, hidden = (filed(mine, tmp_path, level) for level in (4, 4, 2))
    bad.judge(0)
    gone.retract("it was never observed")
    hidden.retract("nor was this")
    assert client.get(f"/data/{bad.object_id}").status_code == 200
    told = client.get(f"/data/{gone.object_id}")
    assert (told.status_code, "it was never observed" in told.text) == (410, True)
    assert client.head(f"/data/{gone.object_id}").status_code == 410
    assert client.get(f"/data/{hidden.object_id}").status_code == 404
    assert client.get(f"/data/{hidden.object_id}", headers=bearer(secrets["B"])).status_code == 410
    page = client.get(f"/object/{gone.object_id}")
    assert (page.status_code, "it was never observed" in page.text) == (200, True)
    assert "Download the file" not in page.text
    camera = Instrument(name="CAM", _privileges=4)
    frame = RawBiasFrame(
        instrument=camera, chip=Chip(name="c", instrument=camera, _privileges=4), _privileges=4
    )
    frame.DATE_OBS = datetime(2026, 1, 1)
    frame.commit()
    frame.retract("nor its pixels")
    for picture in ("thumbnail.png", "preview.png", "inspect.png"):
        assert client.get(f"/object/{frame.object_id}/{picture}").status_code == 410
    did = f"ivo://example.org/archive?object/{gone.object_id}"
    links = client.get("/datalink/links", query_string={"ID": did})
    assert (links.status_code, "NotFoundFault: it was retracted on" in links.text) == (200, True)
    assert f"/data/{gone.object_id}" not in links.text


def test_the_page_shows_the_plan_and_a_click_carries_out_that_very_plan(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = chain()
    url, header = f"/object/{made.object_id}", bearer(secrets["A"])
    assert "Show the plan" in client.get(url, headers=header).text
    shown = client.get(f"{url}/publish?level=4", headers=header)
    plan = made.publish_plan(4)
    assert (shown.status_code, plan.digest in shown.text, "Carry it out" in shown.text) == (200, True, True)
    made.comment("something new")
    unseen = client.post(f"{url}/publish", data={"level": "4"}, headers=header)
    assert (unseen.status_code, "PLAN is not given" in unseen.text) == (400, True)
    sent = {"level": "4", "plan": plan.digest}
    assert client.post(f"{url}/publish", data=sent, headers=header).status_code == 400
    assert levels(mine.archive, made) == [1]
    sent["plan"] = made.publish_plan(4).digest
    done = client.post(f"{url}/publish", data=sent, headers=header)
    assert (done.status_code, done.headers["Location"]) == (303, url)
    assert levels(mine.archive, *all_of(made)) == [4] * 7
    refused = client.get(f"{url}/publish?level=5", headers=bearer(secrets["B"]))
    for text in (shown.text, refused.text, client.get(url, headers=header).text):
        html5lib.HTMLParser(strict=True).parse(text)
    assert (refused.status_code, "Carry it out" in refused.text) == (200, False)
    assert "the managers of project" in refused.text
    for who in ({}, bearer(secrets["B"]), bearer(secrets["C"])):
        assert client.post(f"{url}/publish", data=sent | {"level": "5"}, headers=who).status_code == 403
        assert client.post(f"{url}/retract", data={"reason": "no"}, headers=who).status_code == 403
        assert "Show the plan" not in client.get(url, headers=who).text
    assert client.post(f"{url}/publish", data={"level": "6"}, headers=header).status_code == 400
    assert client.post(f"{url}/retract", data={"reason": "oh"}, headers=header).status_code == 303
    assert "Retract" not in client.get(url, headers=header).text


def test_a_forged_form_publishes_and_retracts_nothing(mine: Session, shared: Archive) -> None:
    with_password(shared, "A")
    browser = create_app(shared).test_client()
    entry = BeautifulSoup(browser.get("/login").text, "html.parser").find(attrs={"name": "csrf_token"})
    sent = {"csrf_token": entry["value"], "username": "A", "password": PASSWORD}
    assert browser.post("/login", data=sent).status_code == 303
    made = chain(level=2)
    url = f"/object/{made.object_id}"
    for path, given in ((f"{url}/publish", {"level": "4"}), (f"{url}/retract", {"reason": "forged"})):
        for more in ({}, {"csrf_token": "forged"}):
            assert browser.post(path, data=given | more).status_code == 403
    assert (levels(mine.archive, made), made.retracted) == ([2], None)
    for shown, button in ((f"{url}/publish?level=4", "Carry it out"), (url, "Retract")):
        page = BeautifulSoup(browser.get(shown).text, "html.parser")
        form = next(each for each in page.find_all("form") if each.button.text == button)
        given = {each["name"]: each["value"] for each in form.find_all("input") if each.get("value")}
        done = browser.post(
            form["action"], data=given | {"reason": "by a person"} if button == "Retract" else given
        )
        assert done.status_code == 303
    assert (levels(mine.archive, made), made.retracted.reason) == ([4], "by a person")


def test_hidden_things_are_published_by_nobody_and_look_as_if_absent(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = chain()
    absent = made.object_id[:-4] + "0000"
    for who in ({}, bearer(secrets["B"]), bearer(secrets["C"])):
        for method, tail, sent in (
            ("GET", "publish?level=4", {}),
            ("POST", "publish", {"level": "4"}),
            ("POST", "retract", {"reason": "x"}),
        ):
            told = [
                client.open(f"/object/{oid}/{tail}", method=method, data=sent, headers=who)
                for oid in (made.object_id, absent)
            ]
            assert {(each.status_code, each.text.replace(made.object_id, absent)) for each in told} == {
                (404, told[1].text)
            }


def test_managers_see_what_is_ready_in_their_project(
    mine: Session, client: Any, secrets: dict[str, str]
) -> None:
    made = PublishMade(name="ready", _privileges=2)
    made.commit()
    made.judge(2)
    page = client.get("/project/P", headers=bearer(secrets["A"]))
    html5lib.HTMLParser(strict=True).parse(page.text)
    assert (page.status_code, f"/object/{made.object_id}/publish?level=4" in page.text) == (200, True)
    for name, who in (("P", {}), ("P", bearer(secrets["B"])), ("P", bearer(secrets["C"])), ("none", {})):
        refused = client.get(f"/project/{name}", headers=who)
        assert (refused.status_code, made.object_id in refused.text) == (404, False)


# The command line -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(
    shared: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``vo-server`` as A; gives its exit code and what it said."""
    monkeypatch.setenv("VO_DATABASE_URL", shared.config.database_url)
    monkeypatch.setenv("VO_PROJECT", "P")
    monkeypatch.setattr("getpass.getuser", lambda: "A")

    def typed(*words: str) -> tuple[int, str, str]:
        code = commands.main([*words, "--archive", str(shared.config.archive)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """They do."""
        return True


@pytest.mark.thorough
def test_a_command_shows_the_plan_and_asks(
    mine: Session, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_LEVEL", "1")
    made = chain()
    oid = made.object_id
    assert "4  PublishMade  1 MyDB -> 4 World" in run("publish", oid, "world", "--dry-run")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, told = run("publish", oid, "4")
    assert (code, "nobody can be asked" in told, "1 MyDB -> 4 World" in told) == (2, True, True)
    assert run("publish", oid, "4", "--shallow", "--yes")[0] == 1
    assert run("publish", oid, "wrold", "--yes")[0] == 2
    assert run("publish", "nothing", "4", "--yes")[0] == 2
    assert levels(mine.archive, made) == [1]
    for answer, code, level in (("n\n", 2, 1), ("y\n", 0, 4)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert (run("publish", oid, "4")[0], levels(mine.archive, made)) == (code, [level])
    code, out, _ = run("publish", oid, "5", "--yes", "--json")
    assert (code, len(json.loads(out)["steps"])) == (0, 8)
    code, out, _ = run("retract", oid, "wrong")
    assert (code, "retracted on" in out) == (0, True)
    assert run("retract", oid, "wrong")[0] == 2


def test_an_unknown_object_is_not_retracted(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, told = run("retract", "0193a5e2-0000-7000-8000-000000000000", "x")
    assert (code, "there is no DBObject" in told) == (2, True)


def test_a_level_that_is_said_again_is_no_change_of_it(mine: Session) -> None:
    behind = PublishMade(name="behind it", _privileges=1)
    PublishMade(name="before it", one=behind, _privileges=2).commit()
    behind._privileges = 1
    behind.commit()
    assert behind._privileges == 1
