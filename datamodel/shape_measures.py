"""How large is a shape that is a text, where is its middle, and in which cells is it? For databases, one row at a time.

The area of a polygon is the sum of the triangles that its edges make with a point about its middle (Eriksson 1990,
Mathematics Magazine 63, 184). Its middle is the direction of the integral over its positions: half the sum of its
edges' normals, each as long as the edge.
"""

import math

from datamodel.functions import DOUBLE, Function
from datamodel.near_cells import DEEPEST, WIDEST_DEG, near_cells, order_near, width
from datamodel.pixels import pixel
from datamodel.rings import Ring, Vector, angle, cross, direction, dot, edges_of, ring
from datamodel.rotations import within_turn
from datamodel.shape_texts import ARRAY, numbers

SQUARE_DEGREES = (180.0 / math.pi) ** 2
"""In a steradian."""

_SKY = 12 * 4**29 - 1
_MARGIN_DEG = 1e-9


def area(text: str) -> float:
    """The area of a shape in square degrees.

    Raises
    ------
    ValueError
        It is no shape.
    """
    found = numbers(text)
    if len(found) <= 3:
        half = math.radians(found[2]) / 2.0 if len(found) == 3 else 0.0
        return 4.0 * math.pi * math.sin(half) ** 2 * SQUARE_DEGREES
    edges = ring(found)
    c = _mean(edges)
    total = sum(_triangle(c, a, b) for a, b, _ in edges)
    total = abs(total) % (4.0 * math.pi)
    return min(total, 4.0 * math.pi - total) * SQUARE_DEGREES


def _mean(edges: Ring) -> Vector:
    """The direction of the sum of the vertices, or the first one where that is none."""
    x, y, z = (sum(a[i] for a, _, _ in edges) for i in range(3))
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length) if length > 1e-6 else edges[0][0]


def _triangle(c: Vector, a: Vector, b: Vector) -> float:
    volume = dot(c, cross((a[0] - c[0], a[1] - c[1], a[2] - c[2]), (b[0] - c[0], b[1] - c[1], b[2] - c[2])))
    return 2.0 * math.atan2(volume, 1.0 + dot(a, b) + dot(b, c) + dot(c, a))


def middle(part: int, text: str) -> float:
    """Longitude (1) or latitude (2) of the middle of a shape, in degrees.

    Raises
    ------
    ValueError
        It is no shape.
    """
    found = numbers(text)
    if len(found) <= 3:
        return found[part - 1]
    edges = ring(found)
    x, y, z = (sum(angle(a, b) * n[i] for a, b, n in edges) for i in range(3))
    if part == 1:
        return within_turn(math.degrees(math.atan2(y, x)))
    return math.degrees(math.atan2(z, math.sqrt(x * x + y * y)))


def spans(text: str) -> list[tuple[int, int]]:
    """Ranges of order-29 numbers, both ends inclusive, that hold all of a shape: a few cells, or the whole sky.

    Raises
    ------
    ValueError
        It is no shape.
    """
    found = numbers(text)
    place, radius = found[:2], found[2] if len(found) == 3 else 0.0
    if len(found) > 3:
        c = _mean(edges_of(text))
        place = math.degrees(math.atan2(c[1], c[0])), math.degrees(math.atan2(c[2], math.hypot(c[0], c[1])))
        radius = math.degrees(max(angle(c, direction(*v)) for v in zip(found[::2], found[1::2], strict=True)))
    order = order_near(radius + _MARGIN_DEG)
    if order is None:
        return [(0, _SKY)]
    return [(lo, lo + width(order) - 1) for lo in near_cells(pixel(*place), order)]


def _listed(text: str) -> str:
    return str([list(span) for span in spans(text)])


_MEAN = """
FOR i IN 1 .. cardinality(r) BY 6 LOOP
  cx := cx + r[i];
  cy := cy + r[i+1];
  cz := cz + r[i+2];
END LOOP;
size := sqrt(cx * cx + cy * cy + cz * cz);
IF size > 1e-6 THEN
  cx := cx / size;
  cy := cy / size;
  cz := cz / size;
ELSE
  cx := r[1];
  cy := r[2];
  cz := r[3];
END IF;
"""

