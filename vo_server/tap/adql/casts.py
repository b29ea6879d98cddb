"""What becomes of a value that is cast to another type? (ADQL 2.1 section 4.7)."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.tree import CastTo
from vo_server.tap.adql.types import described, double, is_integer, literal
from vo_server.tap.adql.values import Value, derived

_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z?)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
_BOUNDS = {"SMALLINT": 2**15, "INTEGER": 2**31, "BIGINT": 2**63}


def timestamp(at: Position, text: str) -> Value:
    """A constant instant from a DALI string.

    Raises
    ------
    AdqlError
        The string is no date, or there is no such day.
    """
    expected = AdqlError(at, f"expected a time such as '2003-02-14T01:02:03', found '{text[:60]}'")
    if not _ISO.fullmatch(text.strip()):
        raise expected
    whole, _, fraction = text.strip().removesuffix("Z").partition(".")
    try:
        instant = datetime.fromisoformat(whole)
    except ValueError:
        raise expected from None
    microsecond = int((fraction + "000000")[:6])
    return literal(at, instant.replace(microsecond=microsecond, tzinfo=UTC).replace(tzinfo=None))


def cast(written: CastTo, value: Value) -> Value:
    """The value of ``CAST(value AS type)``.

    Raises
    ------
    AdqlError
        Values of this type cannot be cast to that one.
    """
    wanted = DATATYPES[written.type].kind
    kind = "text" if value.kind == "null" else value.kind
    if value.kind == "null":
        sql: sa.ColumnElement[Any] = sa.cast(sa.null(), DATATYPES[written.type].sql())
        return derived(written.at, sql, Column("", written.type), f"CAST {written.type}", [value])
    caster = _CASTERS.get((kind, wanted))
    if caster is None:
        raise AdqlError(written.at, f"cannot cast {described(value)} to {written.type}")
    return caster(written, value)


def _number(written: CastTo, value: Value) -> Value:
    sql_type = DATATYPES[written.type].sql()
    sql = value.sql
    if written.type in _BOUNDS and not is_integer(value):
        sql = func.trunc(double(value))
    if written.type in _BOUNDS:
        sql = _bounded(sql, written.type, is_integer(value))
    column = replace(_unnamed(value), type=written.type)
    return derived(written.at, sa.cast(sql, sql_type), column, f"CAST {written.type}", [value], 3)


def _bounded(sql: sa.ColumnElement[Any], kind: str, whole: bool) -> sa.ColumnElement[Any]:
    """The number, or NULL where the type has no room for it; whole ones are never compared as doubles."""
    if not whole:
        bound = float(_BOUNDS[kind])
        return sa.case((sa.and_(sql >= -bound, sql < bound), sql))
    if kind == "BIGINT":
        return sql
    return sa.case((sql.between(-_BOUNDS[kind], _BOUNDS[kind] - 1), sql))


def _text(written: CastTo, value: Value) -> Value:
    sql: sa.ColumnElement[Any] = sa.cast(value.sql, sa.Text)
    if written.length is not None:
        sql = func.substr(sql, 1, written.length)
    column = replace(_unnamed(value), type=written.type, unit=None)
    what = f"CAST {written.type} {written.length}"
    return derived(written.at, sa.type_coerce(sql, sa.Text), column, what, [value])


def _parsed_number(written: CastTo, value: Value) -> Value:
    text = _constant(written, value)
    try:
        number = int(text) if _WHOLE.fullmatch(text.strip()) else float(text)
    except ValueError:
        raise AdqlError(value.at, f"expected a number, found '{text[:60]}'") from None
    return _number(written, literal(value.at, number))


def _parsed_time(written: CastTo, value: Value) -> Value:
    return replace(timestamp(value.at, _constant(written, value)), at=written.at)


def _constant(written: CastTo, value: Value) -> str:
    if not value.constant:
        raise AdqlError(written.at, f"only a string can be cast to {written.type}, found {described(value)}")
    return str(value.constant[0])


def _unchanged(written: CastTo, value: Value) -> Value:
    return replace(value, at=written.at, origin=None)


def _unnamed(value: Value) -> Column:
    return replace(value.column, name="", arraysize=None, principal=False, indexed=False, std=False)


_CASTERS: dict[tuple[str, str], Callable[[CastTo, Value], Value]] = {
    ("number", "number"): _number,
    ("number", "text"): _text,
    ("text", "text"): _text,
    ("text", "number"): _parsed_number,
    ("text", "timestamp"): _parsed_time,
    ("timestamp", "timestamp"): _unchanged,
    ("timestamp", "text"): _text,
    ("boolean", "text"): _text,
}
