"""What becomes of a value that is cast to another type? (ADQL 2.1 section 4.7)."""

import re
from collections.abc import Callable
from dataclasses import replace

from datamodel import sql, times_of_texts
from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.speech import Speech
from datamodel.sql import Sql, number
from vo_server.tap.adql import geometry_casts
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.metadata import computed, unchanged
from vo_server.tap.adql.tree import CastTo
from vo_server.tap.adql.types import described, double, instant, is_integer, literal
from vo_server.tap.adql.values import Value, derived

_WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
_BOUNDS = {"SMALLINT": 2**15, "INTEGER": 2**31, "BIGINT": 2**63}


def timestamp(at: Position, text: str, speech: Speech) -> Value:
    """A constant instant from a DALI string.

    Raises
    ------
    AdqlError
        The string is no date, or there is no such day.
    """
    try:
        parsed = times_of_texts.parsed(text)
    except ValueError:
        parsed = None
    if parsed is None:
        raise AdqlError(at, f"expected a time such as '2003-02-14T01:02:03', found '{text[:60]}'")
    return instant(at, parsed, speech)


def cast(written: CastTo, value: Value, speech: Speech) -> Value:
    """The value of ``CAST(value AS type)``.

    Raises
    ------
    AdqlError
        Values of this type cannot be cast to that one.
    """
    wanted = DATATYPES[written.type].kind
    kind = "text" if value.kind == "null" else value.kind
    if value.kind == "null":
        nothing = speech.cast(sql.NULL, written.type)
        return derived(written.at, nothing, Column("", written.type), f"CAST {written.type}", [value])
    caster = _CASTERS.get((kind, wanted))
    if caster is None:
        raise AdqlError(written.at, f"cannot cast {described(value)} to {written.type}")
    return caster(written, value, speech)


def _number(written: CastTo, value: Value, speech: Speech) -> Value:
    made = value.sql
    if written.type in _BOUNDS and not is_integer(value):
        made = sql.call("trunc", double(value))
    if written.type in _BOUNDS:
        made = _bounded(made, written.type, is_integer(value))
    cut = written.type in _BOUNDS and not is_integer(value)
    column = computed(written.type, value.column.unit) if cut else unchanged(value.column, written.type)
    rounded = written.type == "REAL" and value.column.type != "REAL"
    made = speech.rounded_to_real(double(value)) if rounded else speech.cast(made, written.type)
    return derived(written.at, made, column, f"CAST {written.type}", [value], 3)


def _bounded(value: Sql, kind: str, whole: bool) -> Sql:
    """The number, or NULL where the type has no room for it; whole ones are never compared as doubles."""
    if not whole:
        bound = float(_BOUNDS[kind])
        return sql.case((sql.all_of(value >= -bound, value < bound), value))
    if kind == "BIGINT":
        return value
    return sql.case((value.between(-_BOUNDS[kind], _BOUNDS[kind] - 1), value))


def _text(written: CastTo, value: Value, speech: Speech) -> Value:
    made = speech.shown(value.sql, value.column.type)
    if written.length is not None:
        made = sql.call("substr", made, number(1), number(written.length))
    same = value.kind == "text" and written.length is None
    column = (
        replace(unchanged(value.column, written.type), arraysize=None) if same else computed(written.type)
    )
    return derived(written.at, made, column, f"CAST {written.type} {written.length}", [value])


def _parsed_number(written: CastTo, value: Value, speech: Speech) -> Value:
    if not value.constant:
        whole = written.type in _BOUNDS
        made = speech.parsed_whole(value.sql) if whole else speech.parsed(value.sql)
        column = Column("", "BIGINT" if whole else "DOUBLE")
        return _number(written, derived(value.at, made, column, "parsed", [value], 3), speech)
    text: str = value.constant[0]
    try:
        found = int(text) if _WHOLE.fullmatch(text.strip()) else float(text)
    except ValueError:
        raise AdqlError(value.at, f"expected a number, found '{text[:60]}'") from None
    return _number(written, literal(value.at, found), speech)


def _parsed_time(written: CastTo, value: Value, speech: Speech) -> Value:
    if value.constant:
        return timestamp(value.at, value.constant[0], speech).but(at=written.at)
    return derived(written.at, speech.time_of(value.sql), Column("", "TIMESTAMP"), "CAST TIMESTAMP", [value])


def _counted(written: CastTo, value: Value, speech: Speech) -> Value:
    """A boolean as 1 or 0."""
    one = sql.case((value.sql, number(1)), (sql.not_(value.sql), number(0)))
    counted = derived(value.at, one, Column("", "INTEGER"), "counted", [value], 2)
    return _number(written, counted, speech)


def _unchanged(written: CastTo, value: Value, speech: Speech) -> Value:
    return value.but(at=written.at, origin=None)


_CASTERS: dict[tuple[str, str], Callable[[CastTo, Value, Speech], Value]] = {
    ("number", "number"): _number,
    ("number", "text"): _text,
    ("text", "text"): _text,
    ("text", "number"): _parsed_number,
    ("text", "timestamp"): _parsed_time,
    ("timestamp", "timestamp"): _unchanged,
    ("timestamp", "text"): _text,
    ("boolean", "text"): _text,
    ("boolean", "number"): _counted,
} | geometry_casts.CASTERS
