"""When does an edge of a stored region, or a stored circle, meet or leave a circle, polygon or range? In SQL.

Each test is over one row of an edge table. An edge is tested from its beginning on, so that all the edges of a
region together test all of its boundary. The tests of circles are false in the rows of edges.
"""

import math
from collections.abc import Callable
from typing import Protocol

import sqlalchemy as sa

from datamodel.point_tests import Number, Truth, inside, sql_function, sql_number
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import EDGE_RAD
from datamodel.sql_vectors import (
    Arc,
    Vector,
    columns,
    constant,
    cross,
    crosses,
    direction,
    dot,
    minus,
    near,
    near_arc,
)

_EDGE_DEG = math.degrees(EDGE_RAD)


class Edge:
    """A row of an edge table: its columns as vectors."""

    def __init__(self, table: sa.FromClause) -> None:
        self.table = table
        self.arc = Arc(columns(table, "a"), columns(table, "b"), columns(table, "n"))
        self.radius: Number = table.c.radius
        self.is_arc: Truth = self.radius.is_(None)
        self.is_circle: Truth = self.radius.is_not(None)

    def starts_inside(self, shape: Shape) -> Truth:
        """Whether the beginning of the edge, or the centre of the circle, is inside a shape."""
        return inside(shape, self.table.c.ra, self.table.c.dec, None)

    def circle_holds(self, point: Vector, slack: float) -> Truth:
        """Whether the row is a circle that contains a point; so far (radians) outside is inside."""
        return sa.and_(self.is_circle, near(point, self.arc.a, self.radius + sql_number(math.degrees(slack))))


class ShapeTests(Protocol):
    """What the tests of regions need of a shape.

    Attributes
    ----------
    point
        RA and Dec of a point of the shape.
    rim
        A point of each closed line that bounds the shape, or any outside it.
    """

    @property
    def point(self) -> tuple[float, float]:
        """RA and Dec of a point of the shape."""
        ...

    @property
    def rim(self) -> list[tuple[float, float]]:
        """Points around the shape."""
        ...

    def arc_meets(self, edge: Edge) -> Truth:
        """Whether an edge has a point of the shape."""
        ...

    def arc_leaves(self, edge: Edge) -> Truth:
        """Whether an edge has a point outside the shape."""
        ...

    def circle_meets(self, edge: Edge) -> Truth:
        """Whether a circle has a point of the shape."""
        ...

    def circle_leaves(self, edge: Edge) -> Truth:
        """Whether a circle has a point outside the shape."""
        ...


class CircleTests:
    """A region leaves a circle where it meets the circle about the antipode that is left over."""

    def __init__(self, circle: Circle | Point) -> None:
        self._radius = circle.radius if isinstance(circle, Circle) else 0.0
        self._centre = direction(circle.ra, circle.dec)
        self.point = circle.ra, circle.dec
        self._rest = 180.0 - self._radius - _EDGE_DEG
        self.rim = [(circle.ra + 180.0, -circle.dec)] if self._rest > 0.0 else []

    def arc_meets(self, edge: Edge) -> Truth:
        """Whether an edge has a point of the shape."""
        return near_arc(self._centre, edge.arc, min(180.0, self._radius + _EDGE_DEG))

    def arc_leaves(self, edge: Edge) -> Truth:
        """Whether an edge has a point outside the shape."""
        return near_arc(minus(self._centre), edge.arc, self._rest) if self._rest > 0.0 else sa.false()

    def circle_meets(self, edge: Edge) -> Truth:
        """Whether a circle has a point of the shape."""
        reach = edge.radius + sql_number(self._radius + _EDGE_DEG)
        return sa.and_(
            edge.is_circle, sa.or_(reach >= sql_number(180.0), near(self._centre, edge.arc.a, reach))
        )

    def circle_leaves(self, edge: Edge) -> Truth:
        """Whether a circle has a point outside the shape."""
        if self._rest <= 0.0:
            return sa.false()
        room = sql_number(self._radius + _EDGE_DEG) - edge.radius
        held = sa.and_(room >= sql_number(0.0), near(self._centre, edge.arc.a, room))
        return sa.and_(edge.is_circle, sa.not_(held))


