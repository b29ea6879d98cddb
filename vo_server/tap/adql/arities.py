"""How many arguments does each function take? (ADQL 2.1 sections 2.3 and 4)."""

from collections.abc import Mapping

from datamodel.shapes import MAX_VERTICES
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.tree import Arithmetic, Call, Literal, Negative

ANY = 10_000


def _each(names: str, arguments: tuple[int, int]) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names.split(), arguments)


ARITIES: dict[str, tuple[int, int]] = {
    **_each("ABS CEILING DEGREES EXP FLOOR LOG LOG10 RADIANS SQRT", (1, 1)),
    **_each("ACOS ASIN ATAN COS COT SIN TAN LOWER UPPER", (1, 1)),
    **_each("MOD POWER ATAN2 IN_UNIT CONTAINS INTERSECTS", (2, 2)),
    **_each("AREA CENTROID COORD1 COORD2 COORDSYS REGION", (1, 1)),
    "PI": (0, 0),
    "RAND": (0, 1),
    "ROUND": (1, 2),
    "TRUNCATE": (1, 2),
    "COALESCE": (1, ANY),
    "POINT": (2, 2),
    "CIRCLE": (2, 3),
    "BOX": (3, 4),
    "POLYGON": (3, ANY),
    "DISTANCE": (2, 4),
}
"""Fewest and most arguments by name; of a geometry without its coordinate system."""

SHAPES = frozenset(["POINT", "CIRCLE", "BOX", "POLYGON"])
"""Geometries whose first argument may be a coordinate system (deprecated in ADQL 2.1)."""


def coordinates(call: Call) -> tuple[Literal | None, tuple[object, ...]]:
    """A geometry's coordinate system, if one is written, and its other arguments."""
    first = call.arguments[0] if call.arguments else None
    if call.name in SHAPES and isinstance(first, Literal) and _is_system(call, first):
        return first, call.arguments[1:]
    return None, call.arguments


def _is_system(call: Call, first: Literal) -> bool:
    """A string is; so is a NULL that would be one number too many."""
    count = len(call.arguments)
    beyond = count % 2 == 1 if call.name == "POLYGON" else count > ARITIES[call.name][1]
    return isinstance(first.value, str) or (first.value is None and beyond)


def check(call: Call, known: Mapping[str, tuple[int, int]]) -> None:
    """Refuse a call with too few or too many arguments.

    Parameters
    ----------
    call
        A call as written.
    known
        Fewest and most arguments of each function.

    Raises
    ------
    AdqlError
        At the name of the function.
    """
    fewest, most = known[call.name]
    arguments = coordinates(call)[1]
    count = len(arguments)
    if not fewest <= count <= most or (call.name == "DISTANCE" and count == 3):
        if call.name == "POLYGON" and count > most:
            raise AdqlError(
                call.at, f"POLYGON takes {MAX_VERTICES} vertices at the most, found {count} arguments"
            )
        raise AdqlError(call.at, f"{call.name} takes {_range(call.name, fewest, most, count)}, found {count}")
    if call.name in SHAPES and any(isinstance(a, Literal | Negative | Arithmetic) for a in arguments[:1]):
        _check_numbers(call, count, most)


def _check_numbers(call: Call, count: int, most: int) -> None:
    """A shape whose first argument is a number has no point among them."""
    if call.name == "POLYGON" and (count < 6 or count % 2):
        expected = "three or more vertices, each of two numbers"
        raise AdqlError(call.at, f"POLYGON takes {expected}; found {count} numbers")
    if call.name != "POLYGON" and count < most:
        raise AdqlError(call.at, f"{call.name} takes {most} numbers, found {count}")


def _range(name: str, fewest: int, most: int, found: int) -> str:
    if name == "DISTANCE":
        return "2 or 4 arguments"
    if most == ANY and found < fewest:
        return f"{fewest} or more arguments"
    if fewest == most:
        return f"{fewest} argument{'' if fewest == 1 else 's'}"
    return f"{fewest} to {most} arguments"
