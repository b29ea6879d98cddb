"""What ObsCore lists: every raw exposure, and each product that can be had of it; kept by events.

A product is listed for exactly those exposures whose plan has nothing missing; which these are is found out for all
together, after something happened, never in a query.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from datamodel import regions, sky
from datamodel.attributes import all_classes, class_named
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.dialect import insert_absent
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.observations import cover, edges, listing_state, observation
from datamodel.schema import table_of
from datamodel.session import Session
from datamodel.sphere import separation
from processing.algorithms.sky_positions import footprint
from processing.news import news
from processing.site import instruments_of
from processing.standing_judge import Judge

LISTED = ("ReducedScienceFrame", "SourceList")
_STATE = "obscore"
_SECONDS_A_DAY = 86400.0
_CHUNK = 200
_EVENTS = 5000
"""So many are looked at together."""
_EVER = datetime(1000, 1, 1), datetime(9000, 1, 1)
_KBYTE_A_SOURCE_LIST = 100


def refresh(session: Session, progress: Callable[[int], None] | None = None) -> int:
    """Bring the listing up to date with all that has happened; gives how many exposures were looked at.

    `progress` is told how many they are each time. It may be killed at any moment: what was not done is done at the
    next call. Within a transaction it is put off to the end.
    """
    if session.is_writing:
        session.after_commit(refresh)
        return 0
    looked = 0
    while found := news(session, _seen()):
        last, newest = found[0], min(found[1], found[0] + _EVENTS)
        with Session(session.archive, Caller(SERVICE_ACCOUNT, level=WORLD)) as public:
            exposures = _affected(public, last, newest)
            rows = _rows(public, exposures)
        if _write(session, [e.object_id for e in exposures], rows, last, newest):
            looked += len(exposures)
            if progress:
                progress(len(exposures))
    return looked


def _seen() -> Any:
    here = listing_state.c.name == _STATE
    return sa.select(listing_state.c.last_event).where(here).scalar_subquery()


def _affected(session: Session, last: int, newest: int) -> list[Any]:
    """The exposures whose plans may use what came, was judged anew or became valid at other times."""
    happened = _happened(session, last, newest)
    touched = session.load_many(DBObject, {e.object_id: None for e in happened})
    found = {o.object_id for o in touched.values() if isinstance(o, RawScienceFrame)}
    found |= {o.raw.object_id for o in touched.values() if _is_of_exposure(o) and o.raw is not None}
    spans: dict[str, _Spans] = {"made": defaultdict(list), "changed": defaultdict(list)}
    for each in happened:
        frame = touched.get(each.object_id)
        if frame is None or isinstance(frame, RawScienceFrame) or _is_of_exposure(frame):
            continue
        if all(isinstance(each, DBObject) for each in (frame.instrument, frame.chip)):
            kind = "made" if each.kind == "made" and not isinstance(frame, RawFrame) else "changed"
            spans[kind][frame.instrument.name, frame.chip.object_id] += _instants(frame, each)
    found.update(_near(session, spans["changed"]))
    found.update(_incomplete(session, _near(session, spans["made"])))
    return list(session.load_many(RawScienceFrame, found).values())


_Spans = dict[tuple[str, str], list[datetime]]
"""By instrument and chip: instants when something was or became valid."""


def _happened(session: Session, last: int, newest: int) -> list[Any]:
    """The events of raw frames, and of what is made from them."""
    objects = table_of(DBObject)
    names = [c.__name__ for c in all_classes() if issubclass(c, RawFrame) or hasattr(c, "of_exposure")]
    statement = sa.select(event.c.object_id, event.c.kind, event.c.attribute, event.c.old).select_from(
        event.join(objects, objects.c.object_id == event.c.object_id)
    )
    statement = statement.where(event.c.id > last, event.c.id <= newest, objects.c.class_name.in_(names))
    with session.connection() as connection:
        return list(connection.execute(statement))


def _is_of_exposure(instance: Any) -> bool:
    return bool(getattr(instance, "of_exposure", False))


def _instants(frame: Any, happened: Any) -> list[datetime]:
    """When a raw frame was taken; or from when to when a calibration is valid, and was before the event."""
    if isinstance(frame, RawFrame):
        return [frame.DATE_OBS]
    was = happened.old if happened.attribute in ("timestamp_start", "timestamp_end") else None
    before = [datetime.fromisoformat(was)] if was is not None else []
    return [t for t in (frame.timestamp_start, frame.timestamp_end, *before) if t is not None]


def _near(session: Session, spans: _Spans) -> list[str]:
    """The exposures of the same chip whose plans may look as far as that."""
    found: list[str] = []
    for (instrument, chip_id), instants in spans.items():
        reach = _reach(session, instrument)
        start, end = max(min(instants), _EVER[0]) - reach, min(max(instants), _EVER[1]) + reach
        near = (start <= RawScienceFrame.DATE_OBS) & (end >= RawScienceFrame.DATE_OBS)
        near = near & (RawScienceFrame.chip == session.load(class_named("Chip"), chip_id))
        found += session.ids(RawScienceFrame, near.condition, (), None)
    return found


def _incomplete(session: Session, exposures: list[str]) -> set[str]:
    """Those for which not everything is listed: the others cannot gain from what is made."""
    whole: set[str] = set()
    with session.connection() as connection:
        for start in range(0, len(exposures), _CHUNK):
            here = observation.c.raw_id.in_(exposures[start : start + _CHUNK])
            grouped = sa.select(observation.c.raw_id).where(here).group_by(observation.c.raw_id)
            whole.update(connection.scalars(grouped.having(sa.func.count() > len(LISTED))))
    return set(exposures) - whole


def _reach(session: Session, instrument: str) -> timedelta:
    """How far in time a raw frame can matter for an exposure."""
    file = instruments_of(session.archive).named(instrument)
    rules = [file.defaults, *file.classes.values()]
    days = max((r.window.days or 1.0) + (r.validity.days or 1.0) for r in rules)
    return timedelta(days=days + 1)


def _rows(session: Session, exposures: Iterable[Any]) -> list[tuple[dict[str, Any], sky.Shape | None]]:
    valid = [raw for raw in exposures if raw.is_valid > 0]
    placed = [raw for raw in valid if raw.wcs]
    with session.connection() as connection, session.within(connection):
        judge = Judge(session, connection)
        at_hand = {name: judge.at_hand(class_named(name), placed) for name in LISTED}
    products = {
        name: session.load_many(class_named(name), {oid: None for oid in found.values() if oid})
        for name, found in at_hand.items()
    }
    rows = []
    for raw in valid:
        corners = _corners(raw)
        shape = _shape(corners)
        rows.append((_row(raw, "RawScienceFrame", None, corners), shape))
        for name, found in at_hand.items():
            if raw.object_id in found:
                product = products[name].get(found[raw.object_id] or "")
                rows.append((_row(raw, name, product, corners), shape))
    return rows


def _corners(raw: Any) -> NDArray[np.float64] | None:
    return footprint(json.loads(raw.wcs), _size(raw)) if raw.wcs else None


def _shape(corners: NDArray[np.float64] | None) -> sky.Shape | None:
    return None if corners is None else sky.Polygon(tuple((float(ra), float(dec)) for ra, dec in corners))


def _diameter_deg(corners: NDArray[np.float64] | None) -> float | None:
    """The largest distance between corners."""
    if corners is None:
        return None
    ra, dec = corners.T
    return float(separation(ra[:, None], dec[:, None], ra, dec).max())


def _size(raw: Any) -> tuple[int, int]:
    return (raw.astrom.NAXIS2, raw.astrom.NAXIS1) if raw.astrom else (raw.chip.naxis2, raw.chip.naxis1)


_KINDS: dict[str, dict[str, Any]] = {
    "RawScienceFrame": {"dataproduct_type": "image", "calib_level": 1},
    "ReducedScienceFrame": {"dataproduct_type": "image", "calib_level": 2},
    "SourceList": {"dataproduct_type": "measurements", "calib_level": 2},
}


def _row(raw: Any, class_name: str, product: Any, corners: NDArray[np.float64] | None) -> dict[str, Any]:
    ny, nx = _size(raw)
    estimate = {"ReducedScienceFrame": nx * ny * 4 // 1000, "SourceList": _KBYTE_A_SOURCE_LIST}
    shape = _shape(corners)
    image = class_name != "SourceList"
    return _KINDS[class_name] | {
        "row": f"{class_name}/{raw.object_id}",
        "class_name": class_name,
        "raw_id": raw.object_id,
        "product_id": getattr(product, "object_id", None),
        "selection_grade": getattr(product, "selection_grade", None),
        "filter_name": raw.filter.name if raw.filter else None,
        "obs_collection": raw._project,
        "obs_id": raw.obs_id,
        "access_estsize": estimate.get(class_name, (raw.file_size or 0) // 1000),
        "target_name": raw.OBJECT,
        "s_ra": raw.ra,
        "s_dec": raw.dec,
        "s_fov": _diameter_deg(corners),
        "s_region": sky.to_stcs(shape) if shape is not None else None,
        "s_xel1": nx if image else None,
        "s_xel2": ny if image else None,
        "t_min": raw.MJD_OBS,
        "t_max": raw.MJD_OBS + raw.EXPTIME / _SECONDS_A_DAY,
        "t_exptime": raw.EXPTIME,
        "t_xel": 1,
        "em_min": raw.filter.em_min if raw.filter else None,
        "em_max": raw.filter.em_max if raw.filter else None,
        "em_xel": 1,
        "o_ucd": "phot.count" if image else "phot.mag",
        "pol_xel": 0,
        "facility_name": raw.instrument.telescope,
        "instrument_name": raw.instrument.name,
    }


def _write(session: Session, raw_ids: list[str], rows: list[Any], last: int, newest: int) -> bool:
    """Replace the rows of the exposures, and say up to where the listing is true, in one transaction.

    False, and nothing is done, where another refresh came first: what is in `rows` may be out of date.
    """
    here = listing_state.c.name == _STATE
    with session.transaction() as connection:
        insert_absent(connection, listing_state, {"name": _STATE, "last_event": 0})
        if connection.scalar(sa.select(listing_state.c.last_event).where(here).with_for_update()) != last:
            return False
        for start in range(0, len(raw_ids), _CHUNK):
            _forget(connection, raw_ids[start : start + _CHUNK])
        if rows:
            connection.execute(sa.insert(observation), [row for row, _ in rows])
        outlines = [regions.region_rows(shape, row["row"]) for row, shape in rows if shape is not None]
        for table, which in ((cover, 0), (edges, 1)):
            every = [r for outline in outlines for r in outline[which]]
            if every:
                connection.execute(sa.insert(table), every)
        connection.execute(sa.update(listing_state).where(here).values(last_event=newest))
    return True


def _forget(connection: sa.Connection, raw_ids: list[str]) -> None:
    old = list(connection.scalars(sa.select(observation.c.row).where(observation.c.raw_id.in_(raw_ids))))
    for table in (cover, edges, observation):
        connection.execute(sa.delete(table).where(table.c.row.in_(old)))
