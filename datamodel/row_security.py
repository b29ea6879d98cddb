"""How does the database itself keep rows from people who connect to it? By policies that say what `visible` says.

Who connects under a role of their own reads, and only what the account of that role may see; who has a role without an
account sees what a stranger sees. The role that owns the tables, with which the server and the commands work, is not
looked at. A table without a policy is read by nobody else.
"""

from collections.abc import Collection, Iterable, Iterator

import sqlalchemy as sa

from datamodel import crash
from datamodel.attributes import all_classes
from datamodel.context import ARCHIVE, EVERY_PROJECT, MYDB, PROJECT, WORLD, Caller
from datamodel.database import Database
from datamodel.errors import UsageError
from datamodel.schema import OF_CATALOGUE, own_tables

PROTECTED = crash.declare(
    "protect.policies", "all tables have their policies, the transaction is not committed"
)

POLICY = "vo_seen"

_SEEN = f"""
    privileges >= {WORLD} OR (SELECT vo_account()) IS NOT NULL AND (
        privileges = {ARCHIVE}
        OR privileges = {PROJECT} AND project = ANY ((SELECT vo_projects())::text[])
        OR privileges = {MYDB} AND creator = (SELECT vo_account())
    )
"""
"""See `datamodel.context.visible`: a caller in all projects, from level 1 on, now."""

_ACCOUNT = """
    SELECT r.account FROM database_role AS r JOIN account AS a ON a.name = r.account
    WHERE r.role = session_user AND a.disabled IS NULL
"""

_PROJECTS = """
    SELECT coalesce(array_agg(seen.project::text), '{}') FROM (
        SELECT project FROM membership WHERE account = vo_account()
        UNION SELECT name FROM project WHERE is_public AND vo_account() IS NOT NULL
    ) AS seen (project)
"""

_BY = {
    "dbobject": _SEEN,
    "catalogue_entry": _SEEN,
    "event": (
        "{object} AND (kind <> 'favourite' OR coalesce(new, old) = ANY ((SELECT vo_projects())::text[]))"
    ),
    "activity": "{object}",
    "retraction": "{object}",
    "source_owner": "{object}",
    "source": "EXISTS (SELECT 1 FROM source_owner AS o WHERE o.slid = {table}.slid)",
    "alembic_version": "true",
    "custody": "true",
    "waiver": "(SELECT vo_account()) IS NOT NULL",
    "default_value": (
        "scope = 'everybody' OR scope = 'project' AND owner = ANY ((SELECT vo_projects())::text[])"
        " OR scope = 'user' AND owner = (SELECT vo_account())"
    ),
    "favourite": "project = ANY ((SELECT vo_projects())::text[])",
    "observation": "EXISTS (SELECT 1 FROM dbobject AS o WHERE o.object_id = {table}.raw_id)",
    "observation_cover": 'EXISTS (SELECT 1 FROM observation AS o WHERE o."row" = {table}."row")',
    "observation_edge": 'EXISTS (SELECT 1 FROM observation AS o WHERE o."row" = {table}."row")',
}
"""By table: who sees a row; the tables of classes go by their object, those of catalogues by their entry."""

_OBJECT = "EXISTS (SELECT 1 FROM dbobject AS o WHERE o.object_id = {table}.object_id)"
_CATALOGUE = "EXISTS (SELECT 1 FROM catalogue_entry AS e WHERE replace(e.id, '-', '') = '{id}')"

_ENTRY = sa.table("catalogue_entry", sa.column("id"))
_BROUGHT = sa.select(_ENTRY.c.id)
"""By its name, for catalogues stand on this."""

_HAVE_POLICIES = (
    "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND policyname = %(policy)s"
)


def protect(database: Database) -> list[str]:
    """Have each table with objects, sources, catalogues or their history show what each role may see.

    Parameters
    ----------
    database
        Connected as the role that owns the tables. What it does by itself afterwards covers new tables, too.

    Returns
    -------
    list of str
        The tables that have a policy now; all others are read by their owner alone.

    Raises
    ------
    UsageError
        The database knows no such policies.
    """
    require(database)
    with database.write() as connection:
        database.lock_schema(connection)
        schema = _quoted(connection, connection.exec_driver_sql("SELECT current_schema()").scalar_one())
        connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
        _create_functions(connection, schema)
        done = _cover(connection, ())
        crash.reach(PROTECTED)
    return done


def require(database: Database) -> None:
    """See that the database can keep rows from roles.

    Raises
    ------
    UsageError
        It cannot.
    """
    if not database.facts.secures_rows:
        raise UsageError(
            "this database cannot keep rows from people who read it; expected an archive on PostgreSQL, to which"
            " 'vo-server move' brings one"
        )


def follow(connection: sa.Connection, database: Database, only: Collection[str] | None = None) -> None:
    """Give tables that have been made since their policies, within a transaction, where the archive is protected.

    Parameters
    ----------
    connection
        Of the transaction.
    database
        Whose connection it is.
    only
        Names of the tables that are looked at; None for all.
    """
    if database.facts.secures_rows:
        known = set(connection.exec_driver_sql(_HAVE_POLICIES, {"policy": POLICY}).scalars())
        if known:
            _cover(connection, known, only)


def reader(connection: sa.Connection, project: str, level: int) -> Caller:
    """The caller that the role of a connection stands for; a stranger where it stands for none.

    Parameters
    ----------
    connection
        To an archive that is protected.
    project, level
        In which project, and from which level on; in all of its projects where it is no member.
    """
    user, projects = connection.exec_driver_sql("SELECT vo_account(), vo_projects()").one()
    return Caller(user, project if project in projects else EVERY_PROJECT, level, frozenset(projects))


def policies(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The tables among these that people may read, each with the condition for its rows."""
    classes = {table.name for cls in all_classes() for table in own_tables(cls)}
    for name in names:
        rows = OF_CATALOGUE.fullmatch(name)
        if name in _BY:
            yield name, _BY[name].format(object=_OBJECT.format(table=name), table=name)
        elif name in classes:
            yield name, _OBJECT.format(table=f'"{name}"')
        elif rows:
            yield name, _CATALOGUE.format(id=rows[1])


def _cover(connection: sa.Connection, known: Iterable[str], only: Collection[str] | None = None) -> list[str]:
    """Give tables their policies, but those of catalogues that are being filled: it would wait for the filling."""
    done = []
    there = set(sa.inspect(connection).get_table_names())
    brought = {id.replace("-", "") for id in connection.scalars(_BROUGHT)} if _ENTRY.name in there else set()
    names = there.intersection(there if only is None else only) - {*known}
    for name, condition in policies(sorted(names)):
        rows = OF_CATALOGUE.fullmatch(name)
        if rows and rows[1] not in brought:
            continue
        table = _quoted(connection, name)
        connection.exec_driver_sql(f"DROP POLICY IF EXISTS {POLICY} ON {table}")
        connection.exec_driver_sql(f"CREATE POLICY {POLICY} ON {table} FOR SELECT USING ({condition})")
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"GRANT SELECT ON {table} TO PUBLIC")
        done.append(name)
    return done


def _create_functions(connection: sa.Connection, schema: str) -> None:
    """What policies ask of the role; they read tables that it may not, and find nothing that it has made itself."""
    for name, kind, body in (("vo_account", "text", _ACCOUNT), ("vo_projects", "text[]", _PROJECTS)):
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS {kind} LANGUAGE sql STABLE SECURITY DEFINER"
            f" SET search_path = {schema}, pg_temp AS $vo${body}$vo$"
        )


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
