"""Under which roles do people connect to the database themselves? Each stands for an account, and only reads."""

from typing import Any

import sqlalchemy as sa
from psycopg2.extensions import encrypt_password

from datamodel.accounts import changing, database_role, named
from datamodel.archive import Archive
from datamodel.context import SERVICE_ACCOUNT
from datamodel.dialect import insert_absent
from datamodel.errors import UsageError
from datamodel.passwords import checked
from datamodel.row_security import require

LONGEST_BYTES = 63
"""Of a name in PostgreSQL, which cuts off the rest."""

_RIGHTS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS"


def add(archive: Archive, user: str, password: str | None) -> bool:
    """Have an account connect to the database under a role of the same name.

    Parameters
    ----------
    archive
        On PostgreSQL, connected as a role that may make roles.
    user
        The account.
    password
        Of the role; its digest alone is sent. None takes a role that is there, as it is.

    Returns
    -------
    bool
        Whether the role is new; else it has another password, or stands for the account from now on.

    Raises
    ------
    UsageError
        The database has no such roles, the name is too long, or the password cannot be one; or there is a role of
        that name that stands for no account here, or none where there should be one.
    NotFoundError
        There is no such account.
    ForbiddenError
        The archive's own role may not make roles.
    """
    require(archive.database)
    if user == SERVICE_ACCOUNT or len(user.encode()) > LONGEST_BYTES:
        raise UsageError(
            f"'{user[:LONGEST_BYTES]}' cannot be a role of the database: expected an account of a person, with"
            f" {LONGEST_BYTES} bytes in its name at the most"
        )
    said = None if password is None else checked(password, user)
    with changing(archive.database) as connection:
        named(connection, user)
        return _added(connection, user, said)


def _added(connection: sa.Connection, user: str, password: str | None) -> bool:
    there = sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :name")
    is_there = bool(connection.scalar(there, {"name": user}))
    mine = sa.select(database_role.c.account).where(database_role.c.role == user)
    is_mine = connection.scalar(mine) is not None
    if password is None and not is_there:
        raise UsageError(f"the database has no role '{user}' that could be taken")
    if password is not None and is_there and not is_mine:
        raise UsageError(
            f"the database has a role '{user}' already, which stands for nobody here; --existing takes it as it is"
        )
    role = connection.dialect.identifier_preparer.quote_identifier(user)
    if password is not None:
        digest = encrypt_password(password, user, _driver(connection), "scram-sha-256").replace("'", "''")
        verb = "ALTER" if is_there else "CREATE"
        connection.exec_driver_sql(f"{verb} ROLE {role} {_RIGHTS} PASSWORD '{digest}'")
    database = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    quoted = connection.dialect.identifier_preparer.quote_identifier(database)
    connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {quoted} TO {role}")
    insert_absent(connection, database_role, {"role": user, "account": user})
    return not is_there


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection
