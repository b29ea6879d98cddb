"""Where does a direction on the sky fall on a plane that touches the sphere, and back?"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def to_plane(ra_deg: Floats, dec_deg: Floats, ra0_deg: float, dec0_deg: float) -> tuple[Floats, Floats]:
    """Gnomonic projection (Calabretta & Greisen 2002, section 5.1.3).

    Parameters
    ----------
    ra_deg, dec_deg
        Directions, ICRS, any shape; all within 90 degrees of the tangent point.
    ra0_deg, dec0_deg
        The tangent point.

    Returns
    -------
    tuple
        Offsets east and north in degrees, of the shape given.
    """
    ra, dec = np.radians(np.asarray(ra_deg) - ra0_deg), np.radians(dec_deg)
    sin0, cos0 = np.sin(np.radians(dec0_deg)), np.cos(np.radians(dec0_deg))
    depth = sin0 * np.sin(dec) + cos0 * np.cos(dec) * np.cos(ra)
    east = np.cos(dec) * np.sin(ra) / depth
    north = (cos0 * np.sin(dec) - sin0 * np.cos(dec) * np.cos(ra)) / depth
    return np.degrees(east), np.degrees(north)


def to_sky(east_deg: Floats, north_deg: Floats, ra0_deg: float, dec0_deg: float) -> tuple[Floats, Floats]:
    """The inverse of `to_plane`; right ascension in [0, 360) degrees."""
    east, north = np.radians(east_deg), np.radians(north_deg)
    sin0, cos0 = np.sin(np.radians(dec0_deg)), np.cos(np.radians(dec0_deg))
    axis = cos0 - north * sin0
    ra = ra0_deg + np.degrees(np.arctan2(east, axis))
    dec = np.degrees(np.arctan2(sin0 + north * cos0, np.hypot(east, axis)))
    return ra % 360, dec


def separation_deg(ra_deg: Floats, dec_deg: Floats, ra0_deg: float, dec0_deg: float) -> Floats:
    """Angular distance from one point, in degrees (haversine, good at small angles)."""
    ra, dec = np.radians(np.asarray(ra_deg) - ra0_deg), np.radians(dec_deg)
    dec0 = np.radians(dec0_deg)
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin(ra / 2) ** 2
    return np.asarray(2 * np.degrees(np.arcsin(np.sqrt(half))))
