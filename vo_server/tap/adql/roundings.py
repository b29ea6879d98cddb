"""How are ROUND, TRUNCATE and MOD of doubles written, right up to the ends of their range? (ADQL 2.1 section 2.3)."""

import math
from collections.abc import Callable

from datamodel import sql
from datamodel.roundings import MOST_PLACES, WHOLE
from datamodel.speech import Speech
from datamodel.sql import Sql, call, real
from vo_server.tap.adql.types import double
from vo_server.tap.adql.values import Value

COPIES = 5
"""How many times the SQL of each repeats its first argument at the most."""

_FEWEST_THAT_OVERFLOW = 292
_TINY = 1e-10
_SHORT = 2.0**24
_SPLIT = 2.0**27 + 1.0
_LIGHT = 10
_SMALLEST, _LARGEST = 1e-100, 1e100


def rounded(speech: Speech, value: Value, places: Value | None) -> Sql:
    """``ROUND``: half away from zero."""
    if places is not None and places.number is None:
        return call("vo_rounded", double(value), double(places))
    return _to_places(speech, double(value), places, speech.rounded)


def truncated(speech: Speech, value: Value, places: Value | None) -> Sql:
    """``TRUNCATE``: towards zero."""
    if places is not None and places.number is None:
        return call("vo_truncated", double(value), double(places))
    return _to_places(speech, double(value), places, lambda x: call("trunc", x))


def _to_places(speech: Speech, x: Sql, places: Value | None, whole: Callable[[Sql], Sql]) -> Sql:
    """To so many decimals, or to tens and hundreds where these are negative; as it is where it has no more."""
    count = 0 if places is None or places.number is None else math.trunc(places.number)
    if count == 0:
        return whole(x)
    if abs(count) > MOST_PLACES:
        return x if count > 0 else x * real(0.0)
    scale = 10.0 ** abs(count)
    size = call("abs", x)
    if count > 0:
        return sql.case((size < real(WHOLE / scale), whole(x * real(scale)) / real(scale)), otherwise=x)
    found = speech.computed("*", whole(x / real(scale)), real(scale))
    nothing = (size < real(scale * _TINY), real(0.0))
    if -count >= _FEWEST_THAT_OVERFLOW:
        return sql.case(nothing, otherwise=speech.checked(found, "DOUBLE"))
    return sql.case(nothing, (size < real(WHOLE * scale), found), otherwise=x)


def remainder(speech: Speech, value: Value, divisor: Value) -> Sql:
    """``MOD`` of doubles: exactly what is left, with the sign of the value; NULL where the divisor is 0."""
    x, by = double(value), divisor.number
    exact = speech.computed("%", x, double(divisor) if by else call("nullif", double(divisor), real(0.0)))
    if by is None or not _SMALLEST < abs(by) < _LARGEST or not _is_slow(speech, value):
        return exact
    return _short_remainder(x, by, exact)


def _is_slow(speech: Speech, value: Value) -> bool:
    """Whether arithmetic that repeats a value is faster than what the database has, and may be tried."""
    return speech.slow_remainder and value.weight <= _LIGHT and speech.random not in value.sql.text


def _short_remainder(x: Sql, by: float, exact: Sql) -> Sql:
    """The same in arithmetic where that has no error, which takes a tenth of the time.

    A quotient that is not rounded to a whole number has the right whole part. Of at most 24 bits, it makes no error
    when it multiplies each half of the divisor (Dekker 1971), nor do the differences then.
    """
    quotient = x / real(by)
    whole = call("trunc", quotient)
    upper = by * _SPLIT - (by * _SPLIT - by)
    left = x - whole * real(upper)
    if upper != by:
        left = left - whole * real(by - upper)
    exactly = sql.all_of(quotient.between(real(-_SHORT), real(_SHORT)), quotient.differs(whole))
    return sql.case((exactly, left), otherwise=exact)
