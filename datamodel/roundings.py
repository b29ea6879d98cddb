"""How is a number rounded to decimals that a row tells, and what is left of it after a division, exactly?

Where the places are a constant, and for whole ones, arithmetic of the database does (`datamodel.speech.Speech`).
"""

import math

from datamodel.functions import DOUBLE, Function

MOST_PLACES = 308
"""Beyond so many decimals a double is as it is, and beyond so many digits before the point it is 0."""

WHOLE = 2.0**53
"""From here on, there are no doubles but whole ones."""


def rounded(x: float, places: float) -> float:
    """A number to decimals, half away from zero; to tens and hundreds where `places` is negative."""
    return _to_places(x, places, 0.5)


def truncated(x: float, places: float) -> float:
    """The same towards zero."""
    return _to_places(x, places, 0.0)


def _to_places(x: float, places: float, share: float) -> float:
    if places > MOST_PLACES:
        return float(x)
    if places < -MOST_PLACES:
        return x * 0.0
    scale = 10.0 ** abs(math.trunc(places))
    if places > -1.0:
        return _whole(x * scale, share) / scale if abs(x) < WHOLE / scale else float(x)
    return _whole(x / scale, share) * scale if abs(x) / WHOLE < scale else float(x)


def _whole(x: float, share: float) -> float:
    """Towards zero; where there is a share, away from it from that share on, and never -0."""
    part, whole = math.modf(x)
    if not share:
        return whole
    return whole + math.copysign(1.0, x) if abs(part) >= share else whole + 0.0


_TO_PLACES = f"""
IF NOT abs(x) < 'Infinity' THEN RETURN NULL; END IF;
IF places > {MOST_PLACES} THEN RETURN x; END IF;
IF places < -{MOST_PLACES} THEN RETURN x * 0; END IF;
scale := power(10::{DOUBLE}, abs(trunc(places)));
IF places > -1 THEN
  IF abs(x) >= {WHOLE!r} / scale THEN RETURN x; END IF;
  scaled := x * scale;
ELSE
  IF abs(x) >= scale AND abs(x) / {WHOLE!r} >= scale THEN RETURN x; END IF;
  scaled := CASE WHEN abs(x) < scale / 4 THEN x * 0 ELSE x / scale END;
END IF;
whole := {{whole}};
IF places > -1 THEN RETURN whole / scale; END IF;
RETURN whole * scale;
EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL;
"""
_HALF_AWAY = "trunc(scaled) + CASE WHEN abs(scaled - trunc(scaled)) >= 0.5 THEN sign(scaled) ELSE 0 END"

_BITS = "('x' || encode(float8send(abs({x})), 'hex'))::bit(64)::bigint"
_REMAINDER = f"""
IF NOT greatest(abs(x), abs(y)) < 'Infinity' OR y = 0 THEN RETURN NULL; END IF;
IF abs(x) < abs(y) THEN RETURN x; END IF;
a := {_BITS.format(x="x")};
b := {_BITS.format(x="y")};
exponent := greatest(a >> 52, 1);
lowest := greatest(b >> 52, 1);
a := (a & 4503599627370495) + CASE WHEN a >> 52 > 0 THEN 4503599627370496 ELSE 0 END;
b := (b & 4503599627370495) + CASE WHEN b >> 52 > 0 THEN 4503599627370496 ELSE 0 END;
a := a % b;
WHILE exponent > lowest AND a > 0 LOOP
  step := least(exponent - lowest, 10);
  a := (a << step) % b;
  exponent := exponent - step;
END LOOP;
RETURN sign(x) * (a::{DOUBLE} * power(2::{DOUBLE}, lowest - 1075));
"""
"""Of the whole numbers that two doubles are, times a power of two; ten bits more leave room in 64."""

FUNCTIONS = (
    *(
        Function(
            name,
            f"x {DOUBLE}, places {DOUBLE}",
            DOUBLE,
            _TO_PLACES.format(whole=whole),
            declare=f"scale {DOUBLE}; scaled {DOUBLE}; whole {DOUBLE};",
            python=python,
        )
        for name, whole, python in (
            ("vo_rounded", _HALF_AWAY, rounded),
            ("vo_truncated", "trunc(scaled)", truncated),
        )
    ),
    Function(
        "vo_remainder",
        f"x {DOUBLE}, y {DOUBLE}",
        DOUBLE,
        _REMAINDER,
        declare="a bigint; b bigint; exponent integer; lowest integer; step integer;",
        python=math.fmod,
    ),
)
"""Rounding to decimals, and the remainder that has the sign of what is divided."""
