"""What does each function take, give and become in SQL? (ADQL 2.1 sections 2.3, 4.4 and 4.8)."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from datamodel.sql import Sql, call, number, real
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.types import (
    arithmetic_type,
    common_type,
    conversion,
    described,
    double,
    is_integer,
    power_unit,
    unsigned,
)
from vo_server.tap.adql.values import Value, derived

_JUST_BELOW_ZERO = -sys.float_info.min
_JUST_OUTSIDE = 1.0000000000000002
_LARGEST_EXPONENT = 709.78
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
    bounded = speech.lesser(x, real(_LARGEST_EXPONENT))
    grown = call("exp", call("nullif", bounded, real(_LARGEST_EXPONENT)))
    return sql.case((x < _SMALLEST_EXPONENT, real(0.0)), otherwise=grown)


def _power(speech: Speech, x: Sql, y: Sql) -> Sql:
    """NULL where there is no number or none that fits, and 0 where it is too small to be told from that."""
    no_number = sql.any_of(sql.all_of(x < 0, y.differs(call("floor", y))), sql.all_of(x.equals(0), y < 0))
    bounded = speech.lesser(speech.greater(y, real(-_HUGE)), real(_HUGE))
    exponent = bounded * call("ln", call("nullif", call("abs", x), real(0.0)))
    return sql.case(
        (sql.any_of(y.is_null(), no_number, exponent > _LARGEST_EXPONENT), _REAL_NULL),
        (exponent < _SMALLEST_EXPONENT, real(0.0)),
        otherwise=call("power", x, y),
    )


_REAL_NULL = sql.cast(sql.NULL, "DOUBLE PRECISION")


def _remainder(speech: Speech, x: Sql, y: Sql) -> Sql:
    divisor = call("nullif", y, real(0.0))
    quotient = speech.checked(speech.computed("/", x, divisor), "DOUBLE")
    return x - divisor * call("trunc", quotient)


def _round(speech: Speech, x: Sql) -> Sql:
    return Sql(speech.round.format(value=x.text), sql.PRODUCT)


def _truncate(speech: Speech, x: Sql) -> Sql:
    return call("trunc", x)


def _to_places(whole: Callable[[Speech, Sql], Sql]) -> Callable[[Speech, Sql, Sql], Sql]:
    """A rounding to `y` decimals, or to tens and hundreds where `y` is negative."""

    def rounded(speech: Speech, x: Sql, y: Sql) -> Sql:
        scale = call("power", real(10.0), y)
        return whole(speech, x * scale) / scale

    return rounded


def _cotangent(speech: Speech, x: Sql) -> Sql:
    return real(1.0) / call("nullif", call("tan", x), real(0.0))


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
    return replace(value.column, name="", type="DOUBLE", principal=False, indexed=False, std=False)


def _root_unit(value: Value) -> Column:
    return _plain(unit=power_unit(value.column.unit, 0.5))


def _raised_unit(base: Value, exponent: Value) -> Column:
    number = exponent.number
    return _plain(unit=None if number is None else power_unit(base.column.unit, number))


def _text(value: Value) -> Column:
    return Column("", "VARCHAR", ucd=value.column.ucd)


FUNCTIONS: dict[str, Function] = {
    "CEILING": Function("number", _named("ceil"), _same_unit),
    "FLOOR": Function("number", _named("floor"), _same_unit),
    "ROUND": Function("number", _round, _same_unit, 2),
    "TRUNCATE": Function("number", _truncate, _same_unit),
    "MOD": Function("number", _remainder, _same_unit, 2),
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
    "RADIANS": Function("number", _named("radians"), _radians),
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

_PLACES = {"ROUND": Function("number", _to_places(_round), _same_unit, 4)}
_PLACES["TRUNCATE"] = Function("number", _to_places(_truncate), _same_unit, 2)


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
    known = _PLACES if written.name in _PLACES and len(arguments) == 2 else FUNCTIONS
    function = known[written.name]
    require(function.kind, written.name, arguments)
    taken = arguments
    if known is _PLACES and arguments[1].number == 0:
        function, taken = FUNCTIONS[written.name], arguments[:1]
    made = function.sql(speech, *[double(a) if function.kind == "number" else a.sql for a in taken])
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
    column = replace(_same_unit(value), type=kind)
    return derived(written.at, call("abs", made), column, written.name, arguments)


def _modulo(written: Call, arguments: list[Value], speech: Speech) -> Value:
    require("number", written.name, arguments)
    if not all(is_integer(a) for a in arguments):
        function = FUNCTIONS["MOD"]
        made = function.sql(speech, *(double(a) for a in arguments))
        return derived(written.at, made, _same_unit(*arguments), written.name, arguments, function.copies)
    left, right = arguments
    column = replace(_same_unit(left), type=arithmetic_type(left, right))
    remainder = sql.cast(left.sql, "BIGINT") % call("nullif", right.sql, number(0))
    return derived(written.at, remainder, column, written.name, arguments)


def _coalesce(written: Call, arguments: list[Value], speech: Speech) -> Value:
    kind = common_type(arguments, "COALESCE")
    column = replace(arguments[0].column, name="", type=kind, principal=False, indexed=False, std=False)
    if len({a.column.unit for a in arguments if not a.constant}) > 1:
        column = replace(column, unit=None)
    made = call("coalesce", *(speech.as_type(a.sql, kind) for a in arguments), sql.NULL)
    return derived(written.at, made, column, written.name, arguments)


def _in_unit(written: Call, arguments: list[Value], speech: Speech) -> Value:
    value, unit = arguments
    require("number", written.name, [value])
    if unit.kind != "text" or not unit.constant:
        raise AdqlError(unit.at, "IN_UNIT takes a unit as a string, such as 'deg'")
    factor = conversion(written.at, value.column.unit, unit.constant[0])
    made = double(value) * real(factor)
    return derived(
        written.at, made, replace(_same_unit(value), unit=unit.constant[0]), written.name, arguments
    )


_SPECIAL: dict[str, Callable[[Call, list[Value], Speech], Value]] = {
    "ABS": _absolute,
    "MOD": _modulo,
    "COALESCE": _coalesce,
    "IN_UNIT": _in_unit,
}
