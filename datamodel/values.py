"""Which plain values may a persistent attribute have, and in which form are they kept?"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from datamodel.attributes import Attribute
from datamodel.errors import UsageError


def checked(attribute: Attribute, value: Any) -> Any:
    """The value as the attribute keeps it, if it is one that the attribute can have.

    NaN becomes None, an instant with a time zone becomes naive UTC, numpy scalars become Python's.

    Raises
    ------
    UsageError
        A list was expected, or another type of value or object; the message quotes the value.
    """
    if attribute.many:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{_name(attribute)} is a list, not {value!r}")
        members = [_checked_one(attribute, v) for v in value]
        if attribute.is_link and None in members:
            raise UsageError(f"{_name(attribute)}: a list of objects cannot hold None")
        return members
    return _checked_one(attribute, value)


def comparable(attribute: Attribute, value: Any) -> Any:
    """The value in the form in which it can be compared with the attribute in SQL.

    Raises
    ------
    UsageError
        It cannot be compared; the message quotes it.
    """
    if value is None or attribute.is_link:
        return value
    convert = (
        float if attribute.scalar in _RANGES and _has_fraction(value) else _PLAIN[attribute.scalar or ""]
    )
    plain = _converted(attribute, convert, value)
    if plain != plain or (isinstance(plain, int) and not -(2**63) <= plain < 2**63):
        raise UsageError(f"{_name(attribute)} cannot be compared with {value!r}")
    return plain


def _checked_one(attribute: Attribute, value: Any) -> Any:
    if value is None:
        return None
    if attribute.is_link:
        target = attribute.target_class()
        if not isinstance(value, target):
            raise UsageError(f"{_name(attribute)}: expected a {target.__name__}, not {value!r}")
        return value
    plain = _converted(attribute, _PLAIN[attribute.scalar or ""], value)
    low, high = _RANGES.get(attribute.scalar or "", (None, None))
    if low is not None and high is not None and not low <= plain <= high:
        raise UsageError(f"{_name(attribute)}: {value!r} is outside {attribute.scalar}, {low} to {high}")
    if attribute.among and plain not in attribute.among:
        known = ", ".join(f"{each} ({meaning})" for each, meaning in attribute.among.items())
        raise UsageError(f"{_name(attribute)} is {value!r}, expected one of {known}")
    return None if isinstance(plain, float) and math.isnan(plain) else plain


def _converted(attribute: Attribute, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{_name(attribute)}: expected {attribute.scalar}, not {value!r}") from None


def _name(attribute: Attribute) -> str:
    return f"{attribute.owner}.{attribute.name}"


def _has_fraction(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _integer(value: Any) -> int:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError(value)
    return number


def _boolean(value: Any) -> bool:
    if value not in (False, True):
        raise ValueError(value)
    return bool(value)


def _text(value: Any) -> str:
    if "\x00" in (text := str(value)):
        raise ValueError(text)
    return text


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise TypeError(value)
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)


def _geometry(value: Any) -> str:
    return _text(value) if isinstance(value, str) else " ".join(repr(float(x)) for x in value)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "BOOLEAN": _boolean,
    "SMALLINT": _integer,
    "INTEGER": _integer,
    "BIGINT": _integer,
    "REAL": float,
    "DOUBLE": float,
    "CHAR": _text,
    "VARCHAR": _text,
    "UNICODE": _text,
    "CLOB": _text,
    "REGION": _text,
    "TIMESTAMP": _instant,
    "POINT": _geometry,
    "CIRCLE": _geometry,
    "POLYGON": _geometry,
}

_RANGES: dict[str, tuple[int, int]] = {
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
}
