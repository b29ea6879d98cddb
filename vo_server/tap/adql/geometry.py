"""What do the geometry functions of a query mean? (ADQL 2.1 section 4.2)."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import arities, shapes
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.functions import require
from vo_server.tap.adql.shapes import Circle, Point, Polygon, Region, Shape, Test
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.types import described, double, literal
from vo_server.tap.adql.values import INTEGER, Value, derived

_FRAMES = ("", "ICRS", "FK5", "J2000", "UNKNOWNFRAME")


def called(call: Call, arguments: list[Value], speech: Speech) -> Value:
    """The value of a geometry function.

    Raises
    ------
    AdqlError
        An argument has the wrong type, or the frame is not ICRS.
    """
    if arities.coordinates(call)[0] is not None:
        _check_frame(arguments[0])
        arguments = arguments[1:]
    if call.name in _RELATIONS:
        return _RELATIONS[call.name](call, arguments, speech)
    return _CALLS[call.name](call, arguments)


def shape_of(value: Value) -> Shape:
    """The shape that a value is.

    Raises
    ------
    AdqlError
        The value is no geometry, or one that cannot be computed with.
    """
    if value.shape is not None:
        return value.shape
    if value.origin is not None:
        source, name = value.origin
        index = source.table.region if source.table else None
        if index is not None and index.region == name:
            return Region(source, index)
    if value.column.type in ("REGION", "POINT", "CIRCLE", "POLYGON"):
        raise AdqlError(value.at, f"there is no index on '{value.column.name}', so it cannot be compared")
    raise AdqlError(value.at, f"expected a geometry, found {described(value)}")


def _check_frame(frame: Value) -> None:
    name = str(frame.constant[0] or "").split(" ")[0].upper()
    if name not in _FRAMES:
        shown = str(frame.constant[0])[:60]
        raise AdqlError(frame.at, f"expected the coordinate system 'ICRS' or none, found '{shown}'")


def _made(call: Call, shape: Shape, kind: str) -> Value:
    value = derived(call.at, partial(shapes.text, shape), _COLUMNS[kind], call.name, shapes.parts(shape))
    value.shape = shape
    return value


_COLUMNS = {
    kind: Column("", kind, unit="deg", ucd="pos.eq" if kind == "POINT" else "pos.outline")
    for kind in ("POINT", "CIRCLE", "POLYGON")
}


def _point_from(call: Call, ra: Value, dec: Value) -> Point:
    require("number", call.name, [ra, dec])
    return Point(ra, dec)


def _as_point(value: Value) -> Point:
    shape = shape_of(value)
    if not isinstance(shape, Point):
        raise AdqlError(value.at, f"expected a point, found a {type(shape).__name__.lower()}")
    return shape


def _point(call: Call, arguments: list[Value]) -> Value:
    return _made(call, _point_from(call, *arguments), "POINT")


def _centre_and_rest(call: Call, arguments: list[Value], rest: int) -> tuple[Point, list[Value]]:
    if len(arguments) == rest + 1:
        return _as_point(arguments[0]), arguments[1:]
    return _point_from(call, *arguments[:2]), arguments[2:]


def _circle(call: Call, arguments: list[Value]) -> Value:
    centre, (radius,) = _centre_and_rest(call, arguments, 1)
    require("number", call.name, [radius])
    return _made(call, Circle(centre, radius), "CIRCLE")


def _polygon(call: Call, arguments: list[Value]) -> Value:
    if arguments[0].shape is not None:
        return _made(call, Polygon(tuple(_as_point(a) for a in arguments)), "POLYGON")
    if len(arguments) < 6 or len(arguments) % 2:
        raise AdqlError(call.at, f"POLYGON takes three or more vertices; found {len(arguments)} numbers")
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return _made(call, Polygon(tuple(_point_from(call, a, b) for a, b in pairs)), "POLYGON")


def _box(call: Call, arguments: list[Value]) -> Value:
    centre, size = _centre_and_rest(call, arguments, 2)
    numbers = [v.number for v in (centre.ra, centre.dec, *size)]
    if None in numbers:
        raise AdqlError(call.at, "BOX takes constant numbers; compare the coordinates with BETWEEN instead")
    ra, dec, width, height = (n for n in numbers if n is not None)
    corners = ((1, -1), (1, 1), (-1, 1), (-1, -1))
    made = [(ra + i * width / 2, dec + j * height / 2) for i, j in corners]
    vertices = tuple(Point(literal(call.at, x), literal(call.at, y)) for x, y in made)
    return _made(call, Polygon(vertices), "POLYGON")


def _related(test: Callable[[Position, Shape, Shape, Speech], Test]) -> Callable[..., Value]:
    def related(call: Call, arguments: list[Value], speech: Speech) -> Value:
        truth, plain = test(call.at, shape_of(arguments[0]), shape_of(arguments[1]), speech)
        value = derived(call.at, partial(_as_number, plain), INTEGER, call.name, arguments, 2)
        value.truth, value.plain = truth, plain
        return value

    return related


def _as_number(truth: Sql) -> Sql:
    return sql.case((truth, sql.number(1)), (sql.not_(truth), sql.number(0)))


def _distance(call: Call, arguments: list[Value]) -> Value:
    if len(arguments) == 4:
        ends = _point_from(call, *arguments[:2]), _point_from(call, *arguments[2:])
    else:
        ends = _as_point(arguments[0]), _as_point(arguments[1])
    value = derived(call.at, partial(shapes.separation, *ends), _DISTANCE, call.name, arguments, 2)
    value.ends = ends
    return value


_DISTANCE = Column("", "DOUBLE", unit="deg", ucd="pos.angDistance")


def _coordinate(index: int) -> Callable[[Call, list[Value]], Value]:
    def coordinate(call: Call, arguments: list[Value]) -> Value:
        value = shapes.parts(_as_point(arguments[0]))[index]
        column = replace(value.column, type="DOUBLE", unit="deg")
        return derived(call.at, double(value), column, call.name, [value])

    return coordinate


def _centroid(call: Call, arguments: list[Value]) -> Value:
    shape = shape_of(arguments[0])
    if isinstance(shape, Point | Circle):
        return _made(call, shape if isinstance(shape, Point) else shape.centre, "POINT")
    raise AdqlError(call.at, "CENTROID is offered for points and circles")


def _area(call: Call, arguments: list[Value]) -> Value:
    """Of a circle, the spherical cap: 2 pi (1 - cos r) steradian."""
    shape = shape_of(arguments[0])
    if not isinstance(shape, Point | Circle):
        raise AdqlError(call.at, "AREA is offered for points and circles")
    column = Column("", "DOUBLE", unit="deg**2", ucd="phys.angArea")
    if isinstance(shape, Point):
        return literal(call.at, 0.0).but(column=column)
    half = sql.call("sin", sql.call("radians", double(shape.radius) / 2.0))
    square_degrees = sql.real(720.0 * 180.0 / math.pi)
    return derived(call.at, square_degrees * half * half, column, call.name, [shape.radius], 2)


def _frame(call: Call, arguments: list[Value]) -> Value:
    shape_of(arguments[0])
    return literal(call.at, "ICRS")


def _region(call: Call, arguments: list[Value]) -> Value:
    raise AdqlError(call.at, "REGION is not offered; write POINT, CIRCLE or POLYGON")


_CALLS: dict[str, Callable[[Call, list[Value]], Value]] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "POLYGON": _polygon,
    "BOX": _box,
    "DISTANCE": _distance,
    "COORD1": _coordinate(0),
    "COORD2": _coordinate(1),
    "COORDSYS": _frame,
    "CENTROID": _centroid,
    "AREA": _area,
    "REGION": _region,
}

_RELATIONS: dict[str, Callable[[Call, list[Value], Speech], Value]] = {
    "CONTAINS": _related(shapes.contains),
    "INTERSECTS": _related(shapes.intersects),
}

NAMES = frozenset([*_CALLS, *_RELATIONS])
"""The functions that are called here."""

OFFERED = tuple(sorted(NAMES - {"REGION"}))
"""Those of them that give an answer."""
