"""In which HEALPix cells is all that lies within a small angle of a position?

A crossmatch asks this of every row of one table, to find rows of the other by their order-29 numbers. The cells
are of an order at which they are many times as wide as the angle, so that the position's own cell and the
neighbours towards the corner that it is nearest to, four at the most, hold the whole circle. SQLite calls
`near_cells`; PostgreSQL has the same steps in its own language (Gorski et al. 2005; the base cells' neighbours are
those of its figure 4).
"""

import math
from collections.abc import Iterable

from datamodel.functions import Function
from datamodel.interleaving import GATHERING, SPREADING, gathered, spread, written

ORDER = 29

DEEPEST = 24
FINE = 5
"""A cell is looked at in ``2**FINE`` parts each way."""

MARGIN = 7
"""So many of the parts are wider than the angle, everywhere on the sky: the narrowest cells are 0.6 of a size wide."""

_PARTS, _LOW, _HIGH = (spread(n) for n in (2**FINE - 1, MARGIN, 2**FINE - MARGIN))
"""Of the spread number of a part: its bits, where the margin ends, and where the other one begins."""

_WIDTHS = 8.0
WIDEST_DEG = math.degrees(math.sqrt(math.pi / 3.0)) / _WIDTHS
"""The largest angle that some cell is wide enough for."""

FACES = (
    (8, 9, 10, 11, -1, -1, -1, -1, 10, 11, 8, 9),
    (5, 6, 7, 4, 8, 9, 10, 11, 9, 10, 11, 8),
    (-1, -1, -1, -1, 5, 6, 7, 4, -1, -1, -1, -1),
    (4, 5, 6, 7, 11, 8, 9, 10, 11, 8, 9, 10),
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    (1, 2, 3, 0, 0, 1, 2, 3, 5, 6, 7, 4),
    (-1, -1, -1, -1, 7, 4, 5, 6, -1, -1, -1, -1),
    (3, 0, 1, 2, 3, 0, 1, 2, 4, 5, 6, 7),
    (2, 3, 0, 1, -1, -1, -1, -1, 0, 1, 2, 3),
)
"""The base cell beyond the edges of each base cell: row ``4 + dx + 3 dy``; -1 where there is none."""

TURNS = (
    (0, 0, 3),
    (0, 0, 6),
    (0, 0, 0),
    (0, 0, 5),
    (0, 0, 0),
    (5, 0, 0),
    (0, 0, 0),
    (6, 0, 0),
    (3, 0, 0),
)
"""How the neighbour lies, for northern, equatorial and southern base cells: 1 turns x round, 2 y, 4 swaps them."""


def order_near(radius_deg: float) -> int | None:
    """The order of the cells for an angle; None for one that no cell is wide enough for."""
    if radius_deg <= 0.0:
        return DEEPEST
    order = math.floor(math.log2(WIDEST_DEG / radius_deg))
    return min(order, DEEPEST) if order >= 0 else None


def width(order: int) -> int:
    """How many order-29 numbers a cell of an order has."""
    return int(4 ** (ORDER - order))


def near_cells(pixel: int, order: int) -> list[int]:
    """First order-29 numbers of the cells that hold all within the angle of `order_near`.

    Parameters
    ----------
    pixel
        Order-29 NESTED number of the position.
    order
        From `order_near`.
    """
    shift = 2 * (ORDER - order)
    cell, part = pixel >> shift, pixel >> shift - 2 * FINE
    dx, dy = _step(part & _PARTS), _step(part >> 1 & _PARTS)
    xs = ((1 << 2 * order) - 1) // 3
    ys = xs << 1
    x, y = cell & xs, cell & ys
    base = cell - x - y
    found = [base | x | y]
    # The bits of x and y are counted up and down where they lie, between those of the other.
    beside = (x | ys) + 1 & xs if dx > 0 else x - 1 & xs
    above = (y | xs) + 1 & ys if dy > 0 else y - 2 & ys
    if (dx and beside == (0 if dx > 0 else xs)) or (dy and above == (0 if dy > 0 else ys)):
        found = _across(cell, {0, dx}, {0, dy}, order)
    else:
        found += [base | beside | y] * bool(dx) + [base | x | above] * bool(dy)
        found += [base | beside | above] * bool(dx and dy)
    return [each << shift for each in found]


def block(pixel: int, order: int) -> list[int]:
    """The cell of an order that an order-29 number is in, and the eight around it, or seven."""
    return _across(pixel >> 2 * (ORDER - order), (-1, 0, 1), (-1, 0, 1), order)


def _step(part: int) -> int:
    """Towards which neighbour a position lies, by the spread number of the part of the cell that it is in."""
    return (part >= _HIGH) - (part < _LOW)


def _across(cell: int, dx: Iterable[int], dy: Iterable[int], order: int) -> list[int]:
    """Cells beside a cell, some of which may be beyond the edge of its base cell."""
    face, x, y = cell >> 2 * order, gathered(cell), gathered(cell >> 1)
    x, y = x & (1 << order) - 1, y & (1 << order) - 1
    found = (_cell(face, x + i, y + j, order) for i in dx for j in dy)
    return [each for each in found if each >= 0]


