"""Which pixels were hit by cosmic rays?"""

from typing import Any

import astroscrappy
import numpy as np
from numpy.typing import NDArray

from processing.algorithms.images import AnyMask, PixelMap, as_image, good_pixels, pixel_map, positive
from processing.algorithms.surroundings import fill_bad


def find_cosmics(
    image: NDArray[Any],
    gain: float,
    read_noise_adu: float,
    saturation_adu: float,
    mask: AnyMask | None = None,
    sky_adu: float = 0.0,
    sigma: float = 4.5,
    neighbour_fraction: float = 0.3,
    contrast: float = 5.0,
) -> PixelMap:
    """Edges that are sharper than the seeing allows: one iteration of L.A.Cosmic (van Dokkum 2001).

    Further iterations find few more pixels and take as long each. The work is done by astroscrappy; set
    ``OMP_NUM_THREADS=1`` in the environment of a process that shares the machine with others of its kind.

    Parameters
    ----------
    image
        Without bias, flat-fielded, shape ``(ny, nx)`` [ADU].
    gain
        Electrons per ADU.
    read_noise_adu
        Of a single read [ADU].
    saturation_adu
        Pixels at or above it, and stars around them, are no cosmic rays [ADU].
    mask
        good = 1, bad = 0; bad pixels are not looked at and are good in the result: a defect is in one map only.
    sky_adu
        The level that was subtracted from the image, put back for the noise [ADU].
    sigma
        Limit of the Laplacian over the noise.
    neighbour_fraction
        Of that limit, for pixels next to a cosmic ray.
    contrast
        Least ratio of the Laplacian to the fine structure; larger spares the cores of undersampled stars.

    Returns
    -------
    PixelMap
        good = 1, hit = 0.

    Raises
    ------
    ParameterError
        Gain, read noise, saturation or a limit is not above zero.
    NoGoodPixelsError
        No pixel is good.
    """
    positive(gain=gain, saturation_adu=saturation_adu, sigma=sigma, contrast=contrast)
    positive(neighbour_fraction=neighbour_fraction, read_noise_adu=read_noise_adu)
    pixels = as_image(image)
    bad = ~good_pixels(pixels, mask)
    hit, _ = astroscrappy.detect_cosmics(
        fill_bad(pixels, ~bad) + np.float32(sky_adu),
        inmask=bad,
        sigclip=sigma,
        sigfrac=neighbour_fraction,
        objlim=contrast,
        gain=gain,
        readnoise=read_noise_adu * gain,
        satlevel=(saturation_adu + sky_adu) * gain,
        niter=1,
        sepmed=True,
        cleantype="medmask",
    )
    return pixel_map(~(hit & ~bad))
