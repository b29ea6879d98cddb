"""How is the index of standings kept up to date, and made anew where other rules hold?

It may be killed at any moment: what was not done is done at the next call. Several may do it at once, one step each.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.dialect import insert_absent
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import AFTER, BUILDING, HIDDEN, LAST, RULES, SINCE, standing_state
from processing.news import news
from processing.standing import is_true, last_event, look, rules_of
from processing.standing_entries import LENS, from_class, targets
from processing.standing_index import Index

FOLLOWED = crash.declare("standings.followed", "what happened is taken in, the transaction is not committed")
STEPPED = crash.declare("standings.step", "some products are judged anew, the transaction is not committed")

FEW = 1000
"""So many products are judged anew while somebody waits."""

_STEP = 1000
_EVENTS = 5000
"""So many are taken in together."""

_AT_FIRST = {LAST: "0", RULES: "", HIDDEN: "0", BUILDING: "", SINCE: "0", AFTER: ""}

Progress = Callable[[str, int], None]
"""Told a class, and how many of its products were judged now."""


def follow(session: Session) -> bool:
    """Take in all that has happened; gives whether the index is true then.

    Where it was made by other rules it is made anew if there are few products, else left to `renew`. Within a
    transaction it is put off to the end.
    """
    if session.is_writing:
        session.after_commit(follow)
        return False
    while not is_true(session, now := look(session)):
        rules = rules_of(session, now)
        if now.rules != rules:
            if now.building or not _are_few(session):
                return False
            _build(session, rules, None)
            continue
        found = news(session, last_event())
        with session.transaction() as connection:
            said = _locked(connection)
            if said[RULES] == rules and found is not None:
                _follow(session, connection, said, min(found[1], int(said[LAST]) + _EVENTS))
    return True


def renew(session: Session, progress: Progress | None = None) -> None:
    """Make the index true, anew where other rules made it; long for many products, and no step of it is long.

    Where somebody makes it by yet other rules, as another version of the program does, that is left to them.
    """
    while not follow(session):
        now = look(session)
        if now.rules != (rules := rules_of(session, now)) and not _build(session, rules, progress):
            return


def tried(session: Session, connection: sa.Connection, newest: int) -> dict[str, tuple[str, int]]:
    """What turns by events of a transaction under way: the class of each product, and whether it is outdated then."""
    last = int(_locked(connection)[LAST])
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        index.follow(last, newest)
        return index.turned()


def distrust(session: Session) -> None:
    """Have the index made anew by who comes next."""
    with session.transaction() as connection:
        _locked(connection)
        _say(connection, {RULES: "", BUILDING: ""})


def _are_few(session: Session) -> bool:
    root = table_of(DBObject)
    names = [cls.__name__ for cls in targets()]
    some = sa.select(root.c.object_id).where(root.c.class_name.in_(names)).limit(FEW + 1).subquery()
    with session.connection() as connection:
        return (connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW


def _follow(session: Session, connection: sa.Connection, said: dict[str, str], newest: int) -> None:
    """Take in all up to an event; none with a smaller number is going to be committed later."""
    last = int(said[LAST])
    newest = max(newest, last)  # somebody else may have been here meanwhile
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        index.follow(last, newest)
    crash.reach(FOLLOWED)
    _say(connection, {LAST: str(newest), HIDDEN: str(int(index.has_hidden or said[HIDDEN] == "1"))})


def _build(session: Session, rules: str, progress: Progress | None) -> bool:
    """Make it anew by some rules, inputs first; gives False where somebody else makes it by others meanwhile."""
    found = news(session, sa.literal(0))
    newest = 0 if found is None else found[1]
    has_begun = is_done = False
    while not is_done and rules_of(session, look(session)) == rules:
        with session.transaction() as connection:
            said = _locked(connection)
            if said[RULES] == rules:
                break
            if said[BUILDING] != rules:
                if has_begun and said[BUILDING]:
                    return False
                said |= {RULES: "", BUILDING: rules, SINCE: str(newest), AFTER: ""}
            is_done, has_begun = _step(session, connection, said, progress), True
    return True


def _step(
    session: Session, connection: sa.Connection, said: dict[str, str], progress: Progress | None
) -> bool:
    """Judge some products after those that were judged before; gives whether these were the last."""
    name, _, after = said[AFTER].partition(" ")
    left = from_class(name)
    with Session(session.archive, LENS) as lens, lens.within(connection):
        index = Index(lens, connection)
        count, until = index.rebuild(left[0], after, _STEP)
        crash.reach(STEPPED)
        if progress:
            progress(left[0].__name__, count)
        if until is None:
            left.pop(0)
        if left:
            _say(connection, said | {AFTER: f"{left[0].__name__} {until or ''}"})
            return False
        index.forget_others()
        hidden = str(int(index.is_any_hidden()))
    _say(connection, {LAST: said[SINCE], RULES: said[BUILDING], HIDDEN: hidden, BUILDING: "", AFTER: ""})
    return True


def _locked(connection: sa.Connection) -> dict[str, str]:
    """What the index says of itself; nobody else changes it until the transaction ends."""
    for name, value in _AT_FIRST.items():
        insert_absent(connection, standing_state, {"name": name, "value": value})
    lock = sa.select(standing_state.c.value).where(standing_state.c.name == LAST).with_for_update()
    connection.execute(lock)
    said = sa.select(standing_state.c.name, standing_state.c.value)
    return {row.name: row.value for row in connection.execute(said)}


def _say(connection: sa.Connection, values: dict[str, Any]) -> None:
    for name, value in values.items():
        here = standing_state.c.name == name
        connection.execute(sa.update(standing_state).where(here).values(value=value))
