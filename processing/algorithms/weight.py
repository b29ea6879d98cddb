"""How much does each pixel of a reduced frame count?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import ParameterError
from processing.algorithms.images import AnyMask, Image, as_image, good_pixels, positive
from processing.algorithms.reduce import SMALLEST_RESPONSE


def weight_map(
    flat: NDArray[Any],
    *masks: AnyMask | None,
    read_noise_adu: float,
    sky_adu: float,
    gain: float,
) -> Image:
    """The inverse variance of the background in a frame that was divided by this flat.

    The variance of a raw pixel is ``read_noise^2 + sky flat / gain``, and dividing by the flat divides it by
    flat squared. The noise of the sources is left out on purpose: weights that follow the sources bias their
    fluxes in a coadd.

    Parameters
    ----------
    flat
        Master flat, median 1, shape ``(ny, nx)``.
    *masks
        Hot, cold, saturated, cosmic and satellite maps, good = 1, bad = 0; None is passed over.
    read_noise_adu
        Of a single read [ADU]; 0 is allowed where there is sky.
    sky_adu
        Level of the sky in the reduced frame [ADU]; negative counts as 0.
    gain
        Electrons per ADU.

    Returns
    -------
    Image
        Weight [ADU^-2], float32, shape ``(ny, nx)``; 0 where a mask is bad or the flat has no response.

    Raises
    ------
    ParameterError
        The gain is not above zero, or there is neither sky nor read noise.
    ShapeError
        A mask has another shape than the flat.
    """
    positive(gain=gain)
    if not (read_noise_adu >= 0 and max(read_noise_adu, sky_adu) > 0):
        raise ParameterError(
            f"read_noise_adu={read_noise_adu!r} and sky_adu={sky_adu!r} were given; one must be above zero"
        )
    response = as_image(flat)
    good = good_pixels(response, *masks) & (response >= SMALLEST_RESPONSE)
    variance = np.float32(read_noise_adu**2) + np.float32(max(sky_adu, 0.0) / gain) * response
    weight: Image = np.divide(response**2, variance, out=np.zeros_like(response), where=good)
    return weight
