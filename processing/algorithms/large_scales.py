"""What is left of an image when its small scales are smoothed away?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from processing.algorithms.errors import NoGoodPixelsError, ParameterError
from processing.algorithms.images import AnyMask, Image, as_image, good_pixels
from processing.algorithms.statistics import median_of_numbers

BINS_PER_BOX = 4
SPREAD_BINS = 2.0
REACH_BINS = 6

Grid = NDArray[np.float64]


def large_scales(image: NDArray[Any], mask: AnyMask | None = None, box: int = 64) -> Image:
    """The image smoothed by local regression, which keeps slopes and curvature right up to the edges.

    The medians of bins of a quarter of a box are fitted around each bin by a quadratic surface under Gaussian
    weights of half a box (locally weighted regression, Cleveland & Devlin 1988), and a cubic spline leads from
    bins to pixels. Sudden outliers and holes smaller than about a box have no influence.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, any unit.
    mask
        good = 1, bad = 0; what is not finite is bad as well.
    box
        The scale [pixel] below which structure is smoothed away, 4 or more.

    Returns
    -------
    Image
        float32, shape ``(ny, nx)``, in the image's unit.

    Raises
    ------
    ParameterError
        The box is smaller than 4 pixels.
    NoGoodPixelsError
        No pixel is good.
    """
    if box < BINS_PER_BOX:
        raise ParameterError(f"box={box} was given; {BINS_PER_BOX} pixels or more are expected")
    pixels = as_image(image)
    good = good_pixels(pixels, mask)
    if not good.any():
        raise NoGoodPixelsError(f"none of {good.size} pixels is both finite and good")
    edges_y, edges_x = (_edges(size, box // BINS_PER_BOX) for size in pixels.shape)
    bins = _bin_medians(np.where(good, pixels, np.float32(np.nan)), edges_y, edges_x)
    smooth = RectBivariateSpline(
        _centres(edges_y),
        _centres(edges_x),
        _regression(bins),
        kx=min(3, len(edges_y)),
        ky=min(3, len(edges_x)),
    )
    result: Image = smooth(np.arange(pixels.shape[0]), np.arange(pixels.shape[1])).astype(np.float32)
    return result


def _edges(size: int, bin_px: int) -> NDArray[np.int64]:
    n = max(1, round(size / bin_px))
    return np.arange(n + 1) * size // n


def _centres(edges: NDArray[np.int64]) -> Grid:
    """Bin centres in pixels from 0, with one more bin on either side, so that every pixel lies between two."""
    centres = (edges[:-1] + edges[1:] - 1) / 2
    width = edges[-1] / (len(edges) - 1)
    return np.concatenate([[centres[0] - width], centres, [centres[-1] + width]])


def _bin_medians(image: Image, edges_y: NDArray[np.int64], edges_x: NDArray[np.int64]) -> Grid:
    medians = np.empty((len(edges_y) - 1, len(edges_x) - 1))
    for row, column in np.ndindex(medians.shape):
        part = image[edges_y[row] : edges_y[row + 1], edges_x[column] : edges_x[column + 1]]
        medians[row, column] = median_of_numbers(part.reshape(1, -1), axis=1)[0]
    return medians


def _regression(bins: Grid) -> Grid:
    """A weighted quadratic fit around each bin and around those beyond the edge, shape ``(ny + 2, nx + 2)``.

    Where too few bins are known for a quadratic, the smallest departure from the overall median is taken.
    """
    overall = np.nanmedian(bins)
    side = np.arange(-REACH_BINS, REACH_BINS + 1) / REACH_BINS
    v, u = (axis.ravel() for axis in np.meshgrid(side, side, indexing="ij"))
    terms = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    kernel = np.exp(-0.5 * (u * u + v * v) * (REACH_BINS / SPREAD_BINS) ** 2)
    padded = np.pad(bins - overall, REACH_BINS + 1, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (side.size, side.size))
    fitted = np.empty(around.shape[:2])
    for row, windows in enumerate(around):
        values = windows.reshape(len(windows), -1)
        weights = np.where(np.isnan(values), 0.0, kernel)
        normal = np.einsum("nk,ki,kj->nij", weights, terms, terms, optimize=True)
        right = (weights * np.nan_to_num(values)) @ terms
        fitted[row] = (np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ right[:, :, None])[:, 0, 0]
    smooth: Grid = fitted + overall
    return smooth
