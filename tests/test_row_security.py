"""Does a role of PostgreSQL see what `visible` lets the caller see for whom it stands, and nothing else?"""

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import account_changes, crash, database_roles, projects, row_security
from datamodel.archive import Archive
from datamodel.catalogues import Entry, entries, register, sql_name
from datamodel.clock import new_object_id
from datamodel.columns import Column
from datamodel.comments import Comment
from datamodel.commit import commit
from datamodel.config import Config
from datamodel.context import ANONYMOUS, Caller, visible
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observations import cover, edges, observation
from datamodel.persistent import persistent
from datamodel.pinning import pin, unpin
from datamodel.schema import metadata, own_tables, table_of
from datamodel.session import Session
from datamodel.sources import source, source_owner
from datamodel.state import Restricted
from processing.bias_frame import BiasFrame
from processing.classes import TABLES
from processing.opening import session_of
from processing.waivers import waiver
from tests.catalogues import brought, positions
from tests.databases import ON_POSTGRESQL
from vo_server import commands

on_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL keeps rows from roles")

PASSWORD = "a long password of a role"
PEOPLE = ("A", "B", "C")


def on_postgresql(test: Any) -> Any:
    """Of the second tier; nothing to look at on SQLite."""
    reason = "only PostgreSQL keeps rows from roles"
    return pytest.mark.postgresql(pytest.mark.skipif(not ON_POSTGRESQL, reason=reason)(test))


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


def callers(archive: Archive) -> dict[str, Caller]:
    return {name: archive.caller(name) for name in PEOPLE} | {"nobody_known": ANONYMOUS}


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


@on_postgresql
def test_each_role_sees_the_rows_of_each_class_that_its_account_may_see(
    shared: Archive, connect: Connect
) -> None:
    for name, caller in callers(shared).items():
        for cls in (DBObject, SecuredThing, SecuredMore, Comment, RawScienceFrame):
            expected = seen(shared, caller, cls)
            for table in own_tables(cls):
                with shared.database.read() as connection:
                    everything = connection.execute(sa.select(table.c.object_id)).scalars().all()
                told = [row[0] for row in rows(connect(name), sa.select(table.c.object_id))]
                assert told == sorted(oid for oid in everything if oid in expected), (name, table.name)
                assert rows(connect(name), sa.select(sa.func.count()).select_from(table)) == [(len(told),)]
    assert len(seen(shared, callers(shared)["A"])) > len(seen(shared, ANONYMOUS)) > 0


@on_postgresql
def test_rows_that_belong_to_objects_are_seen_with_them(shared: Archive, connect: Connect) -> None:
    names = {"event": "object_id", "source_owner": "object_id", "observation": "raw_id"}
    for name, caller in callers(shared).items():
        expected, engine = seen(shared, caller), connect(name)
        for table, column in names.items():
            found = {row[0] for row in rows(engine, f'SELECT "{column}" FROM {table}')}
            assert found <= expected, (name, table)
            assert found >= seen(shared, caller, SecuredThing), (name, table)
        things = len(seen(shared, caller, SecuredThing))
        for table in ("source", "observation_cover", "observation_edge"):
            assert rows(engine, f"SELECT count(*) FROM {table}") == [(things,)], (name, table)


@on_postgresql
def test_names_of_private_projects_are_told_their_members_alone(shared: Archive, connect: Connect) -> None:
    with Session(shared, shared.caller("A", "P")) as session:
        world = SecuredThing(_privileges=4)
        world.commit()
        pin(session, world)
        unpin(session, world)
    told = f"SELECT old, new FROM event WHERE kind = 'favourite' AND object_id = '{world.object_id}'"
    for name, count in (("A", 2), ("B", 2), ("C", 0), ("nobody_known", 0)):
        assert len(rows_of(connect(name), told)) == count, name


@on_postgresql
def test_waivers_are_for_those_with_an_account(shared: Archive, connect: Connect) -> None:
    vouched = {"class_name": "BiasFrame", "old_digest": "a", "new_digest": "b", "reason": "same", "who": "A"}
    with shared.database.write() as connection:
        connection.execute(sa.insert(waiver).values(vouched | {"at": shared.clock()}))
    for name, count in (("C", 1), ("nobody_known", 0)):
        assert rows(connect(name), "SELECT count(*) FROM waiver") == [(count,)], name


