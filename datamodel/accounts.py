"""Who has an account, which projects are there, and who works in them? Their tables, and what is read from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.context import EVERY_PROJECT, Caller
from datamodel.database import Database
from datamodel.datatypes import Timestamp
from datamodel.errors import ForbiddenError, NotFoundError, UsageError, nearest
from datamodel.schema import metadata

WRITTEN = crash.declare("accounts.written", "accounts are changed, the transaction is not committed")
DONE = crash.declare("accounts.done", "accounts are changed, the caller does not know yet")

MOST_CHARACTERS = 100
"""Of a name; who asks under a longer one has no account."""

account = sa.Table(
    "account",
    metadata,
    sa.Column("name", sa.String(MOST_CHARACTERS), primary_key=True),
    sa.Column("full_name", sa.Text),
    sa.Column("password_hash", sa.Text),
    sa.Column("password_changed", Timestamp()),
    sa.Column("disabled", Timestamp()),
    sa.Column("created", Timestamp()),
)
"""Who may be a caller. An account without a password works at the prompt, and over HTTP by tokens alone."""

project = sa.Table(
    "project",
    metadata,
    sa.Column("name", sa.String(MOST_CHARACTERS), primary_key=True),
    sa.Column("description", sa.Text),
    sa.Column("maximum_privileges", sa.SmallInteger, nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("instrument", sa.String(100)),
    sa.Column("created", Timestamp()),
)

membership = sa.Table(
    "membership",
    metadata,
    sa.Column("project", sa.ForeignKey("project.name"), primary_key=True),
    sa.Column("account", sa.ForeignKey("account.name"), primary_key=True),
    sa.Column("is_manager", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""Who works in a project; in a public one, everybody who has an account does besides."""

token = sa.Table(
    "token",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("account", sa.ForeignKey("account.name"), nullable=False, index=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("of_login", sa.Boolean, nullable=False),
    sa.Column("created", Timestamp(), nullable=False),
    sa.Column("expires", Timestamp(), nullable=False),
    sa.Column("last_used", Timestamp()),
    sa.Column("revoked", Timestamp()),
    sa.Column("project", sa.String(MOST_CHARACTERS)),
    sa.Column("level", sa.SmallInteger),
)
"""What programs show in place of a password; of its secret only the SHA-256 is kept."""

login_failure = sa.Table(
    "login_failure",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last", Timestamp(), nullable=False),
)
"""How often a log-in failed: of an account, and from an address; both stand here as digests."""

database_role = sa.Table(
    "database_role",
    metadata,
    sa.Column("role", sa.String(63), primary_key=True),
    sa.Column("account", sa.ForeignKey("account.name"), nullable=False),
)
"""Under which roles people connect to the database themselves; see `datamodel.row_security`."""

account_quota = sa.Table(
    "account_quota",
    metadata,
    sa.Column("account", sa.String(MOST_CHARACTERS), primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
"""Accounts whose tables of their own may have another size than the setting ``mydb_quota`` says."""

TABLES = [account, project, membership, token, login_failure, database_role, account_quota]


@dataclass(frozen=True)
class Account:
    """A row of `account`. Instants are naive UTC.

    Attributes
    ----------
    password_hash
        None where no password opens it.
    disabled
        Since when it may do nothing; None where it may.
    """

    name: str
    full_name: str | None
    password_hash: str | None
    password_changed: datetime | None
    disabled: datetime | None
    created: datetime | None


@contextmanager
def changing(database: Database) -> Iterator[sa.Connection]:
    """A transaction that changes accounts, projects or tokens."""
    with database.write() as connection:
        yield connection
        crash.reach(WRITTEN)
    crash.reach(DONE)


def read(connection: sa.Connection, name: str) -> Account | None:
    """The account of a name; None where there is none, whatever the name is made of."""
    if len(name) > MOST_CHARACTERS or "\0" in name:
        return None
    row = connection.execute(sa.select(account).where(account.c.name == name)).mappings().first()
    return None if row is None else Account(**row)


def named(connection: sa.Connection, name: str) -> Account:
    """The same where there must be one.

    Raises
    ------
    NotFoundError
        There is none; the message has the nearest name.
    """
    found = read(connection, name)
    if found is None:
        known = connection.scalars(sa.select(account.c.name))
        raise NotFoundError(f"there is no account '{name[:MOST_CHARACTERS]}'{nearest(name, known)}")
    return found


def caller(connection: sa.Connection, name: str, project_name: str, level: int) -> Caller:
    """The context of an account with its memberships of now; see `datamodel.archive.Archive.caller`.

    Raises
    ------
    NotFoundError
        There is no such account.
    ForbiddenError
        It is disabled.
    """
    found = named(connection, name)
    if found.disabled is not None:
        raise ForbiddenError(f"the account '{name}' is disabled")
    own = sa.select(membership.c.project, membership.c.is_manager).where(membership.c.account == name)
    public = sa.select(project.c.name, sa.false()).where(project.c.is_public)
    rows: list[Any] = list(connection.execute(own.union_all(public)))
    managed = frozenset(each for each, manages in rows if manages)
    return Caller(
        name, project_name or EVERY_PROJECT, level, frozenset(each for each, _ in rows), managed=managed
    )


def require_member(found: Caller) -> None:
    """See that a caller is a member of the project that it works in.

    Raises
    ------
    UsageError
        It is none; the message names the nearest of its own.
    """
    if found.project not in (EVERY_PROJECT, *found.projects):
        own = ", ".join(sorted(found.projects)) or "none"
        near = nearest(found.project, found.projects)
        raise UsageError(
            f"{found.user} is no member of project '{found.project[:100]}'; there are {own}{near}"
        )
