"""How does every product stand? Kept by events, so that neither a page nor `why` walks a plan.

What happened to an object touches the products whose keys it has, which are looked at together; these touch those that
are made from them, and so on (`processing.standing_keeping`). Here it is only read.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Sequence
from functools import cache, reduce
from typing import Any

import sqlalchemy as sa

from datamodel import favourites
from datamodel.context import NEWEST, WORLD, Caller
from datamodel.history import event
from datamodel.session import Session
from datamodel.standings import (
    BUILDING,
    LAST,
    OF_WORLD,
    OK,
    OUTDATED,
    RULES,
    SEEN_BY,
    standing,
    standing_role,
    standing_state,
)
from datamodel.state import Restricted
from processing import defaults, waivers
from processing.declarations import parameters, roles
from processing.reasons import Reason
from processing.recipe import recipe_digest
from processing.site import instruments_of
from processing.standing_entries import targets
from processing.standing_judge import WALKS, loaded
from processing.standing_views import NO_VIEW, THE_WORLD, known_sight, view_of

VERSION = 2
"""Of how products are judged; another one has the index made anew. To be raised when `standing_judge` is mended."""


def kept(session: Session, product: Any) -> list[Reason] | None:
    """What the index says of a product; None where it is not up to date, or the caller may see it otherwise.

    Who only reads the database itself, looks back, chooses by a policy of their own, has favourites or defaults, or
    sees of its chip what no view has (`processing.standing_views`), has plans of their own. Bytes that are gone are
    not in the index.
    """
    alone = session.is_writing or session.archive.database.only_reads
    if alone or not _looks_as_others(session.caller):
        return None
    for anew in (False, True):
        sight = known_sight(session, anew=anew)
        view = sight.view_of(session.caller)
        if view == NO_VIEW and (chip_id := _chip_of(product)):
            view = sight.view_of(session.caller, chip_id)
        rows = _looked_up(session, _look_at(), view.number, product.object_id)
        now = rows[0]
        if now.seen_by == sight.stamp:
            break
    if view == NO_VIEW or now.seen_by != sight.stamp or now.mine or now.pinned or not is_true(session, now):
        return None
    return None if now.own is None else _reasons(type(product), rows)


def _chip_of(product: Any) -> str | None:
    """The identifier of the chip whose things matter for a product; None where it is not known."""
    place = product.raw if type(product).of_exposure else product
    return None if isinstance(place, Restricted | None) else getattr(place.chip, "object_id", None)


def _looks_as_others(caller: Caller) -> bool:
    return caller.as_of is None and caller.policy == NEWEST and caller.level <= WORLD


def look(session: Session, view: int = OF_WORLD) -> Any:
    """All that says whether a view of the index is true, and holds for the caller, in one row."""
    return _looked_up(session, _look(), view, "")[0]


def _looked_up(session: Session, statement: Any, view: int, object_id: str) -> Sequence[Any]:
    caller = session.caller
    given = {"project": caller.project, "user": caller.user or "", "view": view, "object_id": object_id}
    with session.connection() as connection:
        return connection.execute(statement, given).all()


@cache
def _look() -> Any:
    """Gives one row."""
    parts = [part.subquery() for part in _parts()]
    return sa.select(*(column for part in parts for column in part.c)).select_from(reduce(_beside, parts))


@cache
def _look_at() -> Any:
    """The same beside each row that there is of a product in the view; one row at the least."""
    parts, product = [part.subquery() for part in _parts()], _kept_rows().subquery()
    columns = (column for part in (*parts, product) for column in part.c)
    joined = reduce(_beside, parts).outerjoin(product, sa.true())
    return sa.select(*columns).select_from(joined)


def _beside(left: Any, right: Any) -> Any:
    return left.join(right, sa.true())


def _parts() -> tuple[Any, ...]:
    """Statements of one row each."""
    project, user = sa.bindparam("project", type_=sa.String), sa.bindparam("user", type_=sa.String)
    d, w, s = defaults.default_value.c, waivers.waiver.c, standing_state.c
    mine = sa.or_(
        sa.and_(d.scope == defaults.PROJECT, d.owner == project),
        sa.and_(d.scope == defaults.USER, d.owner == user),
    )
    of_all = d.scope == defaults.EVERYBODY
    here = s.view == sa.bindparam("view", type_=sa.SmallInteger)
    return (
        sa.select(sa.func.coalesce(sa.func.max(event.c.id), 0).label("newest")),
        sa.select(sa.func.count(w.id).label("waived"), sa.func.count(w.revoked_at).label("revoked")),
        sa.select(
            _count(of_all).label("everybody"),
            _count(sa.and_(of_all, d.unset_at.is_not(None))).label("unset"),
            _count(sa.and_(mine, d.unset_at.is_(None))).label("mine"),
        ).select_from(defaults.default_value),
        favourites.how_many(project, "pinned"),
        sa.select(
            *(_state(here, name).label(name) for name in (LAST, RULES, BUILDING)),
            _state(s.view == OF_WORLD, SEEN_BY).label(SEEN_BY),
        ),
    )


def _count(condition: Any) -> Any:
    return sa.func.count(sa.case((condition, 1)))


def _state(here: Any, name: str) -> Any:
    """What a view says of itself, among the rows of all views."""
    return sa.func.max(sa.case((sa.and_(here, standing_state.c.name == name), standing_state.c.value)))


def is_true(session: Session, now: Any) -> bool:
    """Whether a view of the index takes in all that has happened, by the rules of today."""
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


@cache
def _kept_rows() -> Any:
    """What there is of a product in a view: a row for each role, one without where it has none."""
    s, r = standing.c, standing_role.c
    joined = standing.outerjoin(standing_role, sa.and_(r.object_id == s.object_id, r.view == s.view))
    told = sa.select(s.own, s.walked, r.role, r.reasons, r.dep).select_from(joined)
    return told.where(
        s.object_id == sa.bindparam("object_id", type_=sa.String),
        s.view == sa.bindparam("view", type_=sa.SmallInteger),
    )


def _value(name: str, view: Any) -> Any:
    here = (standing_state.c.view == view, standing_state.c.name == name)
    return sa.select(standing_state.c.value).where(*here)


def last_event(view: int) -> Any:
    """A scalar subquery: the last event that a view of the index takes in; NULL for none."""
    return sa.cast(_value(LAST, view).scalar_subquery(), sa.BigInteger)


def counts(session: Session) -> dict[str, dict[str, int]]:
    """How many products of each class stand how, as the index has them for the caller, else for the world."""
    view = view_of(session)
    if not look(session, view.number).rules:
        view = THE_WORLD  # its own is being made
    grouped = sa.select(standing.c.class_name, standing.c.outdated, sa.func.count())
    grouped = grouped.where(standing.c.view == view.number)
    grouped = grouped.group_by(standing.c.class_name, standing.c.outdated)
    with session.connection() as connection:
        rows = sorted(tuple(row) for row in connection.execute(grouped))
    found: dict[str, dict[str, int]] = {}
    for name, outdated, count in rows:
        found.setdefault(name, {})[OUTDATED if outdated else OK] = count
    return found


def reasons_of(session: Session, product: Any, view: int = OF_WORLD) -> list[Reason] | None:
    """What a view of the index says of a product, in the order of a walk; None where it has none of it."""
    rows = _looked_up(session, _kept_rows(), view, product.object_id)
    return _reasons(type(product), rows) if rows else None


def _reasons(cls: Any, kept_rows: Sequence[Any]) -> list[Reason]:
    found = loaded(kept_rows[0].own)
    if kept_rows[0].walked == WALKS:
        return found
    rows = {row.role: row for row in kept_rows}
    itself = [r for r in found if r.kind in ("invalid", "flag")]
    of_roles = []
    for name in roles(cls):
        of_roles += [r for r in found if r.name == name and r.kind in ("new", "obsolete")]
        if name in rows:
            of_roles += loaded(rows[name].reasons)
            of_roles += [Reason("dep", name, detail=OUTDATED)] if rows[name].dep else []
    return itself + of_roles + [r for r in found if r not in itself and r not in of_roles]
