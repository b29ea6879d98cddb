"""When does a shape on the sky contain or meet another, in SQL? (ADQL 2.1 section 4.2).

A position or region with an index in the catalogue, against a shape that is the same for all rows, uses the
index (`datamodel.sky`); every other pair is tested exactly, row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datamodel import point_tests, region_tests, sky, sql
from datamodel.columns import PointIndex, RegionIndex
from datamodel.errors import UsageError
from datamodel.near_cells import order_near
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.scope import Source
from vo_server.tap.adql.types import double
from vo_server.tap.adql.values import ANY_TABLE, Value


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

Test = tuple[Sql, Sql]
"""A condition as an index answers it, and without the index."""


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


def contains(at: Position, inner: Shape, outer: Shape, speech: Speech) -> Test:
    """The condition for all of `inner` to lie within `outer`.

    Raises
    ------
    AdqlError
        There is no test for these two.
    """
    return _looked_up(at, "CONTAINS", _CONTAINS, inner, outer, speech)


def intersects(at: Position, one: Shape, other: Shape, speech: Speech) -> Test:
    """The condition for two shapes to have a point in common.

    Raises
    ------
    AdqlError
        There is no test for these two.
    """
    kinds = type(one), type(other)
    if kinds != (Point, Circle) and kinds not in _INTERSECTS:
        one, other = other, one
    return _looked_up(at, "INTERSECTS", _INTERSECTS, one, other, speech)


def _looked_up(
    at: Position, name: str, tests: dict[Any, Callable[..., Sql]], a: Shape, b: Shape, speech: Speech
) -> Test:
    if isinstance(a, Point) and isinstance(b, Circle):
        return nearer(at, a, b.centre, b.radius, speech, strictly=False)
    test = tests.get((type(a), type(b)))
    if test is None:
        kinds = f"a {type(a).__name__.lower()} and a {type(b).__name__.lower()}"
        raise AdqlError(at, f"{name} of {kinds} is not offered")
    truth = test(at, a, b)
    return truth, truth


def nearer(at: Position, a: Point, b: Point, radius: Value, speech: Speech, *, strictly: bool) -> Test:
    """The condition for two points to be closer than `radius` degrees, through the index if there is one."""
    for moving, fixed in ((a, b), (b, a)):
        shape = _circle(at, fixed, radius)
        columns = indexed(moving)
        if shape is not None and columns is not None:
            found = point_tests.inside(shape, *columns)
            exact = sql.all_of(found, separation(a, b) < double(radius)) if strictly else found
            return exact, exact
    distance, limit = separation(a, b), double(radius)
    exact = distance < limit if strictly else distance <= limit
    return _through_cells(a, b, radius.number, exact, speech), exact


def _through_cells(a: Point, b: Point, radius_deg: float | None, exact: Sql, speech: Speech) -> Sql:
    """A crossmatch: the rows of the larger table are found by the cells near each row of the other."""
    order = None if radius_deg is None or not 0.0 <= radius_deg <= 180.0 else order_near(radius_deg)
    sides = sorted(((a, b), (b, a)), key=lambda pair: -_rows(pair[0]))
    for searched, given in sides:
        found, columns = _position(searched), indexed(searched)
        if order is None or found is None or columns is None or not _elsewhere(given, found[0]):
            continue
        source, index = found
        known = indexed(given)
        pixel = known[2] if known else sql.call("vo_pixel", double(given.ra), double(given.dec))
        near = speech.is_near(columns[2], index.hpx29, source.text, pixel, order)
        return sql.all_of(near, exact)
    return exact


def _rows(point: Point) -> int:
    """About how many rows the point's table has, as far as that is known."""
    found = _position(point)
    table = found[0].table if found else None
    return (table.rows or 0) if table else -1


def _elsewhere(point: Point, source: Source) -> bool:
    """Whether a point is that of other tables alone, and of some."""
    names = {name for part in parts(point) for name in part.aliases}
    return bool(names) and not names & {source.alias, *ANY_TABLE}


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
    found = _position(point)
    return (point.ra.sql, point.dec.sql, found[0].column(found[1].hpx29)) if found else None


def _position(point: Point) -> tuple[Source, PointIndex] | None:
    """The table that has the point as its indexed position."""
    if point.ra.origin is None or point.dec.origin is None:
        return None
    (source, ra), (other, dec) = point.ra.origin, point.dec.origin
    index = source.table.point if source.table else None
    if source is not other or index is None or (ra, dec) != (index.ra, index.dec):
        return None
    return source, index


_CONTAINS: dict[Any, Callable[..., Sql]] = {
    (Point, Polygon): _point_in_polygon,
    (Point, Region): _point_in_region,
    (Circle, Circle): _circle_in_circle,
    (Region, Circle): _region_in_shape,
    (Region, Polygon): _region_in_shape,
}
_INTERSECTS: dict[Any, Callable[..., Sql]] = {
    (Point, Polygon): _point_in_polygon,
    (Point, Region): _point_in_region,
    (Circle, Circle): _circles_meet,
    (Region, Circle): _region_meets,
    (Region, Polygon): _region_meets,
}
