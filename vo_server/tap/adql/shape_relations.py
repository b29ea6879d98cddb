"""When does a shape on the sky contain or meet another, in SQL? (ADQL 2.1 section 4.2).

Where one of the two is a position or region with an index, the index narrows the search: by a cover, if the other one
is the same for all rows; in a join by the cells of each row of the other table. What is left is tested exactly.
"""

import math

from datamodel import point_tests, region_joins, region_tests, sky, sql
from datamodel.columns import PointIndex
from datamodel.near_cells import order_near
from datamodel.own_functions import COMPUTED
from datamodel.speech import Speech
from datamodel.sphere import EDGE_RAD
from datamodel.sql import Sql
from vo_server.tap.adql.errors import Position
from vo_server.tap.adql.scope import Source
from vo_server.tap.adql.shapes import (
    Circle,
    Point,
    Polygon,
    Region,
    Shape,
    constant,
    constant_circle,
    elsewhere,
    indexed,
    numbers,
    parts,
    position,
    text,
)
from vo_server.tap.adql.types import double, literal
from vo_server.tap.adql.values import DOUBLE, Value, derived

Test = tuple[Sql, Sql]
"""A condition as an index answers it, and without the index; the second is NULL where a part of a shape is."""

_RANKS: dict[type, int] = {Point: 0, Circle: 1, Polygon: 2, Region: 3}
_EDGE_DEG = math.degrees(EDGE_RAD)
_UNKNOWN = sql.cast(sql.NULL, "BOOLEAN")


def contains(at: Position, inner: Shape, outer: Shape, speech: Speech) -> Test:
    """The condition for all of `inner` to lie within `outer`.

    Raises
    ------
    AdqlError
        A shape is none that there is on the sphere.
    """
    if isinstance(inner, Point):
        return intersects(at, inner, outer, speech)
    fixed = constant(at, outer)
    if isinstance(inner, Region) and inner.index is not None and fixed is not None:
        found = region_tests.region_within(fixed, inner.index, inner.row)
        return found, _known(found, inner)
    return _asked(at, "vo_holds", outer, inner, speech)


def intersects(at: Position, one: Shape, other: Shape, speech: Speech) -> Test:
    """The condition for two shapes to have a point in common.

    Raises
    ------
    AdqlError
        A shape is none that there is on the sphere.
    """
    one, other = sorted((one, other), key=lambda shape: _RANKS[type(shape)])
    if isinstance(one, Point):
        return _point_meets(at, one, other, speech)
    if isinstance(one, Circle) and isinstance(other, Circle):
        return nearer(
            at, one.centre, other.centre, _sum(at, one.radius, other.radius), speech, strictly=False
        )
    fixed = constant(at, one)
    if isinstance(other, Region) and other.index is not None and fixed is not None:
        found = region_tests.overlaps(fixed, other.index, other.row)
        return found, _known(found, other)
    return _asked(at, "vo_meets", one, other, speech)


def nearer(at: Position, a: Point, b: Point, radius: Value, speech: Speech, *, strictly: bool) -> Test:
    """The condition for two points to be closer than `radius` degrees, through the index if there is one."""
    for moving, fixed in ((a, b), (b, a)):
        columns = indexed(moving)
        shape = constant_circle(fixed, radius) if columns else None
        if shape is not None and columns is not None:
            found = point_tests.inside(shape, *columns, speech.distance, _rows(moving))
            exact = sql.all_of(found, _closer(a, b, radius, speech, strictly=True)) if strictly else found
            return exact, exact
    exact = _closer(a, b, radius, speech, strictly=strictly)
    near = _through_cells(a, b, radius, speech)
    return exact if near is None else sql.all_of(near, exact), exact


def _closer(a: Point, b: Point, radius: Value, speech: Speech, *, strictly: bool) -> Sql:
    known = radius.number
    distance = separation(a, b)
    if speech.distance and known is not None and known <= point_tests.LARGEST_DEG:
        angles = (double(v) for point in (a, b) for v in (point.ra, point.dec))
        distance = point_tests.distance_called(speech.distance, *angles)
    return distance < double(radius) if strictly else distance <= _reaching(radius)


def separation(a: Point, b: Point) -> Sql:
    """The distance of two points in degrees."""
    return point_tests.distance_sql(double(a.ra), double(a.dec), double(b.ra), double(b.dec))


def _reaching(radius: Value) -> Sql:
    """A radius, and the width of a boundary."""
    number = radius.number
    return double(radius) + sql.number(_EDGE_DEG) if number is None else sql.number(number + _EDGE_DEG)


def _sum(at: Position, a: Value, b: Value) -> Value:
    if a.number is not None and b.number is not None:
        return literal(at, min(180.0, a.number + b.number))
    return derived(at, double(a) + double(b), DOUBLE, "+", [a, b])


def _point_meets(at: Position, point: Point, other: Shape, speech: Speech) -> Test:
    place = numbers(point)
    if isinstance(other, Point):
        return nearer(at, point, other, literal(at, 0.0), speech, strictly=False)
    if isinstance(other, Circle):
        constant(at, other)
        return nearer(at, point, other.centre, other.radius, speech, strictly=False)
    if isinstance(other, Region) and other.index is not None:
        return _point_in_region(point, other, speech)
    fixed = constant(at, other)
    if fixed is None or place is not None:
        return _asked(at, "vo_holds", other, point, speech)
    columns = indexed(point) or (double(point.ra), double(point.dec), None)
    exact = point_tests.inside(fixed, columns[0], columns[1], None)
    return point_tests.inside(fixed, *columns), _known(exact, point)


