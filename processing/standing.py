"""How does every product stand? Kept by events, so that neither a page nor `why` walks a plan.

What happened to an object touches the products whose keys it has, which are looked at together; these touch those that
are made from them, and so on. A walk of every plan gives the same answer (`differences`).
"""

import hashlib
from typing import Any

import sqlalchemy as sa

from datamodel.context import NEWEST, SERVICE_ACCOUNT, WORLD, Caller
from datamodel.dialect import insert_absent
from datamodel.favourites import has_favourites
from datamodel.history import event
from datamodel.session import Session
from processing import defaults, waivers
from processing.declarations import parameters, roles
from processing.news import news
from processing.node import OUTDATED
from processing.plan import Planner
from processing.reasons import Reason
from processing.recipe import recipe_digest
from processing.site import instruments_of
from processing.standing_entries import LENS, targets
from processing.standing_index import Index
from processing.standing_judge import WALKS, loaded
from processing.standing_tables import standing, standing_role, standing_state

_LAST, _RULES, _HIDDEN = "last_event", "rules", "hidden"


def refresh(session: Session) -> int:
    """Bring the index up to date with all that has happened; gives how many events were looked at.

    It may be killed at any moment: what was not done is done at the next call. Within a transaction it is put off to
    the end.
    """
    if session.is_writing:
        session.after_commit(refresh)
        return 0
    seen = 0
    while not _is_true(session, now := _look(session)):
        found = news(session, _number(_LAST))
        with session.transaction() as connection:
            seen += _bring_up(session, connection, _rules(session, now), 0 if found is None else found[1])
    return seen


def _bring_up(session: Session, connection: sa.Connection, rules: str, newest: int) -> int:
    """Take in all up to an event; none with a smaller number is going to be committed later."""
    for name, value in ((_LAST, "0"), (_RULES, ""), (_HIDDEN, "0")):
        insert_absent(connection, standing_state, {"name": name, "value": value})
    locked = sa.select(standing_state.c.name, standing_state.c.value).with_for_update()
    said = dict(tuple(row) for row in connection.execute(locked))
    last = int(said[_LAST])
    newest = max(newest, last)  # somebody else may have been here meanwhile
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        if said[_RULES] != rules:
            index.rebuild()
        else:
            index.follow(last, newest)
            index.has_hidden |= said[_HIDDEN] == "1"
    _say(connection, **{_LAST: str(newest), _RULES: rules, _HIDDEN: str(int(index.has_hidden))})
    return newest - last


def tried(session: Session, connection: sa.Connection, newest: int) -> dict[str, tuple[str, int]]:
    """What turns by events of a transaction under way: the class of each product, and whether it is outdated then."""
    last = connection.scalar(sa.select(_number(_LAST))) or 0
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        index.follow(last, newest)
        return index.turned()


def _look(session: Session) -> Any:
    """All that says whether the index is true, and holds for the caller, in one row."""
    caller = session.caller
    d, w = defaults.default_value.c, waivers.waiver.c
    mine = sa.or_(
        sa.and_(d.scope == defaults.PROJECT, d.owner == caller.project),
        sa.and_(d.scope == defaults.USER, d.owner == (caller.user or "")),
    )
    of_all = sa.select(sa.func.count(d.id)).where(d.scope == defaults.EVERYBODY)
    told = {
        "newest": sa.select(sa.func.coalesce(sa.func.max(event.c.id), 0)),
        "waived": sa.select(sa.func.count(w.id)),
        "revoked": sa.select(sa.func.count(w.revoked_at)),
        "everybody": of_all,
        "unset": of_all.where(d.unset_at.is_not(None)),
        "mine": sa.select(sa.func.count(d.id)).where(mine, d.unset_at.is_(None)),
        "pinned": has_favourites(caller),
    }
    told |= {name: _value(name) for name in (_LAST, _RULES, _HIDDEN)}
    with session.connection() as connection:
        return connection.execute(sa.select(*(s.scalar_subquery().label(n) for n, s in told.items()))).one()


def _is_true(session: Session, now: Any) -> bool:
    return bool(now.last_event == str(now.newest) and now.rules == _rules(session, now))


def _rules(session: Session, now: Any) -> str:
    """What stands for the declarations, waivers, defaults and instrument files by which products are judged."""
    declared = [_declared(cls) for cls in targets()]
    counted = (now.waived, now.revoked, now.everybody, now.unset)
    return hashlib.sha256(repr((declared, counted, _instruments(session))).encode()).hexdigest()


def _declared(cls: Any) -> tuple[Any, ...]:
    """All in the code of a class by which its products are judged."""
    forgives: Any = cls.forgives
    code = forgives.__func__.__code__
    of_roles = [(name, r.planned, r.forgives_new, r.shares) for name, r in roles(cls).items()]
    values = [(name, p.attribute.default, p.affects) for name, p in parameters(cls).items()]
    return cls.__name__, recipe_digest(cls), code.co_code, repr(code.co_consts), of_roles, values


def _instruments(session: Session) -> str:
    files = instruments_of(session.archive)
    digest: str = session.archive.resource(
        "digest of instruments", lambda: hashlib.sha256(repr(files).encode()).hexdigest()
    )
    return digest


def _value(name: str) -> Any:
    return sa.select(standing_state.c.value).where(standing_state.c.name == name)


def _number(name: str) -> Any:
    return sa.cast(_value(name).scalar_subquery(), sa.BigInteger)


def _say(connection: sa.Connection, **values: str) -> None:
    for name, value in values.items():
        here = standing_state.c.name == name
        connection.execute(sa.update(standing_state).where(here).values(value=value))


def kept(session: Session, product: Any) -> list[Reason] | None:
    """What the index says of a product, brought up to date first; None where the caller may see it otherwise.

    Who looks back, chooses by a policy of their own, sees what the world does not, or has favourites or defaults,
    has plans of their own. Bytes that are gone are not in the index.
    """
    if session.is_writing or not _looks_as_the_world(session.caller):
        return None
    now = _look(session)
    if now.mine or now.pinned:
        return None
    if not _is_true(session, now):
        refresh(session)
        now = _look(session)
    if session.caller.user not in (None, SERVICE_ACCOUNT) and now.hidden != "0":
        return None
    return reasons_of(session, product)


def _looks_as_the_world(caller: Caller) -> bool:
    return caller.as_of is None and caller.policy == NEWEST and caller.level <= WORLD


def differences(session: Session) -> list[str]:
    """What the index says otherwise than a walk of every plan: nothing, unless it is wrong; takes long.

    Bytes that are gone are not in the index: whoever asks looks for those of the product itself.
    """
    found = []
    with Session(session.archive, LENS) as lens:
        for cls in targets():
            for product in cls.select_all():
                if type(product) is not cls:
                    continue
                planner = Planner(instruments_of(lens.archive))
                walked = {str(r) for r in planner.node_of(product, product.own_keys()).reasons}
                known = {str(r) for r in reasons_of(lens, product) or []}
                if walked - {"data missing"} != known:
                    found.append(f"{product!r}: {sorted(walked)}, and not {sorted(known)}")
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