class PolygonTests:
    """The polygon's sides are arcs, with normals towards the inside."""

    def __init__(self, polygon: Polygon) -> None:
        edges = outline(polygon.vertices)
        self._shape = polygon
        self._sides = [
            Arc(*map(constant, vectors)) for vectors in zip(edges.a, edges.b, edges.n, strict=True)
        ]
        self.point = polygon.vertices[0]
        self.rim = [self.point]

    def arc_meets(self, edge: Edge) -> Truth:
        """Whether an edge has a point of the shape."""
        return sa.or_(edge.starts_inside(self._shape), *(crosses(edge.arc, s, EDGE_RAD) for s in self._sides))

    def arc_leaves(self, edge: Edge) -> Truth:
        """Whether an edge has a point outside the shape."""
        crossed = (crosses(edge.arc, s, -EDGE_RAD) for s in self._sides)
        return sa.or_(sa.not_(edge.starts_inside(self._shape)), *crossed)

    def circle_meets(self, edge: Edge) -> Truth:
        """Whether a circle has a point of the shape."""
        reach = edge.radius + sql_number(_EDGE_DEG)
        reached = (near_arc(edge.arc.a, side, reach) for side in self._sides)
        return sa.and_(edge.is_circle, sa.or_(edge.starts_inside(self._shape), *reached))

    def circle_leaves(self, edge: Edge) -> Truth:
        """Whether a circle has a point outside the shape."""
        reach = edge.radius - sql_number(_EDGE_DEG)
        reached = (near_arc(edge.arc.a, side, reach) for side in self._sides)
        return sa.and_(edge.is_circle, sa.or_(sa.not_(edge.starts_inside(self._shape)), *reached))


class RangeTests:
    """Two sides are arcs of meridians; the others, parallels, are small circles."""

    def __init__(self, box: Range) -> None:
        self._shape = box
        self._sides = [] if box.all_round or box.dec_lo == box.dec_hi else _meridians(box)
        self._parallels = sorted({dec for dec in (box.dec_lo, box.dec_hi) if abs(dec) < 90.0})
        self._belt = Range(box.ra_lo, box.ra_hi, -math.inf, math.inf)
        self.point = box.ra_lo, box.dec_lo
        corners = [(box.ra_lo, box.dec_lo), (box.ra_lo, box.dec_hi)]
        self.rim = [corner for corner in corners if not box.all_round or abs(corner[1]) < 90.0]

    def arc_meets(self, edge: Edge) -> Truth:
        """Whether an edge has a point of the shape."""
        crossed = (crosses(edge.arc, side, EDGE_RAD) for side in self._sides)
        return sa.or_(edge.starts_inside(self._shape), *crossed, *self._crossings(edge))

    def arc_leaves(self, edge: Edge) -> Truth:
        """Whether an edge has a point outside the shape."""
        crossed = (crosses(edge.arc, side, -EDGE_RAD) for side in self._sides)
        return sa.or_(sa.not_(edge.starts_inside(self._shape)), *crossed, *self._crossings(edge))

    def circle_meets(self, edge: Edge) -> Truth:
        """Whether a circle has a point of the shape."""
        reach = edge.radius + sql_number(_EDGE_DEG)
        aside = (near_arc(edge.arc.a, side, reach) for side in self._sides)
        above = sa.or_(sa.false(), *(self._off(edge, dec) <= reach for dec in self._parallels))
        facing = sa.and_(edge.starts_inside(self._belt), above)
        return sa.and_(edge.is_circle, sa.or_(edge.starts_inside(self._shape), facing, *aside))

    def circle_leaves(self, edge: Edge) -> Truth:
        """Whether a circle has a point outside the shape."""
        reach = edge.radius - sql_number(_EDGE_DEG)
        aside = (near_arc(edge.arc.a, side, reach) for side in self._sides)
        above = (self._off(edge, dec) < reach for dec in self._parallels)
        return sa.and_(edge.is_circle, sa.or_(sa.not_(edge.starts_inside(self._shape)), *above, *aside))

    @staticmethod
    def _off(edge: Edge, dec: float) -> Number:
        return sa.func.abs(edge.table.c.dec - sql_number(dec), type_=sa.Double(53))

    def _crossings(self, edge: Edge) -> list[Truth]:
        return [
            sa.and_(condition, _in_wedge(self._shape, point))
            for dec in self._parallels
            for point, condition in _on_parallel(edge.arc, dec)
        ]


