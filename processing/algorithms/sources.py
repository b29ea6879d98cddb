"""Which sources are in an image, where, and how bright?

Detection and measurement by `sep`, after SExtractor (Bertin & Arnouts 1996). Positions are counted as in
FITS: the centre of the first pixel is (1, 1). Magnitudes are instrumental.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms import detection, photometry
from processing.algorithms.background import Background, measure_background
from processing.algorithms.images import (
    AnyMask,
    Image,
    Selection,
    as_image,
    good_pixels,
    positive,
    same_shape,
)

SATURATED = 256
"""The bit of `flags` for a source with saturated pixels, above all bits of sep."""

DTYPE = np.dtype(
    [
        ("x", "f8"),
        ("y", "f8"),
        ("flux_aper", "f8"),
        ("fluxerr_aper", "f8"),
        ("mag_aper", "f8"),
        ("magerr_aper", "f8"),
        ("flux_auto", "f8"),
        ("fluxerr_auto", "f8"),
        ("mag_auto", "f8"),
        ("magerr_auto", "f8"),
        ("peak", "f4"),
        ("background", "f4"),
        ("threshold", "f4"),
        ("fwhm", "f4"),
        ("ellipticity", "f4"),
        ("a_image", "f4"),
        ("b_image", "f4"),
        ("theta_image", "f4"),
        ("flags", "i4"),
        ("npix", "i4"),
    ]
)
"""One row a source; see `extract_sources`."""


@dataclass(frozen=True)
class Extraction:
    """How sources are looked for.

    Attributes
    ----------
    threshold_sigma
        Detection threshold over the noise of the background.
    minimum_area_px
        Connected pixels above the threshold that make a source.
    aperture_radius_px
        Of the circular aperture.
    background_box_px
        Side of a box of the background mesh.
    deblend_levels, deblend_contrast
        Of the multi-threshold deblending; a contrast of 1 switches it off.
    """

    threshold_sigma: float = 1.5
    minimum_area_px: int = 5
    aperture_radius_px: float = 7.0
    background_box_px: int = 64
    deblend_levels: int = 32
    deblend_contrast: float = 0.005


def extract_sources(
    image: NDArray[Any],
    weight: NDArray[Any] | None = None,
    saturated: AnyMask | None = None,
    gain: float | None = None,
    exptime_s: float = 1.0,
    parameters: Extraction | None = None,
) -> NDArray[np.void]:
    """All sources of an image, ordered by y, then x; an empty sky gives no rows.

    Parameters
    ----------
    image
        Reduced image with its sky [ADU], shape ``(ny, nx)``; what is not finite is bad.
    weight
        Inverse variance up to a factor, which is found from the noise of the background; 0 is bad.
    saturated
        good = 1, saturated = 0: only sets the flag.
    gain
        Electrons per ADU, for the photon noise of the sources; None leaves that out.
    exptime_s
        Magnitudes are ``-2.5 log10(flux / exptime_s)``.
    parameters
        None for the defaults.

    Returns
    -------
    NDArray[np.void]
        dtype `DTYPE`, shape ``(n,)``:

        - ``x, y`` windowed centroid [pixel, from 1], or the isophotal one where the former did not converge;
        - ``flux_aper, flux_auto`` in the circular and in the Kron aperture [ADU], with errors;
          ``mag_*, magerr_*`` [mag], NaN where the flux is not positive;
        - ``peak`` above the background, ``background``, ``threshold`` [ADU];
        - ``fwhm`` diameter that holds half of the Kron flux [pixel], for a Gaussian its FWHM; NaN if unknown;
        - ``a_image, b_image`` isophotal rms along the axes [pixel], ``theta_image`` from x to y [deg],
          ``ellipticity`` 1 - b/a;
        - ``flags`` 1 blended, 2 cut by the edge, 4 deblending overflow, 8 too thin to measure, 16 aperture cut by
          the edge, 32 aperture has bad pixels, 64 only bad pixels, 128 negative Kron moment, 256 saturated;
        - ``npix`` isophotal area.

    Raises
    ------
    ShapeError
        Weight or saturation map have another shape than the image.
    NoGoodPixelsError
        No pixel is good.
    TooCrowdedError
        More sources overlap than can be taken apart.
    ParameterError
        A parameter is not above zero.
    """
    options = parameters or Extraction()
    positive(exptime_s=exptime_s, gain=1.0 if gain is None else gain, **vars(options))
    pixels = as_image(image)
    same_shape(pixels, weight=weight, saturated=saturated)
    good = good_pixels(pixels) if weight is None else good_pixels(pixels, np.asarray(weight) > 0)
    sky = measure_background(pixels, good, options.background_box_px)
    light = np.where(good, pixels - sky.image, np.float32(0))
    noise = _noise(sky, weight, good)
    found = detection.detect(
        light,
        noise,
        ~good,
        options.threshold_sigma,
        options.minimum_area_px,
        options.deblend_levels,
        options.deblend_contrast,
    )
    measured = photometry.measure(light, noise, ~good, found, options.aperture_radius_px, gain)
    full = None if saturated is None else np.asarray(saturated) == 0
    return _table(found, measured, sky, full, exptime_s)


def _noise(sky: Background, weight: NDArray[Any] | None, good: Selection) -> Image:
    """Standard deviation of each pixel [ADU]; the weight gives its shape, the background its scale."""
    if weight is None:
        return sky.noise_image
    relative = 1 / np.sqrt(np.where(good, weight, 1).astype(np.float64))
    scale = np.median(sky.noise_image[good] / relative[good])
    noise: Image = (relative * scale).astype(np.float32)
    return noise


def _table(
    found: NDArray[np.void],
    measured: photometry.Measured,
    sky: Background,
    full: Selection | None,
    exptime_s: float,
) -> NDArray[np.void]:
    table = np.zeros(found.size, dtype=DTYPE)
    table["x"], table["y"] = measured.x + 1, measured.y + 1
    for name, flux in (("aper", measured.aper), ("auto", measured.auto)):
        table[f"flux_{name}"], table[f"fluxerr_{name}"] = flux.flux, flux.error
        table[f"mag_{name}"], table[f"magerr_{name}"] = magnitudes(flux.flux, flux.error, exptime_s)
    table["peak"], table["threshold"], table["npix"] = found["peak"], found["thresh"], found["npix"]
    table["background"] = sky.image[found["ycpeak"], found["xcpeak"]]
    table["fwhm"] = measured.fwhm
    table["a_image"], table["b_image"] = found["a"], found["b"]
    table["theta_image"] = np.degrees(found["theta"])
    table["ellipticity"] = 1 - np.divide(
        found["b"], found["a"], out=np.ones(found.size), where=found["a"] > 0
    )
    table["flags"] = found["flag"] | measured.aper.flags | measured.auto.flags
    if full is not None:
        table["flags"] |= np.where(detection.touching(full, found), SATURATED, 0)
    return table[np.lexsort((table["x"], table["y"]))]


def magnitudes(
    flux: NDArray[np.float64], error: NDArray[np.float64], exptime_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instrumental magnitudes and their errors; NaN where the flux is not positive.

    Parameters
    ----------
    flux, error
        [ADU], shape ``(n,)``.
    exptime_s
        Exposure time [s].
    """
    bright = flux > 0
    usable = np.where(bright, flux, np.nan)
    return -2.5 * np.log10(usable / exptime_s), 2.5 / np.log(10) * error / usable
