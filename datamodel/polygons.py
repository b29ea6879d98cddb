"""Which side of a closed line of great-circle arcs is its inside, and how is a point tested against it?

A polygon is reduced to two facts that need only signs of scalar products. Seen from a pole that is outside,
every edge casts a shadow: the spherical triangle of its two ends and the antipode of the pole. A point is
inside when it lies in an odd number of shadows. A convex polygon is also the part that its edges' half-spaces
have in common.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from datamodel.errors import UsageError
from datamodel.sphere import EDGE_RAD, Floats, normals, unit_vectors

_UNDECIDED_RAD = 1e-9


@dataclass(frozen=True, eq=False)
class Outline:
    """A polygon's edges, anticlockwise about its inside as seen from the centre of the sphere's outside.

    Attributes
    ----------
    ra_deg, dec_deg
        The vertices; edge ``i`` goes from vertex ``i`` to the next.
    a, b, n
        Ends and unit normals of the edges, each ``(edges, 3)``; the normals point inwards.
    enters, leaves
        ``(edges, 3)``: of the two planes through the pole and an edge's ends, the one that the edge's shadow
        is on the positive side of (including 0), and the one that it is on the negative side of.
    side
        ``(edges,)``: 1 where the pole is outside the edge's half-space, so that the shadow begins inside it;
        else -1.
    convex
        Whether the edges' half-spaces are enough.
    centre, radius_rad
        A circle that holds the polygon; the radius is pi where no circle smaller than a hemisphere does.
    """

    ra_deg: Floats
    dec_deg: Floats
    a: Floats
    b: Floats
    n: Floats
    enters: Floats
    leaves: Floats
    side: Floats
    convex: bool
    centre: Floats
    radius_rad: float

    @property
    def after(self) -> Floats:
        """``(edges, 3)``: normals of the planes through the edges' beginnings and at right angles to them."""
        return np.cross(self.n, self.a)

    @property
    def before(self) -> Floats:
        """``(edges, 3)``: the same through the edges' ends; what is beside an edge is positive to both."""
        return np.cross(self.b, self.n)

    def contains(self, vectors: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Whether points, unit vectors ``(..., 3)``, are inside or on the boundary; NaN is not."""
        if self.convex:
            return np.asarray((vectors @ self.n.T >= -EDGE_RAD).all(axis=-1))
        beyond = self.side * (vectors @ self.n.T + EDGE_RAD) >= 0.0
        shadow = beyond & (vectors @ self.enters.T >= 0.0) & (vectors @ self.leaves.T < 0.0)
        return np.asarray(shadow.sum(axis=-1) % 2 == 1)


@lru_cache(maxsize=1024)
def outline(vertices: tuple[tuple[float, float], ...]) -> Outline:
    """The edges of the polygon with these (RA, Dec) in degrees, whichever way round they are given.

    Raises
    ------
    UsageError
        When neighbours are antipodes, edges cross, or neither side is smaller than the other.
    """
    ra, dec = np.array(vertices, float).T
    a = unit_vectors(ra, dec)
    _check_edges(vertices, a)
    left = _turning(a)
    if abs(left) < _UNDECIDED_RAD:
        raise UsageError(f"polygon: neither side is smaller in {_quoted(vertices)}")
    if left < 0.0:
        ra, dec, a = ra[::-1], dec[::-1], a[::-1]
    b = np.roll(a, -1, axis=0)
    n = normals(a, b)
    centre, radius = _bounding_circle(a)
    pole = _pole_outside(a, b, n, centre, radius)
    planes = _through(a, pole)
    front = n @ pole < 0.0
    enters = np.where(front[:, None], planes, np.roll(planes, -1, axis=0))
    leaves = np.where(front[:, None], np.roll(planes, -1, axis=0), planes)
    convex = bool((a @ n.T >= -EDGE_RAD).all())
    return Outline(ra, dec, a, b, n, enters, leaves, np.where(front, 1.0, -1.0), convex, centre, radius)


def _quoted(vertices: tuple[tuple[float, float], ...]) -> str:
    return str(vertices)[:200]


def _check_edges(vertices: tuple[tuple[float, float], ...], a: Floats) -> None:
    b = np.roll(a, -1, axis=0)
    opposite = np.linalg.norm(a + b, axis=-1) < _UNDECIDED_RAD
    if opposite.any():
        i = int(np.argmax(opposite))
        raise UsageError(f"polygon: the line from {vertices[i]} to its antipode has no one way to go")
    if (np.linalg.norm(a - b, axis=-1) < 1e-15).any() or _crossings(a, b).any():
        raise UsageError(f"polygon: edges meet or cross between the vertices of {_quoted(vertices)}")


def _crossings(a: Floats, b: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which edges cross which properly, as four orientations of the same sign tell."""
    n = normals(a, b)
    starts, ends = n @ a.T, n @ b.T
    signs = np.stack([-starts, ends, -ends.T, starts.T])
    apart = EDGE_RAD
    return np.asarray((signs > apart).all(axis=0) | (signs < -apart).all(axis=0))


def _turning(a: Floats) -> float:
    """Sum of the turns to the left in radians: 2 pi less the area on the left; positive when that is smaller."""
    n = normals(a, np.roll(a, -1, axis=0))
    before = np.roll(n, 1, axis=0)
    sines = np.einsum("ij,ij->i", np.cross(before, n), a)
    return float(np.arctan2(sines, np.einsum("ij,ij->i", before, n)).sum())


def _bounding_circle(a: Floats) -> tuple[Floats, float]:
    mean = a.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-3:
        return np.array([0.0, 0.0, 1.0]), float(np.pi)
    centre = mean / length
    chord = float(np.linalg.norm(a - centre, axis=-1).max())
    radius = 2.0 * float(np.arcsin(min(1.0, chord / 2.0)))
    return centre, radius if radius < 1.5 else float(np.pi)


def _through(a: Floats, pole: Floats) -> Floats:
    """Unit normals of the planes through the pole and each vertex."""
    return normals(a, np.broadcast_to(pole, a.shape))


def _pole_outside(a: Floats, b: Floats, n: Floats, centre: Floats, radius: float) -> Floats:
    """A direction outside the polygon that is far from its edges' great circles, on the scale of the polygon.

    The antipode of the centre where that will do: the shadows are then no longer than the polygon.
    """
    rng = np.random.default_rng(1)
    nearby = -centre + 0.6 * min(radius, 1.0) * rng.uniform(-1.0, 1.0, (40, 3))
    tried = np.concatenate([-centre[None, :], nearby, rng.normal(size=(80, 3))])
    tried /= np.linalg.norm(tried, axis=-1, keepdims=True)
    margins = np.abs(tried @ n.T).min(axis=1)
    outside = np.array([_is_outside(p, a, b, n) for p in tried[:1]])
    if outside[0] and margins[0] > 1e-3 * min(radius, 1.0):
        return np.asarray(tried[0])
    outside = np.array([_is_outside(p, a, b, n) for p in tried])
    return np.asarray(tried[np.argmax(np.where(outside, margins, -1.0))])


def _is_outside(pole: Floats, a: Floats, b: Floats, n: Floats) -> bool:
    """Whether a walk from the pole to the middle of the longest edge begins outside.

    The side it arrives from is inside or outside, and every crossing on the way changes that.
    """
    longest = int(np.argmax(np.linalg.norm(a - b, axis=-1)))
    goal = (a + b)[longest] / np.linalg.norm((a + b)[longest])
    walk = normals(pole, goal)
    signs = np.stack([-(n @ pole), n @ goal, -(b @ walk), a @ walk])
    crossed = (signs > 0.0).all(axis=0) | (signs < 0.0).all(axis=0)
    others = np.delete(crossed, longest)
    arrives_inside = bool(n[longest] @ pole > 0.0)
    return arrives_inside == bool(others.sum() % 2)
