"""When does a shape on the sky contain or meet another, in SQL? (ADQL 2.1 section 4.2).

A position or region with an index in the catalogue, against a shape that is the same for all rows, uses the
index (`datamodel.sky`); every other pair is tested exactly, row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datamodel import point_tests, region_tests, sky, sql
from datamodel.columns import RegionIndex
from datamodel.errors import UsageError
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.scope import Source
from vo_server.tap.adql.types import double
from vo_server.tap.adql.values import Value


@dataclass(frozen=True)
class Point:
    """A position; longitude and latitude in degrees (ICRS)."""

    ra: Value
    dec: Value


@dataclass(frozen=True)
class Circle:
    """What is not further than `radius` (deg) from `centre`."""

    centre: Point
    radius: Value


@dataclass(frozen=True)
class Polygon:
    """What great circles between the vertices enclose."""

    vertices: tuple[Point, ...]


@dataclass(frozen=True)
class Region:
    """A region column of a table."""

    source: Source
    index: RegionIndex


Shape = Point | Circle | Polygon | Region


def parts(shape: Shape) -> list[Value]:
    """The numbers that a shape is made of, in DALI's order."""
    if isinstance(shape, Point):
        return [shape.ra, shape.dec]
    if isinstance(shape, Circle):
        return [*parts(shape.centre), shape.radius]
    return [v for p in shape.vertices for v in parts(p)] if isinstance(shape, Polygon) else []


def text(shape: Shape) -> Sql:
    """A shape as DALI text: its numbers between spaces."""
    numbers = [sql.cast(double(v), "TEXT") for v in parts(shape)]
    between = [part for number in numbers for part in (_SPACE, number)]
    return sql.joined_texts(between[1:])


_SPACE = sql.text(" ")


def separation(a: Point, b: Point) -> Sql:
    """The distance of two points in degrees."""
    return point_tests.distance_sql(double(a.ra), double(a.dec), double(b.ra), double(b.dec))


def contains(at: Position, inner: Shape, outer: Shape) -> Sql:
    """The condition for all of `inner` to lie within `outer`.

    Raises
    ------
    AdqlError
        There is no test for these two.
    """
    return _looked_up(at, "CONTAINS", _CONTAINS, inner, outer)


def intersects(at: Position, one: Shape, other: Shape) -> Sql:
    """The condition for two shapes to have a point in common.

    Raises
    ------
    AdqlError
        There is no test for these two.
    """
    if (type(one), type(other)) not in _INTERSECTS:
        one, other = other, one
    return _looked_up(at, "INTERSECTS", _INTERSECTS, one, other)


def _looked_up(at: Position, name: str, tests: dict[Any, Callable[..., Sql]], a: Shape, b: Shape) -> Sql:
    test = tests.get((type(a), type(b)))
    if test is None:
        kinds = f"a {type(a).__name__.lower()} and a {type(b).__name__.lower()}"
        raise AdqlError(at, f"{name} of {kinds} is not offered")
    return test(at, a, b)


def _point_in_circle(at: Position, point: Point, circle: Circle) -> Sql:
    return nearer(at, point, circle.centre, circle.radius, strictly=False)


def nearer(at: Position, a: Point, b: Point, radius: Value, *, strictly: bool) -> Sql:
    """The condition for two points to be closer than `radius` degrees, through the index if there is one."""
    for moving, fixed in ((a, b), (b, a)):
        shape = _circle(at, fixed, radius)
        columns = indexed(moving)
        if shape is not None and columns is not None:
            found = point_tests.inside(shape, *columns)
            return sql.all_of(found, separation(a, b) < double(radius)) if strictly else found
    distance, limit = separation(a, b), double(radius)
    return distance < limit if strictly else distance <= limit


