"""When is a direction within a polygon, and how far from its edge? Scalars, for databases, one row at a time.

A polygon becomes a ring: for each vertex its unit vector and the unit normal of the edge that begins there, six
numbers, anticlockwise about the smaller side. A direction is joined to the middle of an edge that it is well off of;
every other edge that this line crosses lies between inside and outside. `datamodel.polygons` does the same for many
directions at once.
"""

import math
from functools import lru_cache

from datamodel.functions import DOUBLE, Function
from datamodel.shape_texts import ARRAY, numbers
from datamodel.shapes import MAX_VERTICES
from datamodel.sphere import EDGE_RAD

Vector = tuple[float, float, float]
Ring = tuple[tuple[Vector, Vector, Vector], ...]
"""For each edge: where it begins and ends, and its normal."""

_UNDECIDED = 1e-9
_EQUAL_2 = EDGE_RAD * EDGE_RAD


def direction(lon: float, lat: float) -> Vector:
    """The unit vector towards a position in degrees."""
    ra, dec = math.radians(lon), math.radians(lat)
    return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)


def dot(p: Vector, q: Vector) -> float:
    """The scalar product."""
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


def cross(p: Vector, q: Vector) -> Vector:
    """The vector product."""
    return p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]


def angle(p: Vector, q: Vector) -> float:
    """Of two unit vectors, in radians, with all digits from 0 to pi."""
    return 2.0 * math.atan2(math.dist(p, q), math.dist(p, (-q[0], -q[1], -q[2])))


def normal(a: Vector, b: Vector) -> Vector:
    """The unit normal of the great circle from `a` to `b`; see `datamodel.sphere.normals`.

    Raises
    ------
    ZeroDivisionError
        They are the same.
    ValueError
        They are antipodes.
    """
    if math.dist(a, (-b[0], -b[1], -b[2])) < _UNDECIDED:
        raise ValueError(a)
    x, y, z = cross((a[0] - b[0], a[1] - b[1], a[2] - b[2]), (a[0] + b[0], a[1] + b[1], a[2] + b[2]))
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


@lru_cache(maxsize=256)
def ring(found: tuple[float, ...]) -> Ring:
    """The edges of a polygon, from the numbers of its vertices.

    Raises
    ------
    ValueError
        Fewer than three vertices differ, neighbours are antipodes, or neither side is smaller.
    """
    places: list[Vector] = []
    for place in map(direction, found[::2], found[1::2]):
        if not places or math.dist(place, places[-1]) > EDGE_RAD:
            places.append(place)
    while len(places) > 1 and math.dist(places[0], places[-1]) <= EDGE_RAD:
        places.pop()
    if not 3 <= len(places) <= MAX_VERTICES:
        raise ValueError(found[:6])
    turned = _turning(places)
    if abs(turned) < _UNDECIDED:
        raise ValueError(found[:6])
    if turned < 0.0:
        places.reverse()
    ends = zip(places, [*places[1:], places[0]], strict=True)
    return tuple((a, b, normal(a, b)) for a, b in ends)


def _turning(places: list[Vector]) -> float:
    """Sum of the turns to the left in radians; positive when the left side is the smaller one."""
    normals = [normal(a, b) for a, b in zip(places, [*places[1:], places[0]], strict=True)]
    total = 0.0
    for i, here in enumerate(places):
        before, after = normals[i - 1], normals[i]
        total += math.atan2(dot(cross(before, after), here), dot(before, after))
    return total


def within(p: Vector, edges: Ring) -> bool:
    """Whether a direction is inside or on the boundary."""
    highest, found = -1.0, edges[0]
    for edge in edges:
        a, b, n = edge
        height = dot(n, p)
        if abs(height) <= EDGE_RAD and _beside(p, edge):
            return True
        if (p[0] - a[0]) ** 2 + (p[1] - a[1]) ** 2 + (p[2] - a[2]) ** 2 <= _EQUAL_2:
            return True
        if abs(height) > highest:
            highest, found = abs(height), edge
    a, b, n = found
    goal = a[0] + b[0], a[1] + b[1], a[2] + b[2]
    walk = cross(p, goal)
    inside = dot(n, p) > 0.0
    for edge in edges:
        if edge is not found and _crossed(p, goal, walk, edge):
            inside = not inside
    return inside


def _beside(p: Vector, edge: tuple[Vector, Vector, Vector]) -> bool:
    a, b, n = edge
    return dot(cross(n, a), p) >= 0.0 and dot(cross(b, n), p) >= 0.0


