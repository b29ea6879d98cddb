"""Which order-29 NESTED HEALPix numbers do positions and shapes have?"""

import math
from collections.abc import Callable
from functools import cache

import astropy.units as u
import cdshealpix.nested as nested
import numpy as np
from astropy.coordinates import Latitude, Longitude
from numpy.typing import ArrayLike, NDArray

from datamodel.errors import UsageError
from datamodel.interleaving import gathered
from datamodel.membership import depth as depth_inside
from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import Floats, positions, separation

Ints = NDArray[np.int64]

ORDER = 29
NO_PIXEL = -1
"""The number of a position that is not known; it is in no range."""

SKY = (0, 12 * 4**ORDER - 1)
"""The range of all numbers, both ends inclusive."""

_DEEPEST = 24
"""Cells of 13 milli-arcsec: deeper ones would be near to what rounding moves a position by."""

_MARGIN_DEG = 1e-9
_CELL_DEG = 58.6
"""Square root of the area of a cell of order 0."""


def hpx29(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Ints:
    """NESTED HEALPix numbers of order 29 of ICRS positions, in the shape of the positions.

    A position with a NaN or infinity is not known: its number is `NO_PIXEL`, which is in no range, so that
    it is inside of nothing, like NULL.

    Raises
    ------
    UsageError
        When a declination is outside -90..90.
    """
    ra, dec = np.broadcast_arrays(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
    known = np.isfinite(ra) & np.isfinite(dec)
    wrong = known & (np.abs(dec) > 90.0)
    if wrong.any():
        raise UsageError(f"declination {float(dec[wrong].flat[0])!r} is not in -90..90 degrees")
    found = np.full(ra.shape, NO_PIXEL, np.int64)
    if known.any():
        found[known] = nested.lonlat_to_healpix(
            Longitude(ra[known] % 360.0, u.deg), Latitude(dec[known], u.deg), ORDER
        ).astype(np.int64)
    return found


def cover(shape: Shape, max_ranges: int = 32) -> list[tuple[int, int]]:
    """Ranges of order-29 numbers that hold every point of a shape, and some around it.

    Returns
    -------
    list of (lo, hi)
        Both ends inclusive; sorted, apart from one another, at most `max_ranges`.
    """
    lo, hi = cells(shape, max_ranges)
    order = np.argsort(lo)
    lo, hi = lo[order], hi[order]
    gaps = lo[1:] - hi[:-1] - 1
    least = 0 if np.count_nonzero(gaps) < max_ranges else np.sort(gaps)[-max_ranges]
    cuts = np.flatnonzero(gaps > least) + 1
    return list(zip(lo[[0, *cuts]].tolist(), hi[[*(cuts - 1), -1]].tolist(), strict=True))


def cells(shape: Shape, fineness: int = 32, deepest: int = _DEEPEST) -> tuple[Ints, Ints]:
    """First and last order-29 numbers of disjoint HEALPix cells that hold every point of a shape; unsorted.

    Parameters
    ----------
    fineness
        About how many ranges the cells should come to.
    deepest
        The highest order of a cell.
    """
    centre, radius = _BOUNDS[type(shape)](shape)
    order = _order_of_size(min(radius, 60.0) / 2.0, deepest)
    found = _cells_near(centre, radius, order) if radius < 60.0 else np.arange(12 * 4**order)
    return _refine(shape, found, order, fineness, deepest)


def _order_of_size(size_deg: float, deepest: int) -> int:
    """The least order whose cells are not larger."""
    return max(0, min(deepest, math.ceil(math.log2(_CELL_DEG / max(size_deg, _MARGIN_DEG)))))


def _cells_near(centre: tuple[float, float], radius: float, order: int) -> Ints:
    """All cells of an order that a circle in degrees touches, and more.

    The search may overlook a cell whose corner alone is touched, by up to a tenth of a cell: so it is given
    a circle that is larger by a whole one.
    """
    found, _, _ = nested.cone_search(
        Longitude(centre[0] % 360.0, u.deg),
        Latitude(centre[1], u.deg),
        (radius + _CELL_DEG / 2**order) * u.deg,
        order,
        depth_delta=0,
        flat=True,
    )
    return np.asarray(found, np.int64)


def _spans(found: Ints, orders: Ints | int) -> tuple[Ints, Ints]:
    shift = 2 * (ORDER - np.asarray(orders, np.int64))
    return found << shift, ((found + 1) << shift) - 1


def _refine(shape: Shape, found: Ints, order: int, fineness: int, deepest: int) -> tuple[Ints, Ints]:
    """Keep the cells that touch the shape, and quarter those on its boundary until there are enough."""
    spans: list[tuple[Ints, Ints]] = []
    while True:
        inside = depth_inside(shape, centres(found, order))
        reach = _reach_rad(order)
        spans.append(_spans(found[inside >= reach], order))
        edge = found[(inside >= -reach) & (inside < reach)]
        if len(edge) >= 2 * fineness or order == deepest or not len(edge):
            spans.append(_spans(edge, order))
            return np.concatenate([s[0] for s in spans]), np.concatenate([s[1] for s in spans])
        found, order = (4 * edge[:, None] + np.arange(4)).ravel(), order + 1


def centres(found: Ints, order: int) -> Floats:
    """Unit vectors, ``(cells, 3)``, of the centres of NESTED cells of an order.

    Gorski et al. 2005, section 5.3: a cell's place in its base cell gives its ring and its place on the ring.
    """
    side = 1 << order
    base, within = found >> (2 * order), found & (side * side - 1)
    x, y = gathered(within), gathered(within >> 1)
    ring = (_BASE_RING[base] << order) - x - y - 1
    on_ring = np.minimum(np.minimum(ring, 4 * side - ring), side)
    below = np.where(on_ring < side, (on_ring / side) ** 2 / 3.0, 1.0 - np.abs(2.0 - ring / side) * 2.0 / 3.0)
    z = np.where(ring < 2 * side, 1.0 - below, below - 1.0)
    ra = (_BASE_COLUMN[base] * on_ring + x - y) * (np.pi / 4.0) / on_ring
    width = np.sqrt(below * (2.0 - below))
    return np.stack([width * np.cos(ra), width * np.sin(ra), z], axis=-1)


_BASE_RING = np.repeat([2, 3, 4], 4)
_BASE_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])


