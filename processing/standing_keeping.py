"""How is the index of standings kept up to date, and made anew where other rules hold?

It may be killed at any moment: what was not done is done at the next call. Several may do it at once, one step each.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from datamodel import crash
from datamodel.dialect import insert_absent
from datamodel.errors import BusyError
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.standings import AFTER, BUILDING, LAST, RULES, SINCE, standing_state
from processing.news import news
from processing.standing import is_true, last_event, look, rules_of
from processing.standing_entries import from_class, targets
from processing.standing_hidden import forget_hidden, hidden_among, look_for_hidden, note_hidden
from processing.standing_index import Index
from processing.standing_views import (
    THE_WORLD,
    View,
    holds,
    settle,
    view_of,
    views,
)

FOLLOWED = crash.declare("standings.followed", "what happened is taken in, the transaction is not committed")
STEPPED = crash.declare("standings.step", "some products are judged anew, the transaction is not committed")

FEW = 1000
"""So many products are judged anew while somebody waits."""

_STEP = 1000
_EVENTS = 5000
"""So many are taken in together."""

_AT_FIRST = {LAST: "0", RULES: "", BUILDING: "", SINCE: "0", AFTER: ""}

Progress = Callable[[str, int], None]
"""Told a class, and how many of its products were judged now."""


def follow(session: Session) -> bool:
    """Take in all that has happened, for the world and for who asks; gives whether the index is true for these.

    Where it was made by other rules it is made anew if there are few products, else left to `renew`. Within a
    transaction it is put off to the end.
    """
    if session.is_writing:
        session.after_commit(follow)
        return False
    is_true_for = [_followed(session, THE_WORLD)]
    own = view_of(session)
    if own != THE_WORLD:
        is_true_for.append(_followed(session, own))
    return all(is_true_for)


def renew(session: Session, progress: Progress | None = None) -> None:
    """Make the index true in every view, anew where other rules made it; long for many products, in short steps.

    Where somebody makes it by yet other rules, as another version of the program does, that is left to them.
    """
    _renewed(session, THE_WORLD, progress)
    settle(session)
    with session.connection() as connection:
        others = views(connection)[1:]
    for view in others:
        _renewed(session, view, progress)


def tried(session: Session, connection: sa.Connection, newest: int) -> dict[str, tuple[str, int]]:
    """What turns by events of a transaction under way: the class of each product, and whether it is outdated then.

    It is told as who asks sees it, where there is such a view, else as the world does.
    """
    view = view_of(session)
    said = _locked(connection, view)
    if said is None or not said[RULES]:
        raise BusyError("how products stand is being found out anew; try again later")
    with (
        Session(session.archive, view.caller) as lens,
        lens.within(connection),
        session.archive.database.roomy(connection),
    ):
        index = Index(lens, connection, view.number)
        index.follow(int(said[LAST]), newest)
        return index.turned()


def distrust(session: Session) -> None:
    """Have the index made anew by who comes next."""
    with session.transaction() as connection:
        for view in views(connection):
            if _locked(connection, view) is not None:
                _say(connection, view, {RULES: "", BUILDING: ""})


def _followed(session: Session, view: View) -> bool:
    """Take in all that has happened in one view."""
    while not is_true(session, now := look(session, view.number)):
        rules = rules_of(session, now)
        if now.rules != rules:
            if now.building or not _are_few(session):
                return False
            if not _build(session, view, rules, None):
                return False
            continue
        found = news(session, last_event(view.number))
        with session.transaction() as connection:
            said = _locked(connection, view)
            if said is None:
                return False
            if said[RULES] == rules and found is not None:
                _follow(session, view, connection, said, min(found[1], int(said[LAST]) + _EVENTS))
    return True


def _renewed(session: Session, view: View, progress: Progress | None) -> None:
    while not _followed(session, view):
        now = look(session, view.number)
        if now.rules != (rules := rules_of(session, now)) and not _build(session, view, rules, progress):
            return


def _are_few(session: Session) -> bool:
    root = table_of(DBObject)
    names = [cls.__name__ for cls in targets()]
    some = sa.select(root.c.object_id).where(root.c.class_name.in_(names)).limit(FEW + 1).subquery()
    with session.connection() as connection:
        return (connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW


def _follow(
    session: Session, view: View, connection: sa.Connection, said: dict[str, str], newest: int
) -> None:
    """Take in all up to an event; none with a smaller number is going to be committed later."""
    last = int(said[LAST])
    newest = max(newest, last)  # somebody else may have been here meanwhile
    with (
        Session(session.archive, view.caller) as lens,
        lens.within(connection),
        session.archive.database.roomy(connection),
    ):
        index = Index(lens, connection, view.number)
        index.follow(last, newest)
    note_hidden(connection, hidden_among(connection, index.hidden))
    crash.reach(FOLLOWED)
    _say(connection, view, {LAST: str(newest)})


def _build(session: Session, view: View, rules: str, progress: Progress | None) -> bool:
    """Make it anew by some rules, inputs first; gives False where somebody else makes it by others meanwhile."""
    found = news(session, sa.literal(0))
    newest = 0 if found is None else found[1]
    has_begun = is_done = False
    while not is_done and rules_of(session, look(session, view.number)) == rules:
        with session.transaction() as connection:
            said = _locked(connection, view)
            if said is None:
                return False
            if said[RULES] == rules:
                break
            if said[BUILDING] != rules:
                if has_begun and said[BUILDING]:
                    return False
                said |= {RULES: "", BUILDING: rules, SINCE: str(newest), AFTER: ""}
            is_done, has_begun = _step(session, view, connection, said, progress), True
    if is_done and view == THE_WORLD:
        forget_hidden(session)
    return True


def _step(
    session: Session, view: View, connection: sa.Connection, said: dict[str, str], progress: Progress | None
) -> bool:
    """Judge some products after those that were judged before; gives whether these were the last."""
    name, _, after = said[AFTER].partition(" ")
    left = from_class(name)
    with Session(session.archive, view.caller) as lens, lens.within(connection):
        index = Index(lens, connection, view.number)
        count, until = index.rebuild(left[0], after, _STEP)
        crash.reach(STEPPED)
        if progress:
            progress(left[0].__name__, count)
        if until is None:
            left.pop(0)
        if left:
            _say(connection, view, said | {AFTER: f"{left[0].__name__} {until or ''}"})
            return False
        index.forget_others()
    note_hidden(connection, look_for_hidden(connection))
    _say(connection, view, {LAST: said[SINCE], RULES: said[BUILDING], BUILDING: "", AFTER: ""})
    return True


def _locked(connection: sa.Connection, view: View) -> dict[str, str] | None:
    """What a view says of itself, which nobody else changes until the transaction ends; None where it has ended."""
    if not holds(connection, view):
        return None
    for name, value in _AT_FIRST.items():
        insert_absent(connection, standing_state, {"view": view.number, "name": name, "value": value})
    of_view = standing_state.c.view == view.number
    lock = sa.select(standing_state.c.value).where(of_view, standing_state.c.name == LAST)
    connection.execute(lock.with_for_update())
    own = standing_state.c.name.in_(list(_AT_FIRST))
    said = sa.select(standing_state.c.name, standing_state.c.value).where(of_view, own)
    return {row.name: row.value for row in connection.execute(said)}


def _say(connection: sa.Connection, view: View, values: dict[str, Any]) -> None:
    for name, value in values.items():
        here = sa.and_(standing_state.c.view == view.number, standing_state.c.name == name)
        connection.execute(sa.update(standing_state).where(here).values(value=value))