def _crossed(p: Vector, goal: Vector, walk: Vector, edge: tuple[Vector, Vector, Vector]) -> bool:
    """Whether the way from `p` to `goal` crosses an edge; what is on a line counts as beyond it."""
    a, b, n = edge
    left = dot(walk, a) >= 0.0
    if left == (dot(walk, b) >= 0.0):
        return False
    above = dot(n, p) >= 0.0
    return above != (dot(n, goal) >= 0.0) and above != left


def off(p: Vector, edges: Ring) -> float:
    """The angle in radians from a direction to the nearest point of the boundary."""
    nearest = math.pi
    for edge in edges:
        a, _, n = edge
        nearest = min(nearest, angle(p, a))
        if _beside(p, edge):
            height = abs(dot(n, p))
            nearest = min(nearest, math.atan2(height, math.sqrt(max(0.0, 1.0 - height * height))))
    return nearest


def edges_of(text: str) -> Ring:
    """The ring of a polygon that is a text.

    Raises
    ------
    ValueError
        It is none.
    """
    return ring(numbers(text))


_DECLARE = f"""
x {DOUBLE}; y {DOUBLE}; z {DOUBLE}; size {DOUBLE}; turned {DOUBLE} := 0; a {ARRAY} := '{{}}'; n {ARRAY} := '{{}}';
made {ARRAY} := '{{}}'; count integer := 0; i integer; j integer;
"""

_NORMALS = """
n := '{}';
FOR i IN 1 .. 3 * count BY 3 LOOP
  j := CASE WHEN i > 3 * count - 3 THEN 1 ELSE i + 3 END;
  x := (a[i+1] - a[j+1]) * (a[i+2] + a[j+2]) - (a[i+2] - a[j+2]) * (a[i+1] + a[j+1]);
  y := (a[i+2] - a[j+2]) * (a[i] + a[j]) - (a[i] - a[j]) * (a[i+2] + a[j+2]);
  z := (a[i] - a[j]) * (a[i+1] + a[j+1]) - (a[i+1] - a[j+1]) * (a[i] + a[j]);
  size := sqrt(x * x + y * y + z * z);
  IF size = 0 OR (a[i] + a[j]) * (a[i] + a[j]) + (a[i+1] + a[j+1]) * (a[i+1] + a[j+1])
    + (a[i+2] + a[j+2]) * (a[i+2] + a[j+2]) < 1e-18 THEN RETURN NULL; END IF;
  n[i] := x / size;
  n[i+1] := y / size;
  n[i+2] := z / size;
END LOOP;
"""

_RING = f"""
FOR i IN 1 .. cardinality(vertices) BY 2 LOOP
  x := cos(radians(vertices[i+1])) * cos(radians(vertices[i]));
  y := cos(radians(vertices[i+1])) * sin(radians(vertices[i]));
  z := sin(radians(vertices[i+1]));
  j := 3 * count;
  CONTINUE WHEN count > 0 AND sqrt((x - a[j-2]) * (x - a[j-2]) + (y - a[j-1]) * (y - a[j-1])
    + (z - a[j]) * (z - a[j])) <= {EDGE_RAD!r};
  a[j+1] := x;
  a[j+2] := y;
  a[j+3] := z;
  count := count + 1;
END LOOP;
WHILE count > 1 LOOP
  j := 3 * count;
  EXIT WHEN sqrt((a[1] - a[j-2]) * (a[1] - a[j-2]) + (a[2] - a[j-1]) * (a[2] - a[j-1])
    + (a[3] - a[j]) * (a[3] - a[j])) > {EDGE_RAD!r};
  count := count - 1;
  a := a[1:3 * count];
END LOOP;
IF count NOT BETWEEN 3 AND {MAX_VERTICES} THEN RETURN NULL; END IF;
{_NORMALS}
FOR i IN 1 .. 3 * count BY 3 LOOP
  j := CASE WHEN i = 1 THEN 3 * count - 2 ELSE i - 3 END;
  turned := turned + atan2(
    (n[j+1] * n[i+2] - n[j+2] * n[i+1]) * a[i] + (n[j+2] * n[i] - n[j] * n[i+2]) * a[i+1]
      + (n[j] * n[i+1] - n[j+1] * n[i]) * a[i+2],
    n[j] * n[i] + n[j+1] * n[i+1] + n[j+2] * n[i+2]);
END LOOP;
IF abs(turned) < {_UNDECIDED!r} THEN RETURN NULL; END IF;
IF turned < 0 THEN
  FOR i IN REVERSE 3 * count - 2 .. 1 BY 3 LOOP made := made || a[i:i+2]; END LOOP;
  a := made;
  made := '{{}}';
  {_NORMALS}
END IF;
FOR i IN 1 .. 3 * count BY 3 LOOP made := made || a[i:i+2] || n[i:i+2]; END LOOP;
RETURN made;
"""

