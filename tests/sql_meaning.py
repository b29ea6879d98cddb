"""What does SQL make of a function of Python? NULL of what has no value, for tests that compare the two."""

import math
from collections.abc import Callable
from typing import Any

LOW, HIGH = -(2**63), 2**63 - 1
"""The least and the greatest BIGINT."""


def compute(function: Callable[..., Any], *arguments: Any) -> Any:
    """What SQL makes of a function: NULL for NULL and for what is not a finite real number."""
    if None in arguments:
        return None
    try:
        found = function(*arguments)
    except (ValueError, ArithmeticError):
        return None
    if isinstance(found, complex) or (isinstance(found, float) and not math.isfinite(found)):
        return None
    return None if isinstance(found, int) and not LOW <= found <= HIGH else found
