"""How does the response of camera and telescope vary over a chip?

Convention: a flat is divided by the clipped median of its own chip, so that its median is 1. The level it had
is kept, since dividing each chip by its own level moves the chip's zeropoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.combine import Stack, clipped_mean, sampled_rows, stack
from processing.algorithms.errors import NotEnoughLightError, TooFewFramesError
from processing.algorithms.images import AnyMask, Image, as_image, good_pixels, same_shape
from processing.algorithms.large_scales import large_scales
from processing.algorithms.statistics import good_values, sigma_clipped


@dataclass(frozen=True)
class Flat:
    """A normalised flat field.

    Attributes
    ----------
    image
        Relative response, float32, shape ``(ny, nx)``; clipped median 1.
    level
        What the image was divided by, in the unit it had: ADU, or 1 for a flat made of flats.
    """

    image: Image
    level: float


def normalise(flat: NDArray[Any], mask: AnyMask | None = None, sigma: float = 3.0) -> Flat:
    """A flat divided by the clipped median of its good pixels.

    Raises
    ------
    NotEnoughLightError
        That median is not positive.
    NoGoodPixelsError
        No pixel is good.
    """
    image = as_image(flat)
    level = _positive_level(good_values(image, mask), sigma, "the flat")
    return Flat(image / np.float32(level), level)


def combine_flats(
    frames: Stack | Sequence[NDArray[Any]],
    bias: NDArray[Any] | None = None,
    mask: AnyMask | None = None,
    sigma: float = 3.0,
    iterations: int = 3,
    minimum: int = 1,
) -> Flat:
    """Dome or twilight flats, each without its bias and scaled to level 1, as one.

    The clipping takes out cosmic rays, and stars that move between the exposures of a twilight.

    Parameters
    ----------
    frames
        Flats [ADU], overscan corrected and trimmed like the bias: a stack, or arrays of one shape.
    bias
        Master bias [ADU], shape ``(ny, nx)``; None when it is off already.
    mask
        Hot pixels, good = 1, bad = 0: left out of the levels, but combined as all others.
    sigma, iterations, minimum
        As for `processing.algorithms.combine.clipped_mean`.

    Returns
    -------
    Flat
        Its level is the mean level of the frames [ADU].

    Raises
    ------
    TooFewFramesError
        There are fewer than `minimum` frames.
    NotEnoughLightError
        A frame is not brighter than the bias.
    ShapeError
        The frames, the bias and the mask do not have one shape.
    """
    raw = frames if isinstance(frames, Stack) else stack(frames)
    offset = np.zeros(raw.shape[1:], dtype=np.float32) if bias is None else as_image(bias)
    same_shape(np.broadcast_to(np.float32(0), raw.shape[1:]), bias=offset, mask=mask)
    light = Stack(raw.shape, lambda start, stop: raw.rows(start, stop) - offset[start:stop])
    levels = frame_levels(light, mask)
    scale = np.array(levels, dtype=np.float32)[:, None, None]
    scaled = Stack(raw.shape, lambda start, stop: light.rows(start, stop) / scale)
    combined = clipped_mean(scaled, sigma, iterations, minimum)
    return Flat(normalise(combined.mean, mask).image, float(np.mean(levels)))


def frame_levels(frames: Stack, mask: AnyMask | None = None, sigma: float = 3.0) -> tuple[float, ...]:
    """The clipped median of each frame, from the same 256 rows of all.

    Raises
    ------
    NotEnoughLightError
        One is not positive.
    """
    sample = sampled_rows(frames, 256)
    good = None
    if mask is not None:
        one = np.asarray(mask)[None]
        good = sampled_rows(Stack((1, *frames.shape[1:]), lambda start, stop: one[:, start:stop]), 256)[0] > 0
    return tuple(
        _positive_level(good_values(frame, good), sigma, f"frame {number} of {len(sample)}")
        for number, frame in enumerate(sample, start=1)
    )


def master_flat(
    dome: NDArray[Any] | None = None,
    twilight: NDArray[Any] | None = None,
    nightsky: NDArray[Any] | None = None,
    mask: AnyMask | None = None,
    box: int = 64,
) -> Flat:
    """The small scales of the dome flat with the large scales of the sky.

    A lamp is bright but lights the telescope unevenly; the sky is even but gives few photons. So the dome is
    multiplied by the smoothed ratio of the sky to the dome. The sky is the night sky where given, else the
    twilight. Without a dome the twilight stands in for it; a single flat is only normalised.

    Parameters
    ----------
    dome, twilight, nightsky
        Normalised flats, shape ``(ny, nx)``; each may be missing, not all.
    mask
        Hot and cold pixels, good = 1, bad = 0; left out of the smoothing and of the normalisation.
    box
        Scale that divides small from large [pixel].

    Raises
    ------
    TooFewFramesError
        None was given.
    ShapeError
        They differ in shape.
    """
    given = [as_image(flat) for flat in (dome, twilight, nightsky) if flat is not None]
    if not given:
        raise TooFewFramesError("no flat was given; a dome, twilight or night-sky flat is needed")
    small, large = given[0], given[-1]
    same_shape(small, **{"large-scale flat": large})
    if small is large:
        return normalise(small, mask)
    return normalise(small * _smoothed_ratio(large, small, mask, box), mask)


def _smoothed_ratio(large: Image, small: Image, mask: AnyMask | None, box: int) -> Image:
    good = good_pixels(small, mask) & (small > 0)
    ratio = np.divide(large, small, out=np.full_like(small, np.nan), where=good)
    return large_scales(ratio, good, box)


def _positive_level(values: NDArray[np.float64], sigma: float, name: str) -> float:
    level = float(np.median(sigma_clipped(values, sigma)))
    if not level > 0:
        raise NotEnoughLightError(f"{name} has a level of {level:.4g} above the bias; it must be positive")
    return level
