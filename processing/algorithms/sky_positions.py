"""Where on the sky is a pixel?

Pixels are counted as in FITS: the centre of the first is (1, 1). Positions are ICRS, in degrees.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS, WcsError
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import ArrayLike, NDArray

from processing.algorithms.errors import NoWcsError

Degrees = NDArray[np.float64]

_TEXT = re.compile(r"CTYPE[12]|CUNIT[12]|RADESYS|RADECSYS")
_NUMBER = re.compile(
    r"(CRVAL|CRPIX|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|EQUINOX"
    r"|[AB]P?_(ORDER|\d+_\d+)"
)


def sky_positions(x: ArrayLike, y: ArrayLike, header: Mapping[str, Any]) -> tuple[Degrees, Degrees]:
    """Right ascension and declination of pixels.

    Parameters
    ----------
    x, y
        Pixel coordinates along NAXIS1 and NAXIS2, from 1, any one shape.
    header
        The cards of the world coordinate system, name to value; others are passed over.

    Returns
    -------
    ra, dec
        ICRS [deg], 0 <= ra < 360; NaN where the projection has no answer.

    Raises
    ------
    NoWcsError
        The header has no celestial coordinate system, or a broken one.
    """
    wcs = celestial_wcs(header)
    longitude, latitude = wcs.all_pix2world(np.asarray(x, dtype=float), np.asarray(y, dtype=float), 1)
    if _is_icrs(wcs):
        return np.mod(longitude, 360.0), np.asarray(latitude)
    icrs = SkyCoord(longitude, latitude, unit="deg", frame=wcs_to_celestial_frame(wcs)).icrs
    return np.asarray(icrs.ra.deg), np.asarray(icrs.dec.deg)


def pixel_positions(ra: ArrayLike, dec: ArrayLike, header: Mapping[str, Any]) -> tuple[Degrees, Degrees]:
    """Pixel coordinates of positions: the inverse of `sky_positions`, without a limit to the image.

    Parameters
    ----------
    ra, dec
        ICRS [deg].
    header
        As for `sky_positions`.

    Returns
    -------
    x, y
        From 1; NaN where a position is not in the projection's reach, or the distortion could not be undone.

    Raises
    ------
    NoWcsError
        The header has no celestial coordinate system, or a broken one.
    """
    wcs = celestial_wcs(header)
    longitude, latitude = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    if not _is_icrs(wcs):
        native = SkyCoord(longitude, latitude, unit="deg", frame="icrs").transform_to(
            wcs_to_celestial_frame(wcs)
        )
        longitude, latitude = native.spherical.lon.deg, native.spherical.lat.deg
    x, y = wcs.all_world2pix(longitude, latitude, 1, quiet=True)
    return np.asarray(x), np.asarray(y)


def footprint(header: Mapping[str, Any], shape: tuple[int, int]) -> Degrees:
    """The corners of an image, shape ``(4, 2)``: ra, dec, ICRS [deg].

    They are the outer corners of the corner pixels, from the first pixel on, counter-clockwise when viewed from
    the origin toward the sky, as STC 1.33 and DALI 1.1 want polygons: along x first where x grows to the west,
    along y first in a mirrored image.

    Parameters
    ----------
    header
        As for `sky_positions`.
    shape
        ``(ny, nx)`` of the image.

    Raises
    ------
    NoWcsError
        The header has no celestial coordinate system, or a broken one.
    """
    ny, nx = shape
    x, y = np.array([0.5, nx + 0.5, nx + 0.5, 0.5]), np.array([0.5, 0.5, ny + 0.5, ny + 0.5])
    corners = np.column_stack(sky_positions(x, y, header))
    return corners if _counter_clockwise(corners) else np.roll(corners[::-1], 1, axis=0)


def celestial_wcs(header: Mapping[str, Any]) -> WCS:
    """The celestial coordinate system of a header, from the cards that belong to it and no others.

    SIP coefficients count even where the axis types lack the suffix ``-SIP`` that the convention asks for
    (Shupe et al. 2005), as many solved headers do.

    Raises
    ------
    NoWcsError
        There are no celestial axis types on the first two axes, or the cards make no sense.
    """
    cards = {name: value for name, value in header.items() if _belongs(name, value)}
    types = [str(cards.get(f"CTYPE{axis}", "")).strip() for axis in (1, 2)]
    if "A_ORDER" in cards or "B_ORDER" in cards:
        types = [name if name.endswith("-SIP") else f"{name}-SIP" for name in types]
        cards |= {"CTYPE1": types[0], "CTYPE2": types[1]}
    try:
        wcs = WCS(cards, naxis=2, fix=False)
    except (WcsError, ValueError, KeyError, TypeError) as error:
        raise NoWcsError(f"the coordinate system with axes {types} cannot be read: {error}") from error
    if not wcs.has_celestial:
        raise NoWcsError(f"axes of types {types} were given; two celestial axes are expected")
    return wcs


def _belongs(name: str, value: Any) -> bool:
    """Whether a card is one of a celestial coordinate system; a number that is none makes the system unusable."""
    if not _NUMBER.fullmatch(name):
        return bool(_TEXT.fullmatch(name))
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise NoWcsError(f"{name} = {value!r} was given; a finite number is expected")
    return True


def _is_icrs(wcs: WCS) -> bool:
    return bool(wcs_to_celestial_frame(wcs).name == "icrs")


def _counter_clockwise(corners: Degrees) -> bool:
    """Whether a small polygon turns from north over east to south: north up, east left, as the sky is seen."""
    ra, dec = np.radians(corners).T
    points = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    return bool(normal @ points.sum(axis=0) < 0)
