"""How does every product stand? Kept by events, so that neither a page nor `why` walks a plan.

What happened to an object touches the products whose keys it has, which are looked at together; these touch those that
are made from them, and so on (`processing.standing_keeping`). Here it is only read.
"""

import ast
import hashlib
import inspect
import textwrap
from functools import cache
from typing import Any

import sqlalchemy as sa

from datamodel import favourites
from datamodel.context import NEWEST, WORLD, Caller
from datamodel.history import event
from datamodel.session import Session
from datamodel.standings import (
    BUILDING,
    HIDDEN,
    LAST,
    OK,
    OUTDATED,
    RULES,
    standing,
    standing_role,
    standing_state,
)
from processing import defaults, waivers
from processing.declarations import parameters, roles
from processing.reasons import Reason
from processing.recipe import recipe_digest
from processing.site import instruments_of
from processing.standing_entries import targets
from processing.standing_judge import WALKS, loaded

VERSION = 2
"""Of how products are judged; another one has the index made anew. To be raised when `standing_judge` is mended."""


def kept(session: Session, product: Any) -> list[Reason] | None:
    """What the index says of a product; None where it is not up to date, or the caller may see it otherwise.

    Who only reads the database itself, looks back, chooses by a policy of their own, sees what the world does not, or
    has favourites or defaults, has plans of their own. Bytes that are gone are not in the index.
    """
    alone = session.is_writing or session.archive.database.only_reads
    if alone or not _looks_as_the_world(session.caller):
        return None
    now = look(session)
    if now.mine or now.pinned or not is_true(session, now):
        return None
    if session.caller.user is not None and session.caller.level < WORLD and now.hidden != "0":
        return None
    return reasons_of(session, product)


def _looks_as_the_world(caller: Caller) -> bool:
    return caller.as_of is None and caller.policy == NEWEST and caller.level <= WORLD


def look(session: Session) -> Any:
    """All that says whether the index is true, and holds for the caller, in one row."""
    caller = session.caller
    given = {"project": caller.project, "user": caller.user or ""}
    with session.connection() as connection:
        return connection.execute(_look(), given).one()


@cache
def _look() -> Any:
    project, user = sa.bindparam("project", type_=sa.String), sa.bindparam("user", type_=sa.String)
    d, w = defaults.default_value.c, waivers.waiver.c
    mine = sa.or_(
        sa.and_(d.scope == defaults.PROJECT, d.owner == project),
        sa.and_(d.scope == defaults.USER, d.owner == user),
    )
    of_all = sa.select(sa.func.count(d.id)).where(d.scope == defaults.EVERYBODY)
    told = {
        "newest": sa.select(sa.func.coalesce(sa.func.max(event.c.id), 0)),
        "waived": sa.select(sa.func.count(w.id)),
        "revoked": sa.select(sa.func.count(w.revoked_at)),
        "everybody": of_all,
        "unset": of_all.where(d.unset_at.is_not(None)),
        "mine": sa.select(sa.func.count(d.id)).where(mine, d.unset_at.is_(None)),
        "pinned": favourites.how_many(project),
    }
    told |= {name: _value(name) for name in (LAST, RULES, HIDDEN, BUILDING)}
    return sa.select(*(s.scalar_subquery().label(n) for n, s in told.items()))


def is_true(session: Session, now: Any) -> bool:
    """Whether the index takes in all that has happened, by the rules of today."""
    return bool(now.last_event == str(now.newest) and now.rules == rules_of(session, now))


def rules_of(session: Session, now: Any) -> str:
    """What stands for the declarations, waivers, defaults and instrument files by which products are judged."""
    declared = [_declared(cls) for cls in targets()]
    counted = (now.waived, now.revoked, now.everybody, now.unset)
    told = (VERSION, declared, counted, _instruments(session))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _declared(cls: Any) -> tuple[Any, ...]:
    """All in the code of a class by which its products are judged."""
    of_roles = [(name, r.planned, r.forgives_new, r.shares) for name, r in roles(cls).items()]
    values = [(name, p.attribute.default, p.affects) for name, p in parameters(cls).items()]
    return cls.__name__, recipe_digest(cls), _code(cls.forgives), of_roles, values


@cache
def _code(function: Any) -> str:
    """What stands for the code of a function, in every process alike; its bytes where its text is not known."""
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, SyntaxError, TypeError):
        return repr(function.__code__.co_code)


def _instruments(session: Session) -> str:
    files = instruments_of(session.archive)
    digest: str = session.archive.resource(
        "digest of instruments", lambda: hashlib.sha256(repr(files).encode()).hexdigest()
    )
    return digest


def _value(name: str) -> Any:
    return sa.select(standing_state.c.value).where(standing_state.c.name == name)


def last_event() -> Any:
    """A scalar subquery: the last event that the index takes in; NULL for none."""
    return sa.cast(_value(LAST).scalar_subquery(), sa.BigInteger)


def counts(session: Session) -> dict[str, dict[str, int]]:
    """How many products of each class stand how, as the index has them."""
    grouped = sa.select(standing.c.class_name, standing.c.outdated, sa.func.count())
    grouped = grouped.group_by(standing.c.class_name, standing.c.outdated)
    with session.connection() as connection:
        rows = sorted(tuple(row) for row in connection.execute(grouped))
    found: dict[str, dict[str, int]] = {}
    for name, outdated, count in rows:
        found.setdefault(name, {})[OUTDATED if outdated else OK] = count
    return found


def reasons_of(session: Session, product: Any) -> list[Reason] | None:
    """What the index says of a product, in the order of a walk; None where it has none of it."""
    with session.connection() as connection:
        own = connection.execute(
            sa.select(standing.c.own, standing.c.walked).where(standing.c.object_id == product.object_id)
        ).one_or_none()
        here = standing_role.c.object_id == product.object_id
        rows = {row.role: row for row in connection.execute(sa.select(standing_role).where(here))}
    if own is None:
        return None
    found = loaded(own.own)
    if own.walked == WALKS:
        return found
    itself = [r for r in found if r.kind in ("invalid", "flag")]
    of_roles = []
    for name in roles(type(product)):
        of_roles += [r for r in found if r.name == name and r.kind in ("new", "obsolete")]
        if name in rows:
            of_roles += loaded(rows[name].reasons)
            of_roles += [Reason("dep", name, detail=OUTDATED)] if rows[name].dep else []
    return itself + of_roles + [r for r in found if r not in itself and r not in of_roles]
