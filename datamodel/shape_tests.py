"""When does an edge of a stored region, or a stored circle, meet or leave a circle, polygon or range? In SQL.

Each test is over one row of an edge table. An edge is tested from its beginning on, so that all the edges of a
region together test all of its boundary. The tests of circles are false in the rows of edges.
"""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from datamodel import sql
from datamodel.point_tests import inside
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import EDGE_RAD, unit_vectors
from datamodel.sql import FALSE, TRUE, Sql, all_of, any_of, call, not_, number, sql_of
from datamodel.sql_vectors import (
    NONE,
    Arc,
    Vector,
    beside,
    columns,
    constant,
    crosses,
    direction,
    dot,
    minus,
    near,
    near_arc,
    squared_chord,
)

_EDGE_DEG = math.degrees(EDGE_RAD)


class Edge:
    """A row of an edge table that goes under an alias: its columns as vectors."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.arc = Arc(*(columns(alias, name) for name in ("a", "b", "n", "after", "before")))
        self.centre = self.arc.a
        self.radius = self.column("radius")
        self.is_arc = self.radius.is_null()
        self.is_circle = self.radius.is_not_null()

    def column(self, name: str) -> Sql:
        """Another of its columns."""
        return sql.column(self.alias, name)

    def starts_inside(self, shape: Shape) -> Sql:
        """Whether the beginning of the edge, or the centre of the circle, is inside a shape."""
        return inside(shape, self.column("ra"), self.column("dec"), None)

    def circle_holds(self, point: Vector) -> Sql:
        """Whether the row is a circle that contains a point."""
        off = self.column("chord_2") - squared_chord(self.arc.b, point)
        return all_of(self.is_circle, self.column("side") * off >= NONE)

    def circle_meets(self, arc: Arc) -> Sql:
        """Whether the row is a circle that contains the beginning of an arc, or any point of it but its end."""
        across = call("abs", dot(arc.n, self.centre)) <= self.column("sine")
        return any_of(self.circle_holds(arc.a), all_of(self.is_circle, beside(self.centre, arc), across))


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

    def arc_meets(self, edge: Edge) -> Sql:
        """Whether an edge has a point of the shape."""
        ...

    def arc_leaves(self, edge: Edge) -> Sql:
        """Whether an edge has a point outside the shape."""
        ...

    def circle_meets(self, edge: Edge) -> Sql:
        """Whether a circle has a point of the shape."""
        ...

    def circle_leaves(self, edge: Edge) -> Sql:
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

    def arc_meets(self, edge: Edge) -> Sql:
        """Whether an edge has a point of the shape."""
        return near_arc(self._centre, edge.arc, min(180.0, self._radius + _EDGE_DEG))

    def arc_leaves(self, edge: Edge) -> Sql:
        """Whether an edge has a point outside the shape."""
        return near_arc(minus(self._centre), edge.arc, self._rest) if self._rest > 0.0 else FALSE

    def circle_meets(self, edge: Edge) -> Sql:
        """Whether a circle has a point of the shape."""
        reach = edge.radius + number(self._radius + _EDGE_DEG)
        return all_of(edge.is_circle, any_of(reach >= number(180.0), near(self._centre, edge.centre, reach)))

    def circle_leaves(self, edge: Edge) -> Sql:
        """Whether a circle has a point outside the shape."""
        if self._rest <= 0.0:
            return FALSE
        room = number(self._radius + _EDGE_DEG) - edge.radius
        held = all_of(room >= number(0.0), near(self._centre, edge.centre, room))
        return all_of(edge.is_circle, not_(held))


class PolygonTests:
    """The polygon's sides are arcs, with normals towards the inside."""

    def __init__(self, polygon: Polygon) -> None:
        edges = outline(polygon.vertices)
        vectors = zip(edges.a, edges.b, edges.n, edges.after, edges.before, strict=True)
        self._shape = polygon
        self._sides = [Arc(*map(constant, side)) for side in vectors]
        self.point = polygon.vertices[0]
        self.rim = [self.point]

    def arc_meets(self, edge: Edge) -> Sql:
        """Whether an edge has a point of the shape."""
        return any_of(edge.starts_inside(self._shape), *(crosses(edge.arc, s, EDGE_RAD) for s in self._sides))

    def arc_leaves(self, edge: Edge) -> Sql:
        """Whether an edge has a point outside the shape."""
        crossed = (crosses(edge.arc, s, -EDGE_RAD) for s in self._sides)
        return any_of(not_(edge.starts_inside(self._shape)), *crossed)

    def circle_meets(self, edge: Edge) -> Sql:
        """Whether a circle has a point of the shape."""
        reached = (edge.circle_meets(side) for side in self._sides)
        return any_of(all_of(edge.is_circle, edge.starts_inside(self._shape)), *reached)

    def circle_leaves(self, edge: Edge) -> Sql:
        """Whether a circle has a point outside the shape."""
        reached = (edge.circle_meets(side) for side in self._sides)
        return any_of(all_of(edge.is_circle, not_(edge.starts_inside(self._shape))), *reached)


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

    def arc_meets(self, edge: Edge) -> Sql:
        """Whether an edge has a point of the shape."""
        crossed = (crosses(edge.arc, side, EDGE_RAD) for side in self._sides)
        return any_of(edge.starts_inside(self._shape), *crossed, *self._crossings(edge))

    def arc_leaves(self, edge: Edge) -> Sql:
        """Whether an edge has a point outside the shape."""
        crossed = (crosses(edge.arc, side, -EDGE_RAD) for side in self._sides)
        return any_of(not_(edge.starts_inside(self._shape)), *crossed, *self._crossings(edge))

    def circle_meets(self, edge: Edge) -> Sql:
        """Whether a circle has a point of the shape."""
        over = (self._off(edge, dec) <= edge.radius + number(_EDGE_DEG) for dec in self._parallels)
        facing = all_of(edge.starts_inside(self._belt), any_of(FALSE, *over))
        centred = all_of(edge.is_circle, any_of(edge.starts_inside(self._shape), facing))
        return any_of(centred, *self._sides_reached(edge))

    def circle_leaves(self, edge: Edge) -> Sql:
        """Whether a circle has a point outside the shape."""
        over = (self._off(edge, dec) < edge.radius - number(_EDGE_DEG) for dec in self._parallels)
        gone = all_of(edge.is_circle, any_of(not_(edge.starts_inside(self._shape)), *over))
        return any_of(gone, *self._sides_reached(edge))

    def _sides_reached(self, edge: Edge) -> list[Sql]:
        ends = (edge.circle_holds(side.b) for side in self._sides[1::2])
        return [*(edge.circle_meets(side) for side in self._sides), *ends]

    @staticmethod
    def _off(edge: Edge, dec: float) -> Sql:
        return call("abs", edge.column("dec") - number(dec))

    def _crossings(self, edge: Edge) -> list[Sql]:
        found = (_on_parallel(edge.arc, dec, self._shape) for dec in self._parallels)
        return [truth for truths in found for truth in truths]


