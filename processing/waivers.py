"""When does another recipe count as the same? Where somebody has said so, with a reason and under their name."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from datamodel import crash, history
from datamodel.datatypes import Timestamp
from datamodel.errors import NotFoundError, UsageError
from datamodel.rights import require_manager
from datamodel.schema import metadata, serial_column
from datamodel.series import distinct
from datamodel.session import Session
from processing.recipe import recipe_digest

WAIVED = crash.declare("waiver.rows", "the waiver is written, the transaction is not committed")

waiver = sa.Table(
    "waiver",
    metadata,
    serial_column(),
    sa.Column("class_name", sa.String(100), nullable=False, index=True),
    sa.Column("old_digest", sa.String(64), nullable=False),
    sa.Column("new_digest", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Timestamp(), nullable=False),
    sa.Column("who", sa.String(100), nullable=False),
    sa.Column("revoked_at", Timestamp()),
    sa.Column("revoked_by", sa.String(100)),
)
"""Two digests of recipes of a class that give the same products, as somebody vouches; until it is revoked."""


def equivalent(session: Session, class_name: str, digest: str) -> frozenset[str]:
    """All digests of recipes that count as the same as one, itself among them."""
    here = waiver.c.class_name == class_name
    as_of = session.caller.as_of
    in_force: list[sa.ColumnElement[bool]] = [waiver.c.revoked_at.is_(None)]
    if as_of is not None:
        in_force = [waiver.c.at <= as_of, sa.or_(waiver.c.revoked_at.is_(None), waiver.c.revoked_at > as_of)]
    statement = sa.select(waiver.c.old_digest, waiver.c.new_digest).where(here, *in_force)
    with session.connection() as connection:
        pairs = [frozenset(pair) for pair in connection.execute(statement)]
    found = {digest}
    while more := [pair for pair in pairs if pair & found and not pair <= found]:
        found.update(*more)
    return frozenset(found)


def waive(session: Session, cls: Any, old_digest: str, reason: str) -> int:
    """Vouch that products of an older recipe are as those of today's would be; gives the number of the waiver.

    Parameters
    ----------
    session
        The caller, under whose name it stands.
    cls
        The target class.
    old_digest
        What its products have as ``recipe_digest``; the beginning will do where it is unique.
    reason
        For those who read it later.

    Raises
    ------
    ForbiddenError
        The caller manages no project, is a stranger, or looks back.
    UsageError
        There is no reason, or no product with such a digest.
    """
    who = _who(session, "vouch for a recipe")
    if not reason.strip():
        raise UsageError("a waiver needs a reason")
    known = [digest for (digest,) in distinct(cls.select_all(), "recipe_digest") if digest]
    fit = [digest for digest in known if digest.startswith(old_digest)] if old_digest else []
    if len(fit) != 1:
        there = ", ".join(digest[:16] for digest in known) or "none"
        raise UsageError(f"no one recipe of {cls.__name__} has the digest '{old_digest}'; there are {there}")
    row = {"class_name": cls.__name__, "old_digest": fit[0], "new_digest": recipe_digest(cls)}
    with session.transaction() as connection:
        now = history.now(connection, session.archive.clock)
        made = connection.execute(sa.insert(waiver), row | {"reason": reason, "at": now, "who": who})
        crash.reach(WAIVED)
        return int((made.inserted_primary_key or (0,))[0])


def revoke(session: Session, number: int) -> None:
    """End a waiver; what rests on it is outdated from now on.

    Raises
    ------
    ForbiddenError
        The caller manages no project, is a stranger, or looks back.
    NotFoundError
        There is none of that number that is in force.
    """
    who = _who(session, "end a waiver")
    with session.transaction() as connection:
        ended = {"revoked_at": history.now(connection, session.archive.clock), "revoked_by": who}
        here = sa.and_(waiver.c.id == number, waiver.c.revoked_at.is_(None))
        if not connection.execute(sa.update(waiver).where(here).values(ended)).rowcount:
            raise NotFoundError(f"there is no waiver {number} in force")


def waivers(session: Session) -> list[dict[str, Any]]:
    """All waivers there ever were, the first one first."""
    with session.connection() as connection:
        return [dict(row) for row in connection.execute(sa.select(waiver).order_by(waiver.c.id)).mappings()]


def waivers_of(session: Session, class_name: str, digests: Iterable[str]) -> list[dict[str, Any]]:
    """All waivers there ever were for some recipes of a class, the first one first."""
    known = frozenset(digests)
    return [
        each
        for each in waivers(session)
        if each["class_name"] == class_name and known & {each["old_digest"], each["new_digest"]}
    ]


def _who(session: Session, what: str) -> str:
    """Under whose name it stands."""
    require_manager(session.caller, what)
    return str(session.caller.user)
