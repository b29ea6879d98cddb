"""What ObsCore lists: every raw exposure, and each product that can be had of it; kept by events.

A product is listed for exactly those exposures whose plan has nothing missing. Plans are walked here,
after something happened, never in a query.
"""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from datamodel import regions, sky
from datamodel.archive import event
from datamodel.attributes import class_named
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observations import cover, edges, listing_state, observation
from datamodel.schema import table_of
from datamodel.session import Session
from processing.algorithms.sky_positions import footprint
from processing.keys import keys_of_raw
from processing.plan import Planner
from processing.site import instruments_of

LISTED = ("ReducedScienceFrame", "SourceList")
_STATE = "obscore"
_SECONDS_A_DAY = 86400.0
_KBYTE_A_SOURCE_LIST = 100


def refresh(session: Session) -> int:
    """Bring the listing up to date with all that has happened; gives how many exposures were looked at.

    It may be killed at any moment: what was not done is done at the next call.
    """
    with session.connection() as connection:
        last = (
            connection.scalar(sa.select(listing_state.c.last_event).where(listing_state.c.name == _STATE))
            or 0
        )
        newest = connection.scalar(sa.select(sa.func.max(event.c.id))) or 0
        touched = _touched(connection, last, newest) if newest > last else []
    if newest <= last:
        return 0
    with Session(session.archive, Caller(SERVICE_ACCOUNT, level=WORLD)) as public:
        exposures = _affected(public, touched)
        rows = _rows(public, exposures)
    _write(session, [e.object_id for e in exposures], rows, newest)
    return len(exposures)


def _touched(connection: sa.Connection, last: int, newest: int) -> list[str]:
    """The raw frames that came, or were judged anew."""
    raw = table_of(RawFrame)
    objects = table_of(DBObject)
    statement = (
        sa.select(event.c.object_id)
        .distinct()
        .select_from(
            event.join(raw, raw.c.object_id == event.c.object_id).join(
                objects, objects.c.object_id == raw.c.object_id
            )
        )
    )
    return list(connection.scalars(statement.where(event.c.id > last, event.c.id <= newest)))


def _affected(session: Session, touched: list[str]) -> list[Any]:
    """The exposures whose plans may use the touched frames: the same chip, near in time."""
    frames = session.load_many(RawFrame, touched).values()
    found = {f.object_id: f for f in frames if isinstance(f, RawScienceFrame)}
    spans: dict[tuple[str, str], list[Any]] = {}
    for frame in frames:
        if not isinstance(frame, RawScienceFrame):
            spans.setdefault((frame.instrument.name, frame.chip.object_id), []).append(frame.DATE_OBS)
    for (instrument, chip_id), dates in spans.items():
        reach = _reach(session, instrument)
        near = (min(dates) - reach <= RawScienceFrame.DATE_OBS) & (
            max(dates) + reach >= RawScienceFrame.DATE_OBS
        )
        near = near & (RawScienceFrame.chip == session.load(class_named("Chip"), chip_id))
        found |= {f.object_id: f for f in near}
    return list(found.values())


def _reach(session: Session, instrument: str) -> timedelta:
    """How far in time a raw frame can matter for an exposure."""
    file = instruments_of(session.archive).named(instrument)
    rules = [file.defaults, *file.classes.values()]
    days = max((r.window.days or 1.0) + (r.validity.days or 1.0) for r in rules)
    return timedelta(days=days + 1)


def _rows(session: Session, exposures: Iterable[Any]) -> list[tuple[dict[str, Any], sky.Shape | None]]:
    planner = Planner(instruments_of(session.archive))
    classes = [class_named(name) for name in LISTED]
    rows = []
    for raw in exposures:
        if raw.is_valid <= 0:
            continue
        shape = _shape(raw)
        rows.append((_row(raw, "RawScienceFrame"), shape))
        listed = [c for c in classes if raw.wcs and planner.node(c, keys_of_raw(raw)).can_be_had]
        rows += [(_row(raw, c.__name__), shape) for c in listed]
    return rows


def _shape(raw: Any) -> sky.Shape | None:
    if not raw.wcs:
        return None
    corners = footprint(json.loads(raw.wcs), _size(raw))
    return sky.Polygon(tuple((float(ra), float(dec)) for ra, dec in corners))


def _size(raw: Any) -> tuple[int, int]:
    return (raw.astrom.NAXIS2, raw.astrom.NAXIS1) if raw.astrom else (raw.chip.naxis2, raw.chip.naxis1)


_KINDS: dict[str, dict[str, Any]] = {
    "RawScienceFrame": {"dataproduct_type": "image", "calib_level": 1},
    "ReducedScienceFrame": {"dataproduct_type": "image", "calib_level": 2},
    "SourceList": {"dataproduct_type": "measurements", "calib_level": 2},
}


def _row(raw: Any, class_name: str) -> dict[str, Any]:
    ny, nx = _size(raw)
    estimate = {"ReducedScienceFrame": nx * ny * 4 // 1000, "SourceList": _KBYTE_A_SOURCE_LIST}
    shape = _shape(raw)
    scale = raw.chip.pixel_scale
    image = class_name != "SourceList"
    return _KINDS[class_name] | {
        "row": f"{class_name}/{raw.object_id}",
        "class_name": class_name,
        "raw_id": raw.object_id,
        "filter_name": raw.filter.name if raw.filter else None,
        "obs_collection": raw._project,
        "obs_id": raw.obs_id,
        "access_estsize": estimate.get(class_name, (raw.file_size or 0) // 1000),
        "target_name": raw.OBJECT,
        "s_ra": raw.ra,
        "s_dec": raw.dec,
        "s_fov": float(np.hypot(nx, ny) * scale / 3600) if scale else None,
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


def _write(session: Session, raw_ids: list[str], rows: list[Any], newest: int) -> None:
    """Replace the rows of the exposures, and say up to where the listing is true, in one transaction."""
    with session.transaction() as connection:
        for start in range(0, len(raw_ids), 200):
            _forget(connection, raw_ids[start : start + 200])
        if rows:
            connection.execute(sa.insert(observation), [row for row, _ in rows])
        outlines = [regions.region_rows(shape, row["row"]) for row, shape in rows if shape is not None]
        for table, which in ((cover, 0), (edges, 1)):
            every = [r for outline in outlines for r in outline[which]]
            if every:
                connection.execute(sa.insert(table), every)
        here = listing_state.c.name == _STATE
        if not connection.execute(sa.update(listing_state).where(here).values(last_event=newest)).rowcount:
            connection.execute(sa.insert(listing_state).values(name=_STATE, last_event=newest))


def _forget(connection: sa.Connection, raw_ids: list[str]) -> None:
    old = list(connection.scalars(sa.select(observation.c.row).where(observation.c.raw_id.in_(raw_ids))))
    for table in (cover, edges, observation):
        connection.execute(sa.delete(table).where(table.c.row.in_(old)))
