"""Which mathematical functions does SQLite get from us where its build lacks them?"""

import math
import sqlite3
from collections.abc import Callable

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
    """Give a connection the functions that its SQLite was built without.

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
