"""What type, unit and UCD does an expression have, given those of its parts?"""

from datetime import datetime
from functools import lru_cache

from astropy import units

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.values import Value

_INTEGERS = ("SMALLINT", "INTEGER", "BIGINT")
_FLOATS = ("REAL", "DOUBLE")
_NUMBERS = (*_INTEGERS, *_FLOATS)


def is_integer(value: Value) -> bool:
    """Whether the type is one of the three of whole numbers."""
    return value.column.type in _INTEGERS


def literal(at: Position, value: int | float | str | bool | None) -> Value:
    """A constant; a whole number beyond BIGINT is a double."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = float(value)
    kind = _literal_type(value)
    return Value(at, _literal_sql(kind, value), _BARE[kind], ("literal", kind, value), constant=(value,))


def instant(at: Position, value: datetime, speech: Speech) -> Value:
    """A constant time, in UTC."""
    key = ("literal", "TIMESTAMP", value)
    return Value(at, speech.timestamp(value), _BARE["TIMESTAMP"], key, constant=(value,))


_BARE = {
    kind: Column("", kind) for kind in ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "TIMESTAMP", "VARCHAR")
}


def _literal_sql(kind: str, value: int | float | str | bool | None) -> Sql:
    if value is None:
        return sql.NULL
    if isinstance(value, str):
        return sql.text(value)
    if isinstance(value, bool):
        return Sql("TRUE" if value else "FALSE")
    if kind == "BIGINT":
        return sql.cast(sql.number(value), kind)
    return sql.number(value) if isinstance(value, int) else sql.real(value)


def _literal_type(value: int | float | str | bool | None) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER" if abs(value) < 2**31 else "BIGINT"
    if isinstance(value, float):
        return "DOUBLE"
    return "VARCHAR"


def double(value: Value) -> Sql:
    """The SQL of a number as a double."""
    return value.sql if value.column.type == "DOUBLE" else sql.cast(value.sql, "DOUBLE PRECISION")


def operand(value: Value, kind: str, speech: Speech) -> Sql:
    """The SQL of a number in arithmetic of BIGINT or DOUBLE; what is checked is the result of it all."""
    if value.column.type == kind:
        return value.sql if value.unchecked is None else value.unchecked
    return speech.cast(value.sql, kind)


def unsigned(value: Value, speech: Speech) -> tuple[Sql, str]:
    """The SQL of a number whose sign may be changed, and its type then: there is one BIGINT that has no opposite."""
    if not is_integer(value):
        return value.sql, value.column.type
    if value.column.type != "BIGINT":
        return speech.cast(value.sql, "BIGINT"), "BIGINT"
    return sql.call("nullif", value.sql, _LOWEST), "BIGINT"


_LOWEST = sql.number(-(2**63))


def arithmetic_type(left: Value, right: Value) -> str:
    """Whole numbers give BIGINT, all else DOUBLE."""
    return "BIGINT" if all(v.kind == "null" or is_integer(v) for v in (left, right)) else "DOUBLE"


def common_type(values: list[Value], what: str) -> str:
    """The type that can hold all these, for COALESCE and UNION.

    Raises
    ------
    AdqlError
        There is none, as for a text and a number.
    """
    known = [v for v in values if v.kind != "null"]
    if not known:
        return "VARCHAR"
    first = known[0]
    for other in known[1:]:
        if other.kind != first.kind:
            raise AdqlError(other.at, f"{what} cannot mix {described(first)} and {described(other)}")
    types = {v.column.type for v in known}
    if first.kind == "number":
        return _widest(types)
    return types.pop() if len(types) == 1 else ("VARCHAR" if first.kind == "text" else first.column.type)


def _widest(types: set[str]) -> str:
    if "REAL" in types and types & {"INTEGER", "BIGINT"}:
        return "DOUBLE"
    return max(types, key=_NUMBERS.index)


def described(value: Value) -> str:
    """How an error message speaks of a value: ``the number mag``, ``a text``."""
    name = f" '{value.column.name}'" if value.column.name else ""
    return f"{'the' if name else 'a'} {value.kind}{name}"


_LONGEST_UNIT = 200


@lru_cache(maxsize=1024)
def product_unit(left: str | None, right: str | None, operator: str) -> str | None:
    """The unit of a product or quotient; None where one of them is unknown."""
    if not left or not right or len(left) + len(right) > _LONGEST_UNIT:
        return None
    try:
        a, b = units.Unit(left, format="vounit"), units.Unit(right, format="vounit")
        text: str = (a * b if operator == "*" else a / b).to_string("vounit")
    except (ValueError, TypeError):
        return None
    return text or None


@lru_cache(maxsize=1024)
def power_unit(unit: str | None, exponent: float) -> str | None:
    """The unit to a power; None where it is unknown."""
    if not unit:
        return None
    try:
        text: str = (units.Unit(unit, format="vounit") ** exponent).to_string("vounit")
    except (ValueError, TypeError):
        return None
    return text or None


def conversion(at: Position, unit: str | None, wanted: str) -> float:
    """The factor from one VOUnit to another (ADQL 2.1 section 4.9).

    Raises
    ------
    AdqlError
        A unit is missing or unknown, or the two measure different things.
    """
    if not unit:
        raise AdqlError(at, "IN_UNIT needs a value with a unit; this one has none or an unknown one")
    if len(wanted) > _LONGEST_UNIT:
        raise AdqlError(at, f"a unit has at most {_LONGEST_UNIT} characters, this one {len(wanted)}")
    try:
        factor = float(units.Unit(unit, format="vounit").to(units.Unit(wanted, format="vounit")))
    except units.UnitConversionError:
        raise AdqlError(at, f"a value in '{unit}' cannot be converted to '{wanted}'") from None
    except (ValueError, TypeError):
        raise AdqlError(at, f"expected a unit as VOUnits writes it, found '{wanted}'") from None
    if not 0.0 < abs(factor) < float("inf"):
        raise AdqlError(at, f"no number tells how much of '{wanted}' a '{unit}' is")
    return factor


def is_bare(value: Value) -> bool:
    """Whether it is a number without a unit that no row and no table tells, such as 2 or PI()."""
    return value.column.unit is None and not value.aliases and not value.aggregated


def sum_unit(left: Value, right: Value) -> str | None:
    """The unit of a sum: the same on both sides, or that of the side that is no literal number."""
    if left.column.unit == right.column.unit or right.constant:
        return left.column.unit
    return right.column.unit if left.constant else None


def with_statistic(ucd: str | None, statistic: str) -> str | None:
    """A UCD with ``stat.min`` and the like appended, and without ``meta.main``."""
    if not ucd:
        return None
    words = [w for w in ucd.split(";") if w != "meta.main"]
    return ";".join([*words, statistic]) if words else None
