"""What becomes of a value that is cast to a geometry, or of a geometry that is cast? (ADQL 2.1 section 4.7)."""

from collections.abc import Callable
from functools import partial

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from vo_server.tap.adql import geometry_strings, shapes
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.tree import CastTo
from vo_server.tap.adql.values import Value, derived


def _from_text(written: CastTo, value: Value, speech: Speech) -> Value:
    """Of a constant its shape; of others a text as databases keep it, or NULL."""
    column = Column("", written.type, unit="deg")
    if not value.constant:
        made = sql.call("vo_kept", value.sql, sql.text(written.type))
        return derived(written.at, made, column, f"CAST {written.type}", [value])
    shape = geometry_strings.dali(value.at, written.type, value.constant[0])
    known = derived(written.at, partial(shapes.text, shape), column, f"CAST {written.type}", [value])
    known.shape = shape
    return known


def _unchanged(written: CastTo, value: Value, speech: Speech) -> Value:
    if value.column.type != written.type:
        raise AdqlError(written.at, f"cannot cast a {value.column.type} to {written.type}")
    return value.but(at=written.at)


def _to_text(written: CastTo, value: Value, speech: Speech) -> Value:
    made = value.sql
    if written.length is not None:
        made = sql.call("substr", made, sql.number(1), sql.number(written.length))
    return derived(
        written.at, made, Column("", written.type), f"CAST {written.type} {written.length}", [value]
    )


CASTERS: dict[tuple[str, str], Callable[[CastTo, Value, Speech], Value]] = {
    ("text", "geometry"): _from_text,
    ("geometry", "geometry"): _unchanged,
    ("geometry", "text"): _to_text,
}
"""By the kinds of the value and of the type that it is cast to."""
