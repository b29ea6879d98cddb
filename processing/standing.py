"""How does every product stand? Kept by events, so that neither a page nor `why` walks a plan.

What happened to an object touches the products whose keys it has, which are looked at together; these touch those that
are made from them, and so on. A walk of every plan gives the same answer (`differences`).
"""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.context import NEWEST, SERVICE_ACCOUNT, WORLD
from datamodel.dialect import insert_absent
from datamodel.favourites import favourites
from datamodel.history import event
from datamodel.session import Session
from processing import defaults, waivers
from processing.declarations import roles
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
_EVER = datetime(1000, 1, 1), datetime(9000, 1, 1)


def refresh(session: Session) -> int:
    """Bring the index up to date with all that has happened; gives how many events were looked at.

    It may be killed at any moment: what was not done is done at the next call. Within a transaction it is put off to
    the end.
    """
    if session.is_writing:
        session.after_commit(refresh)
        return 0
    seen = 0
    while True:
        rules = _rules(session)
        found = news(session, _number(_LAST))
        if found is None and _said(session, _RULES) == rules:
            return seen
        with session.transaction() as connection:
            seen += _bring_up(session, connection, rules)


def _bring_up(session: Session, connection: sa.Connection, rules: str) -> int:
    for name, value in ((_LAST, "0"), (_RULES, ""), (_HIDDEN, "0")):
        insert_absent(connection, standing_state, {"name": name, "value": value})
    locked = sa.select(standing_state.c.name, standing_state.c.value).with_for_update()
    said = dict(tuple(row) for row in connection.execute(locked))
    last = int(said[_LAST])
    newest = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(event.c.id), 0))) or 0
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        if said[_RULES] != rules:
            index.rebuild()
        else:
            index.follow(last, newest)
            index.has_hidden |= said[_HIDDEN] == "1"
    _say(connection, **{_LAST: str(newest), _RULES: rules, _HIDDEN: str(int(index.has_hidden))})
    return newest - last


def _rules(session: Session) -> str:
    """What stands for the recipes, waivers, defaults and instrument files by which products are judged."""
    held = sa.select(sa.func.count(waivers.waiver.c.id), sa.func.count(waivers.waiver.c.revoked_at))
    table = defaults.default_value
    with session.connection() as connection:
        counted = [tuple(connection.execute(held).one())]
        everybody = sa.select(sa.func.count(table.c.id), sa.func.count(table.c.unset_at))
        counted.append(tuple(connection.execute(everybody.where(table.c.scope == defaults.EVERYBODY)).one()))
    recipes = [(cls.__name__, recipe_digest(cls)) for cls in targets()]
    told = repr((recipes, counted, _instruments(session)))
    return hashlib.sha256(told.encode()).hexdigest()


def _instruments(session: Session) -> str:
    files = instruments_of(session.archive)
    digest: str = session.archive.resource(
        "digest of instruments", lambda: hashlib.sha256(repr(files).encode()).hexdigest()
    )
    return digest


def _number(name: str) -> Any:
    value = sa.select(sa.cast(standing_state.c.value, sa.BigInteger)).where(standing_state.c.name == name)
    return value.scalar_subquery()


def _said(session: Session, name: str) -> str | None:
    with session.connection() as connection:
        return connection.scalar(sa.select(standing_state.c.value).where(standing_state.c.name == name))


def _say(connection: sa.Connection, **values: str) -> None:
    for name, value in values.items():
        here = standing_state.c.name == name
        connection.execute(sa.update(standing_state).where(here).values(value=value))


def kept(session: Session, product: Any) -> list[Reason] | None:
    """What the index says of a product, brought up to date first; None where the caller may see it otherwise.

    Who looks back, chooses by a policy of their own, sees what the world does not, or has favourites or defaults,
    has plans of their own. Bytes that are gone are not in the index.
    """
    if session.is_writing or not _sees_as_the_world(session):
        return None
    refresh(session)
    return reasons_of(session, product)


def _sees_as_the_world(session: Session) -> bool:
    caller = session.caller
    if caller.as_of is not None or caller.policy != NEWEST or caller.level > WORLD:
        return False
    if caller.user in (None, SERVICE_ACCOUNT):
        return True
    with session.connection() as connection:
        if favourites(connection, caller):
            return False
    if any(each.scope != defaults.EVERYBODY for each in defaults.in_force(session)):
        return False
    return _said(session, _HIDDEN) == "0"


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
