"""What do the user defined functions mean that look into a shape: pixels, frames, and objects by name?"""

from functools import partial

from datamodel import rotations, sql
from datamodel.columns import Column
from datamodel.errors import nearest
from datamodel.healpix import NO_PIXEL, ORDER
from datamodel.own_functions import COMPUTED
from datamodel.rotations import UCDS
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import shapes
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.functions import require
from vo_server.tap.adql.geometry import shape_of
from vo_server.tap.adql.shapes import Circle, Point, Polygon, Region, Shape, indexed
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.udf import Finder, constant, point
from vo_server.tap.adql.udf_arguments import TAKEN
from vo_server.tap.adql.values import DOUBLE, Value, derived

PIXEL = Column("", "BIGINT", ucd="pos.healpix")

LONGEST_NAME = 200
"""Characters of the name of an object."""


def pixel(call: Call, arguments: list[Value], speech: Speech, _find: Finder) -> Value:
    """``ivo_healpix_index``; of the position columns of a table it comes from their index.

    Raises
    ------
    AdqlError
        The order is no whole number, or one that there is not; or there is no position.
    """
    (order,) = TAKEN["INTEGER"](call.name, arguments[0], speech)
    if order.number is not None and not 0 <= order.number <= ORDER:
        raise AdqlError(order.at, f"{call.name} takes an order from 0 to {ORDER}, found {order.constant[0]}")
    place = _place(call, arguments[1:])
    lon, lat = (TAKEN["REAL"](call.name, part, speech)[0] for part in (place.ra, place.dec))
    if lon.constant and lat.constant and order.constant:
        return constant(call, _numbered(order, lon, lat), PIXEL, speech)
    columns = indexed(place)
    known = sql.call("nullif", columns[2], NO_PIXEL) if columns else sql.call("vo_pixel", lon.sql, lat.sql)
    made = derived(call.at, _coarser(known, order, speech), PIXEL, call.name, [order, lon, lat], 3)
    if columns and order.number is not None:
        made.cells = columns[2], int(order.number)
    return made


def _place(call: Call, arguments: list[Value]) -> Point:
    if len(arguments) == 2:
        require("number", call.name, arguments)
        return Point(*arguments)
    shape = shape_of(arguments[0])
    if not isinstance(shape, Point):
        raise AdqlError(arguments[0].at, f"{call.name} takes a point, found a {type(shape).__name__.lower()}")
    return shape


def _numbered(order: Value, lon: Value, lat: Value) -> int | None:
    found: int | None = COMPUTED["vo_pixel"](lon.constant[0], lat.constant[0])
    if found is None or order.constant == (None,):
        return None
    return found >> 2 * (ORDER - int(order.constant[0]))


def _coarser(known: Sql, order: Value, speech: Speech) -> Sql:
    """The number at an order of what has a number at order 29."""
    if order.number is not None:
        return known / sql.cast(sql.number(4 ** (ORDER - int(order.number))), "BIGINT")
    bits = speech.cast(2 * (ORDER - order.sql), "INTEGER")
    return sql.case((order.sql.between(0, ORDER), Sql(f"({sql.at_least(known, sql.ATOM)} >> {bits.text})")))


def transformed(call: Call, arguments: list[Value], speech: Speech, _find: Finder) -> Value:
    """``ivo_geom_transform``: a point, circle or polygon in another frame.

    Raises
    ------
    AdqlError
        A frame is no literal or not known, or the geometry is none of these.
    """
    source, target = (_frame(call, argument) for argument in arguments[:2])
    shape = shape_of(arguments[2])
    column = Column("", type(shape).__name__.upper(), unit="deg", ucd=UCDS[target])
    if isinstance(shape, Region):
        raise AdqlError(
            arguments[2].at, f"{call.name} takes a POINT, CIRCLE or POLYGON, not a region of a table"
        )
    turned = partial(_turned, call, source, target, speech)
    if isinstance(shape, Point):
        return point(call, *turned(shape), column)
    made: Shape = (
        Circle(Point(*turned(shape.centre)), shape.radius)
        if isinstance(shape, Circle)
        else Polygon(tuple(Point(*turned(vertex)) for vertex in shape.vertices))
    )
    value = derived(call.at, partial(shapes.text, made), column, call.name, shapes.parts(made))
    return value.but(shape=made)


def _frame(call: Call, argument: Value) -> str:
    name = argument.constant[0] if argument.constant else None
    if name in UCDS:
        return str(name)
    if not isinstance(name, str):
        raise AdqlError(argument.at, f"{call.name} takes the name of a frame as a string, such as 'GALACTIC'")
    listed = ", ".join(UCDS)
    near = nearest(name, UCDS)
    raise AdqlError(argument.at, f"unknown frame '{name[:60]}'{near}; there are {listed}")


def _turned(call: Call, source: str, target: str, speech: Speech, place: Point) -> tuple[Value, Value]:
    """Longitude and latitude in the other frame; constant where they were."""
    lon, lat = (TAKEN["REAL"](call.name, part, speech)[0] for part in (place.ra, place.dec))
    if source == target:
        return lon, lat
    angles = rotations.angles(source, target)
    both = []
    for part in (1, 2):
        if lon.constant and lat.constant:
            found = COMPUTED["vo_rotated"](part, lon.constant[0], lat.constant[0], *angles)
            both.append(constant(call, found, DOUBLE, speech))
        else:
            made = sql.call("vo_rotated", part, lon.sql, lat.sql, *map(sql.real, angles))
            both.append(derived(call.at, made, DOUBLE, (call.name, part, source, target), [lon, lat]))
    return both[0], both[1]


def named(call: Call, arguments: list[Value], speech: Speech, find: Finder) -> Value:
    """``ivo_simbadpoint``: where an object of this name is.

    Raises
    ------
    AdqlError
        The name is no literal, or not known.
    """
    name = arguments[0].constant[0] if arguments[0].constant else None
    if not isinstance(name, str):
        raise AdqlError(
            arguments[0].at, f"{call.name} takes the name of an object as a string, such as 'M 31'"
        )
    found = find(name) if 0 < len(name) <= LONGEST_NAME else None
    if found is None:
        raise AdqlError(arguments[0].at, f"no object called '{name[:60]}' is known to this service")
    lon, lat = (constant(call, part, DOUBLE, speech) for part in found)
    return point(call, lon, lat, Column("", "POINT", unit="deg", ucd="pos.eq"))
