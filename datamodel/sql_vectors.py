"""How is the geometry of unit vectors and great-circle arcs written in SQL, on constants and columns alike?"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from datamodel.point_tests import Angle, Number, Truth, sql_function, sql_number
from datamodel.regions import VECTORS
from datamodel.sphere import EDGE_RAD, Floats

Vector = tuple[Angle, Angle, Angle]


@dataclass(frozen=True)
class Arc:
    """A great-circle arc from `a` to `b`; `n` is the normal of its plane, towards the inside of what it bounds."""

    a: Vector
    b: Vector
    n: Vector


def constant(vector: Floats) -> Vector:
    """A vector of numbers."""
    x, y, z = vector.tolist()
    return x, y, z


def columns(table: sa.FromClause, name: str) -> Vector:
    """One of the vectors of an edge table."""
    assert name in VECTORS
    return table.c[f"{name}_x"], table.c[f"{name}_y"], table.c[f"{name}_z"]


def direction(ra: Angle, dec: Angle) -> Vector:
    """The unit vector towards a position in degrees."""
    if isinstance(ra, sa.ColumnElement) or isinstance(dec, sa.ColumnElement):
        ra_rad, dec_rad = (sql_function("radians", angle) for angle in (ra, dec))
        level = sql_function("cos", dec_rad)
        return (
            level * sql_function("cos", ra_rad),
            level * sql_function("sin", ra_rad),
            sql_function("sin", dec_rad),
        )
    lon, lat = math.radians(ra), math.radians(dec)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def minus(p: Vector) -> Vector:
    """The antipode."""
    return -p[0], -p[1], -p[2]


def dot(p: Vector, q: Vector) -> Number:
    """The scalar product."""
    return sql_number(_dot(p, q))


def cross(p: Vector, q: Vector) -> Vector:
    """The vector product."""
    (px, py, pz), (qx, qy, qz) = p, q
    return py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx


def near(p: Vector, q: Vector, radius: Angle) -> Truth:
    """Whether the angle of two vectors is at most `radius`, 0 to 180 degrees.

    By the chord, which has all the digits when the angle is small, or the chord to the antipode.
    """
    half_rad = radius * (math.pi / 360.0)
    return _by_size(
        radius,
        90.0,
        lambda: sql_number(_square(p, q, -1.0)) <= sql_number(4.0 * _squared("sin", half_rad)),
        lambda: sql_number(_square(p, q, 1.0)) >= sql_number(4.0 * _squared("cos", half_rad)),
    )


def near_arc(p: Vector, arc: Arc, radius: Angle) -> Truth:
    """Whether some point of an arc is at most `radius`, 0 to 180 degrees, from a vector."""
    beside = sa.and_(
        dot(cross(arc.n, arc.a), p) >= sql_number(0.0), dot(cross(arc.n, arc.b), p) <= sql_number(0.0)
    )
    return sa.or_(
        near(arc.a, p, radius), near(arc.b, p, radius), sa.and_(beside, _near_circle(p, arc.n, radius))
    )


def _near_circle(p: Vector, n: Vector, radius: Angle) -> Truth:
    """Whether the great circle with a normal is at most `radius` degrees away; 90 it always is."""
    radius_rad = radius * (math.pi / 180.0)
    return _by_size(
        radius,
        45.0,
        lambda: sa.func.abs(dot(n, p)) <= sql_number(_call("sin", radius_rad)),
        lambda: _by_size(
            radius,
            90.0,
            lambda: dot(cross(n, p), cross(n, p)) >= sql_number(_squared("cos", radius_rad)),
            sa.true,
        ),
    )


def crosses(arc: Arc, other: Arc, slack: float) -> Truth:
    """Whether two arcs cross; one that ends on the other's great circle is taken to end on its outer side.

    Parameters
    ----------
    slack
        So far (radians) inside of `other` counts as outside; where negative, so far outside as inside.
    """
    from_out, to_out = (dot(arc.n, end) <= sql_number(EDGE_RAD) for end in (other.a, other.b))
    start_out, end_out = (dot(other.n, end) <= sql_number(slack) for end in (arc.a, arc.b))
    return sa.or_(
        sa.and_(from_out, sa.not_(to_out), sa.not_(start_out), end_out),
        sa.and_(sa.not_(from_out), to_out, start_out, sa.not_(end_out)),
    )


def _by_size(radius: Angle, limit: float, small: Callable[[], Truth], large: Callable[[], Truth]) -> Truth:
    if not isinstance(radius, sa.ColumnElement):
        return small() if radius <= limit else large()
    bound = sql_number(limit)
    return sa.or_(sa.and_(radius <= bound, small()), sa.and_(radius > bound, large()))


def _dot(p: Vector, q: Vector) -> Angle:
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


def _square(p: Vector, q: Vector, sign: float) -> Angle:
    """The squared length of p + sign * q."""
    difference = (p[0] + sign * q[0], p[1] + sign * q[1], p[2] + sign * q[2])
    return _dot(difference, difference)


def _call(name: str, angle_rad: Angle) -> Angle:
    if isinstance(angle_rad, sa.ColumnElement):
        return sql_function(name, angle_rad)
    return float(getattr(math, name)(angle_rad))


def _squared(name: str, angle_rad: Angle) -> Angle:
    value = _call(name, angle_rad)
    return value * value
