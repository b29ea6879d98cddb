"""How bright is the sky, and how does it change over an image?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

from processing.algorithms.errors import NoGoodPixelsError
from processing.algorithms.images import AnyMask, Image, as_image, good_pixels, positive


@dataclass(frozen=True)
class Background:
    """What lies under the sources.

    Attributes
    ----------
    level, noise
        Of the whole image, in its unit.
    image
        The level at each pixel, float32, shape ``(ny, nx)``.
    noise_image
        The standard deviation about it at each pixel, float32, shape ``(ny, nx)``.
    """

    level: float
    noise: float
    image: Image
    noise_image: Image


def measure_background(
    image: NDArray[Any], mask: AnyMask | None = None, box: int = 64, filter_boxes: int = 3
) -> Background:
    """The clipped mode in a mesh of boxes, median filtered, with a bicubic spline through it.

    As in SExtractor (Bertin & Arnouts 1996, section 4), by `sep`.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, any unit.
    mask
        good = 1, bad = 0; what is not finite is bad as well.
    box
        Side of a box [pixel]; no larger than the image is used.
    filter_boxes
        Side of the median filter [boxes].

    Raises
    ------
    NoGoodPixelsError
        No pixel is good.
    """
    positive(box=box, filter_boxes=filter_boxes)
    pixels = as_image(image)
    good = good_pixels(pixels, mask)
    if not good.any():
        raise NoGoodPixelsError(f"none of {good.size} pixels is both finite and good")
    ny, nx = pixels.shape
    found = sep.Background(
        np.where(good, pixels, np.float32(0)),
        mask=~good,
        bw=min(box, nx),
        bh=min(box, ny),
        fw=filter_boxes,
        fh=filter_boxes,
    )
    return Background(
        level=float(found.globalback),
        noise=float(found.globalrms),
        image=found.back(dtype=np.float32),
        noise_image=found.rms(dtype=np.float32),
    )
