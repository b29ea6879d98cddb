"""How does SQL ask whether a position is inside a shape, and how far two positions are apart?

The same statement serves SQLite and PostgreSQL: ranges of the HEALPix column, which an index finds, and
the exact test in plain arithmetic. A position that is NULL makes the answer NULL or false, never true.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import sqlalchemy as sa

from datamodel.healpix import cover
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import EDGE_RAD, Floats

DOUBLE: sa.Double[float] = sa.Double(53)
BIGINT = sa.BigInteger()
INTEGER = sa.Integer()

Number = sa.ColumnElement[float]
Angle = sa.ColumnElement[float] | float
Truth = sa.ColumnElement[bool]


def inside(
    shape: Shape, ra_column: Angle, dec_column: Angle, hpx_column: sa.ColumnElement[int] | None
) -> Truth:
    """Whether positions, in degrees ICRS, are inside a shape or on its boundary.

    Parameters
    ----------
    hpx_column
        Order-29 NESTED numbers of the same positions, which narrow the search; None for the exact test alone.
    """
    exact = _INSIDE[type(shape)](shape, sql_number(ra_column), sql_number(dec_column))
    return exact if hpx_column is None else sa.and_(in_ranges(hpx_column, cover(shape)), exact)


def in_ranges(column: sa.ColumnElement[int], ranges: Iterable[tuple[int, int]]) -> Truth:
    """Whether a number is in one of the ranges, both ends inclusive."""
    return sa.or_(*(column.between(_bigint(lo), _bigint(hi)) for lo, hi in ranges))


def distance_sql(ra1: Angle, dec1: Angle, ra2: Angle, dec2: Angle) -> Number:
    """Angle between two positions, all in degrees, accurate from 0 to 180; columns or numbers.

    See `datamodel.sphere.separation` for the formula.
    """
    ra1, dec1, ra2, dec2 = (sql_number(a) for a in (ra1, dec1, ra2, dec2))
    near = _haversine(ra1 - ra2, dec1 - dec2, dec1, sa.func.cos(sa.func.radians(dec2)))
    far = _haversine(ra1 - ra2 - sql_number(180.0), dec1 + dec2, dec1, sa.func.cos(sa.func.radians(dec2)))
    half: Number = sa.func.atan2(sa.func.sqrt(near), sa.func.sqrt(far), type_=DOUBLE)
    return sql_number(2.0) * sa.func.degrees(half, type_=DOUBLE)


def sql_number(value: Angle) -> Number:
    """A column as it is, a number as a double."""
    return value if isinstance(value, sa.ColumnElement) else sa.literal(float(value), DOUBLE)


def _bigint(value: int) -> sa.ColumnElement[int]:
    return sa.literal(value, BIGINT)


def sql_function(name: str, *arguments: Angle) -> Number:
    """A function of numbers that gives a double."""
    result: Number = getattr(sa.func, name)(*map(sql_number, arguments), type_=DOUBLE)
    return result


def _haversine(d_ra: Number, d_dec: Number, dec1: Number, cos_dec2: Number) -> Number:
    half = sql_number(0.5)
    across = sql_function("power", sql_function("sin", sql_function("radians", d_ra) * half), 2.0)
    along = sql_function("power", sql_function("sin", sql_function("radians", d_dec) * half), 2.0)
    return along + sql_function("cos", sql_function("radians", dec1)) * cos_dec2 * across


def _in_circle(circle: Point | Circle, ra: Number, dec: Number) -> Truth:
    """Near the centre, or not near the antipode: the smaller circle's haversine has all the digits."""
    radius = circle.radius if isinstance(circle, Circle) else 0.0
    cosine = sql_number(math.cos(math.radians(circle.dec)))
    if radius <= 90.0:
        limit = math.sin(math.radians(radius) / 2.0 + EDGE_RAD / 2.0) ** 2
        centre = sql_number(circle.ra), sql_number(circle.dec)
        return _haversine(ra - centre[0], dec - centre[1], dec, cosine) <= sql_number(limit)
    limit = math.sin(max(0.0, math.radians(180.0 - radius) / 2.0 - EDGE_RAD / 2.0)) ** 2
    antipode = sql_number(circle.ra + 180.0), sql_number(-circle.dec)
    return -_haversine(ra - antipode[0], dec - antipode[1], dec, cosine) <= sql_number(-limit)


def _in_polygon(polygon: Polygon, ra: Number, dec: Number) -> Truth:
    """Inside of every half-space, or in an odd number of shadows: see `datamodel.polygons`."""
    edges = outline(polygon.vertices)
    if edges.convex:
        return sa.and_(*(_height(-n, ra, dec) <= sql_number(EDGE_RAD) for n in edges.n))
    shadows = (
        sa.and_(
            _height(-side * n, ra, dec) <= sql_number(side * EDGE_RAD),
            _height(enters, ra, dec) >= sql_number(0.0),
            _height(leaves, ra, dec) < sql_number(0.0),
        )
        for n, enters, leaves, side in zip(edges.n, edges.enters, edges.leaves, edges.side, strict=True)
    )
    count = sum((sa.case((shadow, 1), else_=0) for shadow in shadows), start=sa.literal(0, INTEGER))
    return count % sa.literal(2, INTEGER) == sa.literal(1, INTEGER)


def _height(normal: Floats, ra: Number, dec: Number) -> Number:
    """The sine of a position's angle above the plane with a unit normal."""
    tilt, node = float(np.hypot(normal[0], normal[1])), math.degrees(math.atan2(normal[1], normal[0]))
    level = sql_function("cos", sql_function("radians", ra - sql_number(node))) * sql_number(tilt)
    dec_rad = sql_function("radians", dec)
    return sql_function("cos", dec_rad) * level + sql_function("sin", dec_rad) * sql_number(float(normal[2]))


def _in_range(box: Range, ra: Number, dec: Number) -> Truth:
    """Between the bounds; a right ascension may be written a turn lower or higher."""
    turns = (
        ra.between(sql_number(box.ra_lo + turn), sql_number(box.ra_hi + turn))
        for turn in (-360.0, 0.0, 360.0)
    )
    return sa.and_(dec.between(sql_number(box.dec_lo), sql_number(box.dec_hi)), sa.or_(*turns))


_INSIDE: dict[type, Callable[..., Truth]] = {
    Point: _in_circle,
    Circle: _in_circle,
    Polygon: _in_polygon,
    Range: _in_range,
}