def _point_in_polygon(at: Position, point: Point, polygon: Polygon) -> Sql:
    shape = _outline(at, polygon)
    if shape is None:
        raise AdqlError(at, "the vertices of a polygon that is searched in must be constant")
    return point_tests.inside(shape, *(indexed(point) or (double(point.ra), double(point.dec), None)))


def _point_in_region(at: Position, point: Point, region: Region) -> Sql:
    numbers, columns = _numbers(point), indexed(point)
    if numbers is not None:
        return region_tests.region_contains_point(*numbers, region.index, _row(region))
    ra, dec, hpx = columns or (double(point.ra), double(point.dec), None)
    return region_tests.region_contains_point(ra, dec, region.index, _row(region), hpx)


def _region_in_shape(at: Position, region: Region, shape: Circle | Polygon) -> Sql:
    return region_tests.region_within(_constant(at, shape), region.index, _row(region))


def _region_meets(at: Position, region: Region, shape: Circle | Polygon) -> Sql:
    return region_tests.overlaps(_constant(at, shape), region.index, _row(region))


def _row(region: Region) -> Sql:
    return region.source.column(region.index.row)


def _constant(at: Position, shape: Circle | Polygon) -> Any:
    found = _circle(at, shape.centre, shape.radius) if isinstance(shape, Circle) else _outline(at, shape)
    if found is None:
        raise AdqlError(at, "a region is compared with a constant circle or polygon")
    return found


def _circle_in_circle(at: Position, inner: Circle, outer: Circle) -> Sql:
    return separation(inner.centre, outer.centre) <= double(outer.radius) - double(inner.radius)


def _circles_meet(at: Position, one: Circle, other: Circle) -> Sql:
    return separation(one.centre, other.centre) <= double(one.radius) + double(other.radius)


def _numbers(point: Point) -> tuple[float, float] | None:
    ra, dec = point.ra.number, point.dec.number
    if ra is None or dec is None:
        return None
    if not -90.0 <= dec <= 90.0:
        raise AdqlError(point.dec.at, f"expected a latitude from -90 to 90 degrees, found {dec:g}")
    return ra % 360.0, dec


def _circle(at: Position, centre: Point, radius: Value) -> Any:
    numbers, radius_deg = _numbers(centre), radius.number
    if numbers is None or radius_deg is None:
        return None
    if not 0.0 <= radius_deg <= 180.0:
        raise AdqlError(radius.at, f"expected a radius from 0 to 180 degrees, found {radius_deg:g}")
    return sky.Circle(*numbers, radius_deg)


def _outline(at: Position, polygon: Polygon) -> Any:
    vertices = [_numbers(v) for v in polygon.vertices]
    if None in vertices:
        return None
    try:
        return sky.Polygon(tuple(v for v in vertices if v is not None))
    except UsageError as error:
        raise AdqlError(at, str(error)) from None


def indexed(point: Point) -> tuple[Sql, Sql, Sql] | None:
    """The three columns of a table's position index, if the point is just that position."""
    if point.ra.origin is None or point.dec.origin is None:
        return None
    (source, ra), (other, dec) = point.ra.origin, point.dec.origin
    index = source.table.point if source.table else None
    if source is not other or index is None or (ra, dec) != (index.ra, index.dec):
        return None
    return point.ra.sql, point.dec.sql, source.column(index.hpx29)


_CONTAINS: dict[Any, Callable[..., Sql]] = {
    (Point, Circle): _point_in_circle,
    (Point, Polygon): _point_in_polygon,
    (Point, Region): _point_in_region,
    (Circle, Circle): _circle_in_circle,
    (Region, Circle): _region_in_shape,
    (Region, Polygon): _region_in_shape,
}
_INTERSECTS: dict[Any, Callable[..., Sql]] = {
    (Point, Circle): _point_in_circle,
    (Point, Polygon): _point_in_polygon,
    (Point, Region): _point_in_region,
    (Circle, Circle): _circles_meet,
    (Region, Circle): _region_meets,
    (Region, Polygon): _region_meets,
}
