"""How does SQL find the rows of one table that lie near a shape of another's row, through an index?

Each condition is ``value IN (query)`` in the words of the database, where the value is the row's pixel or key, which
is indexed, and the query depends on the other table's row alone: so both databases can go from one to the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from datamodel import sql
from datamodel.columns import RegionIndex
from datamodel.healpix import ORDER
from datamodel.near_cells import width
from datamodel.regions import DEEPEST_CELL
from datamodel.speech import Speech
from datamodel.sql import Sql

_SHIFTS = range(2 * (ORDER - DEEPEST_CELL), 2 * ORDER + 1, 2)
_LO, _HI = sql.column("vo_k", "lo"), sql.column("vo_k", "hi")


@dataclass(frozen=True)
class Ranges:
    """Ranges of order-29 numbers that go under the alias ``vo_k``, with the columns ``lo`` and ``hi``.

    Attributes
    ----------
    text
        What to select from.
    condition
        Which of its rows.
    """

    text: str
    condition: Sql = sql.TRUE


def ranges_of_shape(shape: Sql, speech: Speech) -> Ranges:
    """The cells of a shape that is a text (`datamodel.shape_measures.spans`)."""
    return Ranges(f"{speech.spans.format(shape=shape.text)} AS vo_k")


def ranges_near(pixel: Sql, order: int, speech: Speech) -> Ranges:
    """The cells near a position.

    Parameters
    ----------
    pixel
        The position's order-29 number.
    order
        From `datamodel.near_cells.order_near`.
    """
    cells = speech.cells.format(pixel=pixel.text, order=order, last=width(order) - 1)
    return Ranges(f"{cells} AS vo_k")


def ranges_of_region(index: RegionIndex, row: Sql) -> Ranges:
    """The cells of a stored region with a key."""
    return Ranges(f"{sql.name(index.cover.name)} AS vo_k", sql.column("vo_k", "row").equals(row))


def positions_in(ranges: Ranges, value: Sql, column: str, table: str, speech: Speech) -> Sql:
    """Whether a row's position is in one of the ranges.

    Parameters
    ----------
    value
        The row's order-29 number.
    column, table
        Where it is from: the column's name, and what to select from to see the table's rows once more.
    """
    pixel = sql.column("vo_s", column)
    where = sql.all_of(ranges.condition, pixel.between(_LO, _HI))
    query = f"SELECT {pixel.text} FROM {ranges.text} CROSS JOIN {table} AS vo_s WHERE {where.text}"  # noqa: S608
    return speech.is_among(value, query)


def regions_in(ranges: Ranges, row: Sql, index: RegionIndex, speech: Speech) -> Sql:
    """Whether a row's region has a cell in common with one of the ranges, whose beginnings are those of cells.

    Two cells meet when either begins in the other.
    """
    cell = sql.column("vo_c", "lo")
    held = sql.all_of(sql.among(cell, parents(_LO)), sql.column("vo_c", "hi") >= _LO)
    queries = [_cells(ranges, index, condition) for condition in (cell.between(_LO, _HI), held)]
    return speech.is_among(row, " UNION ALL ".join(queries))


def _cells(ranges: Ranges, index: RegionIndex, condition: Sql) -> str:
    cells = f"{sql.name(index.cover.name)} AS vo_c"
    where = sql.all_of(ranges.condition, condition)
    return f'SELECT vo_c."row" FROM {ranges.text} CROSS JOIN {cells} WHERE {where.text}'  # noqa: S608


def regions_at(pixel: Sql, row: Sql, index: RegionIndex, speech: Speech) -> Sql:
    """Whether a row's region has the cell of an order-29 number."""
    held = sql.all_of(sql.among(sql.column("vo_c", "lo"), parents(pixel)), sql.column("vo_c", "hi") >= pixel)
    cells = f"{sql.name(index.cover.name)} AS vo_c"
    return speech.is_among(row, f'SELECT vo_c."row" FROM {cells} WHERE {held.text}')  # noqa: S608


def parents(pixel: Sql) -> Iterable[Sql]:
    """The first numbers of all cells that hold a number, down to the smallest that regions have."""
    return [Sql(f"(({pixel.text} >> {shift}) << {shift})") for shift in _SHIFTS]
