"""How does a raw science frame become an image of the sky?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.images import AnyMask, Image, Mask, as_image, good_pixels, same_shape
from processing.algorithms.statistics import ImageStatistics, image_statistics
from processing.algorithms.surroundings import fill_bad

SMALLEST_RESPONSE = 0.01
"""A flat below this tells nothing; the pixel is bad."""


@dataclass(frozen=True)
class Reduced:
    """A science frame free of its instrument.

    Attributes
    ----------
    image
        float32, shape ``(ny, nx)`` [ADU]; every pixel finite.
    mask
        uint8, good = 1, bad = 0: what was filled in.
    statistics
        Of the good pixels [ADU].
    """

    image: Image
    mask: Mask
    statistics: ImageStatistics


def reduce_science(
    raw: NDArray[Any],
    bias: NDArray[Any] | None,
    flat: NDArray[Any],
    hot: AnyMask | None = None,
    cold: AnyMask | None = None,
    illumination: NDArray[Any] | None = None,
) -> Reduced:
    """``(raw - bias) / flat``, times the illumination correction.

    Bad pixels are hot, cold, not finite, or have next to no response. They get the median of their good
    neighbours: a hole or a spike would upset detection and resampling. That the value is invented is told
    by the mask and by the weight.

    Parameters
    ----------
    raw
        Science frame [ADU], overscan corrected and trimmed like the bias, shape ``(ny, nx)``.
    bias
        Master bias [ADU]; None when there is nothing to subtract.
    flat
        Master flat, median 1.
    hot, cold
        good = 1, bad = 0.
    illumination
        Multiplicative map, about 1.

    Raises
    ------
    ShapeError
        They do not have one shape.
    NoGoodPixelsError
        No pixel is good.
    """
    light = as_image(raw)
    same_shape(light, bias=bias, flat=flat, hot=hot, cold=cold, illumination=illumination)
    if bias is not None:
        light = light - as_image(bias)
    response = as_image(flat)
    good = good_pixels(light, hot, cold) & good_pixels(response) & (response >= SMALLEST_RESPONSE)
    image = np.divide(light, response, out=np.full_like(light, np.nan), where=good)
    if illumination is not None:
        image *= as_image(illumination)
        good &= np.isfinite(image)
    return Reduced(fill_bad(image, good), good.astype(np.uint8), image_statistics(image, good))
