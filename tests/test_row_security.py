"""Does a role of PostgreSQL see what `visible` lets the caller see for whom it stands, and nothing else?"""

from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import account_changes, crash, projects, row_security
from datamodel.archive import Archive
from datamodel.catalogues import Entry, entries, register, sql_name
from datamodel.clock import new_object_id
from datamodel.columns import Column
from datamodel.comments import Comment
from datamodel.commit import commit
from datamodel.context import ANONYMOUS, Caller
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.pinning import pin, unpin
from datamodel.schema import metadata, own_tables
from datamodel.session import Session
from processing.waivers import waiver
from tests import roles_of_people
from tests.catalogues import brought, positions
from tests.databases import on_postgresql
from tests.roles_of_people import PEOPLE, Connect, SecuredMore, SecuredThing, rows, seen

shared, connect = roles_of_people.shared, roles_of_people.connect


def callers(archive: Archive) -> dict[str, Caller]:
    return {name: archive.caller(name) for name in PEOPLE} | {"nobody_known": ANONYMOUS}


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
