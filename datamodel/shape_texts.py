"""How does a database read a shape that is a text: numbers as DALI writes them, or STC-S?

The count of the numbers tells what the shape is: 2 a point, 3 a circle, from 6 on a polygon. All are degrees,
ICRS. What is none of these is NULL, and so is all that is computed from it.
"""

import re
from functools import lru_cache

from datamodel.functions import DOUBLE, Function
from datamodel.shapes import MAX_VERTICES

ARRAY = f"{DOUBLE}[]"

_COUNTS = {
    "POSITION": (2, 2),
    "POINT": (2, 2),
    "CIRCLE": (3, 3),
    "POLYGON": (6, 2 * MAX_VERTICES + 2),
}
"""Fewest and most numbers after a word; a polygon may repeat its first vertex."""

_FRAMES = (
    ("ICRS", "FK5", "J2000", "UNKNOWNFRAME"),
    ("BARYCENTER", "GEOCENTER", "HELIOCENTER", "TOPOCENTER", "UNKNOWNREFPOS"),
    ("SPHERICAL2",),
)
_MOST = max(most for _, most in _COUNTS.values())
_LONGEST = 30 * _MOST
"""Characters of a text that is looked at."""


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[float, ...]:
    """The numbers of a shape.

    Raises
    ------
    ValueError
        The text is no shape, or one that there is not on the sphere.
    """
    if len(text) > _LONGEST:
        raise ValueError(text[:60])
    words = text.split()
    fewest, most = 2, _MOST
    if words and words[0].upper() in _COUNTS:
        fewest, most = _COUNTS[words[0].upper()]
        words = words[1:]
        for names in _FRAMES:
            words = words[1:] if words and words[0].upper() in names else words
    if not fewest <= len(words) <= most or not all(map(_PLAIN.fullmatch, words)):
        _refused(text)
    return _checked(tuple(map(float, words)))


def _checked(found: tuple[float, ...]) -> tuple[float, ...]:
    if len(found) == 3:
        _, dec, radius = found
        return found if abs(dec) <= 90.0 and 0.0 <= radius <= 180.0 else _refused(found)
    if len(found) % 2 or len(found) == 4 or max(map(abs, found[1::2])) > 90.0:
        _refused(found)
    return found


def _refused(what: object) -> tuple[float, ...]:
    raise ValueError(str(what)[:60])


def part(text: str, place: int) -> float | None:
    """One of the numbers of a point or circle that a database keeps, counted from 1."""
    found = numbers(text)
    return found[place - 1] if 1 <= place <= len(found) <= 3 else None


def kept(text: str, kind: str) -> str | None:
    """A text as a database keeps a POINT, CIRCLE or POLYGON, if it is one."""
    found = numbers(text)
    return " ".join(map(repr, found)) if _KINDS.get(len(found), "POLYGON") == kind else None


_KINDS = {2: "POINT", 3: "CIRCLE"}


def decimal(number: float) -> str:
    """A number in as few digits as tell it from all others."""
    return repr(float(number))


_NUMBER = r"[+-]?([0-9]{1,200}(\.[0-9]{0,200})?|\.[0-9]{1,200})([eE][+-]?[0-9]{1,2})?"
_PLAIN = re.compile(_NUMBER)


def _alternatives(words: tuple[str, ...]) -> str:
    return "|".join(words)


_OPENING = "^\\s*({})\\s+{}".format(
    _alternatives(tuple(_COUNTS)),
    "".join(rf"(({_alternatives(names)})\s+)?" for names in _FRAMES),
)

_SHAPE = rf"""
IF length(shape) > {_LONGEST} THEN RETURN NULL; END IF;
kind := upper(substring(shape from '(?i)^\s*({_alternatives(tuple(_COUNTS))})\s'));
words := regexp_split_to_array(btrim(regexp_replace(shape, '(?i){_OPENING}', ''), E' \t\n\r\f\v'), '\s+');
count := cardinality(words);
IF count NOT BETWEEN 2 AND {_MOST} OR count = 4 OR count > 3 AND count % 2 > 0
  OR kind IN ('POSITION', 'POINT') AND count <> 2 OR kind = 'CIRCLE' AND count <> 3
  OR kind = 'POLYGON' AND count < 6 THEN RETURN NULL; END IF;
FOREACH word IN ARRAY words LOOP
  IF word !~ '^{_NUMBER}$' THEN RETURN NULL; END IF;
END LOOP;
made := words::{ARRAY};
IF abs(made[2]) > 90 OR count = 3 AND made[3] NOT BETWEEN 0 AND 180 THEN RETURN NULL; END IF;
FOR i IN 4 .. CASE WHEN count > 3 THEN count ELSE 0 END BY 2 LOOP
  IF abs(made[i]) > 90 THEN RETURN NULL; END IF;
END LOOP;
RETURN made;
"""

_KEPT = """
IF kind <> (CASE cardinality(made) WHEN 2 THEN 'POINT' WHEN 3 THEN 'CIRCLE' ELSE 'POLYGON' END) THEN
  RETURN NULL;
END IF;
RETURN array_to_string(made, ' ');
"""

FUNCTIONS = (
    Function(
        "vo_shape",
        "shape text",
        ARRAY,
        _SHAPE,
        f"kind text; words text[]; word text; count integer; made {ARRAY};",
    ),
    Function(
        "vo_part",
        "shape text, place integer",
        DOUBLE,
        f"SELECT nullif(CAST(nullif(split_part(shape, ' ', place), '') AS {DOUBLE}), 'NaN')",
        "",
        part,
        language="sql",
        strict=False,
    ),
    Function("vo_kept", "shape text, kind text", "text", _KEPT, f"made {ARRAY} := vo_shape(shape);", kept),
    Function(
        "vo_decimal", f"number {DOUBLE}", "text", "SELECT CAST(number AS text)", "", decimal, language="sql"
    ),
)
"""A shape as an array, for PostgreSQL alone; a number of a point or circle that is kept; a text as it could be kept; a
number as text."""
