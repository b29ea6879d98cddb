"""Do two shapes that are texts meet, and does one hold the other? For databases, one pair at a time.

Shapes contain their boundaries, to within `EDGE_RAD`. Two polygons meet where a vertex of either is in the other or
edges cross; one holds the other when all of the other's boundary is in it, and none of its vertices is inside of the
other. That boundary is cut wherever it touches an edge, and the middles of the pieces are tested. A polygon is in a
circle that its boundary does not leave, unless the circle's antipode is in the polygon.
"""

import itertools
import math
from collections.abc import Iterator

from datamodel.functions import DOUBLE, Function
from datamodel.rings import Ring, Vector, angle, cross, direction, dot, off, ring, within
from datamodel.shape_texts import ARRAY, numbers
from datamodel.sphere import EDGE_RAD

_TINY = 1e-13
"""Radians; shorter pieces of an edge are no pieces."""

Shape = tuple[float, ...]


def meets(one: str, other: str) -> bool:
    """Whether two shapes have a point in common.

    Raises
    ------
    ValueError
        One of them is no shape.
    """
    a, b = numbers(one), numbers(other)
    if len(a) > 3:
        a, b = b, a
    if len(b) <= 3:
        between = angle(direction(*a[:2]), direction(*b[:2]))
        return between <= _radius(a) + _radius(b) + EDGE_RAD
    edges = ring(b)
    if len(a) > 3:
        return _rings_meet(ring(a), edges)
    centre = direction(*a[:2])
    return within(centre, edges) or (len(a) == 3 and off(centre, edges) <= _radius(a) + EDGE_RAD)


def holds(outer: str, inner: str) -> bool:
    """Whether all of `inner` is in `outer`.

    Raises
    ------
    ValueError
        One of them is no shape.
    """
    a, b = numbers(outer), numbers(inner)
    if len(a) <= 3:
        return _circle_holds(direction(*a[:2]), _radius(a), b)
    edges = ring(a)
    if len(b) > 3:
        return _ring_holds(edges, ring(b))
    centre = direction(*b[:2])
    return within(centre, edges) and (len(b) == 2 or off(centre, edges) >= _radius(b) - EDGE_RAD)


def _radius(shape: Shape) -> float:
    return math.radians(shape[2]) if len(shape) == 3 else 0.0


def _circle_holds(centre: Vector, radius: float, inner: Shape) -> bool:
    if len(inner) <= 3:
        reach = angle(centre, direction(*inner[:2])) + _radius(inner)
        return min(math.pi, reach) <= radius + EDGE_RAD
    antipode = -centre[0], -centre[1], -centre[2]
    edges, rest = ring(inner), math.pi - radius
    return rest <= EDGE_RAD or (not within(antipode, edges) and off(antipode, edges) >= rest - EDGE_RAD)


def _rings_meet(one: Ring, other: Ring) -> bool:
    return (
        any(within(a, other) for a, _, _ in one)
        or any(within(a, one) for a, _, _ in other)
        or any(_cross(e, f) for e in one for f in other)
    )


def _cross(one: tuple[Vector, Vector, Vector], other: tuple[Vector, Vector, Vector]) -> bool:
    """Whether each begins and ends on different sides of the other, in the order that arcs that cross do."""
    (a, b, n), (c, d, m) = one, other
    above = dot(n, c) >= 0.0
    left = dot(m, a) >= 0.0
    return above != (dot(n, d) >= 0.0) and left != (dot(m, b) >= 0.0) and above != left


def _ring_holds(outer: Ring, inner: Ring) -> bool:
    middles = (middle for edge in inner for middle in _middles(edge, outer))
    if not all(within(middle, outer) for middle in middles):
        return False
    return not any(within(a, inner) and off(a, inner) > _TINY for a, _, _ in outer)


def _middles(edge: tuple[Vector, Vector, Vector], outer: Ring) -> Iterator[Vector]:
    """The middles of the pieces of an edge that the edges of another ring cut it into."""
    a, b, n = edge
    up = cross(n, a)
    cuts = sorted([0.0, angle(a, b), *_cuts(a, n, up, angle(a, b), outer)])
    for start, end in itertools.pairwise(cuts):
        if end - start > _TINY:
            cosine, sine = math.cos((start + end) / 2.0), math.sin((start + end) / 2.0)
            yield cosine * a[0] + sine * up[0], cosine * a[1] + sine * up[1], cosine * a[2] + sine * up[2]


