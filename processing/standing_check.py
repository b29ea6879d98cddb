"""Is the index of standings true? It is compared with walks of plans, some of them every day."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.dialect import insert_absent
from datamodel.session import Session
from datamodel.standings import CHECKED, standing_state
from processing.plan import Planner
from processing.site import instruments_of
from processing.standing import is_true, look, reasons_of
from processing.standing_entries import from_class, next_ids, targets
from processing.standing_hidden import forget_hidden
from processing.standing_keeping import distrust
from processing.standing_views import THE_WORLD, View, holds, views

log = logging.getLogger("processing.standing")

_SLICE_S = 1.0
_AT_A_TIME = 50


def differences(session: Session) -> list[str]:
    """What the index says otherwise than a walk of every plan: nothing, unless it is wrong; takes long.

    Bytes that are gone are not in the index: whoever asks looks for those of the product itself.
    """
    with session.connection() as connection:
        known = views(connection)
    found = []
    for view in known:
        with Session(session.archive, view.caller) as lens:
            everything = (
                product for cls in targets() for product in cls.select_all() if type(product) is cls
            )
            found += [_difference(lens, view, product) for product in everything]
    return [each for each in found if each]


def _difference(lens: Session, view: View, product: Any) -> str:
    found = reasons_of(lens, product, view.number)
    if found is None:
        return ""  # what has no place in the survey that one sees is not in the index
    planner = Planner(instruments_of(lens.archive), looks_at_bytes=False)
    walked = {str(r) for r in planner.node_of(product, product.own_keys()).reasons}
    known = {str(r) for r in found}
    return f"{product!r}: {sorted(walked)}, and not {sorted(known)}" if walked != known else ""


def check_some(archive: Archive) -> int:
    """Compare the index with plans for a second, until enough of each view were compared today.

    How many that is, the archive is set to. The next call goes on where this one ended, and begins again after the
    last product. Where the index is wrong this is logged, and it is made anew. Gives how many were compared.

    Once a day what is hidden no more is forgotten, too.
    """
    with archive.database.read() as connection:
        known = views(connection)
    compared = (_check_some(archive, view) for view in known)
    return next((count for count in compared if count), 0)


def _check_some(archive: Archive, view: View) -> int:
    most = archive.config.standings_checked
    today = archive.clock().date().isoformat()
    with Session(archive, view.caller) as lens:
        day, count, after = _so_far(lens, view)
        count = count if day == today else 0
        before = look(lens, view.number)
        if count >= most or not is_true(lens, before):
            return 0
        if day != today and view == THE_WORLD:
            forget_hidden(lens)
        until = time.monotonic() + _SLICE_S
        compared, wrong = 0, []
        for place, product in _products(lens, after):
            difference = _difference(lens, view, product)
            wrong += [difference] if difference else []
            compared, after = compared + 1, place
            if time.monotonic() > until or count + compared >= most:
                break
        else:
            after = ""
        if wrong and look(lens, view.number) == before:  # nothing has happened meanwhile
            log.error("the index of standings is wrong, and is made anew: %s", "; ".join(wrong[:10]))
            distrust(Session(archive, Caller(SERVICE_ACCOUNT, level=WORLD)))
        _say(lens, view, today, count + compared, after)
        return compared


def _products(lens: Session, after: str) -> Iterator[tuple[str, Any]]:
    """Products in the order of the index, and their places in it."""
    name, _, last = after.partition(" ")
    for cls in from_class(name):
        while True:
            with lens.connection() as connection:
                ids = next_ids(connection, cls, last, _AT_A_TIME)
            for oid, product in sorted(lens.load_many(cls, ids).items()):
                yield f"{cls.__name__} {oid}", product
            if len(ids) < _AT_A_TIME:
                break
            last = ids[-1]
        last = ""


def _so_far(lens: Session, view: View) -> tuple[str, int, str]:
    here = (standing_state.c.view == view.number, standing_state.c.name == CHECKED)
    with lens.connection() as connection:
        said = connection.scalar(sa.select(standing_state.c.value).where(*here))
    day, count, after = json.loads(said) if said else ("", 0, "")
    return day, count, after


def _say(lens: Session, view: View, day: str, count: int, after: str) -> None:
    value = json.dumps([day, count, after])
    with lens.transaction() as connection:
        if holds(connection, view):
            row = {"view": view.number, "name": CHECKED, "value": value}
            insert_absent(connection, standing_state, row)
            here = (standing_state.c.view == view.number, standing_state.c.name == CHECKED)
            connection.execute(sa.update(standing_state).where(*here).values(value=value))
