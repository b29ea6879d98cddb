"""How directions, great circles and angles on the sky are computed with numpy.

A vector is a unit vector of shape ``(..., 3)`` towards (RA, Dec): x to (0, 0), z to Dec +90.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

EDGE_RAD = 1e-14
"""Half the width of a boundary in radians (2 nano-arcsec): what is so near to a boundary is inside."""


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Unit vectors, shape ``(..., 3)``, towards positions in degrees; NaN gives NaN."""
    ra, dec = np.radians(np.asarray(ra_deg, float)), np.radians(np.asarray(dec_deg, float))
    return np.stack(np.broadcast_arrays(np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)), -1)


def positions(vectors: Floats) -> tuple[Floats, Floats]:
    """RA in [0, 360) and Dec in degrees of vectors of any length, shape ``(..., 3)``."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(ra == 360.0, 0.0, ra), np.degrees(np.arctan2(z, np.hypot(x, y)))


def separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Floats:
    """Angle between positions, all in degrees, accurate from 0 to 180.

    The haversine of the angle and the haversine of its supplement are both sums of positive terms, so
    that neither loses digits; their roots are the sine and cosine of half the angle.
    """
    ra1, dec1, ra2, dec2 = (np.asarray(a, float) for a in (ra1, dec1, ra2, dec2))
    near = _haversine(ra1 - ra2, dec1 - dec2, dec1, dec2)
    far = _haversine(ra1 - ra2 - 180.0, dec1 + dec2, dec1, dec2)
    return np.asarray(2.0 * np.degrees(np.arctan2(np.sqrt(near), np.sqrt(far))))


def _haversine(d_ra: Floats, d_dec: Floats, dec1: Floats, dec2: Floats) -> Floats:
    cosines = np.cos(np.radians(dec1)) * np.cos(np.radians(dec2))
    half_ra, half_dec = np.radians(d_ra) / 2.0, np.radians(d_dec) / 2.0
    return np.asarray(np.sin(half_dec) ** 2 + cosines * np.sin(half_ra) ** 2)


def normals(a: Floats, b: Floats) -> Floats:
    """Unit normals, shape ``(..., 3)``, of the great circles from `a` to `b`; the left side is positive.

    ``a x b = (a - b) x (a + b) / 2``: the difference of near vectors is exact, so the normal of the
    shortest arc is as good as that of a long one.
    """
    cross = np.cross(a - b, a + b)
    return np.asarray(cross / np.linalg.norm(cross, axis=-1, keepdims=True))


def arc_distances(points: Floats, a: Floats, b: Floats, n: Floats) -> Floats:
    """Angles in radians, shape ``(points, arcs)``, from points to arcs from `a` to `b` with normals `n`."""
    across = np.arcsin(np.clip(np.abs(points @ n.T), 0.0, 1.0))
    beside = (points @ np.cross(n, a).T >= 0.0) & (points @ np.cross(n, b).T <= 0.0)
    return np.where(beside, across, np.minimum(angles(points, a), angles(points, b)))


def angles(points: Floats, others: Floats) -> Floats:
    """Angles in radians, shape ``(points, others)``."""
    near, far = points[:, None, :] - others[None, :, :], points[:, None, :] + others[None, :, :]
    squares = (np.einsum("ijk,ijk->ij", d, d) for d in (near, far))
    return np.asarray(2.0 * np.arctan2(*map(np.sqrt, squares)))
