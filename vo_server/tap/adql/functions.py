"""What does each function take, give and become in SQL? (ADQL 2.1 sections 2.3, 4.4 and 4.8)."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from datamodel import sql_functions
from datamodel.columns import Column
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
)
from vo_server.tap.adql.values import Value, derived

Sql = sa.ColumnElement[Any]

_JUST_BELOW_ZERO = -sys.float_info.min
_JUST_OUTSIDE = 1.0000000000000002
_LARGEST_EXPONENT = 709.78
_SMALLEST_EXPONENT = -744.0
_HUGE = 1e300


@dataclass(frozen=True)
class Function:
    """A function whose arguments are all numbers or all texts.

    Attributes
    ----------
    kind
        ``number`` or ``text``: what the arguments must be.
    sql
        Makes the SQL of that of the arguments; numbers arrive as doubles.
    column
        Makes type, unit and UCD of the arguments.
    copies
        How many times the SQL repeats an argument.
    """

    kind: str
    sql: Callable[..., Sql]
    column: Callable[..., Column]
    copies: int = 1


def _between(value: Sql, low: float, high: float) -> Sql:
    """The value, or NULL if it is not strictly between; the value is written once."""
    clipped = sql_functions.Least(
        func.nullif(sql_functions.Greatest(value, _real(low)), _real(low)), _real(high)
    )
    return func.nullif(clipped, _real(high))


def _real(number: float) -> Sql:
    return sa.cast(sa.bindparam(None, number, sa.Double(53)), sa.Double(53))


def _above(value: Sql, low: float) -> Sql:
    return func.nullif(sql_functions.Greatest(value, _real(low)), _real(low))


def _exp(x: Sql) -> Sql:
    bounded = sql_functions.Least(x, _real(_LARGEST_EXPONENT))
    grown = func.exp(func.nullif(bounded, _real(_LARGEST_EXPONENT)))
    return sa.case((x < _SMALLEST_EXPONENT, _real(0.0)), else_=grown)


def _power(x: Sql, y: Sql) -> Sql:
    """NULL where there is no number or none that fits, and 0 where it is too small to be told from that."""
    no_number = sa.or_(sa.and_(x < 0, y != func.floor(y)), sa.and_(x == 0, y < 0))
    bounded = sql_functions.Least(sql_functions.Greatest(y, _real(-_HUGE)), _real(_HUGE))
    exponent = _op(bounded, "*", func.ln(func.nullif(func.abs(x), _real(0.0))))
    return sa.case(
        (sa.or_(no_number, exponent > _LARGEST_EXPONENT), _real_null()),
        (exponent < _SMALLEST_EXPONENT, _real(0.0)),
        else_=func.power(x, y),
    )


def _real_null() -> Sql:
    return sa.cast(sa.null(), sa.Double(53))


def _remainder(x: Sql, y: Sql) -> Sql:
    divisor = func.nullif(y, _real(0.0))
    return _op(x, "-", _op(divisor, "*", func.trunc(_op(x, "/", divisor))))


def _op(left: Sql, operator: str, right: Sql) -> Sql:
    return left.op(operator, return_type=sa.Double(53))(right)


def _round(x: Sql) -> Sql:
    return _op(func.sign(x), "*", func.floor(_op(func.abs(x), "+", _real(0.5))))


def _to_places(whole: Callable[[Sql], Sql]) -> Callable[[Sql, Sql], Sql]:
    """A rounding to `y` decimals, or to tens and hundreds where `y` is negative."""

    def rounded(x: Sql, y: Sql) -> Sql:
        scale = func.power(_real(10.0), y)
        return _op(whole(_op(x, "*", scale)), "/", scale)

    return rounded


def _cotangent(x: Sql) -> Sql:
    return _op(_real(1.0), "/", func.nullif(func.tan(x), _real(0.0)))


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
    "CEILING": Function("number", func.ceil, _same_unit),
    "FLOOR": Function("number", func.floor, _same_unit),
    "ROUND": Function("number", _round, _same_unit, 2),
    "TRUNCATE": Function("number", func.trunc, _same_unit),
    "MOD": Function("number", _remainder, _same_unit, 2),
    "SQRT": Function("number", lambda x: func.sqrt(_above(x, _JUST_BELOW_ZERO)), _root_unit),
    "EXP": Function("number", _exp, _plain, 2),
    "LOG": Function("number", lambda x: func.ln(_above(x, 0.0)), _plain),
    "LOG10": Function("number", lambda x: func.log10(_above(x, 0.0)), _plain),
    "POWER": Function("number", _power, _raised_unit, 6),
    "PI": Function("number", func.pi, _plain),
    "RAND": Function("number", lambda *_: sql_functions.Random(), _plain),
    "DEGREES": Function("number", func.degrees, _degrees),
    "RADIANS": Function("number", func.radians, _radians),
    "SIN": Function("number", func.sin, _plain),
    "COS": Function("number", func.cos, _plain),
    "TAN": Function("number", func.tan, _plain),
    "COT": Function("number", _cotangent, _plain),
    "ASIN": Function("number", lambda x: func.asin(_between(x, -_JUST_OUTSIDE, _JUST_OUTSIDE)), _radians),
    "ACOS": Function("number", lambda x: func.acos(_between(x, -_JUST_OUTSIDE, _JUST_OUTSIDE)), _radians),
    "ATAN": Function("number", func.atan, _radians),
    "ATAN2": Function("number", func.atan2, _radians),
    "LOWER": Function("text", func.lower, _text),
    "UPPER": Function("text", func.upper, _text),
}

_PLACES = {"ROUND": Function("number", _to_places(_round), _same_unit, 4)}
_PLACES["TRUNCATE"] = Function("number", _to_places(func.trunc), _same_unit, 2)


def called(call: Call, arguments: list[Value]) -> Value:
    """The value of a function of numbers or texts.

    Raises
    ------
    AdqlError
        An argument has the wrong type.
    """
    special = _SPECIAL.get(call.name)
    if special is not None:
        return special(call, arguments)
    known = _PLACES if call.name in _PLACES and len(arguments) == 2 else FUNCTIONS
    function = known[call.name]
    require(function.kind, call.name, arguments)
    sql = [double(a) if function.kind == "number" else a.sql for a in arguments]
    result: Sql = function.sql(*sql)
    typed = sa.type_coerce(result, sa.Double(53)) if function.kind == "number" else result
    return derived(call.at, typed, function.column(*arguments), call.name, arguments, function.copies)


def require(kind: str, name: str, arguments: list[Value]) -> None:
    """Refuse arguments that are not of a kind; NULL is of every kind."""
    for argument in arguments:
        if argument.kind not in (kind, "null"):
            raise AdqlError(argument.at, f"{name} takes a {kind}, found {described(argument)}")


def _absolute(call: Call, arguments: list[Value]) -> Value:
    require("number", call.name, arguments)
    value = arguments[0]
    column = replace(_same_unit(value), type=value.column.type if value.kind == "number" else "DOUBLE")
    sql = sa.type_coerce(func.abs(value.sql), value.column.datatype.sql())
    return derived(call.at, sql, column, call.name, arguments)


def _modulo(call: Call, arguments: list[Value]) -> Value:
    require("number", call.name, arguments)
    if not all(is_integer(a) for a in arguments):
        function = FUNCTIONS["MOD"]
        sql = function.sql(*(double(a) for a in arguments))
        return derived(call.at, sql, _same_unit(*arguments), call.name, arguments, function.copies)
    left, right = arguments
    column = replace(_same_unit(left), type=arithmetic_type(left, right))
    remainder = sa.cast(left.sql, sa.BigInteger) % func.nullif(right.sql, 0)
    return derived(call.at, sa.type_coerce(remainder, sa.BigInteger), column, call.name, arguments)


def _coalesce(call: Call, arguments: list[Value]) -> Value:
    kind = common_type(arguments, "COALESCE")
    column = replace(arguments[0].column, name="", type=kind, principal=False, indexed=False, std=False)
    if len({a.column.unit for a in arguments if not a.constant}) > 1:
        column = replace(column, unit=None)
    sql_type = column.datatype.sql()
    sql: Sql = func.coalesce(*(sa.cast(a.sql, sql_type) for a in arguments), type_=sql_type)
    return derived(call.at, sql, column, call.name, arguments)


def _in_unit(call: Call, arguments: list[Value]) -> Value:
    value, unit = arguments
    require("number", call.name, [value])
    if unit.kind != "text" or not unit.constant:
        raise AdqlError(unit.at, "IN_UNIT takes a unit as a string, such as 'deg'")
    factor = conversion(call.at, value.column.unit, unit.constant[0])
    sql = _op(double(value), "*", _real(factor))
    return derived(call.at, sql, replace(_same_unit(value), unit=unit.constant[0]), call.name, arguments)


_SPECIAL: dict[str, Callable[[Call, list[Value]], Value]] = {
    "ABS": _absolute,
    "MOD": _modulo,
    "COALESCE": _coalesce,
    "IN_UNIT": _in_unit,
}
