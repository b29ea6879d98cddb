"""What geometries are there in a query, and what are they in SQL? (ADQL 2.1 section 4.2)."""

from dataclasses import dataclass

from datamodel import sky, sql
from datamodel.columns import PointIndex, RegionIndex
from datamodel.errors import UsageError
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.scope import Source
from vo_server.tap.adql.types import double
from vo_server.tap.adql.values import ANY_TABLE, Value

_BESIDE = 32


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
    """What great circles between the vertices enclose: the smaller side."""

    vertices: tuple[Point, ...]


@dataclass(frozen=True)
class Region:
    """A geometry that is a text, as DALI or STC-S writes it: a column, or made of one.

    Attributes
    ----------
    value
        The text.
    source, index
        The table, and its index, where the column has one.
    """

    value: Value
    source: Source | None = None
    index: RegionIndex | None = None

    @property
    def row(self) -> Sql:
        """The key of the row, for the index."""
        assert self.source is not None
        assert self.index is not None
        return self.source.column(self.index.row)


Shape = Point | Circle | Polygon | Region


def parts(shape: Shape) -> list[Value]:
    """The numbers that a shape is made of, in DALI's order; of a region its text."""
    if isinstance(shape, Point):
        return [shape.ra, shape.dec]
    if isinstance(shape, Circle):
        return [*parts(shape.centre), shape.radius]
    return [shape.value] if isinstance(shape, Region) else [v for p in shape.vertices for v in parts(p)]


def text(shape: Shape) -> Sql:
    """A shape as DALI text: its numbers between spaces; NULL if one is NULL."""
    if isinstance(shape, Region):
        return shape.value.sql
    pieces: list[Sql | str] = []
    for value in parts(shape):
        between = " " if pieces else ""
        number = value.number
        if number is None:
            pieces += [*([between] if between else []), sql.call("vo_decimal", double(value))]
        else:
            pieces.append(between + repr(number))
    return sql.joined_texts(_grouped(_merged(pieces)))


def _grouped(texts: list[Sql]) -> list[Sql]:
    """Many texts in groups, for databases bound the depth of a chain."""
    while len(texts) > _BESIDE:
        groups = (texts[i : i + _BESIDE] for i in range(0, len(texts), _BESIDE))
        texts = [Sql(f"({sql.joined_texts(group).text})") for group in groups]
    return texts


def _merged(pieces: list[Sql | str]) -> list[Sql]:
    """Constants that stand beside one another become one."""
    made: list[Sql] = []
    held = ""
    for piece in pieces:
        if isinstance(piece, str):
            held += piece
            continue
        made += [sql.text(held), piece] if held else [piece]
        held = ""
    return [*made, sql.text(held)] if held else made


def numbers(point: Point) -> tuple[float, float] | None:
    """The position, longitude within 0 to 360, if it is the same for all rows.

    Raises
    ------
    AdqlError
        There is no such latitude.
    """
    ra, dec = point.ra.number, point.dec.number
    if ra is None or dec is None:
        return None
    if not -90.0 <= dec <= 90.0:
        raise AdqlError(point.dec.at, f"expected a latitude from -90 to 90 degrees, found {dec:g}")
    return ra % 360.0, dec


def constant_circle(centre: Point, radius: Value) -> sky.Circle | None:
    """A circle that is the same for all rows, or None.

    Raises
    ------
    AdqlError
        There is no such latitude or radius.
    """
    place, radius_deg = numbers(centre), radius.number
    if place is None or radius_deg is None:
        return None
    if not 0.0 <= radius_deg <= 180.0:
        raise AdqlError(radius.at, f"expected a radius from 0 to 180 degrees, found {radius_deg:g}")
    return sky.Circle(*place, radius_deg)


def constant(at: Position, shape: Shape) -> sky.Shape | None:
    """A shape that is the same for all rows, or None.

    Raises
    ------
    AdqlError
        There is no such shape on the sphere.
    """
    if isinstance(shape, Region):
        return None
    if isinstance(shape, Circle):
        return constant_circle(shape.centre, shape.radius)
    if isinstance(shape, Point):
        place = numbers(shape)
        return None if place is None else sky.Point(*place)
    places = [numbers(v) for v in shape.vertices]
    if None in places:
        return None
    try:
        return sky.Polygon(tuple(place for place in places if place is not None))
    except UsageError as error:
        raise AdqlError(at, str(error)) from None


def indexed(point: Point) -> tuple[Sql, Sql, Sql] | None:
    """The three columns of a table's position index, if the point is just that position."""
    found = position(point)
    return (point.ra.sql, point.dec.sql, found[0].column(found[1].hpx29)) if found else None


def position(point: Point) -> tuple[Source, PointIndex] | None:
    """The table that has the point as its indexed position."""
    if point.ra.origin is None or point.dec.origin is None:
        return None
    (source, ra), (other, dec) = point.ra.origin, point.dec.origin
    index = source.table.point if source.table else None
    if source is not other or index is None or (ra, dec) != (index.ra, index.dec):
        return None
    return source, index


def elsewhere(shape: Shape, source: Source) -> bool:
    """Whether a shape is that of other tables alone, and of some."""
    names = {name for part in parts(shape) for name in part.aliases}
    return bool(names) and not names & {source.alias, *ANY_TABLE}
