"""What does a program show in place of a password? A token: a secret of 256 random bits that is told once.

It can be told from other texts by its beginning, so that programs which look for secrets in code find it. It ends by
itself, can be revoked, and is of no use for giving the account another password.
"""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from datamodel.accounts import account, caller, changing, named, require_member, token
from datamodel.archive import Archive
from datamodel.context import LEVELS, MYDB
from datamodel.errors import LoginError, NotFoundError, UsageError, nearest

log = logging.getLogger("vo_server.accounts")

PREFIX = "vo_token_"
USUAL_DAYS = 365.0
MOST_DAYS = 36_500.0
NOTED_S = 3600.0
"""That a token was used is written down no more often than this."""

KEPT_DAYS = 30.0
"""For so long after its end a token is still listed."""

WRONG = "the token is wrong, revoked or out of date"


@dataclass(frozen=True)
class Token:
    """What is known of a token; its secret is not. Instants are naive UTC.

    Attributes
    ----------
    of_login
        Whether a program was given it for a password; a new password ends it.
    revoked
        When it was declared void; None where it was not.
    project, level
        In which project, and from which level on, its holder works; None for all projects, and for level 1.
    """

    id: str
    account: str
    description: str
    of_login: bool
    created: datetime
    expires: datetime
    last_used: datetime | None
    revoked: datetime | None
    project: str | None
    level: int | None


@dataclass(frozen=True)
class Holder:
    """For whom a token stands: an account, in which project, and from which level on; None for all of them."""

    account: str
    project: str | None
    level: int | None


def issue(
    archive: Archive,
    user: str,
    days: float = USUAL_DAYS,
    description: str = "",
    of_login: bool = False,
    project: str | None = None,
    level: int | None = None,
) -> tuple[str, str]:
    """Make a token.

    Parameters
    ----------
    archive, user
        Where, and whose.
    days
        Until it ends.
    description
        What it is for.
    of_login
        Whether it stands for a password that was shown.
    project, level
        In which project, and from which level on, its holder works; None for all projects, and for level 1.

    Returns
    -------
    tuple
        Its identifier, and the secret, which is nowhere else.

    Raises
    ------
    NotFoundError
        There is no such account.
    UsageError
        It would never begin, or never end; there is no such level, or the account is no member of the project.
    """
    if level is not None and level not in LEVELS:
        raise UsageError(f"the level of the token is {level}, expected one of {', '.join(map(str, LEVELS))}")
    if not 0 < days <= MOST_DAYS:
        raise UsageError(
            f"the token is for {days:g} days, expected more than 0 and {MOST_DAYS:g} at the most"
        )
    id, secret, now = secrets.token_hex(6), PREFIX + secrets.token_urlsafe(32), archive.clock()
    row = {
        "id": id,
        "account": user,
        "digest": _digest(secret),
        "description": description[:1000],
        "of_login": of_login,
        "created": now,
        "expires": now + timedelta(days=days),
        "project": project,
        "level": level,
    }
    with changing(archive.database) as connection:
        named(connection, user)
        if project is not None:
            require_member(caller(connection, user, project, MYDB))
        connection.execute(sa.insert(token).values(row))
    return id, secret


def holder(archive: Archive, secret: str) -> Holder:
    """Whom a token stands for.

    Raises
    ------
    LoginError
        There is no such token, it has ended or was revoked, or the account is disabled.
    """
    now = archive.clock()
    valid = (token.c.expires > now) & token.c.revoked.is_(None) & account.c.disabled.is_(None)
    here = sa.select(token.c.id, token.c.account, token.c.last_used, token.c.project, token.c.level)
    here = here.join(account, account.c.name == token.c.account)
    here = here.where(token.c.digest == _digest(secret), valid)
    with archive.database.read() as connection:
        found = connection.execute(here).first()
    if found is None:
        raise LoginError(WRONG)
    if found.last_used is None or (now - found.last_used).total_seconds() > NOTED_S:
        _note(archive, found.id, now)
    return Holder(found.account, found.project, found.level)


def revoke(archive: Archive, id: str) -> None:
    """Declare a token void.

    Raises
    ------
    NotFoundError
        There is none of that identifier.
    """
    here = token.c.id == id[:12]
    with changing(archive.database) as connection:
        if connection.scalar(sa.select(token.c.id).where(here)) != id:
            known = connection.scalars(sa.select(token.c.id))
            raise NotFoundError(f"there is no token '{id[:100]}'{nearest(id, known)}")
        connection.execute(
            sa.update(token).where(here, token.c.revoked.is_(None)).values(revoked=archive.clock())
        )


def listed(archive: Archive, user: str | None = None) -> list[Token]:
    """The tokens of an account, or all, the newest first.

    Raises
    ------
    NotFoundError
        There is no such account.
    """
    columns = [column for column in token.c if column is not token.c.digest]
    found = sa.select(*columns).order_by(token.c.created.desc(), token.c.id)
    with archive.database.read() as connection:
        if user is not None:
            named(connection, user)
            found = found.where(token.c.account == user)
        return [Token(**row) for row in connection.execute(found).mappings()]


def sweep(archive: Archive) -> int:
    """Forget tokens that ended long ago; how many."""
    old = token.c.expires < archive.clock() - timedelta(days=KEPT_DAYS)
    with archive.database.read() as connection:
        if not connection.scalar(sa.select(sa.func.count()).select_from(token).where(old)):
            return 0
    with changing(archive.database) as connection:
        return connection.execute(sa.delete(token).where(old)).rowcount


def _note(archive: Archive, id: str, now: datetime) -> None:
    """Write down that a token is used; the answer does not wait for a database that is busy for long."""
    try:
        with archive.database.write() as connection:
            connection.execute(sa.update(token).where(token.c.id == id).values(last_used=now))
    except sa.exc.OperationalError:
        log.warning("the use of token %s is not written down", id, exc_info=True)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
