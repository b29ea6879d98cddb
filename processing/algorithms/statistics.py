"""How bright is an image, and how much does it vary?

Everything is computed in float64 over the pixels that are finite and good.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import NoGoodPixelsError, ParameterError
from processing.algorithms.images import AnyMask, Image, good_pixels, positive

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of an image, in the image's unit.

    Attributes
    ----------
    mean, median, min, max
        Of the pixels used.
    stdev
        Population standard deviation (divisor n) of the pixels used.
    count
        How many pixels were used.
    """

    mean: float
    median: float
    stdev: float
    min: float
    max: float
    count: int


@dataclass(frozen=True)
class SubWindow:
    """One window of a grid over an image.

    Attributes
    ----------
    x_start, x_stop, y_start, y_stop
        Pixels of the window, from 0, the end exclusive.
    statistics
        None where the window has no good pixel.
    """

    x_start: int
    x_stop: int
    y_start: int
    y_stop: int
    statistics: ImageStatistics | None


def image_statistics(
    image: NDArray[Any], mask: AnyMask | None = None, sigma: float | None = None, iterations: int = 5
) -> ImageStatistics:
    """Mean, median, standard deviation and extremes.

    Parameters
    ----------
    image
        Any shape and unit; NaN and infinite pixels are left out.
    mask
        Of the image's shape; good = 1, bad = 0.
    sigma
        Clip at so many standard deviations about the median first; None does not clip.
    iterations
        At most so many rounds of clipping.

    Raises
    ------
    NoGoodPixelsError
        No pixel is finite and good.
    """
    values = good_values(image, mask)
    if sigma is not None:
        values = sigma_clipped(values, sigma, iterations)
    return ImageStatistics(
        mean=float(values.mean()),
        median=float(np.median(values)),
        stdev=float(values.std()),
        min=float(values.min()),
        max=float(values.max()),
        count=values.size,
    )


def sub_window_statistics(
    image: NDArray[Any],
    grid: tuple[int, int] = (8, 8),
    mask: AnyMask | None = None,
    sigma: float | None = None,
) -> tuple[SubWindow, ...]:
    """Statistics in every window of a grid, row by row from the first pixel.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    grid
        Windows along y and along x; their sizes differ by one pixel at most.
    mask, sigma
        As for `image_statistics`.

    Raises
    ------
    ParameterError
        The grid has no windows, or more than there are pixels.
    """
    if not all(0 < n <= size for n, size in zip(grid, image.shape, strict=True)):
        raise ParameterError(
            f"grid={grid} was given for shape {image.shape}; each must be 1 to the image's size"
        )
    y_edges, x_edges = (np.arange(n + 1) * size // n for n, size in zip(grid, image.shape, strict=True))
    return tuple(
        _sub_window(image, mask, sigma, (int(x0), int(x1), int(y0), int(y1)))
        for y0, y1 in pairwise(y_edges)
        for x0, x1 in pairwise(x_edges)
    )


def flatness(windows: tuple[SubWindow, ...]) -> float:
    """The largest minus the smallest median of all windows that have one, in the image's unit.

    Raises
    ------
    NoGoodPixelsError
        No window has a good pixel.
    """
    medians = [w.statistics.median for w in windows if w.statistics is not None]
    if not medians:
        raise NoGoodPixelsError(f"none of {len(windows)} windows has a good pixel")
    return max(medians) - min(medians)


def sigma_clipped(values: NDArray[Any], sigma: float, iterations: int = 5) -> Values:
    """The values that survive clipping about their median, in their order, as float64, shape ``(n,)``.

    A value goes when it is further from the median than `sigma` standard deviations of what is left.

    Raises
    ------
    ParameterError
        `sigma` is not above zero.
    """
    positive(sigma=sigma)
    kept = np.asarray(values, dtype=np.float64).ravel()
    for _ in range(iterations):
        survivors = kept[np.abs(kept - np.median(kept)) <= sigma * kept.std()]
        if survivors.size in (0, kept.size):
            break
        kept = survivors
    return kept


def good_values(image: NDArray[Any], *masks: AnyMask | None) -> Values:
    """The finite, good pixels in float64, shape ``(n,)``.

    Raises
    ------
    NoGoodPixelsError
        There are none.
    """
    values = image[good_pixels(image, *masks)].astype(np.float64)
    if values.size == 0:
        raise NoGoodPixelsError(f"none of {image.size} pixels is both finite and good")
    return values


def median_of_numbers(values: Image, axis: int) -> Image:
    """The median along an axis of what is not NaN, without numpy's warning; NaN where there is nothing.

    Parameters
    ----------
    values
        float32, any shape.
    axis
        Which one is taken away.
    """
    ordered = np.sort(values, axis=axis)
    count = (~np.isnan(ordered)).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=axis)
    high = np.take_along_axis(ordered, count // 2, axis=axis)
    median: Image = ((low + high) / np.float32(2)).squeeze(axis)
    return median


def _sub_window(
    image: NDArray[Any], mask: AnyMask | None, sigma: float | None, edges: tuple[int, int, int, int]
) -> SubWindow:
    x0, x1, y0, y1 = edges
    window = image[y0:y1, x0:x1]
    good = None if mask is None else mask[y0:y1, x0:x1]
    empty = not good_pixels(window, good).any()
    return SubWindow(x0, x1, y0, y1, None if empty else image_statistics(window, good, sigma))