def _meridians(box: Range) -> list[Arc]:
    """The sides, each in two halves because none may be half a circle; the inside is left of their direction."""
    middle = (box.dec_lo + box.dec_hi) / 2.0
    down, up = (box.dec_hi, middle, box.dec_lo), (box.dec_lo, middle, box.dec_hi)
    return [
        _meridian(ra, decs[i : i + 2], sign)
        for ra, decs, sign in ((box.ra_lo, down, 1.0), (box.ra_hi, up, -1.0))
        for i in (0, 1)
    ]


def _meridian(ra: float, decs: tuple[float, ...], sign: float) -> Arc:
    a, b = unit_vectors(ra, decs)
    n = np.array(_eastward(ra, sign))
    return Arc(constant(a), constant(b), constant(n), constant(np.cross(n, a)), constant(np.cross(b, n)))


def _eastward(ra: float, sign: float) -> tuple[float, float, float]:
    lon = math.radians(ra)
    return -sign * math.sin(lon), sign * math.cos(lon), 0.0


def _on_parallel(arc: Arc, dec: float, box: Range) -> list[Sql]:
    """Whether an arc crosses a parallel within a range, on either side of its great circle's highest point.

    A plane with the normal n and the tilt h, ``h**2 = n_x**2 + n_y**2``, meets the parallel at the height z in
    the directions ``h**2 P = (-n_x n_z z + n_y w, -n_y n_z z - n_x w, h**2 z)``, where ``w**2 = h**2 - z**2`` and
    w has either sign. So ``h**2 after P = after_z z + a_z w`` and ``h**2 before P = before_z z - b_z w``.
    """
    z, level = math.sin(math.radians(dec)), math.cos(math.radians(dec))
    nx, ny, nz = map(sql_of, arc.n)
    tilt_2 = nx * nx + ny * ny
    room = tilt_2 - number(z * z)
    if abs(dec) > 45.0:
        room = (number(level) - nz) * (number(level) + nz)
    exists = room > number(EDGE_RAD * level) * call("sqrt", tilt_2)
    slack = tilt_2 * number(EDGE_RAD)
    found: list[Sql] = []
    for sign in (1.0, -1.0):
        w = number(sign) * call("sqrt", call("abs", room))
        after = arc.after[2] * number(z) + arc.a[2] * w > slack
        before = arc.before[2] * number(z) - arc.b[2] * w > slack
        found.append(all_of(exists, after, before, _in_wedge(box, arc.n, z, w)))
    return found


def _in_wedge(box: Range, n: Vector, z: float, w: Sql) -> Sql:
    """Whether the point P of `_on_parallel` is between the meridians of a range."""
    if box.all_round:
        return TRUE

    def component(x: float, y: float) -> Sql:
        """``h**2 P`` times ``(x, y, 0)``."""
        return (n[1] * number(x) - n[0] * number(y)) * w - dot(n, (x * z, y * z, 0.0)) * sql_of(n[2])

    east_of_lo = component(*_eastward(box.ra_lo, 1.0)[:2]) >= NONE
    west_of_hi = component(*_eastward(box.ra_hi, -1.0)[:2]) >= NONE
    if box.ra_hi - box.ra_lo > 180.0:
        return any_of(east_of_lo, west_of_hi)
    middle = math.radians((box.ra_lo + box.ra_hi) / 2.0)
    return all_of(east_of_lo, west_of_hi, component(math.cos(middle), math.sin(middle)) >= NONE)


SHAPE_TESTS: dict[type, Callable[..., ShapeTests]] = {
    Point: CircleTests,
    Circle: CircleTests,
    Polygon: PolygonTests,
    Range: RangeTests,
}