def _meridians(box: Range) -> list[Arc]:
    """The sides, in halves because none may be half a circle; the inside is left of their direction."""
    middle = (box.dec_lo + box.dec_hi) / 2.0
    down, up = (box.dec_hi, middle, box.dec_lo), (box.dec_lo, middle, box.dec_hi)
    return [
        Arc(direction(ra, decs[i]), direction(ra, decs[i + 1]), _eastward(ra, sign))
        for ra, decs, sign in ((box.ra_lo, down, 1.0), (box.ra_hi, up, -1.0))
        for i in (0, 1)
    ]


def _eastward(ra: float, sign: float) -> tuple[float, float, float]:
    lon = math.radians(ra)
    return -sign * math.sin(lon), sign * math.cos(lon), 0.0


def _on_parallel(arc: Arc, dec: float) -> list[tuple[Vector, Truth]]:
    """The two points where an arc's great circle meets a parallel, times the tilt of its plane squared.

    With each, whether it exists and is between the ends of the arc. The points are to either side of the highest
    point of the great circle: of the plane with the normal n and the tilt h (``h**2 = n_x**2 + n_y**2``), with
    ``w**2 = h**2 - z**2``, they are ``(-n_x n_z z +- n_y w, -n_y n_z z -+ n_x w, h**2 z)``.
    """
    z, level = math.sin(math.radians(dec)), math.cos(math.radians(dec))
    nx, ny, nz = map(sql_number, arc.n)
    tilt_2 = nx * nx + ny * ny
    room = tilt_2 - sql_number(z * z)
    if abs(dec) > 45.0:
        room = (sql_number(level) - nz) * (sql_number(level) + nz)
    exists = room > sql_number(EDGE_RAD * level) * sql_function("sqrt", tilt_2)
    found: list[tuple[Vector, Truth]] = []
    for sign in (1.0, -1.0):
        w = sql_number(sign) * sql_function("sqrt", sa.func.abs(room))
        point = (-nx * nz * sql_number(z) + ny * w, -ny * nz * sql_number(z) - nx * w, tilt_2 * sql_number(z))
        slack = tilt_2 * sql_number(EDGE_RAD)
        between = sa.and_(dot(cross(arc.n, arc.a), point) > slack, dot(cross(arc.n, arc.b), point) < -slack)
        found.append((point, sa.and_(exists, between)))
    return found


def _in_wedge(box: Range, point: Vector) -> Truth:
    """Whether a vector of any length points between the meridians of a range."""
    if box.all_round:
        return sa.true()
    none = sql_number(0.0)
    east_of_lo = dot(_eastward(box.ra_lo, 1.0), point) >= none
    west_of_hi = dot(_eastward(box.ra_hi, -1.0), point) >= none
    if box.ra_hi - box.ra_lo > 180.0:
        return sa.or_(east_of_lo, west_of_hi)
    ahead = dot(direction((box.ra_lo + box.ra_hi) / 2.0, 0.0), point) >= none
    return sa.and_(east_of_lo, west_of_hi, ahead)


SHAPE_TESTS: dict[type, Callable[..., ShapeTests]] = {
    Point: CircleTests,
    Circle: CircleTests,
    Polygon: PolygonTests,
    Range: RangeTests,
}
