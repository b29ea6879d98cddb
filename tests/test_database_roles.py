"""What may a role of a person do on PostgreSQL, and how does one come to be?"""

import io
import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from datamodel import account_changes, database_roles
from datamodel.archive import Archive
from datamodel.comments import Comment
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from datamodel.state import Restricted
from processing.bias_frame import BiasFrame
from processing.classes import TABLES
from processing.opening import session_of
from tests import roles_of_people
from tests.databases import on_postgresql, on_sqlite
from tests.roles_of_people import (
    PASSWORD,
    PEOPLE,
    Connect,
    SecuredMore,
    SecuredThing,
    rows,
    seen,
)
from vo_server import commands

shared, connect = roles_of_people.shared, roles_of_people.connect


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
