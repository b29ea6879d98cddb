"""What would a pixel look like if it were like its surroundings?"""

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from processing.algorithms.errors import NoGoodPixelsError, ParameterError
from processing.algorithms.images import AnyMask, Image, Selection, as_image, good_pixels
from processing.algorithms.statistics import median_of_numbers

PIXELS_AT_A_TIME = 65_536
RADII_PX = (2, 4, 8, 16)


def local_median(image: NDArray[Any], size: int = 7, mask: AnyMask | None = None) -> Image:
    """The median of the medians of rows in a square window around each pixel.

    Ignores single pixels, clusters, and whole rows or columns, up to half the window. At the edge the image
    is reflected. Bad pixels are first replaced by `fill_bad`.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, any unit.
    size
        Side of the window [pixel], odd.
    mask
        good = 1, bad = 0; what is not finite is bad as well.

    Raises
    ------
    ParameterError
        `size` is even or below 3.
    NoGoodPixelsError
        No pixel is good.
    """
    if size < 3 or size % 2 == 0:
        raise ParameterError(f"size={size} was given; a window has an odd number of pixels, 3 or more")
    filled = fill_bad(image, mask)
    along_x = scipy.ndimage.median_filter(filled, size=(1, size), mode="reflect")
    result: Image = scipy.ndimage.median_filter(along_x, size=(size, 1), mode="reflect")
    return result


def fill_bad(image: NDArray[Any], mask: AnyMask | None = None) -> Image:
    """A copy of the image whose bad pixels have the median of their good neighbours in a window of 5 by 5.

    Where the window has no good pixel it is made twice as wide, and so on; farther than 16 pixels into a hole
    the median of the whole image is used.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, any unit.
    mask
        good = 1, bad = 0; what is not finite is bad as well.

    Raises
    ------
    NoGoodPixelsError
        No pixel is good.
    """
    filled = as_image(image).copy()
    good = good_pixels(filled, mask)
    if not good.any():
        raise NoGoodPixelsError(f"none of {good.size} pixels is both finite and good")
    filled[~good] = np.median(filled[good])
    source = np.where(good, image, np.float32(np.nan)).astype(np.float32)
    todo = ~good
    for radius in RADII_PX:
        near = todo & grown(good, radius)
        filled[near] = _neighbour_medians(source, np.flatnonzero(near), radius)
        todo &= ~near
    return filled


def grown(pixels: Selection, radius: int) -> Selection:
    """The pixels within a square of so many pixels around the given ones, as bool."""
    if radius <= 0:
        return pixels
    result: Selection = scipy.ndimage.maximum_filter(pixels, size=2 * radius + 1, mode="constant", cval=False)
    return result


def _neighbour_medians(source: Image, pixels: NDArray[np.intp], radius: int) -> Image:
    """Median of what is not NaN around each of the flat indices."""
    padded = np.pad(source, radius, constant_values=np.nan)
    side = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    y, x = np.unravel_index(pixels, source.shape)
    step = max(1, PIXELS_AT_A_TIME * 25 // side**2)
    parts = [np.empty(0, np.float32)] + [
        median_of_numbers(windows[y[i : i + step], x[i : i + step]].reshape(-1, side**2), axis=1)
        for i in range(0, pixels.size, step)
    ]
    return np.concatenate(parts)
