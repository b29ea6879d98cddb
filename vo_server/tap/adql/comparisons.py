"""When may two values be compared, and how?"""

from collections.abc import Hashable, Iterable

from datamodel import sql
from datamodel.healpix import ORDER, SKY
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import casts, geometry, shape_relations
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.tree import Comparison
from vo_server.tap.adql.types import described, double, is_integer, literal
from vo_server.tap.adql.values import BOOLEAN, DOUBLE, Value, derived

_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition(
    at: Position, truth: Sql, what: str, parts: Iterable[Value], negated: bool = False, extra: Hashable = None
) -> Value:
    """A condition as a value of type BOOLEAN, turned round if `negated`."""
    return derived(at, sql.not_(truth) if negated else truth, BOOLEAN, (what, negated, extra), parts)


def pair(
    at: Position, left: Value, right: Value, speech: Speech, *, ordered: bool = False
) -> tuple[Value, Value]:
    """Two values made comparable: a string beside a time becomes a time, 0 and 1 beside a boolean become that.

    Parameters
    ----------
    ordered
        Texts are going to be compared by size, so by code point.

    Raises
    ------
    AdqlError
        The types cannot be compared.
    """
    right = _adapted(right, left, speech)
    left = _adapted(left, right, speech)
    if "geometry" in (left.kind, right.kind) and left.kind == right.kind:
        raise AdqlError(at, "geometries are compared by CONTAINS, INTERSECTS or DISTANCE")
    if left.kind != right.kind and "null" not in (left.kind, right.kind):
        raise AdqlError(at, f"cannot compare {described(left)} with {described(right)}")
    if left.column.type == "BIGINT" and _beyond_whole(right):
        left = left.but(written=double(left), column=DOUBLE)
    if right.column.type == "BIGINT" and _beyond_whole(left):
        right = right.but(written=double(right), column=DOUBLE)
    if ordered and left.kind == "text":
        left = left.but(written=speech.by_code_point(left.sql))
    return left, right


def _beyond_whole(other: Value) -> bool:
    """Whether a BIGINT is compared with this as doubles are; some databases would do so exactly."""
    number = other.number
    return other.kind == "number" and not is_integer(other) and (number is None or abs(number) >= _EXACT)


_EXACT = 2.0**53


def _adapted(value: Value, other: Value, speech: Speech) -> Value:
    if not value.constant:
        return value
    constant = value.constant[0]
    if other.kind == "timestamp" and isinstance(constant, str):
        return casts.timestamp(value.at, constant, speech)
    if other.kind == "boolean" and constant in (0, 1) and not isinstance(constant, str):
        return literal(value.at, bool(constant))
    return value


def compared(node: Comparison, left: Value, right: Value, speech: Speech) -> Value:
    """The meaning of a comparison.

    Raises
    ------
    AdqlError
        The types cannot be compared.
    """
    mirrored = _MIRRORED[node.operator]
    geometric = _geometric(node.operator, left, right, speech) or _geometric(mirrored, right, left, speech)
    if geometric is not None:
        truth, plain, negated = geometric
        if negated:
            return condition(node.at, plain, node.operator, [left, right], negated)
        return condition(node.at, truth, node.operator, [left, right]).but(plain=plain)
    if left.kind == right.kind == "geometry" and node.operator in ("=", "<>"):
        return condition(
            node.at, _same_shape(left, right, speech), node.operator, [left, right], node.operator == "<>"
        )
    left, right = pair(node.at, left, right, speech, ordered=node.operator not in ("=", "<>"))
    truth = _UNKNOWN
    if right.kind != "null" and left.kind != "null":
        truth = sql.compare(left.sql, node.operator, right.sql)
    return condition(node.at, truth, node.operator, [left, right])


def _same_shape(left: Value, right: Value, speech: Speech) -> Sql:
    """Two shapes are the same if each contains the other."""
    one, other = geometry.shape_of(left), geometry.shape_of(right)
    there = shape_relations.contains(left.at, one, other, speech)[1]
    return sql.all_of(there, shape_relations.contains(left.at, other, one, speech)[1])


_UNKNOWN = sql.cast(sql.NULL, "BOOLEAN")


def _geometric(sign: str, left: Value, right: Value, speech: Speech) -> tuple[Sql, Sql, bool] | None:
    """``CONTAINS(...) = 1``, ``DISTANCE(...) < r`` and the number of a cell, which an index may answer.

    Returns
    -------
    tuple or None
        The condition with and without the index, and whether to negate it.
    """
    if left.truth is not None and sign in ("=", "<>") and right.number in (0.0, 1.0):
        return left.truth, left.plain or left.truth, (right.number == 1.0) != (sign == "=")
    if left.ends is not None and sign in ("<", "<=") and right.kind == "number" and _is_radius(right):
        truth, plain = shape_relations.nearer(left.at, *left.ends, right, speech, strictly=sign == "<")
        return truth, plain, False
    if left.cells is not None and sign != "<>" and right.constant and is_integer(right):
        return _in_cells(*left.cells, sign, right.constant[0]), sql.compare(left.sql, sign, right.sql), False
    return None


def _in_cells(index: Sql, order: int, sign: str, number: int) -> Sql:
    """That the number of a cell is like this, of the index at order 29; one that has no place is in no cell."""
    each, (first, last) = 4 ** (ORDER - order), SKY
    low = {"=": number, ">": number + 1, ">=": number}.get(sign)
    high = {"=": number + 1, "<": number, "<=": number + 1}.get(sign)
    at_least = first if low is None else min(max(low * each, first), last + 1)
    at_most = last if high is None else max(min(high * each - 1, last), first - 1)
    return index.between(sql.number(at_least), sql.number(at_most))


def _is_radius(value: Value) -> bool:
    return value.number is not None and 0.0 <= value.number <= 180.0
