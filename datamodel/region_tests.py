"""How does SQL ask whether a stored region meets a shape, lies within it, or contains a position?

First the cells of `datamodel.regions` whose ranges meet those of the shape, through their index; then the exact
test. Closed regions meet when their boundaries do, or when one has a point of the other; a region lies within a
shape when no edge leaves it and no point of the shape's boundary is inside the region. Boundaries that touch to
within `EDGE_RAD` may be taken for meeting or for not. A row without a region is in no cell: the answer is false.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from datamodel.columns import RegionIndex
from datamodel.healpix import ORDER, cover
from datamodel.point_tests import BIGINT, Angle, Truth, in_ranges, sql_number
from datamodel.regions import DEEPEST_CELL
from datamodel.shape_tests import SHAPE_TESTS, Edge
from datamodel.shapes import Point, Shape
from datamodel.sphere import EDGE_RAD
from datamodel.sql_vectors import NONE, Vector, columns, direction, dot

_MAX_RANGES = 16


def overlaps(shape: Shape, region_index: RegionIndex, row_column: sa.ColumnElement[str]) -> Truth:
    """Whether stored regions and a shape have a point in common.

    Parameters
    ----------
    row_column
        The key of the region, in the statement that asks.
    """
    tests = SHAPE_TESTS[type(shape)](shape)
    edge = Edge(region_index.edges.alias())
    touched = _some(
        edge, row_column, sa.or_(sa.and_(edge.is_arc, tests.arc_meets(edge)), tests.circle_meets(edge))
    )
    held = _holds(direction(*tests.point), region_index, row_column, EDGE_RAD)
    return sa.and_(_candidates(shape, region_index, row_column), sa.or_(touched, held))


def region_within(shape: Shape, region_index: RegionIndex, row_column: sa.ColumnElement[str]) -> Truth:
    """Whether stored regions are wholly inside a shape; see `overlaps`."""
    tests = SHAPE_TESTS[type(shape)](shape)
    edge = Edge(region_index.edges.alias())
    left = _some(
        edge, row_column, sa.or_(sa.and_(edge.is_arc, tests.arc_leaves(edge)), tests.circle_leaves(edge))
    )
    around = [_holds(direction(*point), region_index, row_column, -EDGE_RAD) for point in tests.rim]
    return sa.and_(_candidates(shape, region_index, row_column), sa.not_(sa.or_(left, *around)))


def region_contains_point(
    ra: Angle,
    dec: Angle,
    region_index: RegionIndex,
    row_column: sa.ColumnElement[str],
    hpx_column: sa.ColumnElement[int] | None = None,
) -> Truth:
    """Whether stored regions contain a position.

    Parameters
    ----------
    ra, dec
        Degrees; numbers, or columns of the statement that asks.
    hpx_column
        The order-29 number of the position where it is in columns; without it every row is tested.
    """
    held = _holds(direction(ra, dec), region_index, row_column, EDGE_RAD)
    if not isinstance(ra, sa.ColumnElement) and not isinstance(dec, sa.ColumnElement):
        return sa.and_(_candidates(Point(ra, dec), region_index, row_column), held)
    if hpx_column is None:
        return held
    cells = region_index.cover.alias()
    near = sa.select(cells.c.row).where(cells.c.row == row_column, hpx_column.between(cells.c.lo, cells.c.hi))
    return sa.and_(near.correlate_except(cells).exists(), held)


def _candidates(shape: Shape, index: RegionIndex, row_column: sa.ColumnElement[str]) -> Truth:
    """Regions with a cell that begins in a range of the shape's cover, or is a parent of where a range begins.

    Two ranges meet when either begins in the other; whole cells that hold a number begin at one of few others.
    """
    ranges = cover(shape, _MAX_RANGES)
    cells = index.cover.alias()
    starts = cells.c.lo.in_([sa.literal(lo, BIGINT) for lo in _parents(lo for lo, _ in ranges)])
    found = sa.select(cells.c.row).where(sa.or_(in_ranges(cells.c.lo, ranges), starts))
    return row_column.in_(found)


def _parents(numbers: Iterable[int]) -> list[int]:
    """The first numbers of all cells, down to the smallest that regions have, that hold one of the numbers."""
    shifts = range(2 * (ORDER - DEEPEST_CELL), 2 * ORDER + 1, 2)
    return sorted({number >> shift << shift for number in numbers for shift in shifts})


def _some(edge: Edge, row_column: sa.ColumnElement[str], condition: Truth) -> Truth:
    """Whether some edge of the region fulfils a condition."""
    rows = sa.select(edge.table.c.row).where(edge.table.c.row == row_column, condition)
    return rows.correlate_except(edge.table).exists()


def _holds(point: Vector, index: RegionIndex, row_column: sa.ColumnElement[str], slack: float) -> Truth:
    """Whether a point lies in the region's circle, or in an odd number of the shadows of its edges.

    Parameters
    ----------
    slack
        So far (radians) outside the boundary is inside.
    """
    edge = Edge(index.edges.alias())
    table = edge.table
    shadow = sa.and_(
        edge.is_arc,
        table.c.side * (dot(edge.arc.n, point) + sql_number(slack)) >= NONE,
        dot(columns(table, "enters"), point) >= NONE,
        dot(columns(table, "leaves"), point) < NONE,
    )
    hit = sa.or_(shadow, edge.circle_holds(point))
    count = sa.select(sa.func.count()).select_from(table).where(table.c.row == row_column, hit)
    return count.correlate_except(table).scalar_subquery() % sa.literal(2) == sa.literal(1)