@on_postgresql
def test_joins_and_hidden_links_tell_nothing_more(shared: Archive, connect: Connect) -> None:
    join = "SELECT m.object_id, t.object_id FROM secured_more AS m JOIN secured_thing AS t ON t.object_id = m.other"
    with shared.database.read() as connection:
        everything = connection.exec_driver_sql(join).all()
    for name, caller in callers(shared).items():
        expected = seen(shared, caller)
        pairs = sorted(tuple(row) for row in everything if {*row} <= expected)
        assert rows(connect(name), join) == pairs
        outer = join.replace("JOIN", "FULL JOIN")
        assert {oid for row in rows_of(connect(name), outer) for oid in row if oid} <= expected


def rows_of(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


@on_postgresql
def test_catalogues_go_by_their_entries_also_those_that_come_later(shared: Archive, connect: Connect) -> None:
    brought(shared, positions([1.0], [2.0]), "test.later", level=2)
    with shared.database.read() as connection:
        known = entries(connection)
    assert len(known) == 4
    for name, caller in callers(shared).items():
        visible_ones = sorted(each.name for each in known if each.seen_by(caller))
        assert [row[0] for row in rows(connect(name), "SELECT name FROM catalogue_entry")] == visible_ones
        for each in known:
            count = each.rows if each.name in visible_ones else 0
            assert rows(connect(name), f"SELECT count(*) FROM {each.sql.name}") == [(count,)]


@on_postgresql
def test_nobody_waits_for_a_catalogue_that_others_are_filling(shared: Archive, connect: Connect) -> None:
    """A policy needs the table for itself."""
    filled = sql_name(new_object_id())
    with shared.database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {filled} (x integer)")
    with shared.database.engine.connect() as filling, shared.database.engine.connect() as connection:
        filling.exec_driver_sql(f"INSERT INTO {filled} VALUES (1)")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        row_security.follow(connection, shared.database)
        other = Entry("test", "meanwhile", (Column("x", "INTEGER"),))
        other.sql.create(connection)
        register(connection, shared, other)
        have = "SELECT tablename FROM pg_policies WHERE tablename IN (%s, %s)"
        found = connection.exec_driver_sql(have, (filled, other.sql.name)).scalars().all()
        assert found == [other.sql.name]
    with shared.database.write() as connection:
        connection.exec_driver_sql(f"DROP TABLE {filled}")


@on_postgresql
@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"SELECT * FROM {t}"
            for t in ("account", "token", "membership", "project", "login_failure", "counter")
        ),
        "SELECT * FROM database_role",
        "SELECT * FROM standing",
        "SELECT rolpassword FROM pg_authid",
        "UPDATE dbobject SET privileges = 4",
        "UPDATE dbobject SET creator = 'B' RETURNING *",
        "DELETE FROM secured_thing",
        "INSERT INTO database_role VALUES ('B', 'A')",
        "TRUNCATE dbobject",
        "CREATE TABLE mine (x integer)",
        "CREATE FUNCTION vo_account() RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION vo_account() RETURNS text LANGUAGE sql AS $$SELECT 'A'::text$$",
        "DROP POLICY vo_seen ON dbobject",
        "ALTER TABLE dbobject DISABLE ROW LEVEL SECURITY",
        "SET ROLE archive",
        'SET ROLE "A"',
        "SET SESSION AUTHORIZATION archive",
        "SELECT * FROM dbobject FOR UPDATE",
        "COPY dbobject TO PROGRAM 'cat'",
        "SET row_security = off; SELECT * FROM dbobject",
    ],
)
def test_a_role_reads_and_does_nothing_else(connect: Connect, statement: str) -> None:
    with connect("B").connect() as connection, pytest.raises(sa.exc.ProgrammingError) as refused:
        connection.exec_driver_sql(statement)
    assert getattr(refused.value.orig, "pgcode", "") == "42501"


@on_postgresql
def test_functions_of_ones_own_meet_no_hidden_row(shared: Archive, connect: Connect) -> None:
    """The planner would like to ask the cheapest condition first."""
    with connect("B").connect() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE met (label text)")
        connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "$$BEGIN INSERT INTO met VALUES ($1); RETURN true; END$$"
        )
        count = connection.exec_driver_sql("SELECT count(*) FROM secured_thing WHERE pg_temp.leak(label)")
        assert count.scalar_one() == len(seen(shared, shared.caller("B"), SecuredThing))
        labels = set(connection.exec_driver_sql("SELECT label FROM met").scalars())
        shown = connection.exec_driver_sql("SELECT label FROM secured_thing").scalars().all()
        assert labels == set(shown)


