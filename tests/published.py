"""What do the tests of publishing share: things to publish, their people, and a way to ask for them?"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import projects, tokens
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session
from processing.classes import TABLES
from tests import accounts as of_tests
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


PROGRAM = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.session import Session
from tests.published import PublishMade
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


# The doors of the server ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(shared: Archive) -> Any:
    made = create_app(shared).test_client()
    made.open = partial(made.open, buffered=True)  # reads and closes, as a server does
    return made


@pytest.fixture(scope="module")
def secrets(shared: Archive) -> dict[str, str]:
    return {name: tokens.issue(shared, name)[1] for name in "ABC"}


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
