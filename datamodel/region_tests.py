"""How does SQL ask whether a stored region meets a shape, lies within it, or contains a position?

First the cells of `datamodel.regions` whose ranges meet those of the shape, through their index; then the exact
test. Closed regions meet when their boundaries do, or when one has a point of the other; a region lies within a
shape when no edge leaves it and no point of the shape's boundary is inside the region. Boundaries that touch to
within `EDGE_RAD` may be taken for meeting or for not. A row without a region is in no cell: the answer is false.
"""

from collections.abc import Iterable

from datamodel import sql
from datamodel.columns import RegionIndex
from datamodel.healpix import ORDER, cover
from datamodel.point_tests import Angle
from datamodel.regions import DEEPEST_CELL
from datamodel.shape_tests import SHAPE_TESTS, Edge
from datamodel.shapes import Point, Shape
from datamodel.sphere import EDGE_RAD
from datamodel.sql import Sql, all_of, any_of, in_ranges, not_, number
from datamodel.sql_vectors import NONE, Vector, columns, direction, dot

_EDGE = "vo_edge"
_CELL = "vo_cell"
_MAX_RANGES = 16


def overlaps(shape: Shape, region_index: RegionIndex, row_column: Sql) -> Sql:
    """Whether stored regions and a shape have a point in common.

    Parameters
    ----------
    row_column
        The key of the region, in the statement that asks.
    """
    tests = SHAPE_TESTS[type(shape)](shape)
    edge = Edge(_EDGE)
    touched = _some(
        region_index, row_column, any_of(all_of(edge.is_arc, tests.arc_meets(edge)), tests.circle_meets(edge))
    )
    held = _holds(direction(*tests.point), region_index, row_column, EDGE_RAD)
    return all_of(candidates(shape, region_index, row_column), any_of(touched, held))


def region_within(shape: Shape, region_index: RegionIndex, row_column: Sql) -> Sql:
    """Whether stored regions are wholly inside a shape; see `overlaps`."""
    tests = SHAPE_TESTS[type(shape)](shape)
    edge = Edge(_EDGE)
    left = _some(
        region_index,
        row_column,
        any_of(all_of(edge.is_arc, tests.arc_leaves(edge)), tests.circle_leaves(edge)),
    )
    around = [_holds(direction(*point), region_index, row_column, -EDGE_RAD) for point in tests.rim]
    return all_of(candidates(shape, region_index, row_column), not_(any_of(left, *around)))


def region_contains_point(
    ra: Angle,
    dec: Angle,
    region_index: RegionIndex,
    row_column: Sql,
    hpx_column: Sql | None = None,
) -> Sql:
    """Whether stored regions contain a position.

    Parameters
    ----------
    ra, dec
        Degrees; numbers, or columns of the statement that asks.
    hpx_column
        The order-29 number of the position where it is in columns; without it every row is tested.
    """
    held = _holds(direction(ra, dec), region_index, row_column, EDGE_RAD)
    if not isinstance(ra, Sql) and not isinstance(dec, Sql):
        return all_of(candidates(Point(ra, dec), region_index, row_column), held)
    if hpx_column is None:
        return held
    row, lo, hi = (sql.column(_CELL, name) for name in ("row", "lo", "hi"))
    near = all_of(row.equals(row_column), hpx_column.between(lo, hi))
    return all_of(sql.exists(_query("1", region_index.cover.name, _CELL, near)), held)


def candidates(shape: Shape, index: RegionIndex, row_column: Sql) -> Sql:
    """Regions with a cell that begins in a range of the shape's cover, or is a parent of where a range begins.

    Two ranges meet when either begins in the other; whole cells that hold a number begin at one of few others.
    """
    ranges = cover(shape, _MAX_RANGES)
    lo = sql.column(_CELL, "lo")
    starts = sql.among(lo, map(number, _parents(lo for lo, _ in ranges)))
    found = _query(
        sql.column(_CELL, "row").text, index.cover.name, _CELL, any_of(in_ranges(lo, ranges), starts)
    )
    return sql.among_rows(row_column, found)


def _parents(numbers: Iterable[int]) -> list[int]:
    """The first numbers of all cells, down to the smallest that regions have, that hold one of the numbers."""
    shifts = range(2 * (ORDER - DEEPEST_CELL), 2 * ORDER + 1, 2)
    return sorted({number >> shift << shift for number in numbers for shift in shifts})


def _some(index: RegionIndex, row_column: Sql, condition: Sql) -> Sql:
    """Whether some edge of the region, which goes under `_EDGE`, fulfils a condition."""
    own = sql.column(_EDGE, "row").equals(row_column)
    return sql.exists(_query("1", index.edges.name, _EDGE, all_of(own, condition)))


def _holds(point: Vector, index: RegionIndex, row_column: Sql, slack: float) -> Sql:
    """Whether a point lies in the region's circle, or in an odd number of the shadows of its edges.

    Parameters
    ----------
    slack
        So far (radians) outside the boundary is inside.
    """
    edge = Edge(_EDGE)
    shadow = all_of(
        edge.is_arc,
        edge.column("side") * (dot(edge.arc.n, point) + number(slack)) >= NONE,
        dot(columns(_EDGE, "enters"), point) >= NONE,
        dot(columns(_EDGE, "leaves"), point) < NONE,
    )
    own = edge.column("row").equals(row_column)
    hits = _query("count(*)", index.edges.name, _EDGE, all_of(own, any_of(shadow, edge.circle_holds(point))))
    return (sql.subquery(hits) % 2).equals(1)


def _query(what: str, table: str, alias: str, condition: Sql) -> str:
    return f"SELECT {what} FROM {sql.name(table)} AS {alias} WHERE {condition.text}"  # noqa: S608
