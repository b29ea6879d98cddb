"""Which points are inside a shape, and how far are they from its boundary? Numpy; no database, no index."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamodel.polygons import outline
from datamodel.shapes import Circle, Point, Polygon, Range, Shape
from datamodel.sphere import EDGE_RAD, Floats, angles, arc_distances, positions, separation, unit_vectors


def contains(shape: Shape, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
    """Whether positions in degrees are inside or on the boundary; NaN is not.

    A range is one of coordinates: at a pole the right ascension still counts.
    """
    ra, dec = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
    return np.asarray(_CONTAINS[type(shape)](shape, ra, dec))


def _in_circle(circle: Point | Circle, ra: Floats, dec: Floats) -> NDArray[np.bool_]:
    radius = circle.radius if isinstance(circle, Circle) else 0.0
    return np.asarray(separation(ra, dec, circle.ra, circle.dec) <= radius + np.degrees(EDGE_RAD))


def _in_polygon(polygon: Polygon, ra: Floats, dec: Floats) -> NDArray[np.bool_]:
    return outline(polygon.vertices).contains(unit_vectors(ra, dec))


def _in_range(box: Range, ra: Floats, dec: Floats) -> NDArray[np.bool_]:
    turns = ((ra >= box.ra_lo + turn) & (ra <= box.ra_hi + turn) for turn in (-360.0, 0.0, 360.0))
    between = (dec >= box.dec_lo) & (dec <= box.dec_hi)
    return np.asarray(np.logical_or.reduce(list(turns)) & between)


_CONTAINS: dict[type, Callable[..., NDArray[np.bool_]]] = {
    Point: _in_circle,
    Circle: _in_circle,
    Polygon: _in_polygon,
    Range: _in_range,
}


def depth(shape: Shape, vectors: Floats) -> Floats:
    """How deep points, unit vectors ``(points, 3)``, are inside a shape, in radians; negative outside.

    The distance to the boundary, or less outside a range.
    """
    found: Floats = _DEPTH[type(shape)](shape, vectors)
    return found


def _circle_depth(circle: Point | Circle, vectors: Floats) -> Floats:
    radius = circle.radius if isinstance(circle, Circle) else 0.0
    if radius == 180.0:
        return np.full(len(vectors), np.inf)
    return np.asarray(
        np.radians(radius) - angles(vectors, unit_vectors(circle.ra, circle.dec)[None, :])[:, 0]
    )


def _polygon_depth(polygon: Polygon, vectors: Floats) -> Floats:
    edges = outline(polygon.vertices)
    distance = arc_distances(vectors, edges.a, edges.b, edges.n).min(axis=1)
    return np.asarray(np.where(edges.contains(vectors), distance, -distance))


def _range_depth(box: Range, vectors: Floats) -> Floats:
    ra, dec = positions(vectors)
    below = dec - box.dec_lo if box.dec_lo > -90.0 else np.inf
    above = box.dec_hi - dec if box.dec_hi < 90.0 else np.inf
    between = np.radians(np.minimum(below, above))
    if box.all_round:
        return np.asarray(np.broadcast_to(between, ra.shape))
    aside = np.minimum(_to_meridian(ra - box.ra_lo, dec), _to_meridian(ra - box.ra_hi, dec))
    within = (ra - box.ra_lo) % 360.0 <= box.ra_hi - box.ra_lo
    return np.asarray(np.minimum(between, np.where(within, aside, -aside)))


def _to_meridian(d_ra: Floats, dec: Floats) -> Floats:
    """Angles in radians from positions to half a great circle from pole to pole, `d_ra` degrees away."""
    ahead = np.cos(np.radians(d_ra)) >= 0.0
    across = np.arcsin(np.abs(np.cos(np.radians(dec)) * np.sin(np.radians(d_ra))))
    return np.where(ahead, across, np.radians(90.0 - np.abs(dec)))


_DEPTH: dict[type, Callable[..., Floats]] = {
    Point: _circle_depth,
    Circle: _circle_depth,
    Polygon: _polygon_depth,
    Range: _range_depth,
}