def _cell(face: int, x: int, y: int, order: int) -> int:
    """The number of a cell that is at most one beyond the edges of a base cell; -1 for none."""
    side = 1 << order
    beyond = 4 + (x >= side) - (x < 0) + 3 * ((y >= side) - (y < 0))
    there = FACES[beyond][face]
    if there < 0:
        return -1
    turn = TURNS[beyond][face >> 2]
    x, y = x & side - 1, y & side - 1
    if turn & 1:
        x = side - 1 - x
    if turn & 2:
        y = side - 1 - y
    if turn & 4:
        x, y = y, x
    return there << 2 * order | spread(x) | spread(y) << 1


def _array(rows: tuple[tuple[int, ...], ...]) -> str:
    return "'{" + ",".join("{" + ",".join(map(str, row)) + "}" for row in rows) + "}'"


_BODY = f"""
    part := (pixel >> (2 * ({ORDER - FINE} - cells))) & {4**FINE - 1};
    dx := CASE WHEN part & {_PARTS} < {_LOW} THEN -1 WHEN part & {_PARTS} >= {_HIGH} THEN 1 ELSE 0 END;
    dy := CASE WHEN part & {2 * _PARTS} < {2 * _LOW} THEN -1 WHEN part & {2 * _PARTS} >= {2 * _HIGH} THEN 1 ELSE 0 END;
    xs := ((1::bigint << (2 * cells)) - 1) / 3;
    ys := 2 * xs;
    x := cell & xs;
    y := cell & ys;
    beside := CASE WHEN dx > 0 THEN ((x | ys) + 1) & xs ELSE (x - 1) & xs END;
    above := CASE WHEN dy > 0 THEN ((y | xs) + 1) & ys ELSE (y - 2) & ys END;
    IF (dx <> 0 AND beside = CASE WHEN dx > 0 THEN 0 ELSE xs END)
        OR (dy <> 0 AND above = CASE WHEN dy > 0 THEN 0 ELSE ys END)
    THEN
        RETURN QUERY SELECT * FROM vo_cells_across(cell, dx, dy, cells);
        RETURN;
    END IF;
    RETURN NEXT cell << shift;
    cell := cell - x - y;
    IF dx <> 0 THEN RETURN NEXT (cell | beside | y) << shift; END IF;
    IF dy <> 0 THEN RETURN NEXT (cell | x | above) << shift; END IF;
    IF dx <> 0 AND dy <> 0 THEN RETURN NEXT (cell | beside | above) << shift; END IF;
"""  # noqa: S608  its values are constants

_DECLARE = f"""
    shift CONSTANT integer := 2 * ({ORDER} - cells);
    cell bigint := pixel >> shift;
    part integer; dx integer; dy integer;
    x bigint; y bigint; xs bigint; ys bigint; beside bigint; above bigint;
"""

_ACROSS_BODY = f"""
    {written("x0", GATHERING)}
    {written("y0", GATHERING)}
    FOR i IN LEAST(dx, 0) .. GREATEST(dx, 0) LOOP
        FOR j IN LEAST(dy, 0) .. GREATEST(dy, 0) LOOP
            x := x0 + i;
            y := y0 + j;
            beyond := 5 + (x > last)::integer - (x < 0)::integer + 3 * ((y > last)::integer - (y < 0)::integer);
            there := faces[beyond][face + 1];
            CONTINUE WHEN there < 0;
            turn := turns[beyond][face / 4 + 1];
            x := x & last;
            y := y & last;
            IF turn & 1 > 0 THEN x := last - x; END IF;
            IF turn & 2 > 0 THEN y := last - y; END IF;
            IF turn & 4 > 0 THEN z := x; x := y; y := z; END IF;
            {written("x", SPREADING)}
            {written("y", SPREADING)}
            RETURN NEXT ((there::bigint << (2 * cells)) | x | (y << 1)) << (2 * ({ORDER} - cells));
        END LOOP;
    END LOOP;
"""

_ACROSS_DECLARE = f"""
    faces CONSTANT integer[] := {_array(FACES)};
    turns CONSTANT integer[] := {_array(TURNS)};
    last CONSTANT bigint := (1::bigint << cells) - 1;
    face integer := cell >> (2 * cells);
    x0 bigint := cell & ((1::bigint << (2 * cells)) - 1);
    y0 bigint := x0 >> 1;
    x bigint; y bigint; z bigint;
    beyond integer; there integer; turn integer;
"""


def _listed(pixel: int, order: int) -> str:
    return f"{near_cells(pixel, order)}"


_CELLS = "SETOF bigint ROWS 2"
_STEPPED = "cell bigint, dx integer, dy integer, cells integer"

FUNCTIONS = (
    Function("vo_cells_across", _STEPPED, _CELLS, _ACROSS_BODY, _ACROSS_DECLARE),
    Function("vo_near_cells", "pixel bigint, cells integer", _CELLS, _BODY, _DECLARE, _listed),
)
"""The cells as rows, or for SQLite as a list in JSON."""
