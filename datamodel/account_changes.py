"""How do accounts come to be, and change? They are never deleted, for objects and jobs name them."""

import re
from typing import Any

import sqlalchemy as sa

from datamodel import passwords
from datamodel.accounts import MOST_CHARACTERS, Account, account, changing, named, token
from datamodel.archive import Archive
from datamodel.context import SERVICE_ACCOUNT
from datamodel.dialect import insert_absent
from datamodel.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")


def add(archive: Archive, name: str, full_name: str = "", password: str | None = None) -> None:
    """Add an account.

    Parameters
    ----------
    archive
        An open archive.
    name
        Of the user: letters, digits and ``_ . @ + -``.
    full_name
        For people.
    password
        None for an account that none opens.

    Raises
    ------
    UsageError
        There is one of that name, or the name or the password cannot be one.
    """
    checked_name(name, "user")
    if name == SERVICE_ACCOUNT:
        raise UsageError(
            f"'{name}' is the account in whose name the archive itself works; expected another name"
        )
    row: dict[str, Any] = {"name": name, "full_name": full_name or None, "created": archive.clock()}
    row |= {} if password is None else _of_password(archive, name, password)
    with changing(archive.database) as connection:
        if not insert_absent(connection, account, row):
            raise UsageError(
                f"there is an account '{name}' already; 'vo-server user passwd {name}' gives it another password"
            )


def set_password(archive: Archive, name: str, password: str) -> int:
    """Give an account another password, which ends its log-ins; gives how many of its own tokens stay valid.

    Raises
    ------
    NotFoundError
        There is no such account.
    UsageError
        The password cannot be one.
    """
    with archive.database.read() as connection:
        named(connection, name)
    new = _of_password(archive, name, password)
    mine = (token.c.account == name) & token.c.revoked.is_(None)
    with changing(archive.database) as connection:
        connection.execute(sa.update(account).where(account.c.name == name).values(**new))
        connection.execute(sa.update(token).where(mine, token.c.of_login).values(revoked=archive.clock()))
        valid = sa.select(sa.func.count()).select_from(token).where(mine, token.c.expires > archive.clock())
        return connection.scalar(valid) or 0


def disable(archive: Archive, name: str) -> None:
    """Have an account do nothing any more; its objects and jobs stay.

    Raises
    ------
    NotFoundError
        There is no such account.
    """
    _set_disabled(archive, name, archive.clock())


def enable(archive: Archive, name: str) -> None:
    """Let a disabled account work again.

    Raises
    ------
    NotFoundError
        There is no such account.
    """
    _set_disabled(archive, name, None)


def listed(archive: Archive) -> list[Account]:
    """All accounts, by name."""
    with archive.database.read() as connection:
        rows = connection.execute(sa.select(account).order_by(account.c.name)).mappings()
        return [Account(**row) for row in rows]


def checked_name(name: str, what: str) -> str:
    """A name that can stand in an address, a header and a table.

    Raises
    ------
    UsageError
        It cannot.
    """
    if not _NAME.fullmatch(name) or len(name) > MOST_CHARACTERS:
        raise UsageError(
            f"the {what} is called '{name[:MOST_CHARACTERS]}', expected up to {MOST_CHARACTERS} letters, digits"
            " and any of _ . @ + -, the first of them a letter, a digit or _"
        )
    return name


def _of_password(archive: Archive, name: str, password: str) -> dict[str, Any]:
    kept = passwords.hashed(passwords.checked(password, name))
    return {"password_hash": kept, "password_changed": archive.clock()}


def _set_disabled(archive: Archive, name: str, since: Any) -> None:
    with changing(archive.database) as connection:
        named(connection, name)
        connection.execute(sa.update(account).where(account.c.name == name).values(disabled=since))
