"""What do the tests of row security share: an archive that is protected, and roles that connect to it?"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import database_roles, projects, row_security
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import Caller, visible
from datamodel.objects import DBObject
from datamodel.observations import cover, edges, observation
from datamodel.persistent import persistent
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.sources import source, source_owner
from processing.classes import TABLES
from tests.catalogues import brought, positions

PASSWORD = "a long password of a role"
PEOPLE = ("A", "B", "C")


class SecuredThing(DBObject):
    """Something of one level, project and creator."""

    label = persistent("Says who, where and which level", str, indexed=True)
    sizes = persistent("A list", [float])


class SecuredMore(SecuredThing):
    """A class below, which links to others."""

    other = persistent("Another one", SecuredThing)
    others = persistent("More of them", [SecuredThing])


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A and B work in P, C in Q, everybody in R; there is something of every class, creator, project and level."""
    config = Config(archive=tmp_path_factory.mktemp("secured"), database_url=new_database(), project="P")
    opened = Archive(config)
    opened.prepare(TABLES)
    for account, project in (("A", "P"), ("B", "P"), ("C", "Q"), ("D", "P")):
        opened.add_account(account, project)
    projects.add(opened, "R", is_public=True)
    chance, made = random.Random(5), []
    for number in range(60):
        user = chance.choice(PEOPLE)
        caller = opened.caller(user, "ALL")
        project = chance.choice(sorted(caller.projects))
        label = f"thing {number}"
        cls = chance.choice((SecuredThing, SecuredMore))
        links = {"other": chance.choice(made), "others": chance.sample(made, 2)} if len(made) > 2 else {}
        thing = cls(label=label, sizes=[1.0, 2.0], **(links if cls is SecuredMore else {}))
        thing._project, thing._privileges = project, chance.randint(1, 5)
        with Session(opened, caller):
            thing.commit()
            if chance.random() < 0.5:
                thing.comment("said of it")
        made.append(thing)
    _rows_of_objects(opened, made)
    for number, level in enumerate((1, 2, 4)):
        read = positions([1.0, 2.0], [3.0, 4.0])
        brought(opened, read, f"test.of_{number}", level=level)
    yield opened
    opened.close()


def _rows_of_objects(archive: Archive, made: list[Any]) -> None:
    with archive.database.write() as connection:
        for number, thing in enumerate(made):
            oid = thing.object_id
            connection.execute(sa.insert(source_owner).values(slid=number, object_id=oid))
            connection.execute(sa.insert(source).values(slid=number, sid=1, ra=1.0, dec=1.0))
            row = {"row": f"x/{oid}", "raw_id": oid, "class_name": "SecuredThing"}
            connection.execute(sa.insert(observation).values(row))
            connection.execute(sa.insert(cover).values(lo=1, hi=2, row=row["row"]))
            connection.execute(sa.insert(edges).values(row=row["row"], ra=1.0, dec=1.0))


Connect = Callable[[str], sa.Engine]


@pytest.fixture(scope="module")
def connect(shared: Archive) -> Iterator[Connect]:
    """Connects as a role of a name; ``nobody`` stands for no account."""
    row_security.protect(shared.database)
    for name in PEOPLE:
        assert database_roles.add(shared, name, PASSWORD)
    with shared.database.write() as connection:
        connection.exec_driver_sql("CREATE ROLE nobody_known LOGIN")
    made: dict[str, sa.Engine] = {}

    def engine(name: str) -> sa.Engine:
        url = sa.make_url(shared.config.database).set(username=name)
        return made.setdefault(name, sa.create_engine(url, isolation_level="AUTOCOMMIT"))

    yield engine
    for each in made.values():
        each.dispose()
    _drop_roles(shared)


def _drop_roles(archive: Archive) -> None:
    """They are the server's, not the database's, and others make them anew."""
    there = (
        "SELECT rolname FROM pg_roles WHERE rolname <> current_user AND rolname NOT LIKE 'pg!_%%' ESCAPE '!'"
    )
    with archive.database.write() as connection:
        for name in connection.exec_driver_sql(there).scalars().all():
            connection.exec_driver_sql(f'DROP OWNED BY "{name}" CASCADE')
            connection.exec_driver_sql(f'DROP ROLE "{name}"')


def rows(engine: sa.Engine, statement: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = (
            connection.exec_driver_sql(statement)
            if isinstance(statement, str)
            else connection.execute(statement)
        )
        return sorted(tuple(row) for row in found)


def seen(archive: Archive, caller: Caller, cls: Any = DBObject) -> set[str]:
    """What `visible` says, asked by the owner."""
    root, own = table_of(DBObject), table_of(cls).alias()
    here = sa.select(root.c.object_id).join_from(root, own, own.c.object_id == root.c.object_id)
    with archive.database.read() as connection:
        return set(connection.scalars(here.where(visible(root, caller))))