@on_postgresql
def test_a_role_cannot_make_itself_another_by_names_of_its_own(shared: Archive, connect: Connect) -> None:
    with connect("B").connect() as connection:
        connection.exec_driver_sql(
            "CREATE TEMP TABLE database_role AS SELECT 'B'::text role, 'A'::text account"
        )
        connection.exec_driver_sql(
            "CREATE TEMP TABLE membership AS SELECT 'Q'::text project, 'B'::text account"
        )
        found = connection.exec_driver_sql("SELECT vo_account(), vo_projects()").one()
        assert (found[0], sorted(found[1])) == ("B", ["P", "R"])
        ids = set(connection.exec_driver_sql("SELECT object_id FROM public.dbobject").scalars())
    assert ids == seen(shared, shared.caller("B"))


@on_postgresql
def test_who_is_disabled_or_leaves_a_project_sees_less_at_once(shared: Archive, connect: Connect) -> None:
    def ids(name: str) -> set[str]:
        return {row[0] for row in rows(connect(name), "SELECT object_id FROM dbobject")}

    projects.remove_member(shared, "P", "B")
    assert ids("B") == seen(shared, shared.caller("B"))
    projects.set_member(shared, "P", "B")
    assert ids("B") == seen(shared, shared.caller("B"))
    account_changes.disable(shared, "B")
    assert ids("B") == seen(shared, ANONYMOUS)
    account_changes.enable(shared, "B")


@on_postgresql
def test_classes_that_come_later_are_protected_when_they_come(shared: Archive, connect: Connect) -> None:
    class SecuredLater(SecuredThing):
        """Declared after the archive was protected."""

        note = persistent("A note", str)
        marks = persistent("Marks", [int])

    made = [SecuredLater(note=f"n{level}", marks=[level], _privileges=level) for level in range(1, 6)]
    commit(Session(shared, shared.caller("A", "P")), made)
    for name, expected in (("A", "12345"), ("B", "2345"), ("C", "345"), ("nobody_known", "45")):
        assert rows(connect(name), "SELECT note FROM secured_later") == [(f"n{c}",) for c in expected]
        assert rows(connect(name), "SELECT value FROM secured_later__marks") == [(int(c),) for c in expected]


@on_postgresql
def test_every_table_is_protected_or_read_by_its_owner_alone(shared: Archive, connect: Connect) -> None:
    told = rows(
        connect("A"),
        "SELECT c.relname, c.relrowsecurity FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'v', 'm', 'p') AND has_table_privilege(c.oid, 'SELECT')",
    )
    assert {"dbobject", "comment", "source", "observation_edge", "retraction"} <= {name for name, _ in told}
    assert [name for name, secured in told if not secured] == []
    assert metadata.tables["account"].name not in {name for name, _ in told}


@on_postgresql
def test_what_cannot_be_a_role_is_refused(shared: Archive, connect: Connect) -> None:
    account_changes.add(shared, "x" * 70)
    shared.add_account("nobody_known")
    for name, password, error, message in (
        ("E", PASSWORD, NotFoundError, "there is no account 'E'"),
        ("archive", PASSWORD, UsageError, "expected an account of a person"),
        ("x" * 70, PASSWORD, UsageError, "63 bytes in its name at the most"),
        ("D", "short", UsageError, "expected 8 at least"),
        ("D", None, UsageError, "the database has no role 'D' that could be taken"),
        ("nobody_known", PASSWORD, UsageError, "which stands for nobody here; --existing takes it as it is"),
    ):
        with pytest.raises(error, match=message):
            database_roles.add(shared, name, password)
    assert not database_roles.add(shared, "A", PASSWORD + "!")
    with shared.database.read() as connection:
        kept = connection.exec_driver_sql(
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'A'"
        ).scalar_one()
    assert kept.startswith("SCRAM-SHA-256$")


@on_postgresql
def test_an_archive_whose_role_makes_no_roles_says_so(shared: Archive, connect: Connect) -> None:
    with shared.database.write() as connection:
        connection.exec_driver_sql("CREATE ROLE lesser LOGIN")
        connection.exec_driver_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO lesser")
    url = sa.make_url(shared.config.database).set(username="lesser").render_as_string(False)
    lesser = Archive(Config(archive=shared.config.archive, database_url=url))
    try:
        with pytest.raises(ForbiddenError, match="permission denied to create role"):
            database_roles.add(lesser, "D", PASSWORD)
    finally:
        lesser.close()


