"""Which HEALPix pixel is one position in, and where is the middle of one pixel? For databases, one row at a time.

`datamodel.healpix` does the same for many at once.
"""

import math

from datamodel.functions import DOUBLE, Function
from datamodel.interleaving import GATHERING, SPREADING, gathered, spread, written
from datamodel.rotations import within_turn

ORDER = 29
_SIDE = 1 << ORDER

_BASE_RING = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_BASE_COLUMN = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)


def pixel(lon: float, lat: float) -> int:
    """The NESTED number at order 29 of a position in degrees (Gorski et al. 2005, section 4 and 5).

    Raises
    ------
    ValueError
        There is no such latitude.
    """
    if not abs(lat) <= 90.0:
        raise ValueError(lat)
    quarter = within_turn(lon) / 90.0
    z = math.sin(math.radians(lat))
    face, x, y = _on_belt(quarter, z) if abs(z) <= 2.0 / 3.0 else _on_cap(quarter, lat)
    return (face << 2 * ORDER) + spread(x) + 2 * spread(y)


def _on_belt(quarter: float, z: float) -> tuple[int, int, int]:
    """A position just between two cells is in the one that cdshealpix gives, too."""
    down = max(math.ceil(_SIDE * (0.5 + quarter) - _SIDE * (z * 0.75)) - 1, 0)
    up = math.floor(_SIDE * (0.5 + quarter) + _SIDE * (z * 0.75))
    below, above = down >> ORDER, up >> ORDER
    face = (below & 3) + 4 if below == above else below if below < above else above + 8
    return face, up & (_SIDE - 1), _SIDE - 1 - (down & (_SIDE - 1))


def _on_cap(quarter: float, lat: float) -> tuple[int, int, int]:
    base = math.floor(quarter)
    across = quarter - base
    reach = _SIDE * (math.sqrt(6.0) * math.sin(math.radians(90.0 - abs(lat)) / 2.0))
    left = min(math.floor(across * reach), _SIDE - 1)
    right = min(math.floor((1.0 - across) * reach), _SIDE - 1)
    if lat > 0.0:
        return base, _SIDE - 1 - right, _SIDE - 1 - left
    return base + 8, left, right


def middle(order: int, index: int) -> tuple[float, float]:
    """Longitude and latitude, in degrees, of the middle of a NESTED pixel (section 5.3).

    Raises
    ------
    ValueError
        There is no such order, or no such pixel.
    """
    side = 1 << order if 0 <= order <= ORDER else 0
    if not 0 <= index < 12 * side * side:
        raise ValueError(index)
    base, within = index >> 2 * order, index & (side * side - 1)
    x, y = gathered(within), gathered(within >> 1)
    ring = (_BASE_RING[base] << order) - x - y - 1
    on_ring = min(ring, 4 * side - ring, side)
    below = (on_ring / side) ** 2 / 3.0 if on_ring < side else 1.0 - abs(2.0 - ring / side) * 2.0 / 3.0
    z = 1.0 - below if ring < 2 * side else below - 1.0
    lon = within_turn((_BASE_COLUMN[base] * on_ring + x - y) * 45.0 / on_ring)
    return lon, math.degrees(math.atan2(z, math.sqrt(below * (2.0 - below))))


def _part_of_middle(part: int, order: int, index: int) -> float:
    return middle(order, index)[part - 1]


_PIXEL = f"""
IF abs(lat) > 90 THEN RETURN NULL; END IF;
quarter := lon - 360 * floor(lon / 360);
quarter := CASE WHEN quarter < 360 THEN quarter / 90 ELSE 0 END;
z := sin(radians(lat));
IF abs(z) <= 2::float8 / 3 THEN
  x := floor({_SIDE} * (0.5 + quarter) + {_SIDE} * (z * 0.75));
  y := greatest(ceil({_SIDE} * (0.5 + quarter) - {_SIDE} * (z * 0.75)) - 1, 0);
  face := CASE WHEN (y >> {ORDER}) = (x >> {ORDER}) THEN ((y >> {ORDER}) & 3) + 4
    WHEN (y >> {ORDER}) < (x >> {ORDER}) THEN y >> {ORDER} ELSE (x >> {ORDER}) + 8 END;
  x := x & {_SIDE - 1};
  y := {_SIDE - 1} - (y & {_SIDE - 1});
ELSE
  face := floor(quarter);
  quarter := quarter - face;
  z := {_SIDE} * (sqrt(6::float8) * sin(radians(90 - abs(lat)) / 2));
  x := least(floor(quarter * z), {_SIDE - 1});
  y := least(floor((1 - quarter) * z), {_SIDE - 1});
  IF lat > 0 THEN
    z := y;
    y := {_SIDE - 1} - x;
    x := {_SIDE - 1} - z;
  ELSE
    face := face + 8;
  END IF;
END IF;
{written("x", SPREADING)}{written("y", SPREADING)}RETURN (face << {2 * ORDER}) + x + 2 * y;
"""

_MIDDLE = f"""
IF NOT nested BETWEEN 0 AND {ORDER} THEN RETURN NULL; END IF;
side := 1::bigint << nested::integer;
IF NOT pixel BETWEEN 0 AND 12 * side * side - 1 THEN RETURN NULL; END IF;
base := 1 + (pixel >> (2 * nested::integer));
x := pixel & (side * side - 1);
y := (pixel & (side * side - 1)) >> 1;
{written("x", GATHERING)}{written("y", GATHERING)}
ring := ('{{{",".join(map(str, _BASE_RING))}}}'::bigint[])[base] * side - x - y - 1;
on_ring := least(ring, 4 * side - ring, side);
IF part = 1 THEN
  below := (('{{{",".join(map(str, _BASE_COLUMN))}}}'::bigint[])[base] * on_ring + x - y) * 45::float8 / on_ring;
  below := below - 360 * floor(below / 360);
  RETURN CASE WHEN below < 360 THEN below ELSE 0 END;
END IF;
below := CASE WHEN on_ring < side THEN (on_ring::float8 / side) * (on_ring::float8 / side) / 3
  ELSE 1 - abs(2 - ring::float8 / side) * 2 / 3 END;
RETURN degrees(atan2(CASE WHEN ring < 2 * side THEN 1 - below ELSE below - 1 END, sqrt(below * (2 - below))));
"""

FUNCTIONS = (
    Function(
        "vo_pixel",
        f"lon {DOUBLE}, lat {DOUBLE}",
        "bigint",
        _PIXEL,
        f"x bigint; y bigint; face bigint; quarter {DOUBLE}; z {DOUBLE};",
        pixel,
        bounded=True,
    ),
    Function(
        "vo_middle",
        "part bigint, nested bigint, pixel bigint",
        DOUBLE,
        _MIDDLE,
        f"side bigint; base bigint; x bigint; y bigint; ring bigint; on_ring bigint; below {DOUBLE};",
        _part_of_middle,
    ),
)
"""The NESTED number of order 29; the middle of a pixel, whose part 1 is its longitude and part 2 its latitude."""
