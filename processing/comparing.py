"""Is a value beyond its limit, and how far is it from that of the version before? What is not known says nothing."""

import math
from typing import Any

from processing.reasons import NOMINAL_RECIPE

Values = dict[str, Any]


def exceeds(value: float | None, maximum: float) -> bool:
    """Whether a value is above its limit; None is not, NaN is: it was measured, and came to nothing."""
    return value is not None and not value <= maximum


def falls_below(value: float | None, minimum: float) -> bool:
    """Whether a value is under its limit; None is not, NaN is."""
    return value is not None and not value >= minimum


def change(values: Values, previous: Values | None, name: str) -> float | None:
    """How much a value differs from that of the version before, without sign.

    Parameters
    ----------
    values, previous
        Values by name; None where there is no version before. A nominal one was never measured.
    name
        Of the value.

    Returns
    -------
    float or None
        None where either is not known or not a number.
    """
    pair = _pair(values, previous, name)
    return None if pair is None else abs(pair[0] - pair[1])


def ratio(values: Values, previous: Values | None, name: str) -> float | None:
    """How many times the larger is the smaller of a value and that of the version before, 1 or more.

    None also where they have not the same sign; infinity where one of them is 0. Otherwise as `change`.
    """
    pair = _pair(values, previous, name)
    if pair is None or pair[0] * pair[1] < 0:
        return None
    small, large = sorted(map(abs, pair))
    if small == 0:
        return 1.0 if large == 0 else math.inf
    return large / small


def _pair(values: Values, previous: Values | None, name: str) -> tuple[float, float] | None:
    if previous is None or previous.get("recipe_digest") == NOMINAL_RECIPE:
        return None
    now, before = values.get(name), previous.get(name)
    if now is None or before is None or not (math.isfinite(now) and math.isfinite(before)):
        return None
    return float(now), float(before)


def too_many(values: Values, parameters: Any) -> set[str]:
    """How a map of pixels is verified: by the limit of its count."""
    return {"COUNT_TOO_HIGH"} if exceeds(values.get("count"), parameters.MAXIMUM_COUNT) else set()


def another_count(values: Values, previous: Values | None, parameters: Any) -> set[str]:
    """How a map of pixels is compared: its count with that of the version before."""
    raised = exceeds(change(values, previous, "count"), parameters.MAXIMUM_COUNT_DIFFERENCE)
    return {"COUNT_DIFFERENCE_TOO_HIGH"} if raised else set()


def too_wide(values: Values, parameters: Any) -> set[str]:
    """How a frame is verified: by the limit of its spread."""
    return {"STDEV_TOO_HIGH"} if exceeds(values.get("stdev"), parameters.MAXIMUM_STDEV) else set()


def another_flat(values: Values, previous: Values | None, parameters: Any) -> set[str]:
    """How a flat is compared: its median and spread with those of the version before."""
    median, spread = ratio(values, previous, "median"), change(values, previous, "stdev")
    seen = {
        "MEDIAN_RATIO_TOO_HIGH": exceeds(median, parameters.MAXIMUM_MEDIAN_RATIO),
        "STDEV_DIFFERENCE_TOO_HIGH": exceeds(spread, parameters.MAXIMUM_STDEV_DIFFERENCE),
    }
    return {name for name, raised in seen.items() if raised}
