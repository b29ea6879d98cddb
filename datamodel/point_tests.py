"""How does SQL ask whether a position is inside a shape, and how far two positions are apart?

The same statement serves SQLite and PostgreSQL: ranges of the HEALPix column, which an index finds, and
the exact test in plain arithmetic. A position that is NULL makes the answer NULL or false, never true.
"""

import math
from collections.abc import Callable

import numpy as np

from datamodel.healpix import cover
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import EDGE_RAD, Floats
from datamodel.sql import Sql, all_of, any_of, call, case, in_ranges, number, sql_of

Angle = Sql | float

LARGEST_DEG = 90.0
"""Radius of the largest circle for which a database's own function for distances is asked."""

_FINEST = 32
_FINENESS = ((30, 4), (100, 8), (1000, 16))
"""Up to how many rows that are found how many ranges do; measured on both databases."""

_EDGE_DEG = math.degrees(EDGE_RAD)


def inside(
    shape: Shape,
    ra_column: Angle,
    dec_column: Angle,
    hpx_column: Sql | None,
    distance: str = "",
    rows: int | None = None,
) -> Sql:
    """Whether positions, in degrees ICRS, are inside a shape or on its boundary.

    Parameters
    ----------
    hpx_column
        Order-29 NESTED numbers of the same positions, which narrow the search; None for the exact test alone.
    distance
        The database's own function for distances (`datamodel.speech.Speech.distance`), or empty.
    rows
        About how many rows there are all over the sky, where that is known.
    """
    ra, dec = sql_of(ra_column), sql_of(dec_column)
    if distance and isinstance(shape, Circle) and shape.radius <= LARGEST_DEG:
        centre = number(shape.ra), number(shape.dec)
        exact = distance_called(distance, ra, dec, *centre) <= number(shape.radius + _EDGE_DEG)
    else:
        exact = _INSIDE[type(shape)](shape, ra, dec)
    return (
        exact
        if hpx_column is None
        else all_of(in_ranges(hpx_column, cover(shape, _fineness(shape, rows))), exact)
    )


def _fineness(shape: Shape, rows: int | None) -> int:
    """How many ranges to look through: each takes as long as some rows that are found in vain."""
    if rows is None or not isinstance(shape, Circle):
        return _FINEST
    share = math.sin(math.radians(shape.radius) / 2.0) ** 2
    return next((ranges for most, ranges in _FINENESS if rows * share < most), _FINEST)


def distance_sql(ra1: Angle, dec1: Angle, ra2: Angle, dec2: Angle) -> Sql:
    """Angle between two positions, all in degrees, accurate from 0 to 180; columns or numbers.

    See `datamodel.sphere.separation` for the formula.
    """
    half_ra, half_dec1, half_dec2 = _half(ra1) - _half(ra2), _half(dec1), _half(dec2)
    first, cos_dec2 = sql_of(dec1), _cos(sql_of(dec2))
    near = _haversine(half_ra, half_dec1 - half_dec2, first, cos_dec2)
    far = _haversine(half_ra - 90.0, half_dec1 + half_dec2, first, cos_dec2)
    return 2.0 * call("degrees", call("atan2", _root(near), _root(far)))


def _root(haversine: Sql) -> Sql:
    """Of what may be a little less than 0, but only where a latitude is beyond 90 degrees."""
    return call("sqrt", call("abs", haversine))


def distance_called(form: str, ra1: Angle, dec1: Angle, ra2: Angle, dec2: Angle) -> Sql:
    """The same by a function of the database, right up to `LARGEST_DEG`; no better than 0.01 arcsec near 180."""
    texts = {"ra1": ra1, "dec1": dec1, "ra2": ra2, "dec2": dec2}
    return Sql(form.format(**{name: sql_of(angle).text for name, angle in texts.items()}))


def _half(angle: Angle) -> Sql:
    """Half an angle; the differences of these are exactly half of those of angles, and never too large."""
    return sql_of(angle) * 0.5 if isinstance(angle, Sql) else number(0.5 * angle)


def _haversine(half_ra: Sql, half_dec: Sql, dec1: Sql, cos_dec2: Sql) -> Sql:
    across = call("power", call("sin", call("radians", half_ra)), 2.0)
    along = call("power", call("sin", call("radians", half_dec)), 2.0)
    return along + _cos(dec1) * cos_dec2 * across


def _cos(angle: Sql) -> Sql:
    return call("cos", call("radians", angle))


def _in_circle(circle: Point | Circle, ra: Sql, dec: Sql) -> Sql:
    """Near the centre, or not near the antipode: the smaller circle's haversine has all the digits."""
    radius = circle.radius if isinstance(circle, Circle) else 0.0
    cosine = number(math.cos(math.radians(circle.dec)))
    if radius <= 90.0:
        limit = math.sin(math.radians(radius) / 2.0 + EDGE_RAD / 2.0) ** 2
        centre = _half(circle.ra), _half(circle.dec)
        return _haversine(_half(ra) - centre[0], _half(dec) - centre[1], dec, cosine) <= number(limit)
    limit = math.sin(max(0.0, math.radians(180.0 - radius) / 2.0 - EDGE_RAD / 2.0)) ** 2
    antipode = _half(circle.ra + 180.0), _half(-circle.dec)
    return -_haversine(_half(ra) - antipode[0], _half(dec) - antipode[1], dec, cosine) <= number(-limit)


def _in_polygon(polygon: Polygon, ra: Sql, dec: Sql) -> Sql:
    """Inside of every half-space, or in an odd number of shadows: see `datamodel.polygons`."""
    edges = outline(polygon.vertices)
    if edges.convex:
        return all_of(*(_height(-n, ra, dec) <= number(EDGE_RAD) for n in edges.n))
    shadows = (
        all_of(
            _height(-side * n, ra, dec) <= number(side * EDGE_RAD),
            _height(enters, ra, dec) >= number(0.0),
            _height(leaves, ra, dec) < number(0.0),
        )
        for n, enters, leaves, side in zip(edges.n, edges.enters, edges.leaves, edges.side, strict=True)
    )
    count = sum((case((shadow, number(1)), otherwise=number(0)) for shadow in shadows), start=number(0))
    return (count % 2).equals(1)


def _height(normal: Floats, ra: Sql, dec: Sql) -> Sql:
    """The sine of a position's angle above the plane with a unit normal."""
    tilt, node = float(np.hypot(normal[0], normal[1])), math.degrees(math.atan2(normal[1], normal[0]))
    level = call("cos", call("radians", ra - number(node))) * number(tilt)
    dec_rad = call("radians", dec)
    return call("cos", dec_rad) * level + call("sin", dec_rad) * number(float(normal[2]))


def _in_range(box: Range, ra: Sql, dec: Sql) -> Sql:
    """Between the bounds; a right ascension may be written a turn lower or higher."""
    turns = (ra.between(number(box.ra_lo + turn), number(box.ra_hi + turn)) for turn in (-360.0, 0.0, 360.0))
    return all_of(dec.between(number(box.dec_lo), number(box.dec_hi)), any_of(*turns))


_INSIDE: dict[type, Callable[..., Sql]] = {
    Point: _in_circle,
    Circle: _in_circle,
    Polygon: _in_polygon,
    Range: _in_range,
}
