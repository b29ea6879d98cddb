"""What does each function take, give and become in SQL? (ADQL 2.1 sections 2.3, 4.4 and 4.8)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from datamodel.sql import Sql, call, number, real
from vo_server.tap.adql import roundings
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.metadata import computed, shared
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.types import (
    arithmetic_type,
    common_type,
    conversion,
    described,
    double,
    is_integer,
    power_unit,
    sum_unit,
    unsigned,
)
from vo_server.tap.adql.values import Value, derived

_JUST_BELOW_ZERO = -5e-324
_JUST_OUTSIDE = 1.0000000000000002
_TOO_LARGE_EXPONENT = 709.7827128933841
_SMALLEST_EXPONENT = -744.0
_HUGE = 1e300
_MOST_RADIANS = 3.13e306


@dataclass(frozen=True)
class Function:
    """A function whose arguments are all numbers or all texts.

    Attributes
    ----------
    kind
        ``number`` or ``text``: what the arguments must be.
    sql
        Makes the SQL of how the database speaks and that of the arguments; numbers arrive as doubles.
    column
        Makes type, unit and UCD of the arguments.
    copies
        How many times the SQL repeats an argument.
    """

    kind: str
    sql: Callable[..., Sql]
    column: Callable[..., Column]
    copies: int = 1


def _between(speech: Speech, value: Sql, low: float, high: float) -> Sql:
    """The value, or NULL if it is not strictly between; the value is written once."""
    raised = call("nullif", speech.greater(value, real(low)), real(low))
    return call("nullif", speech.lesser(raised, real(high)), real(high))


def _above(speech: Speech, value: Sql, low: float) -> Sql:
    return call("nullif", speech.greater(value, real(low)), real(low))


def _exp(speech: Speech, x: Sql) -> Sql:
    bounded = speech.lesser(x, real(_TOO_LARGE_EXPONENT))
    grown = call("exp", call("nullif", bounded, real(_TOO_LARGE_EXPONENT)))
    return sql.case((x < _SMALLEST_EXPONENT, real(0.0)), otherwise=grown)


def _power(speech: Speech, x: Sql, y: Sql) -> Sql:
    """NULL where there is no number or none that fits, and 0 where it is too small to be told from that."""
    no_number = sql.any_of(sql.all_of(x < 0, y.differs(call("floor", y))), sql.all_of(x.equals(0), y < 0))
    bounded = speech.lesser(speech.greater(y, real(-_HUGE)), real(_HUGE))
    exponent = speech.computed("*", bounded, call("ln", call("nullif", call("abs", x), real(0.0))))
    return sql.case(
        (sql.any_of(y.is_null(), no_number, exponent > _TOO_LARGE_EXPONENT + 1e-9), _REAL_NULL),
        (exponent < _SMALLEST_EXPONENT, real(0.0)),
        otherwise=speech.checked(speech.computed("^", x, y), "DOUBLE"),
    )


_REAL_NULL = sql.cast(sql.NULL, "DOUBLE PRECISION")


def _cotangent(speech: Speech, x: Sql) -> Sql:
    found = speech.computed("/", real(1.0), call("nullif", call("tan", x), real(0.0)))
    return speech.checked(found, "DOUBLE")


def _in_radians(speech: Speech, x: Sql) -> Sql:
    return speech.computed("*", x, real(math.pi / 180.0))


def _named(function: str) -> Callable[..., Sql]:
    """What SQL has under a name of its own."""

    def written(speech: Speech, *arguments: Sql) -> Sql:
        return call(function, *arguments)

    return written


def _random(speech: Speech, *_seed: Sql) -> Sql:
    return Sql(speech.random)


def _arc(function: str) -> Callable[[Speech, Sql], Sql]:
    """The inverse of sine or cosine, from -1 to 1."""

    def written(speech: Speech, x: Sql) -> Sql:
        return call(function, _between(speech, x, -_JUST_OUTSIDE, _JUST_OUTSIDE))

    return written


def _plain(*_: Value, unit: str | None = None) -> Column:
    return Column("", "DOUBLE", unit=unit)


def _degrees(*_: Value) -> Column:
    return _plain(unit="deg")


def _radians(*_: Value) -> Column:
    return _plain(unit="rad")


def _same_unit(value: Value, *_: Value) -> Column:
    return computed("DOUBLE", value.column.unit)


def _root_unit(value: Value) -> Column:
    return _plain(unit=power_unit(value.column.unit, 0.5))


def _raised_unit(base: Value, exponent: Value) -> Column:
    number = exponent.number
    return _plain(unit=None if number is None else power_unit(base.column.unit, number))


def _text(_value: Value) -> Column:
    return computed("VARCHAR")


FUNCTIONS: dict[str, Function] = {
    "CEILING": Function("number", _named("ceil"), _same_unit),
    "FLOOR": Function("number", _named("floor"), _same_unit),
    "SQRT": Function("number", lambda s, x: call("sqrt", _above(s, x, _JUST_BELOW_ZERO)), _root_unit),
    "EXP": Function("number", _exp, _plain, 2),
    "LOG": Function("number", lambda s, x: call("ln", _above(s, x, 0.0)), _plain),
    "LOG10": Function("number", lambda s, x: call("log10", _above(s, x, 0.0)), _plain),
    "POWER": Function("number", _power, _raised_unit, 7),
    "PI": Function("number", _named("pi"), _plain),
    "RAND": Function("number", _random, _plain),
    "DEGREES": Function(
        "number", lambda s, x: call("degrees", _between(s, x, -_MOST_RADIANS, _MOST_RADIANS)), _degrees
    ),
    "RADIANS": Function("number", _in_radians, _radians),
    "SIN": Function("number", _named("sin"), _plain),
    "COS": Function("number", _named("cos"), _plain),
    "TAN": Function("number", _named("tan"), _plain),
    "COT": Function("number", _cotangent, _plain),
    "ASIN": Function("number", _arc("asin"), _radians),
    "ACOS": Function("number", _arc("acos"), _radians),
    "ATAN": Function("number", _named("atan"), _radians),
    "ATAN2": Function("number", _named("atan2"), _radians),
    "LOWER": Function("text", Speech.lowered, _text),
    "UPPER": Function("text", Speech.uppered, _text),
}


def called(written: Call, arguments: list[Value], speech: Speech) -> Value:
    """The value of a function of numbers or texts.

    Raises
    ------
    AdqlError
        An argument has the wrong type.
    """
    special = _SPECIAL.get(written.name)
    if special is not None:
        return special(written, arguments, speech)
    function = FUNCTIONS[written.name]
    require(function.kind, written.name, arguments)
    made = function.sql(speech, *[double(a) if function.kind == "number" else a.sql for a in arguments])
    return derived(written.at, made, function.column(*arguments), written.name, arguments, function.copies)


def require(kind: str, name: str, arguments: list[Value]) -> None:
    """Refuse arguments that are not of a kind; NULL is of every kind."""
    for argument in arguments:
        if argument.kind not in (kind, "null"):
            raise AdqlError(argument.at, f"{name} takes a {kind}, found {described(argument)}")


def _absolute(written: Call, arguments: list[Value], speech: Speech) -> Value:
    require("number", written.name, arguments)
    value = arguments[0]
    made, kind = (double(value), "DOUBLE") if value.kind == "null" else unsigned(value, speech)
    column = computed(kind, value.column.unit)
    return derived(written.at, call("abs", made), column, written.name, arguments)


def _modulo(written: Call, arguments: list[Value], speech: Speech) -> Value:
    require("number", written.name, arguments)
    left, right = arguments
    unit = sum_unit(left, right)
    if not is_integer(left) or not is_integer(right):
        made = roundings.remainder(speech, left, right)
        return derived(written.at, made, computed("DOUBLE", unit), written.name, arguments, roundings.COPIES)
    remainder = sql.cast(left.sql, "BIGINT") % call("nullif", right.sql, number(0))
    column = computed(arithmetic_type(left, right), unit)
    return derived(written.at, remainder, column, written.name, arguments)


def _to_places(
    rounding: Callable[[Speech, Value, Value | None], Sql],
) -> Callable[[Call, list[Value], Speech], Value]:
    """ROUND or TRUNCATE, to whole numbers or to places."""

    def rounded(written: Call, arguments: list[Value], speech: Speech) -> Value:
        require("number", written.name, arguments)
        made = rounding(speech, arguments[0], arguments[1] if len(arguments) > 1 else None)
        copies = roundings.COPIES if len(arguments) > 1 else 2
        return derived(written.at, made, _same_unit(*arguments), written.name, arguments, copies)

    return rounded


def _coalesce(written: Call, arguments: list[Value], speech: Speech) -> Value:
    kind = common_type(arguments, "COALESCE")
    column = shared([(a.column, bool(a.constant)) for a in arguments], kind)
    made = call("coalesce", *(speech.as_type(a.sql, kind) for a in arguments), sql.NULL)
    return derived(written.at, made, column, written.name, arguments)


def _in_unit(written: Call, arguments: list[Value], speech: Speech) -> Value:
    value, unit = arguments
    require("number", written.name, [value])
    if unit.kind != "text" or not unit.constant:
        raise AdqlError(unit.at, "IN_UNIT takes a unit as a string, such as 'deg'")
    factor = conversion(written.at, value.column.unit, unit.constant[0])
    made = speech.checked(speech.computed("*", double(value), real(factor)), "DOUBLE")
    column = replace(computed("DOUBLE", unit.constant[0]), ucd=value.column.ucd)
    return derived(written.at, made, column, written.name, arguments)


_SPECIAL: dict[str, Callable[[Call, list[Value], Speech], Value]] = {
    "ABS": _absolute,
    "MOD": _modulo,
    "ROUND": _to_places(roundings.rounded),
    "TRUNCATE": _to_places(roundings.truncated),
    "COALESCE": _coalesce,
    "IN_UNIT": _in_unit,
}
