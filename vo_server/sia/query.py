"""A SIA 2.0 query becomes a statement over the columns of ObsCore."""

import math
from collections.abc import Iterator

import sqlalchemy as sa

from datamodel import sky
from datamodel.columns import Table
from datamodel.context import Caller
from vo_server.sia.parameters import ANY_CASE, AXES, NAMES, PRODUCT_TYPES, Axis, Interval, SiaQuery

Truth = sa.ColumnElement[bool]


def select(query: SiaQuery, caller: Caller, table: Table) -> sa.Select[tuple[object, ...]]:
    """The columns of ObsCore for the images and cubes that were asked for, as far as the caller may see them.

    Parameters
    ----------
    query
        What was asked for.
    caller
        Who asks.
    table
        ``ivoa.obscore``.
    """
    rows = table.selectable(caller)
    columns = [rows.c[c.name] for c in table.columns]
    return sa.select(*columns).where(*_conditions(query, rows, table)).order_by(rows.c.t_min, rows.c.row)


def _conditions(query: SiaQuery, rows: sa.FromClause, table: Table) -> Iterator[Truth]:
    """One for each parameter that was given; the alternatives of a parameter are in one."""
    yield rows.c.dataproduct_type.in_(query.product_types or PRODUCT_TYPES)
    if query.regions:
        yield sa.or_(*(_overlaps(shape, rows, table) for shape in query.regions))
    for name, intervals in query.intervals.items():
        yield sa.or_(*(_meets(interval, AXES[name], rows) for interval in intervals))
    for name, words in query.words.items():
        yield _equals(name, words, rows)
    if query.polarisations:
        yield sa.or_(*(rows.c.pol_states.contains(f"/{p}/", autoescape=True) for p in query.polarisations))
    if query.calibration_levels:
        yield rows.c.calib_level.in_(query.calibration_levels)


def _overlaps(shape: sky.Shape, rows: sa.FromClause, table: Table) -> Truth:
    assert table.region is not None
    return sky.overlaps(shape, table.region, rows.c[table.region.row])


def _meets(interval: Interval, axis: Axis, rows: sa.FromClause) -> Truth:
    """The interval and the observation's extent on the axis have something in common; an unknown extent has not."""
    low, high = interval
    bounds: list[Truth] = [rows.c[axis.low].is_not(None), rows.c[axis.high].is_not(None)]
    if math.isfinite(high):
        bounds.append(rows.c[axis.low] <= high)
    if math.isfinite(low):
        bounds.append(rows.c[axis.high] >= low)
    return sa.and_(*bounds)


def _equals(name: str, words: tuple[str, ...], rows: sa.FromClause) -> Truth:
    if name in NAMES:
        return rows.c[NAMES[name]].in_(words)
    return sa.func.lower(rows.c[ANY_CASE[name]]).in_([word.lower() for word in words])