@on_postgresql
def test_the_prompt_of_a_role_is_that_of_its_account_and_only_reads(
    shared: Archive, connect: Connect
) -> None:
    for name in PEOPLE:
        url = sa.make_url(shared.config.database).set(username=name).render_as_string(False)
        with session_of(Config(archive=shared.config.archive, database_url=url, level=1)) as session:
            assert (session.caller.user, session.caller.managed) == (name, frozenset())
            found = {each.object_id: each for each in SecuredThing.select_all()}
            assert set(found) == seen(shared, session.caller, SecuredThing)
            assert len(Comment.select_all()) == len(seen(shared, session.caller, Comment))
            more = [each for each in found.values() if isinstance(each, SecuredMore) and each.other]
            for each in more:
                assert isinstance(each.other, Restricted) is (each.other.object_id not in found)
            mine = next(each for each in found.values() if each._creator == name)
            mine.is_valid = 0
            for change in (mine.commit, SecuredThing().commit, lambda mine=mine: mine.publish(5)):
                with pytest.raises(ForbiddenError, match=r"the role that is connected|may not|in the way"):
                    change()
            assert BiasFrame.select_all().order_by("-creation_date").limit(1)[:] == []
    url = sa.make_url(shared.config.database).set(username="nobody_known").render_as_string(False)
    with session_of(Config(archive=shared.config.archive, database_url=url)) as session:
        assert session.caller.user is None
        assert len(SecuredThing.select_all()) == len(seen(shared, ANONYMOUS, SecuredThing))


@on_postgresql
def test_the_server_itself_does_not_run_as_a_role_of_a_person(shared: Archive, connect: Connect) -> None:
    url = sa.make_url(shared.config.database).set(username="A").render_as_string(False)
    lesser = Archive(Config(archive=shared.config.archive, database_url=url))
    try:
        lesser.prepare(TABLES)
        with pytest.raises(ForbiddenError, match="permission denied for table account"):
            lesser.add_account("X")
    finally:
        lesser.close()


@pytest.fixture
def run(
    shared: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``vo-server``, with a password as its standard input; gives its exit code and what it said."""
    monkeypatch.setenv("VO_DATABASE_URL", shared.config.database_url)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        code = commands.main([*words, "--archive", str(shared.config.archive)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


@on_sqlite
@pytest.mark.parametrize("words", [("protect",), ("role", "A", "--password-stdin"), ("role", "A")])
def test_a_database_that_keeps_nothing_from_anybody_says_so(
    run: Callable[..., tuple[int, str, str]], words: tuple[str, ...]
) -> None:
    code, out, told = run("database", *words)
    assert (code, out, "expected an archive on PostgreSQL" in told) == (2, "", True)


@on_postgresql
def test_the_commands_protect_and_give_roles(
    run: Callable[..., tuple[int, str, str]], connect: Connect
) -> None:
    code, out, _ = run("database", "protect", "--json")
    assert (code, "dbobject" in json.loads(out)["protected"]) == (0, True)
    code, out, _ = run("database", "role", "D", "--password-stdin")
    assert (code, "which is new" in out) == (0, True)
    assert run("database", "role", "D", "--existing")[0] == 0
    assert rows(connect("D"), "SELECT vo_account()") == [("D",)]
    assert run("database", "role", "none", "--password-stdin")[0] == 2


def failing(name: str) -> None:
    if name == row_security.PROTECTED:
        raise RuntimeError("the disk is full")


@on_postgresql
def test_what_fails_before_its_end_leaves_tables_as_they_were(shared: Archive, connect: Connect) -> None:
    with shared.database.write() as connection:
        connection.exec_driver_sql("DROP POLICY vo_seen ON secured_thing")
    assert rows(connect("A"), "SELECT count(*) FROM secured_thing") == [(0,)]
    stop = crash.watch(failing)
    try:
        with pytest.raises(RuntimeError, match="the disk is full"):
            row_security.protect(shared.database)
    finally:
        stop()
    assert rows(connect("A"), "SELECT count(*) FROM secured_thing") == [(0,)]
    row_security.protect(shared.database)
    expected = len(seen(shared, shared.caller("A"), SecuredThing))
    assert rows(connect("A"), "SELECT count(*) FROM secured_thing") == [(expected,)]


def test_policies_are_for_tables_that_there_are(shared: Archive) -> None:
    with shared.database.read() as connection:
        names = sa.inspect(connection).get_table_names()
    assert set(row_security._BY) - {"custody"} <= set(names)
    assert {"secured_thing", "secured_thing__sizes"} <= {name for name, _ in row_security.policies(names)}