def _cuts(a: Vector, n: Vector, up: Vector, length: float, outer: Ring) -> Iterator[float]:
    for c, d, m in outer:
        found = [c] if abs(dot(n, c)) <= EDGE_RAD else []
        line = cross(n, m)
        size = math.sqrt(dot(line, line))
        if size > _TINY:
            x = line[0] / size, line[1] / size, line[2] / size
            found += [x, (-x[0], -x[1], -x[2])]
        for x in found:
            along = math.atan2(dot(up, x), dot(a, x))
            on = dot(cross(m, c), x) >= -EDGE_RAD and dot(cross(d, m), x) >= -EDGE_RAD
            if 0.0 < along < length and (on or x is c):
                yield along


_READ = """
a := vo_shape({0});
b := vo_shape({1});
IF a IS NULL OR b IS NULL THEN RETURN NULL; END IF;
"""

_TURN = """
IF cardinality(a) > 3 THEN
  r := a;
  a := b;
  b := r;
END IF;
"""

_DIRECTION = """
x := cos(radians({0}[2])) * cos(radians({0}[1]));
y := cos(radians({0}[2])) * sin(radians({0}[1]));
z := sin(radians({0}[2]));
"""

_BETWEEN = """vo_angle(x, y, z, cos(radians(b[2])) * cos(radians(b[1])),
  cos(radians(b[2])) * sin(radians(b[1])), sin(radians(b[2])))"""

_MEETS = f"""
{_READ.format("one", "other")}{_TURN}
IF cardinality(b) <= 3 THEN
  {_DIRECTION.format("a")}
  RETURN {_BETWEEN} <= radians(coalesce(a[3], 0)) + radians(coalesce(b[3], 0)) + {EDGE_RAD!r};
END IF;
b := vo_ring(b);
IF b IS NULL THEN RETURN NULL; END IF;
IF cardinality(a) <= 3 THEN
  {_DIRECTION.format("a")}
  RETURN vo_in_ring(x, y, z, b)
    OR cardinality(a) = 3 AND vo_off_ring(x, y, z, b) <= radians(a[3]) + {EDGE_RAD!r};
END IF;
a := vo_ring(a);
IF a IS NULL THEN RETURN NULL; END IF;
FOR i IN 1 .. cardinality(a) BY 6 LOOP
  IF vo_in_ring(a[i], a[i+1], a[i+2], b) THEN RETURN true; END IF;
END LOOP;
FOR i IN 1 .. cardinality(b) BY 6 LOOP
  IF vo_in_ring(b[i], b[i+1], b[i+2], a) THEN RETURN true; END IF;
END LOOP;
FOR i IN 1 .. cardinality(a) BY 6 LOOP
  k := CASE WHEN i > cardinality(a) - 6 THEN 1 ELSE i + 6 END;
  FOR j IN 1 .. cardinality(b) BY 6 LOOP
    above := a[i+3] * b[j] + a[i+4] * b[j+1] + a[i+5] * b[j+2] >= 0;
    aside := b[j+3] * a[i] + b[j+4] * a[i+1] + b[j+5] * a[i+2] >= 0;
    CONTINUE WHEN above = aside OR aside = (b[j+3] * a[k] + b[j+4] * a[k+1] + b[j+5] * a[k+2] >= 0);
    l := CASE WHEN j > cardinality(b) - 6 THEN 1 ELSE j + 6 END;
    IF above <> (a[i+3] * b[l] + a[i+4] * b[l+1] + a[i+5] * b[l+2] >= 0) THEN RETURN true; END IF;
  END LOOP;
END LOOP;
RETURN false;
"""

_HOLDS = f"""
{_READ.format("outside", "inside")}
IF cardinality(a) <= 3 THEN
  {_DIRECTION.format("a")}
  size := radians(coalesce(a[3], 0));
  IF cardinality(b) <= 3 THEN
    RETURN least(pi(), {_BETWEEN} + radians(coalesce(b[3], 0))) <= size + {EDGE_RAD!r};
  END IF;
  r := vo_ring(b);
  IF r IS NULL THEN RETURN NULL; END IF;
  RETURN pi() - size <= {EDGE_RAD!r}
    OR NOT vo_in_ring(-x, -y, -z, r) AND vo_off_ring(-x, -y, -z, r) >= pi() - size - {EDGE_RAD!r};
END IF;
r := vo_ring(a);
IF r IS NULL THEN RETURN NULL; END IF;
IF cardinality(b) <= 3 THEN
  {_DIRECTION.format("b")}
  RETURN vo_in_ring(x, y, z, r)
    AND (cardinality(b) = 2 OR vo_off_ring(x, y, z, r) >= radians(b[3]) - {EDGE_RAD!r});
END IF;
b := vo_ring(b);
IF b IS NULL THEN RETURN NULL; END IF;
RETURN vo_ring_in_ring(b, r);
"""