_EDGE = """
  j := CASE WHEN i > last - 6 THEN 1 ELSE i + 6 END;
  height := ring[i+3] * x + ring[i+4] * y + ring[i+5] * z;
  beside := (ring[i+4] * ring[i+2] - ring[i+5] * ring[i+1]) * x + (ring[i+5] * ring[i] - ring[i+3] * ring[i+2]) * y
      + (ring[i+3] * ring[i+1] - ring[i+4] * ring[i]) * z >= 0
    AND (ring[j+1] * ring[i+5] - ring[j+2] * ring[i+4]) * x + (ring[j+2] * ring[i+3] - ring[j] * ring[i+5]) * y
      + (ring[j] * ring[i+4] - ring[j+1] * ring[i+3]) * z >= 0;
"""

_WITHIN = f"""
FOR i IN 1 .. last BY 6 LOOP
  {_EDGE}
  IF abs(height) <= {EDGE_RAD!r} AND beside
    OR (x - ring[i]) * (x - ring[i]) + (y - ring[i+1]) * (y - ring[i+1]) + (z - ring[i+2]) * (z - ring[i+2])
      <= {_EQUAL_2!r} THEN
    RETURN true;
  END IF;
  IF abs(height) > highest THEN
    highest := abs(height);
    inside := height > 0;
    chosen := i;
  END IF;
END LOOP;
j := CASE WHEN chosen > last - 6 THEN 1 ELSE chosen + 6 END;
gx := ring[chosen] + ring[j];
gy := ring[chosen+1] + ring[j+1];
gz := ring[chosen+2] + ring[j+2];
wx := y * gz - z * gy;
wy := z * gx - x * gz;
wz := x * gy - y * gx;
FOR i IN 1 .. last BY 6 LOOP
  CONTINUE WHEN i = chosen;
  j := CASE WHEN i > last - 6 THEN 1 ELSE i + 6 END;
  beside := wx * ring[i] + wy * ring[i+1] + wz * ring[i+2] >= 0;
  CONTINUE WHEN beside = (wx * ring[j] + wy * ring[j+1] + wz * ring[j+2] >= 0);
  above := ring[i+3] * x + ring[i+4] * y + ring[i+5] * z >= 0;
  IF above <> (ring[i+3] * gx + ring[i+4] * gy + ring[i+5] * gz >= 0) AND above <> beside THEN
    inside := NOT inside;
  END IF;
END LOOP;
RETURN inside;
"""

_ANGLE = (
    "2 * atan2(sqrt((x - {p}) * (x - {p}) + (y - {q}) * (y - {q}) + (z - {r}) * (z - {r})), "
    "sqrt((x + {p}) * (x + {p}) + (y + {q}) * (y + {q}) + (z + {r}) * (z + {r})))"
)

_OFF = f"""
FOR i IN 1 .. last BY 6 LOOP
  {_EDGE}
  nearest := least(nearest, {_ANGLE.format(p="ring[i]", q="ring[i+1]", r="ring[i+2]")});
  IF beside THEN
    nearest := least(nearest, atan2(abs(height), sqrt(greatest(0, 1 - height * height))));
  END IF;
END LOOP;
RETURN nearest;
"""

_PLACE = f"x {DOUBLE}, y {DOUBLE}, z {DOUBLE}"
_LOOP = f"last integer := cardinality(ring); j integer; height {DOUBLE}; beside boolean;"

FUNCTIONS = (
    Function("vo_ring", f"vertices {ARRAY}", ARRAY, _RING, _DECLARE),
    Function(
        "vo_in_ring",
        f"{_PLACE}, ring {ARRAY}",
        "boolean",
        _WITHIN,
        f"{_LOOP} highest {DOUBLE} := -1; chosen integer; inside boolean; above boolean; "
        f"gx {DOUBLE}; gy {DOUBLE}; gz {DOUBLE}; wx {DOUBLE}; wy {DOUBLE}; wz {DOUBLE};",
    ),
    Function("vo_off_ring", f"{_PLACE}, ring {ARRAY}", DOUBLE, _OFF, f"{_LOOP} nearest {DOUBLE} := pi();"),
    Function(
        "vo_angle",
        f"{_PLACE}, px {DOUBLE}, py {DOUBLE}, pz {DOUBLE}",
        DOUBLE,
        f"SELECT {_ANGLE.format(p='px', q='py', r='pz')}",
        language="sql",
    ),
)
"""For PostgreSQL alone: the ring of the numbers of a polygon, and what `within`, `off` and `angle` do."""
