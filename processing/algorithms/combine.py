"""How do many frames become one?

A clipped mean, computed in blocks of rows, so that memory does not grow with the height of the frames. The
result does not depend on the size of the blocks, to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import ShapeError, TooFewFramesError
from processing.algorithms.images import Image, Selection, positive
from processing.algorithms.statistics import median_of_numbers

MAD_TO_SIGMA = 1.482602218505602
"""Standard deviation over median absolute deviation, for a normal distribution."""

BLOCK_VALUES = 4_000_000
"""How many values of the stack are looked at together; about 16 MB in each temporary array."""


@dataclass(frozen=True)
class Stack:
    """Frames that lie pixel on pixel, read some rows at a time.

    Attributes
    ----------
    shape
        ``(n, ny, nx)``.
    rows
        Gives rows ``start`` to ``stop`` (exclusive) of all frames, shape ``(n, stop - start, nx)``.
    """

    shape: tuple[int, int, int]
    rows: Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True)
class Combined:
    """What became of a stack; all arrays have shape ``(ny, nx)``.

    Attributes
    ----------
    mean
        float32, in the frames' unit; NaN where no frame has a finite value.
    error
        Standard error of the mean, float32, in the frames' unit; NaN where fewer than two values were kept.
        None unless maps were asked for.
    count
        How many values were kept, int16. None unless maps were asked for.
    """

    mean: Image
    error: Image | None = None
    count: NDArray[np.int16] | None = None


def stack(frames: Sequence[NDArray[Any]]) -> Stack:
    """A stack of arrays in memory or mapped from files.

    Raises
    ------
    TooFewFramesError
        There are none.
    ShapeError
        They differ in shape, or are not two-dimensional.
    """
    if not frames:
        raise TooFewFramesError("0 frames were given; at least 1 is needed")
    shapes = sorted({frame.shape for frame in frames})
    if len(shapes) > 1 or len(shapes[0]) != 2:
        raise ShapeError(f"frames of shapes {shapes} were given; all must have one shape (ny, nx)")
    ny, nx = shapes[0]
    return Stack(
        (len(frames), ny, nx),
        lambda start, stop: np.stack([np.asarray(f[start:stop], dtype=np.float32) for f in frames]),
    )


def clipped_mean(
    frames: Stack | Sequence[NDArray[Any]],
    sigma: float = 3.0,
    iterations: int = 3,
    minimum: int = 1,
    maps: bool = False,
    block_rows: int | None = None,
) -> Combined:
    """The mean of each pixel over the frames, without the values far from the pixel's median.

    Far is more than `sigma` times the pixel's spread: 1.4826 times the median absolute deviation, but never
    less than the typical standard deviation of the stack, since the spread of a few values is itself noisy.

    Parameters
    ----------
    frames
        A stack, or two-dimensional arrays of one shape. NaN and infinite values are left out.
    sigma, iterations
        Of the clipping; 0 iterations give the plain mean.
    minimum
        Refuse fewer frames than this.
    maps
        Whether to make the error and count maps.
    block_rows
        Rows looked at together; None chooses.

    Raises
    ------
    TooFewFramesError
        There are fewer than `minimum` frames.
    ShapeError
        The frames differ in shape.
    """
    positive(sigma=sigma)
    whole = frames if isinstance(frames, Stack) else stack(frames)
    n, ny, nx = whole.shape
    if n < max(minimum, 1):
        raise TooFewFramesError(f"{n} frames were given; at least {max(minimum, 1)} are needed")
    floor = typical_sigma(whole)
    mean = np.empty((ny, nx), dtype=np.float32)
    error = np.empty((ny, nx), dtype=np.float32) if maps else None
    count = np.empty((ny, nx), dtype=np.int16) if maps else None
    step = block_rows or max(1, BLOCK_VALUES // (n * nx))
    for start in range(0, ny, step):
        stop = min(start + step, ny)
        values = _values(whole, start, stop).reshape(n, -1)
        keep = _survivors(values, sigma, iterations, floor)
        block = slice(start, stop)
        mean[block], kept = (a.reshape(-1, nx) for a in _mean(values, keep))
        if error is not None and count is not None:
            error[block] = _standard_error(values, keep).reshape(-1, nx)
            count[block] = kept
    return Combined(mean, error, count)


def sampled_rows(frames: Stack, at_most: int) -> Image:
    """Evenly spaced rows of all frames, shape ``(n, rows, nx)``: to be known before the first block."""
    ny = frames.shape[1]
    rows = np.unique(np.linspace(0, ny - 1, min(ny, at_most)).round().astype(int))
    return np.concatenate([_values(frames, int(y), int(y) + 1) for y in rows], axis=1)


def typical_sigma(frames: Stack) -> float:
    """The standard deviation over the frames of a typical pixel, in the frames' unit; 0 for a single frame.

    The median over pixels of the sample variance, divided by the median of the chi-squared distribution in
    the approximation of Wilson & Hilferty (1931).
    """
    n = frames.shape[0]
    if n < 2:
        return 0.0
    sample = sampled_rows(frames, 64).reshape(n, -1)
    complete = sample[:, np.isfinite(sample).all(axis=0)].astype(np.float64)
    if complete.shape[1] == 0:
        return 0.0
    median_over_mean = (1 - 2 / (9 * (n - 1))) ** 3
    return float(np.sqrt(np.median(complete.var(axis=0, ddof=1)) / median_over_mean))


def _values(frames: Stack, start: int, stop: int) -> Image:
    values = np.ascontiguousarray(frames.rows(start, stop), dtype=np.float32)
    expected = (frames.shape[0], stop - start, frames.shape[2])
    if values.shape != expected:
        raise ShapeError(f"rows {start} to {stop} came with shape {values.shape}; {expected} was expected")
    return values


def _survivors(values: Image, sigma: float, iterations: int, floor: float) -> Selection:
    """Which values are kept, shape ``(n, pixels)``; pixels that have settled are not looked at again."""
    keep: Selection = np.isfinite(values)
    active = np.arange(values.shape[1])
    for _ in range(iterations):
        before = keep[:, active]
        deviation = np.where(before, values[:, active], np.float32(np.nan))
        deviation -= median_of_numbers(deviation, axis=0)
        np.abs(deviation, out=deviation)
        spread = np.maximum(
            np.float32(MAD_TO_SIGMA) * median_of_numbers(deviation, axis=0), np.float32(floor)
        )
        after = deviation <= np.float32(sigma) * spread
        keep[:, active] = after
        active = active[(after != before).any(axis=0)]
        if active.size == 0:
            break
    return keep


def _mean(values: Image, keep: Selection) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean and number of the kept values; NaN where there are none."""
    kept = keep.sum(axis=0)
    total = np.where(keep, values, np.float32(0)).sum(axis=0, dtype=np.float64)
    return np.where(kept > 0, total / np.maximum(kept, 1), np.nan), kept


def _standard_error(values: Image, keep: Selection) -> NDArray[np.float64]:
    mean, kept = _mean(values, keep)
    squares = np.where(keep, values - mean, 0.0) ** 2
    variance = squares.sum(axis=0) / np.maximum(kept - 1, 1)
    return np.where(kept > 1, np.sqrt(variance / np.maximum(kept, 1)), np.nan)
