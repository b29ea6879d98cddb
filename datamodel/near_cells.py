"""In which HEALPix cells is all that lies within a small angle of a position?

A crossmatch asks this of every row of one table, to find rows of the other by their order-29 numbers. The cells
are of an order at which they are many times as wide as the angle, so that the position's own cell and the
neighbours towards the corner that it is nearest to, four at the most, hold the whole circle. SQLite calls
`near_cells`; PostgreSQL has the same steps in its own language (Gorski et al. 2005; the base cells' neighbours are
those of its figure 4).
"""

import math

from datamodel.functions import Function
from datamodel.interleaving import GATHERING, SPREADING, gathered, spread, written

ORDER = 29

DEEPEST = 24
FINE = 5
"""A cell is looked at in ``2**FINE`` parts each way."""

MARGIN = 7
"""So many of the parts are wider than the angle, everywhere on the sky: the narrowest cells are 0.6 of a size wide."""

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
    fine = pixel >> 2 * (ORDER - order - FINE)
    x, y = gathered(fine), gathered(fine >> 1)
    x, y = x & (1 << (order + FINE)) - 1, y & (1 << (order + FINE)) - 1
    face = fine >> 2 * (order + FINE)
    steps_x, steps_y = (_steps(v & (1 << FINE) - 1) for v in (x, y))
    own = x >> FINE, y >> FINE
    found = (_cell(face, own[0] + dx, own[1] + dy, order) for dx in steps_x for dy in steps_y)
    return [cell << 2 * (ORDER - order) for cell in found if cell >= 0]


def _steps(part: int) -> tuple[int, ...]:
    if part < MARGIN:
        return (0, -1)
    return (0, 1) if part >= (1 << FINE) - MARGIN else (0,)


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
    {written("x0", GATHERING)}
    {written("y0", GATHERING)}
    part := x0 & {2**FINE - 1};
    nx := CASE WHEN part < {MARGIN} THEN -1 WHEN part >= {2**FINE - MARGIN} THEN 1 ELSE 0 END;
    part := y0 & {2**FINE - 1};
    ny := CASE WHEN part < {MARGIN} THEN -1 WHEN part >= {2**FINE - MARGIN} THEN 1 ELSE 0 END;
    x0 := x0 >> {FINE};
    y0 := y0 >> {FINE};
    FOR dx IN LEAST(nx, 0) .. GREATEST(nx, 0) LOOP
        FOR dy IN LEAST(ny, 0) .. GREATEST(ny, 0) LOOP
            x := x0 + dx;
            y := y0 + dy;
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

_DECLARE = f"""
    faces CONSTANT integer[] := {_array(FACES)};
    turns CONSTANT integer[] := {_array(TURNS)};
    last CONSTANT bigint := (1::bigint << cells) - 1;
    fine bigint := pixel >> (2 * ({ORDER - FINE} - cells));
    face integer := fine >> (2 * (cells + {FINE}));
    x0 bigint := fine & ((1::bigint << (2 * (cells + {FINE}))) - 1);
    y0 bigint := x0 >> 1;
    nx integer; ny integer; part integer; x bigint; y bigint; z bigint;
    beyond integer; there integer; turn integer;
"""


def _listed(pixel: int, order: int) -> str:
    return f"{near_cells(pixel, order)}"


FUNCTIONS = (
    Function("vo_near_cells", "pixel bigint, cells integer", "SETOF bigint ROWS 2", _BODY, _DECLARE, _listed),
)
"""The cells as rows, or for SQLite as a list in JSON."""
