"""Is the SQL of a query shallow enough for the parser of SQLite, which has a stack of a hundred places?"""

import re

from vo_server.tap.adql.errors import AdqlError, Position

SHALLOW = 5
"""Nesting of a query up to which its SQL need not be looked at."""

_PLACES = {"(": 5, "(SELECT": 8}
"""What fails first on SQLite, of all that was tried, is division inside division, at 95 by this count."""

_BRACKET = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(\(SELECT|\(|\))""")
"""Of texts and quoted names it finds nothing."""


def check(sql: str, at: Position, most: int) -> None:
    """Refuse a statement whose parentheses are nested too deeply for a stack of so many places.

    Raises
    ------
    AdqlError
        Running it would fail; the query should be written with named queries (WITH) or in steps.
    """
    if places(sql) > most:
        raise AdqlError(at, "nested too deeply; write it with fewer functions and queries inside others")


def places(sql: str) -> int:
    """Most places of the parser's stack that a statement takes, as `_PLACES` counts them."""
    open_ones: list[int] = []
    now = most = 0
    for bracket in _BRACKET.findall(sql):
        if not bracket:
            continue
        if bracket == ")":
            now -= open_ones.pop()
            continue
        open_ones.append(_PLACES[bracket])
        now += open_ones[-1]
        most = max(most, now)
    return most
