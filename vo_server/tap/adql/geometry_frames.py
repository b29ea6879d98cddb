"""How does a geometry that is given in another frame become one in ICRS?

ADQL 2.1 deprecates the coordinate system of a geometry, but a query that names one means it.
"""

from datamodel import rotations, sql
from datamodel.own_functions import COMPUTED
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.shapes import Circle, Point, Polygon, Region, Shape
from vo_server.tap.adql.types import double, literal
from vo_server.tap.adql.values import DOUBLE, Value, derived

ICRS = ("", "ICRS", "FK5", "J2000", "UNKNOWNFRAME")
"""Frames that are taken for ICRS."""

_OTHERS = {
    "FK4": "FK4",
    "B1950": "FK4",
    "GALACTIC": "GALACTIC",
    "GALACTIC_II": "GALACTIC",
    "SUPER_GALACTIC": "SUPER_GALACTIC",
    "ECLIPTIC": "ECLIPTIC",
}
KNOWN = frozenset((*ICRS, *_OTHERS))


def named(frame: Value) -> str:
    """The frame that the first argument of a geometry names, as `datamodel.rotations` calls it.

    Raises
    ------
    AdqlError
        It is not known.
    """
    return of_name(frame.at, str(frame.constant[0] or ""))


def of_name(at: Position, text: str) -> str:
    """The same for its text, which may go on with a reference position."""
    name = text.split()[0].upper() if text.split() else ""
    if name in ICRS:
        return "ICRS"
    if name not in _OTHERS:
        listed = ", ".join(sorted({"ICRS", *_OTHERS.values()}))
        raise AdqlError(at, f"expected a coordinate system among {listed}, or none, found '{text[:60]}'")
    return _OTHERS[name]


def turned(at: Position, shape: Shape, frame: str) -> Shape:
    """A shape of a frame in ICRS."""
    if isinstance(shape, Circle):
        return Circle(_point(at, shape.centre, frame), shape.radius)
    if isinstance(shape, Polygon):
        return Polygon(tuple(_point(at, vertex, frame) for vertex in shape.vertices))
    return shape if isinstance(shape, Region) else _point(at, shape, frame)


def _point(at: Position, point: Point, frame: str) -> Point:
    return Point(_part(at, 1, point, frame), _part(at, 2, point, frame))


def _part(at: Position, part: int, point: Point, frame: str) -> Value:
    angles = rotations.angles(frame, "ICRS")
    if point.ra.number is not None and point.dec.number is not None:
        found = COMPUTED["vo_rotated"](part, point.ra.number, point.dec.number, *angles)
        if found is None:
            raise AdqlError(
                point.dec.at, f"expected a latitude from -90 to 90 degrees, found {point.dec.number:g}"
            )
        return literal(at, float(found))
    made = sql.call("vo_rotated", part, double(point.ra), double(point.dec), *map(sql.real, angles))
    return derived(at, made, DOUBLE, ("turned", part, frame), [point.ra, point.dec])