_AREA = f"""
a := vo_shape(shape);
IF cardinality(a) <= 3 THEN
  RETURN 4 * pi() * power(sin(radians(coalesce(a[3], 0)) / 2), 2) * {SQUARE_DEGREES!r};
END IF;
r := vo_ring(a);
IF r IS NULL THEN RETURN NULL; END IF;
{_MEAN}
size := 0;
FOR i IN 1 .. cardinality(r) BY 6 LOOP
  j := CASE WHEN i > cardinality(r) - 6 THEN 1 ELSE i + 6 END;
  size := size + 2 * atan2(
    cx * ((r[i+1] - cy) * (r[j+2] - cz) - (r[i+2] - cz) * (r[j+1] - cy))
      + cy * ((r[i+2] - cz) * (r[j] - cx) - (r[i] - cx) * (r[j+2] - cz))
      + cz * ((r[i] - cx) * (r[j+1] - cy) - (r[i+1] - cy) * (r[j] - cx)),
    1 + r[i] * r[j] + r[i+1] * r[j+1] + r[i+2] * r[j+2] + r[j] * cx + r[j+1] * cy + r[j+2] * cz
      + cx * r[i] + cy * r[i+1] + cz * r[i+2]);
END LOOP;
size := abs(size) - 4 * pi() * floor(abs(size) / (4 * pi()));
RETURN least(size, 4 * pi() - size) * {SQUARE_DEGREES!r};
"""

_MIDDLE = """
a := vo_shape(shape);
IF cardinality(a) <= 3 THEN RETURN a[part]; END IF;
r := vo_ring(a);
IF r IS NULL THEN RETURN NULL; END IF;
FOR i IN 1 .. cardinality(r) BY 6 LOOP
  j := CASE WHEN i > cardinality(r) - 6 THEN 1 ELSE i + 6 END;
  size := vo_angle(r[i], r[i+1], r[i+2], r[j], r[j+1], r[j+2]);
  cx := cx + size * r[i+3];
  cy := cy + size * r[i+4];
  cz := cz + size * r[i+5];
END LOOP;
IF part = 2 THEN RETURN degrees(atan2(cz, sqrt(cx * cx + cy * cy))); END IF;
size := degrees(atan2(cy, cx));
size := size - 360 * floor(size / 360);
RETURN CASE WHEN size < 360 THEN size ELSE 0 END;
"""

_SPANS = f"""
a := vo_shape(shape);
IF a IS NULL THEN RETURN; END IF;
radius := coalesce(a[3], 0);
IF cardinality(a) > 3 THEN
  r := vo_ring(a);
  IF r IS NULL THEN RETURN; END IF;
  {_MEAN}
  radius := 0;
  FOR i IN 1 .. cardinality(r) BY 6 LOOP
    radius := greatest(radius, degrees(vo_angle(cx, cy, cz, r[i], r[i+1], r[i+2])));
  END LOOP;
  a := ARRAY[degrees(atan2(cy, cx)), degrees(atan2(cz, sqrt(cx * cx + cy * cy)))];
END IF;
cells := least(floor(ln({WIDEST_DEG!r} / (radius + {_MARGIN_DEG!r})) / ln(2::{DOUBLE})), {DEEPEST});
IF cells < 0 THEN
  lo := 0;
  hi := {_SKY};
  RETURN NEXT;
  RETURN;
END IF;
FOR lo IN SELECT k FROM vo_near_cells(vo_pixel(a[1], a[2]), cells) AS k LOOP
  hi := lo + (1::bigint << (2 * (29 - cells))) - 1;
  RETURN NEXT;
END LOOP;
"""  # noqa: S608  numbers of our own

_DECLARE = f"""
a {ARRAY}; r {ARRAY}; size {DOUBLE}; cx {DOUBLE} := 0; cy {DOUBLE} := 0; cz {DOUBLE} := 0; j integer;
"""

FUNCTIONS = (
    Function("vo_area", "shape text", DOUBLE, _AREA, _DECLARE, area),
    Function("vo_centre", "part integer, shape text", DOUBLE, _MIDDLE, _DECLARE, middle),
    Function(
        "vo_spans",
        "shape text",
        "TABLE (lo bigint, hi bigint) ROWS 3",
        _SPANS,
        f"{_DECLARE} radius {DOUBLE}; cells integer;",
        _listed,
    ),
)
"""Area in square degrees; a part of the middle; the cells of a shape as rows, or for SQLite as a list in JSON."""
