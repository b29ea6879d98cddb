"""How is a query laid out so that people can read it? It always means what it meant before."""

import re
from itertools import accumulate

import sqlparse
from sqlparse.exceptions import SQLParseError

MAX_CHARACTERS = 20_000
MAX_TOKENS = 2_000
MAX_NESTING = 30
"""Beyond these a query is left as it was written: laying out takes time that grows with their square."""

_KEYWORDS = """
    ALL AND AS ASC BETWEEN BY CASE CAST COALESCE CROSS DESC DISTINCT ELSE END ESCAPE EXCEPT EXISTS FROM FULL
    GROUP HAVING ILIKE IN INNER INTERSECT IS JOIN LEFT LIKE NATURAL NOT NULL OFFSET ON OR ORDER OUTER
    RIGHT SELECT THEN TOP UNION USING WHEN WHERE WITH
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""Words that no query uses as names, so that writing them large changes nothing."""

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*'
  | "(?:[^"]|"")*"
  | --[^\n]*
  | [A-Za-z_][A-Za-z0-9_]*
  | [0-9.]+(?:[eE][+-]?[0-9]+)?
  | \s+
  | [<>!|]{2} | [<>]=
  | .
    """,
    re.VERBOSE | re.DOTALL,
)
_STEP = {"(": 1, ")": -1}


def laid_out(adql: str) -> str:
    """A query with one clause a line and its keywords in capitals.

    Parameters
    ----------
    adql
        Any text; it need not be a query.

    Returns
    -------
    str
        The same tokens with other white space between them. What is too long or nested too deeply, or would
        come out as other tokens, is given back as it came, but for white space at its ends.
    """
    plain = adql.strip()
    if len(plain) > MAX_CHARACTERS:
        return plain
    words = _TOKEN.findall(plain)
    if not _is_laid_out_quickly(words):
        return plain
    try:
        made = sqlparse.format("".join(map(_large, words)), reindent=True).strip()
    except SQLParseError:
        return plain
    return made if _meaning(_TOKEN.findall(made)) == _meaning(words) else plain


def _is_laid_out_quickly(words: list[str]) -> bool:
    depths = accumulate(_STEP.get(word, 0) for word in words)
    return sum(not word.isspace() for word in words) <= MAX_TOKENS and max(depths, default=0) <= MAX_NESTING


def _large(word: str) -> str:
    return word.upper() if word.upper() in KEYWORDS else word


def _meaning(words: list[str]) -> list[str]:
    """The tokens that matter; white space at the end of a comment does not."""
    return [_large(word.rstrip() if word.startswith("--") else word) for word in words if not word.isspace()]
