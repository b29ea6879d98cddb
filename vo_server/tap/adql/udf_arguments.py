"""What may stand as an argument of a user defined function, by the type of its parameter?"""

from collections.abc import Callable

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from vo_server.tap.adql import casts, shapes
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.functions import require
from vo_server.tap.adql.geometry import shape_of
from vo_server.tap.adql.shapes import Point
from vo_server.tap.adql.types import described, double, is_integer
from vo_server.tap.adql.values import DOUBLE, Value

_BIGINT = Column("", "BIGINT")


def _real(name: str, value: Value, _speech: Speech) -> list[Value]:
    require("number", name, [value])
    if value.constant:
        number = value.number
        return [Value(value.at, double(value), DOUBLE, value.key, constant=(number,))]
    return [value if value.column.type == "DOUBLE" else value.but(written=double(value), column=DOUBLE)]


def _numeric(name: str, value: Value, speech: Speech) -> list[Value]:
    return _real(name, value, speech) if value.kind == "null" else _number(name, value)


def _number(name: str, value: Value) -> list[Value]:
    require("number", name, [value])
    return [value]


def _whole(name: str, value: Value, speech: Speech) -> list[Value]:
    if value.kind == "null":
        return [value.but(written=speech.cast(sql.NULL, "BIGINT"), column=_BIGINT)]
    require("number", name, [value])
    if not is_integer(value):
        raise AdqlError(value.at, f"{name} takes a whole number here; found one of type {value.column.type}")
    return [value]


def _text(name: str, value: Value, speech: Speech) -> list[Value]:
    require("text", name, [value])
    return [value.but(written=speech.cast(sql.NULL, "VARCHAR")) if value.kind == "null" else value]


def _time(name: str, value: Value, speech: Speech) -> list[Value]:
    if value.kind == "text" and value.constant:
        return [casts.timestamp(value.at, value.constant[0], speech)]
    if value.kind not in ("text", "timestamp", "null"):
        raise AdqlError(value.at, f"{name} takes a time, found {described(value)}")
    return [value]


def _point(name: str, value: Value, speech: Speech) -> list[Value]:
    shape = shape_of(value)
    if not isinstance(shape, Point):
        raise AdqlError(value.at, f"{name} takes a point, found a {type(shape).__name__.lower()}")
    return [part for each in shapes.parts(shape) for part in _real(name, each, speech)]


TAKEN: dict[str, Callable[[str, Value, Speech], list[Value]]] = {
    "REAL": _real,
    "NUMERIC": _numeric,
    "INTEGER": _whole,
    "BIGINT": _whole,
    "TEXT": _text,
    "TIMESTAMP": _time,
    "POINT": _point,
    "GEOMETRY": _point,
}
"""By type: what the SQL and the constants of an argument become; a point gives two."""