@cache
def _reach_rad(order: int) -> float:
    """More than the angle from the centre of any cell of an order to any of its points.

    The widest cells touch the parallels where the polar caps begin, z = 2/3 (Gorski et al. 2005, section
    5.3).
    """
    side = 2**order
    corner_z = 1.0 - (1.0 - 1.0 / side) ** 2 / 3.0
    corner_dec = math.degrees(math.asin(corner_z))
    widest = separation(45.0 / side, math.degrees(math.asin(2.0 / 3.0)), 0.0, corner_dec)
    return math.radians(float(widest)) * 1.01 + math.radians(_MARGIN_DEG)


def _polygon_bounds(polygon: Polygon) -> tuple[tuple[float, float], float]:
    edges = outline(polygon.vertices)
    ra, dec = positions(edges.centre)
    return (float(ra), float(dec)), math.degrees(edges.radius_rad)


def _range_bounds(box: Range) -> tuple[tuple[float, float], float]:
    """A circle about the middle; the farthest point of a range narrower than 180 degrees is a corner."""
    width = box.ra_hi - box.ra_lo
    centre = (box.ra_lo + box.ra_hi) / 2.0, (box.dec_lo + box.dec_hi) / 2.0
    if width > 90.0:
        return centre, 180.0
    on_equator = min(max(box.dec_lo, 0.0), box.dec_hi)
    corners = [separation(*centre, box.ra_lo, dec) for dec in (box.dec_lo, on_equator, box.dec_hi)]
    return centre, float(max(corners))


_BOUNDS: dict[type, Callable[..., tuple[tuple[float, float], float]]] = {
    Point: lambda s: ((s.ra, s.dec), 0.0),
    Circle: lambda s: ((s.ra, s.dec), s.radius),
    Polygon: _polygon_bounds,
    Range: _range_bounds,
}
