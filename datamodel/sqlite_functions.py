"""Which functions does SQLite get from us: those its build lacks, of texts in every alphabet, and our own?"""

import math
import re
import sqlite3
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from datamodel.own_functions import FUNCTIONS

_ONE: dict[str, Callable[[float], float]] = {
    "acos": math.acos,
    "asin": math.asin,
    "atan": math.atan,
    "ceil": lambda x: float(math.ceil(x)),
    "ceiling": lambda x: float(math.ceil(x)),
    "cos": math.cos,
    "cot": lambda x: 1.0 / math.tan(x),
    "degrees": math.degrees,
    "exp": math.exp,
    "floor": lambda x: float(math.floor(x)),
    "ln": math.log,
    "log": math.log10,
    "log10": math.log10,
    "radians": math.radians,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "trunc": lambda x: float(math.trunc(x)),
}
_TWO: dict[str, Callable[[float, float], float]] = {
    "atan2": math.atan2,
    "log": lambda base, x: math.log(x) / math.log(base),
    "mod": math.fmod,
    "power": math.pow,
}


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that its SQLite was built without, and our own.

    NULL, text, and what has no finite real value (``sqrt(-1)``, ``ln(0)``, ``exp(1e9)``) give NULL; ``log``
    of one argument is to base 10, as on PostgreSQL.
    """
    if not _knows(connection, "pi()"):
        connection.create_function("pi", 0, lambda: math.pi, deterministic=True)
    for name, one in _ONE.items():
        if not _knows(connection, f"{name}(NULL)"):
            connection.create_function(name, 1, _null_when_undefined(one), deterministic=True)
    for name, two in _TWO.items():
        if not _knows(connection, f"{name}(2, 2)"):
            connection.create_function(name, 2, _null_when_undefined(two), deterministic=True)
    for name, (arguments, text) in _TEXT.items():
        connection.create_function(name, arguments, text, deterministic=True)
    made: Any = _Sum
    connection.create_aggregate("vo_sum", 1, made)
    for function in FUNCTIONS:
        function.register(connection)


def _lower(text: object) -> str | None:
    return None if text is None else str(text).lower()


def _upper(text: object) -> str | None:
    return None if text is None else str(text).upper()


def _number(text: object) -> float | None:
    """The number that a text is, in digits, or None; PostgreSQL reads the same with a regular expression."""
    if isinstance(text, int | float):
        return float(text)
    return float(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def _whole(text: object) -> int | None:
    """The same without its decimals, exactly; None where it is no BIGINT."""
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        return None
    found = int(Decimal(text.strip()))
    return found if -(2**63) <= found < 2**63 else None


_DIGITS = re.compile(
    r"[ \t\n\r\f\v]*[+-]?([0-9]{1,200}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?[ \t\n\r\f\v]*"
)


def _text(value: object, digits: int) -> str | None:
    """A number in as few of its digits as tell it from all others, as PostgreSQL writes it."""
    if not isinstance(value, int | float):
        return None if value is None else str(value)
    number = np.float32(value) if digits < _DOUBLE_DIGITS else np.float64(value)
    if not np.isfinite(number):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN")
    exponent = int(np.format_float_scientific(number).partition("e")[2])
    if -4 <= exponent < (15 if digits == _DOUBLE_DIGITS else 6):
        return np.format_float_positional(number, trim="-")
    return np.format_float_scientific(number, trim="-", exp_digits=2)


_DOUBLE_DIGITS = 17


def _single(value: object) -> float | None:
    """The nearest REAL, as a double; None where it is too large."""
    if not isinstance(value, int | float):
        return None
    try:
        return float(_SINGLE.unpack(_SINGLE.pack(value))[0]) if math.isfinite(value) else None
    except OverflowError:
        return None


_SINGLE = struct.Struct("<f")


class _Sum:
    """Whole numbers, exactly; NULL where the sum is no BIGINT."""

    def __init__(self) -> None:
        self._sum: int | None = None

    def step(self, value: int | None) -> None:
        if value is not None:
            self._sum = value + (self._sum or 0)

    def finalize(self) -> int | None:
        return None if self._sum is None or not -(2**63) <= self._sum < 2**63 else self._sum


_TEXT: dict[str, tuple[int, Callable[..., str | float | None]]] = {
    "vo_lower": (1, _lower),
    "vo_upper": (1, _upper),
    "vo_number": (1, _number),
    "vo_whole": (1, _whole),
    "vo_text": (2, _text),
    "vo_single": (1, _single),
}
"""Name, number of arguments, and what computes it."""


def _knows(connection: sqlite3.Connection, call: str) -> bool:
    try:
        connection.execute(f"SELECT {call}").close()
    except sqlite3.OperationalError:
        return False
    return True


def _null_when_undefined(function: Callable[..., float]) -> Callable[..., float | None]:
    def call(*arguments: object) -> float | None:
        if not all(isinstance(a, int | float) for a in arguments):
            return None
        try:
            return function(*arguments)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return call
