"""What do the geometry functions of a query mean? (ADQL 2.1 section 4.2)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from datamodel import sql
from datamodel.checked import SMALLEST_ANGLE
from datamodel.columns import Column
from datamodel.own_functions import COMPUTED
from datamodel.rotations import UCDS
from datamodel.shapes import MAX_VERTICES
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import arities, geometry_frames, geometry_strings, shape_relations, shapes
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.functions import require
from vo_server.tap.adql.shape_relations import Test
from vo_server.tap.adql.shapes import Circle, Point, Polygon, Region, Shape
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.types import described, double, literal
from vo_server.tap.adql.values import DOUBLE, INTEGER, Value, derived

_DEGREES = Column("", "DOUBLE", unit="deg")
_LARGEST = 1e300


def called(call: Call, arguments: list[Value], speech: Speech) -> Value:
    """The value of a geometry function.

    Raises
    ------
    AdqlError
        An argument has the wrong type, or the frame is not known.
    """
    if speech.angle:
        arguments = [_told_from_zero(a, speech) for a in arguments]
    if call.name in _RELATIONS:
        return _RELATIONS[call.name](call, arguments, speech)
    if arities.coordinates(call)[0] is None:
        return _CALLS[call.name](call, arguments)
    frame = geometry_frames.named(arguments[0])
    made = _CALLS[call.name](call, arguments[1:])
    assert made.shape is not None
    return made if frame == "ICRS" else _made(call, geometry_frames.turned(call.at, made.shape, frame))


def _told_from_zero(value: Value, speech: Speech) -> Value:
    """An argument with which trigonometry leaves no range."""
    if value.column.type not in ("REAL", "DOUBLE") or value.constant == (None,):
        return value
    if value.number is not None:
        return literal(value.at, 0.0) if abs(value.number) < SMALLEST_ANGLE else value
    return value.but(written=Sql(speech.angle.format(value=double(value).text)))


def shape_of(value: Value) -> Shape:
    """The shape that a value is.

    Raises
    ------
    AdqlError
        The value is no geometry.
    """
    if value.shape is not None:
        return value.shape
    if value.kind == "null":
        return Region(value.but(written=sql.cast(sql.NULL, "TEXT")))
    made = _STORED.get(value.column.type)
    if made is None:
        raise AdqlError(value.at, f"expected a geometry, found {described(value)}")
    return made(value)


def _part(value: Value, place: int) -> Value:
    made = sql.call("vo_part", value.sql, sql.number(place))
    return derived(value.at, made, _DEGREES, ("part", place), [value])


def _stored_point(value: Value) -> Shape:
    return Point(_part(value, 1), _part(value, 2))


def _stored_circle(value: Value) -> Shape:
    return Circle(Point(_part(value, 1), _part(value, 2)), _part(value, 3))


def _stored_region(value: Value) -> Shape:
    if value.origin is not None:
        source, name = value.origin
        index = source.table.region if source.table else None
        if index is not None and index.region == name:
            return Region(value, source, index)
    return Region(value)


_STORED: dict[str, Callable[[Value], Shape]] = {
    "POINT": _stored_point,
    "CIRCLE": _stored_circle,
    "POLYGON": _stored_region,
    "REGION": _stored_region,
}


def _made(call: Call, shape: Shape) -> Value:
    kind = type(shape).__name__.upper()
    value = derived(call.at, partial(shapes.text, shape), _COLUMNS[kind], call.name, shapes.parts(shape))
    value.shape = shape
    return value


_COLUMNS = {
    kind: Column("", kind, unit="deg", ucd="pos.eq" if kind == "POINT" else "pos.outline")
    for kind in ("POINT", "CIRCLE", "POLYGON")
} | {"REGION": Column("", "REGION", ucd="pos.outline")}


def _point_from(call: Call, ra: Value, dec: Value) -> Point:
    require("number", call.name, [ra, dec])
    return Point(ra, dec)


def _as_point(value: Value) -> Point:
    shape = shape_of(value)
    if value.kind == "null":
        return Point(*(literal(value.at, None).but(column=_DEGREES) for _ in range(2)))
    if not isinstance(shape, Point):
        raise AdqlError(value.at, f"expected a point, found a {type(shape).__name__.lower()}")
    return shape


def _point(call: Call, arguments: list[Value]) -> Value:
    return _made(call, _point_from(call, *arguments))


def _centre_and_rest(call: Call, arguments: list[Value], rest: int) -> tuple[Point, list[Value]]:
    if len(arguments) == rest + 1:
        return _as_point(arguments[0]), arguments[1:]
    return _point_from(call, *arguments[:2]), arguments[2:]


def _circle(call: Call, arguments: list[Value]) -> Value:
    centre, (radius,) = _centre_and_rest(call, arguments, 1)
    require("number", call.name, [radius])
    return _made(call, Circle(centre, radius))


def _polygon(call: Call, arguments: list[Value]) -> Value:
    vertices = len(arguments) if arguments[0].kind == "geometry" else len(arguments) // 2
    if vertices > MAX_VERTICES:
        raise AdqlError(call.at, f"POLYGON takes {MAX_VERTICES} vertices at the most, found {vertices}")
    if arguments[0].kind == "geometry":
        return _made(call, Polygon(tuple(_as_point(a) for a in arguments)))
    if len(arguments) < 6 or len(arguments) % 2:
        raise AdqlError(call.at, f"POLYGON takes three or more vertices; found {len(arguments)} numbers")
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return _made(call, Polygon(tuple(_point_from(call, a, b) for a, b in pairs)))


def _box(call: Call, arguments: list[Value]) -> Value:
    """Great circles between the four corners, half the sizes from the centre in each coordinate."""
    centre, size = _centre_and_rest(call, arguments, 2)
    require("number", call.name, size)
    ends = [(i, j) for i, j in ((0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5))]
    moved = [(_beyond(centre.ra, size[0], i), _beyond(centre.dec, size[1], j)) for i, j in ends]
    return _made(call, Polygon(tuple(Point(ra, dec) for ra, dec in moved)))


def _beyond(start: Value, size: Value, share: float) -> Value:
    if start.number is not None and size.number is not None:
        return literal(start.at, start.number + share * size.number)
    known = [sql.call("abs", double(v)) < sql.real(_LARGEST) for v in (start, size)]
    made = sql.case((sql.all_of(*known), double(start) + double(size) * sql.number(share)))
    return derived(start.at, made, DOUBLE, ("beyond", share), [start, size], 2)


def _related(test: Callable[[Position, Shape, Shape, Speech], Test]) -> Callable[..., Value]:
    def related(call: Call, arguments: list[Value], speech: Speech) -> Value:
        truth, plain = test(call.at, shape_of(arguments[0]), shape_of(arguments[1]), speech)
        value = derived(call.at, partial(sql.cast, plain, "INTEGER"), INTEGER, call.name, arguments, 2)
        value.truth, value.plain = truth, plain
        return value

    return related


def _distance(call: Call, arguments: list[Value]) -> Value:
    if len(arguments) == 4:
        ends = _point_from(call, *arguments[:2]), _point_from(call, *arguments[2:])
    else:
        ends = _as_point(arguments[0]), _as_point(arguments[1])
    value = derived(call.at, partial(shape_relations.separation, *ends), _DISTANCE, call.name, arguments, 2)
    value.ends = ends
    return value


_DISTANCE = Column("", "DOUBLE", unit="deg", ucd="pos.angDistance")


def _coordinate(index: int) -> Callable[[Call, list[Value]], Value]:
    def coordinate(call: Call, arguments: list[Value]) -> Value:
        value = shapes.parts(_as_point(arguments[0]))[index]
        column = replace(value.column, type="DOUBLE", unit="deg")
        return derived(call.at, double(value), column, call.name, [value])

    return coordinate


def _measured(call: Call, shape: Shape, function: str, column: Column, *options: int) -> Value:
    """What a function says of a shape; of a constant one it is asked now."""
    fixed = shapes.constant(call.at, shape)
    if fixed is not None:
        found: Any = COMPUTED[function](*options, " ".join(repr(v.number) for v in shapes.parts(shape)))
        return literal(call.at, found).but(column=column)
    made = partial(sql.call, function, *options, shapes.text(shape))
    return derived(call.at, made, column, (call.name, *options), shapes.parts(shape))


def _centroid(call: Call, arguments: list[Value]) -> Value:
    shape = shape_of(arguments[0])
    if isinstance(shape, Point | Circle):
        return _made(call, shape if isinstance(shape, Point) else shape.centre)
    lon, lat = (_measured(call, shape, "vo_centre", _DEGREES, part) for part in (1, 2))
    return _made(call, Point(lon, lat))


def _area(call: Call, arguments: list[Value]) -> Value:
    column = Column("", "DOUBLE", unit="deg**2", ucd="phys.angArea")
    return _measured(call, shape_of(arguments[0]), "vo_area", column)


def _frame(call: Call, arguments: list[Value]) -> Value:
    """All geometries are ICRS, but what a function has put into another frame, which its UCD tells."""
    shape, ucd = shape_of(arguments[0]), arguments[0].column.ucd
    name = next((frame for frame, of_frame in UCDS.items() if of_frame == ucd), "ICRS")
    parts = shapes.parts(shape)
    if all(v.constant and v.constant != (None,) for v in parts):
        return literal(call.at, name)
    known = sql.all_of(*[v.sql.is_not_null() for v in parts])
    column = Column("", "VARCHAR")
    return derived(call.at, sql.case((known, sql.text(name))), column, (call.name, name), parts)


def _region(call: Call, arguments: list[Value]) -> Value:
    require("text", call.name, arguments)
    value = arguments[0]
    if value.constant and value.constant != (None,):
        return _made(call, geometry_strings.region(value.at, str(value.constant[0])))
    return _made(call, Region(value))


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
    "CONTAINS": _related(shape_relations.contains),
    "INTERSECTS": _related(shape_relations.intersects),
}

NAMES = frozenset([*_CALLS, *_RELATIONS])
"""The functions that are called here."""

OFFERED = tuple(sorted(NAMES))
"""All of them, by name."""
