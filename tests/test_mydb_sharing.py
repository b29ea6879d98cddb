"""Who may share, publish and remove a table of somebody's own, and what do the commands say of it?"""

import getpass
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from datamodel import projects
from datamodel.archive import Archive
from datamodel.catalogues import Entry, known
from datamodel.context import EVERY_PROJECT, Caller
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from tests.catalogues import ask, positions
from tests.users_tables import begun
from vo_server import commands
from vo_server.formats.reading import Reading
from vo_server.mydb import names
from vo_server.mydb import tables as own_tables
from vo_server.mydb.publishing import publish


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A and B are members of project P, M its manager, C of project Q; P holds level 4 at the most."""
    members = (("A", "P"), ("B", "P"), ("M", "P"), ("C", "Q"))
    opened = begun(tmp_path_factory.mktemp("sharing"), new_database(), *members)
    projects.set_member(opened, "P", "M", is_manager=True)
    projects.change(opened, "P", maximum_privileges=4)
    yield opened
    opened.close()


@pytest.fixture
def archive(shared: Archive) -> Iterator[Archive]:
    """The same, where A has a table ``mydb.stars`` and nobody else any."""
    own_tables.create(shared, shared.caller("A"), "stars", positions([1.0], [2.0]), "x")
    yield shared
    for each in known(shared).entries:
        own_tables.drop_known(shared, each)


def sees(archive: Archive, caller: Caller, name: str) -> bool:
    try:
        return ask(archive, f"SELECT ra FROM {name}", caller) == [{"ra": 1.0}]
    except UsageError:
        return False


def told(archive: Archive, caller: Caller) -> list[str]:
    query = "SELECT table_name FROM tap_schema.tables WHERE table_name LIKE 'mydb%' ORDER BY 1"
    return [row["table_name"] for row in ask(archive, query, caller)]


def test_each_level_is_seen_by_those_it_is_for_and_reached_by_those_who_may(archive: Archive) -> None:
    a, b, c, m = (archive.caller(name) for name in "ABCM")
    stranger = Caller()
    name = "mydb__41.stars"
    for level, actor, refused, seers in (
        (1, None, (), ()),
        (2, a, (), (b, m)),
        (1, a, (b, m), ()),
        (2, a, (), (b, m)),
        (3, m, (a, b), (b, m, c)),
        (4, m, (a, b, c), (b, m, c, stranger)),
    ):
        for other in refused:
            with pytest.raises((ForbiddenError, NotFoundError)):
                publish(archive, other, name, level)
        if actor is not None:
            assert publish(archive, actor, name, level).privileges == level
        assert sees(archive, a, "mydb.stars")
        assert sees(archive, a, name)
        assert told(archive, a) == (["mydb.stars"] if level == 1 else ["mydb.stars", name])
        for caller in (b, c, m, stranger):
            assert sees(archive, caller, name) == (caller in seers)
            assert told(archive, caller) == ([name] if caller in seers else [])
            assert not sees(archive, caller, "mydb.stars")


def test_a_table_begins_at_the_lowest_level_that_its_owner_works_at(archive: Archive) -> None:
    two, three = (archive.caller("B", "P", level) for level in (2, 3))
    made = own_tables.create(archive, two, "shared", positions([1.0], [2.0]), "x")
    assert (made.privileges, made.project) == (2, "P")
    assert sees(archive, two, "mydb.shared")
    assert not sees(archive, archive.caller("C"), "mydb__42.shared")
    with pytest.raises(ForbiddenError, match="you work from level 3 on"):
        own_tables.create(archive, three, "hidden", positions([1.0], [2.0]), "x")


def test_a_table_that_others_see_begins_in_a_project_of_its_owners_that_holds_it(archive: Archive) -> None:
    everywhere = archive.caller("C", EVERY_PROJECT, 2)
    with pytest.raises(ForbiddenError, match="no member of project 'P'; your projects are: Q"):
        own_tables.create(archive, everywhere, "foreign", positions([1.0], [2.0]), "x")
    assert own_tables.create(archive, everywhere.at(level=1), "own", more(), "x").privileges == 1
    projects.change(archive, "Q", maximum_privileges=1)
    with pytest.raises(ForbiddenError, match="'Q' holds nothing above level 1"):
        own_tables.create(archive, archive.caller("C", "Q", 2), "high", positions([1.0], [2.0]), "x")
    projects.change(archive, "Q", maximum_privileges=5)


def test_a_membership_that_ends_while_a_table_is_made_ends_the_making(archive: Archive) -> None:
    archive.add_account("D", "P")
    caller = archive.caller("D", "P", 2)
    with pytest.raises(ForbiddenError, match="no member of project 'P'"):
        own_tables.create(
            archive,
            caller,
            "late",
            more(),
            "x",
            noted=lambda size: projects.remove_member(archive, "P", "D"),
        )
    assert [each.table for each in known(archive).entries] == ["stars"]


@pytest.mark.parametrize(
    ("who", "level", "project", "message"),
    [
        ("A", 7, None, "the level is 7, expected one of 1 MyDB"),
        ("A", 1, None, "is at level 1 already"),
        ("A", 3, None, "that is for the managers of project 'P'"),
        ("A", 2, "Q", "no member of project 'Q'; your projects are: P"),
        ("B", 2, None, "there is no table 'mydb__41.stars'"),
    ],
)
def test_what_may_not_be_is_refused_with_its_reason(
    archive: Archive, who: str, level: int, project: str | None, message: str
) -> None:
    with pytest.raises((UsageError, ForbiddenError, NotFoundError), match=message):
        publish(archive, archive.caller(who), "mydb__41.stars", level, project)


def test_what_is_published_stays(archive: Archive) -> None:
    a, b, m = (archive.caller(name) for name in "ABM")
    publish(archive, a, "stars", 2)
    with pytest.raises(ForbiddenError, match="somebody else's"):
        own_tables.drop(archive, b, "mydb__41.stars")
    with pytest.raises(ForbiddenError, match="somebody else's"):
        own_tables.append(archive, m, "mydb__41.stars", lambda: positions([3.0], [4.0]))
    own_tables.append(archive, a, "stars", lambda: positions([3.0], [4.0]))
    with pytest.raises(ForbiddenError, match="holds nothing above level 4"):
        publish(archive, m, "mydb__41.stars", 5)
    publish(archive, m, "mydb__41.stars", 3)
    for who in (a, m):
        with pytest.raises(ForbiddenError, match="published at level 3"):
            own_tables.drop(archive, who, "mydb__41.stars")
        with pytest.raises(ForbiddenError, match="cannot lower them to 2: nobody can"):
            publish(archive, who, "mydb__41.stars", 2)
    with pytest.raises(ForbiddenError, match="published at level 3"):
        own_tables.append(archive, a, "stars", lambda: positions([3.0], [4.0]))
    assert own_tables.use(archive, "A").bytes == 0


@pytest.mark.parametrize(
    ("meanwhile", "message"),
    [
        (lambda archive: _publish_to(archive, 3), "is published at level 3"),
        (lambda archive: own_tables.append(archive, archive.caller("A"), "stars", more), "it has other rows"),
    ],
    ids=["published", "loaded"],
)
def test_a_table_that_changes_while_it_is_being_removed_stays(
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Archive], object],
    message: str,
) -> None:
    def found(archive: Archive, name: str, caller: Caller) -> Entry:
        entry = names.found(archive, name, caller)
        monkeypatch.undo()
        meanwhile(archive)
        return entry

    monkeypatch.setattr(own_tables, "found", found)
    with pytest.raises((ForbiddenError, NotFoundError), match=message):
        own_tables.drop(archive, archive.caller("A"), "stars")
    assert [each.table for each in known(archive).entries] == ["stars"]


def more() -> Reading:
    return positions([3.0], [4.0])


def _publish_to(archive: Archive, level: int) -> None:
    for each in range(2, level + 1):
        publish(archive, archive.caller("A" if each == 2 else "M"), "mydb__41.stars", each)


def test_a_manager_may_remove_what_is_of_the_project(archive: Archive) -> None:
    publish(archive, archive.caller("A"), "stars", 2)
    assert own_tables.drop(archive, archive.caller("M"), "mydb__41.stars").table == "stars"
    assert known(archive).entries == ()


def test_the_commands_list_publish_and_drop_and_give_quotas(
    archive: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "eve")
    monkeypatch.setenv("VO_DATABASE_URL", archive.config.database)
    monkeypatch.setenv("VO_PROJECT", "P")
    archive.add_account("eve", "P")
    eve = replace(archive.caller("eve"), project=EVERY_PROJECT)
    own_tables.create(archive, eve, "mine", positions([1.0, 2.0], [2.0, 3.0]), "x")

    def run(*arguments: str) -> tuple[int, str]:
        status = commands.main([*arguments, "--archive", str(archive.config.archive)])
        output = capsys.readouterr()
        return status, output.out + output.err

    status, said = run("table", "list")
    assert (status, "mydb.mine" in said, "of 1.07 GB are used" in said) == (0, True, True)
    status, said = run("table", "publish", "mydb.mine", "2", "--json")
    assert (status, json.loads(said)["level"]) == (0, 2)
    status, said = run("table", "publish", "mydb.mnie", "2")
    assert (status, "did you mean 'mydb.mine'?" in said) == (2, True)
    assert run("table", "publish", "mydb.mine", "2")[0] == 2
    told = r"eve: (\S+ kB) of 50 kB are used, most of it by mydb.mine \1\n"
    assert re.fullmatch(told, run("user", "quota", "eve", "50 kB")[1])
    assert run("user", "quota", "eve", "usual", "--json")[0] == 0
    assert run("user", "quota", "eve", "much")[0] == 2
    assert run("user", "quota", "nobody", "1")[0] == 2
    status, said = run("table", "save", "0" * 32, "mydb.later")
    assert (status, "there is no job" in said) == (2, True)
    assert run("table", "drop", "mydb.mine")[1] == "mydb_eve.mine is dropped\n"
    assert Path(archive.config.archive).exists()
