"""What are the columns of a result called?"""

import re
from collections.abc import Set

from datamodel.columns import Column
from vo_server.tap.adql.values import Value
from vo_server.tap.adql.words import RESERVED

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def named_columns(items: list[tuple[Value, str | None]]) -> tuple[Column, ...]:
    """Describe the columns of a SELECT list; names are unique without regard to case.

    Parameters
    ----------
    items
        Each value, with the name that AS gives it or None. A column keeps its own name; ``COUNT(*)`` is
        ``count_all``, ``MIN(mag)`` is ``min_mag``, anything else ``col`` and its place.
    """
    taken = {name.lower() for _, name in items if name}
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    columns = []
    for place, (value, alias) in enumerate(items, 1):
        name = alias or _suggested(value, place)
        name = _unique(name, seen if alias else seen | taken, numbers)
        seen.add(name.lower())
        columns.append(value.column if value.column.name == name else value.column.named(name))
    return tuple(columns)


def _suggested(value: Value, place: int) -> str:
    if value.column.name:
        return value.column.name
    words = _called(value)
    name = "_".join(words).lower()
    return name if words and _PLAIN.fullmatch(name) and name.upper() not in RESERVED else f"col{place}"


def _called(value: Value) -> list[str]:
    key = value.key
    if not value.aggregated or not isinstance(key, tuple) or not isinstance(key[0], str):
        return []
    if key[0] == "COUNT(*)":
        return ["count", "all"]
    function = key[0].split(" ")[0]
    inner = key[1] if len(key) == 2 else None
    column = inner[3] if isinstance(inner, tuple) and len(inner) == 4 and inner[0] == "column" else None
    return [function, column] if isinstance(column, str) and _WORDS.fullmatch(function) else []


def _unique(name: str, taken: Set[str], numbers: dict[str, int]) -> str:
    """A name, with the next free number where it is taken; `numbers` are those used last."""
    lower = name.lower()
    if lower not in taken:
        return name
    number = numbers.get(lower, 1) + 1
    while f"{lower}_{number}" in taken:
        number += 1
    numbers[lower] = number
    return f"{name}_{number}"
