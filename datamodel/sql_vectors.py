"""How is the geometry of unit vectors and great-circle arcs written in SQL, on constants and columns alike?"""

import math
from dataclasses import dataclass

from datamodel import sql
from datamodel.point_tests import Angle
from datamodel.regions import VECTORS
from datamodel.sphere import EDGE_RAD, Floats
from datamodel.sql import TRUE, Sql, all_of, any_of, call, number, sql_of

Vector = tuple[Angle, Angle, Angle]
NONE = number(0.0)


@dataclass(frozen=True)
class Arc:
    """A great-circle arc from `a` to `b`; `n` is the normal of its plane, towards the inside of what it bounds.

    `after` and `before` are the normals of the planes through its ends at right angles to it.
    """

    a: Vector
    b: Vector
    n: Vector
    after: Vector
    before: Vector


def constant(vector: Floats) -> Vector:
    """A vector of numbers."""
    x, y, z = vector.tolist()
    return x, y, z


def columns(alias: str, name: str) -> Vector:
    """One of the vectors of an edge table that goes under an alias."""
    assert name in VECTORS
    x, y, z = (sql.column(alias, f"{name}_{axis}") for axis in "xyz")
    return x, y, z


def direction(ra: Angle, dec: Angle) -> Vector:
    """The unit vector towards a position in degrees."""
    if isinstance(ra, Sql) or isinstance(dec, Sql):
        ra_rad, dec_rad = (call("radians", angle) for angle in (ra, dec))
        level = call("cos", dec_rad)
        return (
            level * call("cos", ra_rad),
            level * call("sin", ra_rad),
            call("sin", dec_rad),
        )
    lon, lat = math.radians(ra), math.radians(dec)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def minus(p: Vector) -> Vector:
    """The antipode."""
    return -p[0], -p[1], -p[2]


def dot(p: Vector, q: Vector) -> Sql:
    """The scalar product."""
    return sql_of(_dot(p, q))


def squared_chord(p: Vector, q: Vector) -> Sql:
    """The squared length of the difference."""
    return sql_of(_squared_chord(p, q))


def near(p: Vector, q: Vector, radius: Angle) -> Sql:
    """Whether the angle of two vectors is at most `radius`, 0 to 180 degrees.

    By the chord, which has all the digits when the angle is small, or the chord to the antipode.
    """
    if isinstance(radius, Sql):
        half = call("radians", radius) * number(0.5)
        sine, cosine = (call("power", call(f, half), 2.0) * number(4.0) for f in ("sin", "cos"))
        small, large = squared_chord(p, q) <= sine, squared_chord(p, minus(q)) >= cosine
        bound = number(90.0)
        return any_of(all_of(radius <= bound, small), all_of(radius > bound, large))
    half_rad = math.radians(radius) / 2.0
    if radius <= 90.0:
        return squared_chord(p, q) <= number(4.0 * math.sin(half_rad) ** 2)
    return squared_chord(p, minus(q)) >= number(4.0 * math.cos(half_rad) ** 2)


def near_arc(p: Vector, arc: Arc, radius: float) -> Sql:
    """Whether the beginning of an arc, or a point of it but its end, is at most `radius` degrees from a vector."""
    return any_of(near(arc.a, p, radius), all_of(beside(p, arc), _near_great_circle(p, arc.n, radius)))


def beside(p: Vector, arc: Arc) -> Sql:
    """Whether the point of an arc's great circle that is nearest to a vector is on the arc."""
    return all_of(dot(arc.after, p) >= NONE, dot(arc.before, p) >= NONE)


def _near_great_circle(p: Vector, n: Vector, radius: float) -> Sql:
    """By the sine of the distance or, where that is blunt, by its cosine; from 90 degrees on every circle is near."""
    if radius >= 90.0:
        return TRUE
    if radius <= 45.0:
        return call("abs", dot(n, p)) <= number(math.sin(math.radians(radius)))
    (nx, ny, nz), (px, py, pz) = n, p
    along = (ny * pz - nz * py, nz * px - nx * pz, nx * py - ny * px)
    return dot(along, along) >= number(math.cos(math.radians(radius)) ** 2)


def crosses(arc: Arc, other: Arc, slack: float) -> Sql:
    """Whether two arcs cross; one that ends on the other's great circle is taken to end on its outer side.

    Parameters
    ----------
    slack
        So far (radians) inside of `other` counts as outside; where negative, so far outside as inside.
    """
    from_out, to_out = (dot(arc.n, end) <= number(EDGE_RAD) for end in (other.a, other.b))
    start_out, end_out = (dot(other.n, end) <= number(slack) for end in (arc.a, arc.b))
    return all_of(from_out.differs(to_out), start_out.differs(end_out), from_out.differs(start_out))


def _dot(p: Vector, q: Vector) -> Angle:
    """Without the terms that are zero."""
    terms = [x * y for x, y in zip(p, q, strict=True) if not (_is_zero(x) or _is_zero(y))]
    return sum(terms[1:], start=terms[0]) if terms else 0.0


def _is_zero(angle: Angle) -> bool:
    return not isinstance(angle, Sql) and angle == 0.0


def _squared_chord(p: Vector, q: Vector) -> Angle:
    squares = []
    for x, y in zip(p, q, strict=True):
        difference = x - y
        power = isinstance(difference, Sql)
        squares.append(call("power", difference, 2.0) if power else difference * difference)
    return squares[0] + squares[1] + squares[2]
