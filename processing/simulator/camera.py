"""Where does a star really fall on the four chips, and where does the header say it does?"""

from dataclasses import dataclass

import numpy as np

from processing.simulator.plan import Exposure, SurveyPlan
from processing.simulator.projection import Floats, to_plane, to_sky

DISTORTION_PER_DEG2 = 0.0015
"""k in: true distance = r (1 + k r^2), r the ideal distance from the optical axis in degrees."""

SATURATION_ADU = 65535
"""The converter has 16 bits; charge does not bleed."""


@dataclass(frozen=True)
class Chip:
    """One detector of the mosaic and its electronics.

    Attributes
    ----------
    number
        From 1; the third word of every seed.
    column, row
        Place in the 2 x 2 mosaic: column 0 is east, row 0 is south.
    bias_adu, read_noise_e, gain_e_per_adu, dark_e_per_s
        Bias level, read noise per pixel, conversion, and dark current of an ordinary pixel.
    efficiency
        Quantum efficiency relative to the mean chip; part of the flat field.
    """

    name: str
    number: int
    column: int
    row: int
    bias_adu: float
    read_noise_e: float
    gain_e_per_adu: float
    dark_e_per_s: float
    efficiency: float


CHIPS: dict[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip("A5382", 1, 0, 0, 300.0, 4.4, 2.0, 0.05, 1.00),
        Chip("ccd50", 2, 1, 0, 325.0, 4.5, 2.1, 0.04, 0.97),
        Chip("ccd53", 3, 0, 1, 350.0, 4.6, 2.2, 0.06, 1.03),
        Chip("ccd54", 4, 1, 1, 375.0, 4.7, 2.3, 0.05, 0.99),
    )
}


@dataclass(frozen=True)
class Pointing:
    """Where the optical axis meets the sky (ICRS) and how far the camera is turned, east of north."""

    ra_deg: float
    dec_deg: float
    rotation_deg: float = 0.0


def nominal_pointing(exposure: Exposure) -> Pointing:
    """Where the telescope was sent: what the headers believe."""
    return Pointing(exposure.ra_deg, exposure.dec_deg)


def axis_pixel(plan: SurveyPlan, chip: Chip) -> tuple[float, float]:
    """The optical axis in the chip's pixels, ``(x, y)``, the first pixel's centre being (0, 0)."""
    ny, nx = plan.chip_shape
    x, y = (
        -0.5 - plan.gap_px / 2 if place else n - 0.5 + plan.gap_px / 2
        for place, n in ((chip.column, nx), (chip.row, ny))
    )
    return x, y


def linear_wcs(plan: SurveyPlan, chip: Chip, pointing: Pointing) -> dict[str, str | float]:
    """Keywords of the distortion-free projection of a chip (Greisen & Calabretta 2002); 1-based pixels."""
    x, y = axis_pixel(plan, chip)
    scale = plan.pixel_scale_arcsec / 3600
    return {
        "WCSAXES": 2,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRVAL1": pointing.ra_deg,
        "CRVAL2": pointing.dec_deg,
        "CRPIX1": x + 1,
        "CRPIX2": y + 1,
        "CD1_1": -scale,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": scale,
        "RADESYS": "ICRS",
        "EQUINOX": 2000.0,
    }


def pixel_to_sky(
    plan: SurveyPlan, chip: Chip, pointing: Pointing, x: Floats, y: Floats
) -> tuple[Floats, Floats]:
    """True (ra, dec) in degrees of 0-based pixel positions, with distortion and rotation."""
    east, north = pixel_to_focal(plan, chip, x, y)
    stretch = 1 + DISTORTION_PER_DEG2 * (east**2 + north**2)
    turned = _turn(east * stretch, north * stretch, pointing.rotation_deg)
    return to_sky(*turned, pointing.ra_deg, pointing.dec_deg)


def sky_to_pixel(
    plan: SurveyPlan, chip: Chip, pointing: Pointing, ra_deg: Floats, dec_deg: Floats
) -> tuple[Floats, Floats]:
    """True 0-based pixel positions (x, y) of directions near the pointing: inverts `pixel_to_sky`."""
    projected = to_plane(ra_deg, dec_deg, pointing.ra_deg, pointing.dec_deg)
    east, north = _turn(*projected, -pointing.rotation_deg)
    shrink = _ideal_fraction(east**2 + north**2)
    x0, y0 = axis_pixel(plan, chip)
    scale = plan.pixel_scale_arcsec / 3600
    return x0 - east * shrink / scale, y0 + north * shrink / scale


def pixel_to_focal(plan: SurveyPlan, chip: Chip, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Ideal offsets east and north from the optical axis, in degrees, of 0-based pixel positions."""
    x0, y0 = axis_pixel(plan, chip)
    scale = plan.pixel_scale_arcsec / 3600
    return (x0 - x) * scale, (y - y0) * scale


def _ideal_fraction(distorted_squared: Floats) -> Floats:
    """Solve r = f d for f, where d = r (1 + k r^2), from d^2; Newton's method on f (1 + k d^2 f^2) = 1."""
    k = DISTORTION_PER_DEG2 * distorted_squared
    f = np.ones_like(k)
    for _ in range(4):
        f = f - (f + k * f**3 - 1) / (1 + 3 * k * f**2)
    return f


def _turn(east: Floats, north: Floats, angle_deg: float) -> tuple[Floats, Floats]:
    """Rotate offsets from north towards east."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return east * c + north * s, north * c - east * s
