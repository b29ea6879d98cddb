"""How does a database compute what may leave the range of its numbers, so that it gives NULL instead of an error?

These cost many times what the plain operators do, so a statement is written with them only once it has failed without.
"""

from datamodel.functions import DOUBLE, Function

SMALLEST_ANGLE = 1e-100
"""Degrees; of one that is smaller and not 0, products of sines leave the range of doubles."""


def _checked(name: str, parameters: str, returns: str, body: str, too_small: str = "false") -> Function:
    """An expression, or NULL where it is too large; 0 where that is because it is too near to 0."""
    caught = f"EXCEPTION WHEN numeric_value_out_of_range THEN RETURN CASE WHEN {too_small} THEN 0 END;"
    return Function(name, parameters, returns, f"RETURN {body};\n{caught}")


def _operator(name: str, sign: str, too_small: str = "false") -> tuple[Function, Function]:
    """Two numbers and an operator, of doubles and of whole numbers; none is 0 where the result is too small."""
    return (
        _checked(name, f"a {DOUBLE}, b {DOUBLE}", DOUBLE, f"a {sign} b", too_small),
        _checked(name, "a bigint, b bigint", "bigint", f"a {sign} b"),
    )


FUNCTIONS = (
    *_operator("vo_plus", "+"),
    *_operator("vo_minus", "-"),
    *_operator("vo_times", "*", "log(abs(a)) + log(abs(b)) < 0"),
    *_operator("vo_over", "/", "log(abs(a)) < log(abs(b))"),
    _checked("vo_power", f"a {DOUBLE}, b {DOUBLE}", DOUBLE, "power(a, b)", "b * log(abs(a)) < 0"),
    _checked("vo_single", f"a {DOUBLE}", "real", "a::real", "abs(a) < 1"),
    Function(
        "vo_angle",
        f"a {DOUBLE}",
        DOUBLE,
        f"SELECT CASE WHEN abs(a) < {SMALLEST_ANGLE!r} THEN 0 ELSE a END",
        language="sql",
        strict=False,
    ),
)
"""Arithmetic, the nearest REAL, and an angle in degrees the square of whose sine is 0 or not too near to it."""
