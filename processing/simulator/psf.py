"""What does a star look like on a chip?"""

import numpy as np
import numpy.typing as npt

from processing.simulator.projection import Floats

HALF_SIZES = (8, 16, 32, 64)
"""Half sides of the stamps in pixels; a star takes the smallest that holds its visible wings."""

FAINTEST_WING_E = 0.02
"""A stamp ends where the star gives fewer electrons a pixel than this (or at 64 pixels)."""

STARS_AT_ONCE = 64


def alpha_px(fwhm_px: float) -> float:
    """Scale of a Moffat profile with beta = 3 (Moffat 1969) from its full width at half maximum."""
    return float(fwhm_px / (2 * np.sqrt(2 ** (1 / 3) - 1)))


def peak_fraction(fwhm_px: float) -> float:
    """Part of the light that falls on the pixel the star is centred on."""
    return float(2 / (np.pi * alpha_px(fwhm_px) ** 2))


def render(shape: tuple[int, int], x: Floats, y: Floats, flux_e: Floats, fwhm_px: float) -> Floats:
    """Stars as Moffat profiles (beta = 3) sampled at the pixel centres.

    Parameters
    ----------
    shape
        ``(ny, nx)`` of the image.
    x, y
        Centres in pixels, the first pixel's centre being (0, 0), shape ``(n,)``; stars off the chip give
        it what reaches it.
    flux_e
        Total light of each star in electrons, shape ``(n,)``.

    Returns
    -------
    numpy.ndarray
        Expected electrons, shape ``(ny, nx)``.
    """
    reach = HALF_SIZES[-1]
    pad = 2 * reach + 1  # so that every stamp that touches the chip lies in the padded image
    padded = np.zeros((shape[0] + 2 * pad, shape[1] + 2 * pad))
    near = (x > -reach) & (x < shape[1] - 1 + reach) & (y > -reach) & (y < shape[0] - 1 + reach)
    x, y, flux_e = x[near], y[near], flux_e[near]
    sizes = _half_sizes(flux_e, fwhm_px)
    for half in HALF_SIZES:
        chosen = np.flatnonzero(sizes == half)
        for some in np.split(chosen, range(STARS_AT_ONCE, len(chosen), STARS_AT_ONCE)):
            _add_stamps(padded, half, x[some] + pad, y[some] + pad, flux_e[some], fwhm_px)
    return padded[pad:-pad, pad:-pad]


def _half_sizes(flux_e: Floats, fwhm_px: float) -> npt.NDArray[np.intp]:
    """The half side of each star's stamp, from where its wings, falling as r^-6, end."""
    brightness = flux_e * peak_fraction(fwhm_px) / FAINTEST_WING_E
    radius = alpha_px(fwhm_px) * brightness ** (1 / 6)
    index = np.minimum(np.searchsorted(HALF_SIZES, radius), len(HALF_SIZES) - 1)
    return np.asarray(HALF_SIZES, np.intp)[index]


def _add_stamps(padded: Floats, half: int, x: Floats, y: Floats, flux_e: Floats, fwhm_px: float) -> None:
    """Add stamps of ``2 half + 1`` pixels a side to an image that holds them."""
    offsets = np.arange(-half, half + 1)
    rows = np.rint(y).astype(int)[:, None] + offsets
    columns = np.rint(x).astype(int)[:, None] + offsets
    down, along = (rows - y[:, None]) / alpha_px(fwhm_px), (columns - x[:, None]) / alpha_px(fwhm_px)
    q = (1 + down**2)[:, :, None] + (along**2)[:, None, :]
    light = (flux_e * peak_fraction(fwhm_px))[:, None, None] / (q * q * q)
    where = (rows * padded.shape[1])[:, :, None] + columns[:, None, :]
    np.add.at(padded.reshape(-1), where.reshape(-1), light.reshape(-1))