_CUT = """
along := atan2(ux * x + uy * y + uz * z, a[i] * x + a[i+1] * y + a[i+2] * z);
IF along > 0 AND along < size THEN cuts := cuts || along; END IF;
"""

_RING_HOLDS = f"""
FOR i IN 1 .. cardinality(a) BY 6 LOOP
  k := CASE WHEN i > cardinality(a) - 6 THEN 1 ELSE i + 6 END;
  ux := a[i+4] * a[i+2] - a[i+5] * a[i+1];
  uy := a[i+5] * a[i] - a[i+3] * a[i+2];
  uz := a[i+3] * a[i+1] - a[i+4] * a[i];
  size := vo_angle(a[i], a[i+1], a[i+2], a[k], a[k+1], a[k+2]);
  cuts := ARRAY[0, size];
  FOR j IN 1 .. cardinality(b) BY 6 LOOP
    l := CASE WHEN j > cardinality(b) - 6 THEN 1 ELSE j + 6 END;
    IF abs(a[i+3] * b[j] + a[i+4] * b[j+1] + a[i+5] * b[j+2]) <= {EDGE_RAD!r} THEN
      x := b[j];
      y := b[j+1];
      z := b[j+2];
      {_CUT}
    END IF;
    x := a[i+4] * b[j+5] - a[i+5] * b[j+4];
    y := a[i+5] * b[j+3] - a[i+3] * b[j+5];
    z := a[i+3] * b[j+4] - a[i+4] * b[j+3];
    s := sqrt(x * x + y * y + z * z);
    CONTINUE WHEN s <= {_TINY!r};
    FOR sign IN 0 .. 1 LOOP
      x := x / CASE WHEN sign = 0 THEN s ELSE -1 END;
      y := y / CASE WHEN sign = 0 THEN s ELSE -1 END;
      z := z / CASE WHEN sign = 0 THEN s ELSE -1 END;
      CONTINUE WHEN (b[j+4] * b[j+2] - b[j+5] * b[j+1]) * x + (b[j+5] * b[j] - b[j+3] * b[j+2]) * y
          + (b[j+3] * b[j+1] - b[j+4] * b[j]) * z < -{EDGE_RAD!r}
        OR (b[l+1] * b[j+5] - b[l+2] * b[j+4]) * x + (b[l+2] * b[j+3] - b[l] * b[j+5]) * y
          + (b[l] * b[j+4] - b[l+1] * b[j+3]) * z < -{EDGE_RAD!r};
      {_CUT}
    END LOOP;
  END LOOP;
  cuts := ARRAY(SELECT cut FROM unnest(cuts) AS cut ORDER BY 1);
  FOR j IN 2 .. cardinality(cuts) LOOP
    CONTINUE WHEN cuts[j] - cuts[j-1] <= {_TINY!r};
    along := (cuts[j] + cuts[j-1]) / 2;
    IF NOT vo_in_ring(cos(along) * a[i] + sin(along) * ux, cos(along) * a[i+1] + sin(along) * uy,
        cos(along) * a[i+2] + sin(along) * uz, b) THEN
      RETURN false;
    END IF;
  END LOOP;
END LOOP;
FOR j IN 1 .. cardinality(b) BY 6 LOOP
  IF vo_in_ring(b[j], b[j+1], b[j+2], a) AND vo_off_ring(b[j], b[j+1], b[j+2], a) > {_TINY!r} THEN
    RETURN false;
  END IF;
END LOOP;
RETURN true;
"""  # noqa: S608  numbers of our own

_VECTOR = f"x {DOUBLE}; y {DOUBLE}; z {DOUBLE}; size {DOUBLE};"

FUNCTIONS = (
    Function(
        "vo_ring_in_ring",
        f"a {ARRAY}, b {ARRAY}",
        "boolean",
        _RING_HOLDS,
        f"{_VECTOR} ux {DOUBLE}; uy {DOUBLE}; uz {DOUBLE}; s {DOUBLE}; along {DOUBLE}; cuts {ARRAY}; "
        "k integer; l integer;",
    ),
    Function(
        "vo_meets",
        "one text, other text",
        "boolean",
        _MEETS,
        f"a {ARRAY}; b {ARRAY}; r {ARRAY}; {_VECTOR} k integer; l integer; above boolean; aside boolean;",
        meets,
    ),
    Function(
        "vo_holds",
        "outside text, inside text",
        "boolean",
        _HOLDS,
        f"a {ARRAY}; b {ARRAY}; r {ARRAY}; {_VECTOR}",
        holds,
    ),
)
"""Whether two shapes meet; whether the first holds the second."""