def _point_in_region(point: Point, region: Region, speech: Speech) -> Test:
    assert region.index is not None
    fixed = numbers(point)
    if fixed is not None:
        found = region_tests.region_contains_point(*fixed, region.index, region.row)
        return found, _known(found, region)
    exact = region_tests.region_contains_point(double(point.ra), double(point.dec), region.index, region.row)
    near = _candidates(point, region, speech)
    return exact if near is None else sql.all_of(near, exact), _known(exact, point, region)


def _known(condition: Sql, *shapes: Shape) -> Sql:
    """The condition, or NULL where a part of a shape is."""
    values = [v.sql.is_not_null() for shape in shapes for v in parts(shape) if not v.constant]
    return sql.case((sql.all_of(*values), condition)) if values else condition


def _asked(at: Position, function: str, one: Shape, other: Shape, speech: Speech) -> Test:
    """What a function says of two shapes, for rows that are candidates; of constants it is asked now."""
    fixed = constant(at, one), constant(at, other)
    if None not in fixed:
        found = COMPUTED[function](*map(_written, (one, other)))
        truth = {None: _UNKNOWN, True: sql.TRUE, False: sql.FALSE}[found]
        return truth, truth
    exact = sql.call(function, text(one), text(other))
    near = _near_constant(fixed, one, other) or _candidates(one, other, speech)
    return exact if near is None else sql.all_of(near, exact), exact


def _written(shape: Shape) -> str:
    return " ".join(repr(v.number) for v in parts(shape))


def _near_constant(fixed: tuple[sky.Shape | None, sky.Shape | None], one: Shape, other: Shape) -> Sql | None:
    """The regions of a table whose cells are those of a constant shape."""
    for searched, shape in ((one, fixed[1]), (other, fixed[0])):
        if isinstance(searched, Region) and searched.index is not None and shape is not None:
            return region_tests.candidates(shape, searched.index, searched.row)
    return None


def _through_cells(a: Point, b: Point, radius: Value, speech: Speech) -> Sql | None:
    """A crossmatch: the rows of one table, of the larger if it can be searched, by the cells near each of the other."""
    number = radius.number
    if number is None:
        return _candidates(a, Circle(b, radius), speech) or _candidates(Circle(a, radius), b, speech)
    order = order_near(number) if 0.0 <= number <= 180.0 else None
    sides = sorted(((a, b), (b, a)), key=lambda pair: -_rows(pair[0]))
    for searched, given in sides:
        found, columns = position(searched), indexed(searched)
        if order is None or found is None or columns is None or not _by_another(found[0], given):
            continue
        source, index = found
        known = indexed(given)
        pixel = known[2] if known else sql.call("vo_pixel", double(given.ra), double(given.dec))
        ranges = region_joins.ranges_near(pixel, order, speech)
        return _positions_in(ranges, columns[2], source, index, speech)
    return None


def _candidates(one: Shape, other: Shape, speech: Speech) -> Sql | None:
    """The rows of one table near a row of the other: of the larger one, or of regions, if it can be searched."""
    sides = sorted(((one, other), (other, one)), key=lambda p: (-_rows(p[0]), -_RANKS[type(p[0])]))
    for searched, given in sides:
        source = _source(searched)
        if source is not None and _by_another(source, given):
            return _near(searched, given, speech)
    return None


def _by_another(source: Source, given: Shape) -> bool:
    """Whether a table's rows may be found by a shape of another's."""
    return source.searchable and elsewhere(given, source)


def _near(searched: Shape, given: Shape, speech: Speech) -> Sql:
    columns = indexed(given) if isinstance(given, Point) else None
    if isinstance(searched, Region) and searched.index is not None:
        if columns is not None:
            return region_joins.regions_at(columns[2], searched.row, searched.index, speech)
        return region_joins.regions_in(_ranges(given, speech), searched.row, searched.index, speech)
    assert isinstance(searched, Point)
    found, own = position(searched), indexed(searched)
    assert found is not None
    assert own is not None
    source, index = found
    return _positions_in(_ranges(given, speech), own[2], source, index, speech)


def _positions_in(
    ranges: region_joins.Ranges, pixel: Sql, source: Source, index: PointIndex, speech: Speech
) -> Sql:
    table, column = source.searched or (source.text, index.hpx29)
    return region_joins.positions_in(ranges, pixel, column, table, speech)


def _ranges(given: Shape, speech: Speech) -> region_joins.Ranges:
    if isinstance(given, Region) and given.index is not None:
        return region_joins.ranges_of_region(given.index, given.row)
    return region_joins.ranges_of_shape(text(given), speech)


def _source(shape: Shape) -> Source | None:
    """The table with an index of the shape."""
    if isinstance(shape, Region):
        return shape.source if shape.index is not None else None
    found = position(shape) if isinstance(shape, Point) else None
    return found[0] if found else None


_UNKNOWN_ROWS = 1_000_000


def _rows(shape: Shape) -> int:
    """About how many rows the shape's table has, as far as that is known."""
    source = _source(shape)
    if source is None or source.table is None:
        return -1
    return _UNKNOWN_ROWS if source.table.rows is None else source.table.rows
