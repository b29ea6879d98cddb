"""What ObsCore lists: every raw exposure, and each product that can be had of it; kept by events.

What is listed of an exposure is what those see who see it (`processing.listing_reach`).

A product is listed for exactly those exposures whose plan has nothing missing; which these are is found out for all
together, after something happened, never in a query.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from datamodel import regions, sky
from datamodel.attributes import class_named
from datamodel.dialect import insert_absent
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observations import cover, edges, listing_state, observation
from datamodel.session import Session
from datamodel.sphere import separation
from processing.algorithms.sky_positions import footprint
from processing.listing_reach import LISTED, affected
from processing.news import news
from processing.standing_hidden import Group
from processing.standing_judge import Judge
from processing.standing_views import eyes_of

_STATE = "obscore"
_SECONDS_A_DAY = 86400.0
_CHUNK = 200
_EVENTS = 5000
"""So many are looked at together."""
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
        exposures = affected(session, last, newest)
        rows = [row for group, ids in exposures.items() for row in _seen_by(session, group, ids)]
        everywhere = [oid for ids in exposures.values() for oid in ids]
        if _write(session, everywhere, rows, last, newest):
            looked += len(everywhere)
            if progress:
                progress(len(everywhere))
    return looked


def _seen() -> Any:
    here = listing_state.c.name == _STATE
    return sa.select(listing_state.c.last_event).where(here).scalar_subquery()


def _seen_by(session: Session, group: Group, ids: list[str]) -> list[tuple[dict[str, Any], sky.Shape | None]]:
    """The rows of some exposures, as those see them who see the exposures."""
    with Session(session.archive, eyes_of(group)) as seeing:
        return _rows(seeing, seeing.load_many(RawScienceFrame, dict.fromkeys(ids)).values())


def _rows(session: Session, exposures: Iterable[Any]) -> list[tuple[dict[str, Any], sky.Shape | None]]:
    valid = [
        raw for raw in exposures if raw.is_valid > 0 and _is_known(raw.instrument) and _is_known(raw.chip)
    ]
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


def _is_known(linked: Any) -> bool:
    """Whether there is an object at the end of a link, and it is seen."""
    return isinstance(linked, DBObject)


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
    if _is_known(raw.astrom):
        return raw.astrom.NAXIS2, raw.astrom.NAXIS1
    return raw.chip.naxis2, raw.chip.naxis1


_KINDS: dict[str, dict[str, Any]] = {
    "RawScienceFrame": {"dataproduct_type": "image", "calib_level": 1},
    "ReducedScienceFrame": {"dataproduct_type": "image", "calib_level": 2},
    "SourceList": {"dataproduct_type": "measurements", "calib_level": 2},
}


def _row(raw: Any, class_name: str, product: Any, corners: NDArray[np.float64] | None) -> dict[str, Any]:
    ny, nx = _size(raw)
    filter = raw.filter if _is_known(raw.filter) else None
    estimate = {"ReducedScienceFrame": nx * ny * 4 // 1000, "SourceList": _KBYTE_A_SOURCE_LIST}
    shape = _shape(corners)
    image = class_name != "SourceList"
    return _KINDS[class_name] | {
        "row": f"{class_name}/{raw.object_id}",
        "class_name": class_name,
        "raw_id": raw.object_id,
        "product_id": getattr(product, "object_id", None),
        "selection_grade": getattr(product, "selection_grade", None),
        "filter_name": filter.name if filter else None,
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
        "em_min": filter.em_min if filter else None,
        "em_max": filter.em_max if filter else None,
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
