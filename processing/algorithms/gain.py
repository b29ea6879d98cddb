"""How many electrons make one count?"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.algorithms.errors import NotEnoughLightError, ParameterError
from processing.algorithms.images import AnyMask, as_image, good_pixels, same_shape
from processing.algorithms.overscan import Section
from processing.algorithms.statistics import good_values, sigma_clipped


@dataclass(frozen=True)
class GainEstimate:
    """What a pair of flats tells.

    Attributes
    ----------
    gain
        Electrons per ADU.
    error
        One standard deviation of the gain from the number of pixels alone [e-/ADU].
    level_adu
        Mean level of the two flats over the pixels used, above the bias [ADU].
    count
        How many pixels were used.
    """

    gain: float
    error: float
    level_adu: float
    count: int


def estimate_gain(
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | float,
    read_noise_adu: float,
    section: Section | None = None,
    mask: AnyMask | None = None,
    sigma: float = 5.0,
) -> GainEstimate:
    """The gain from the noise in the difference of two flats: photons obey Poisson, whatever their pattern.

    The second flat is scaled to the first by r; then the difference d has the variance
    ``s (1 + r) / gain + (1 + r^2) read_noise^2`` in a pixel of level s, and summing over the pixels gives
    ``gain = (1 + r) sum(s) / sum(d^2 - (1 + r^2) read_noise^2)``. Both sums run over the same pixels, and d
    is clipped in units of its own expected spread, so that vignetting has no influence.

    Parameters
    ----------
    first, second
        Raw flats of about the same level [ADU], shape ``(ny, nx)``.
    bias
        Master bias, or its level [ADU].
    read_noise_adu
        Of a single read [ADU]; 0 is allowed.
    section
        Rows and columns to use; None uses all.
    mask
        good = 1, bad = 0, of the frames' shape.
    sigma
        Of the clipping.

    Raises
    ------
    NotEnoughLightError
        The flats are not brighter than the bias, or do not vary more than the read noise.
    ParameterError
        The read noise is negative.
    """
    if not read_noise_adu >= 0:
        raise ParameterError(f"read_noise_adu={read_noise_adu!r} was given; it must be 0 or more")
    one, two, good = _light(first, second, bias, section, mask)
    good &= (one > 0) & (two > 0)
    if not good.any():
        raise NotEnoughLightError("no pixel of the section is above the bias in both flats")
    s1, s2 = good_values(one, good), good_values(two, good)
    r = s1.mean() / s2.mean()
    level, difference = (s1 + r * s2) / 2, s1 - r * s2
    kept = _unclipped(difference / np.sqrt(level + read_noise_adu**2), sigma)
    photons = np.square(difference[kept]).sum() - kept.sum() * (1 + r**2) * read_noise_adu**2
    if not photons > 0:
        raise NotEnoughLightError(
            f"the flats of level {level.mean():.4g} ADU do not vary more than the read noise"
            f" of {read_noise_adu:.4g} ADU"
        )
    gain = float((1 + r) * level[kept].sum() / photons)
    count = int(kept.sum())
    return GainEstimate(gain, gain * math.sqrt(2 / count), float((s1[kept] + s2[kept]).mean() / 2), count)


def _light(
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | float,
    section: Section | None,
    mask: AnyMask | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Both flats without bias, and where they are good, all cut to the same section."""
    first, second = as_image(first), as_image(second)
    offset = as_image(np.broadcast_to(bias, first.shape) if np.ndim(bias) == 0 else bias)
    same_shape(first, second=second, bias=offset)
    cut = section or (slice(None), slice(None))
    good = good_pixels(first, mask) & np.isfinite(second)
    return (first - offset)[cut], (second - offset)[cut], good[cut]


def _unclipped(values: NDArray[np.float64], sigma: float) -> NDArray[np.bool_]:
    """Which values lie within the extremes that clipping leaves."""
    left = sigma_clipped(values, sigma, 10)
    kept: NDArray[np.bool_] = (values >= left.min()) & (values <= left.max())
    return kept
