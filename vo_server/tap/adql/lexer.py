"""Which words, numbers, strings and signs does the text of a query consist of?"""

import re
from typing import NamedTuple

from vo_server.tap.adql.errors import AdqlError, Position

MAX_LENGTH = 1_000_000
"""Longest query in characters."""

MAX_TOKENS = 100_000
"""Most words, literals and signs in one query."""

MAX_LITERALS = 30_000
"""Most literals in one query; each becomes a bind parameter, and SQLite has room for 32766."""

_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f\v]+|--[^\n]*)+)
  | (?P<name>[A-Za-z][A-Za-z0-9_]*)
  | (?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?)
  | (?P<integer>[0-9]+)
  | (?P<string>'(?:[^']|'')*')
  | (?P<delimited>"(?:[^"]|"")*")
  | (?P<sign>\|\||<>|!=|<=|>=|/(?!\*)|[-+*=<>(),.;])
    """,
    re.VERBOSE,
)

_HINTS = (
    (re.compile("[‘’‚`´]"), "a typographic quote; strings are written between ' and '"),
    (re.compile("[“”„«»]"), 'a typographic quote; names are written between " and "'),
    (re.compile("'"), "a string without its closing '"),
    (re.compile('"'), 'a name without its closing "'),
    (re.compile("::"), "'::'; a type is changed by CAST(value AS type)"),
    (re.compile("[−–—]"), "a typographic minus; write -"),
    (re.compile("_"), "a name that begins with '_'; such a name is written between double quotes"),
    (re.compile("\u00a0"), "a no-break space; write an ordinary one"),
    (re.compile(r"\["), "'['; names are written between double quotes"),
)


class Token(NamedTuple):
    """One token.

    Attributes
    ----------
    kind
        ``name``, ``delimited``, ``integer``, ``number``, ``string``, ``sign`` or ``end``.
    text
        As written; of a string or delimited name what stands between the quotes.
    word
        The name in upper case, or the sign; empty for the other kinds.
    at
        The place of the first character.
    """

    kind: str
    text: str
    word: str
    at: Position

    @property
    def shown(self) -> str:
        """How an error message quotes this token."""
        if self.kind == "end":
            return "the end of the query"
        quote = {"string": "''", "delimited": '""'}.get(self.kind, "''")
        return f"{quote[0]}{self.text[:60]}{quote[1]}"


def tokens(text: str, max_length: int = MAX_LENGTH) -> list[Token]:
    """Split a query into tokens; the last one is of kind ``end``.

    Raises
    ------
    AdqlError
        For a text that is too long, has too many literals, or a character that ADQL does not have.
    """
    if len(text) > max_length:
        raise AdqlError(Position(1, 1), f"a query has at most {max_length} characters, this one {len(text)}")
    found: list[Token] = []
    offset, line, line_start, literals = 0, 1, 0, 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise _unexpected(text, offset, Position(line, offset - line_start + 1))
        kind, start, offset = match.lastgroup or "", offset, match.end()
        if kind != "space":
            at = Position(line, start - line_start + 1)
            found.append(_token(kind, match.group(), at))
            if kind in _LITERALS:
                literals += 1
                _check_end(kind, text, start, offset, at)
            if len(found) > MAX_TOKENS:
                raise AdqlError(at, f"a query has at most {MAX_TOKENS} words and signs")
        if kind in _LONG and "\n" in (body := match.group()):
            line += body.count("\n")
            line_start = start + body.rindex("\n") + 1
    if literals > MAX_LITERALS:
        raise AdqlError(Position(1, 1), f"a query has at most {MAX_LITERALS} literals, this one {literals}")
    found.append(Token("end", "", "", Position(line, offset - line_start + 1)))
    return found


_LITERALS = frozenset(("integer", "number", "string"))
_LONG = frozenset(("space", "string", "delimited"))
"""What may have more than one line."""


def _check_end(kind: str, text: str, start: int, end: int, at: Position) -> None:
    if kind != "string" and text[end : end + 1].isidentifier():
        raise AdqlError(at, f"expected a number or a name, found '{_word_at(text, start)}'")


def _token(kind: str, body: str, at: Position) -> Token:
    if kind == "name":
        return Token(kind, body, body.upper(), at)
    if kind == "sign":
        return Token(kind, body, body, at)
    if kind in ("string", "delimited"):
        return _quoted(kind, body, at)
    return Token(kind, body, "", at)


def _quoted(kind: str, body: str, at: Position) -> Token:
    quote = body[0]
    inner = body[1:-1].replace(quote * 2, quote)
    if "\0" in inner:
        raise AdqlError(at, "a string or name cannot hold the character NUL")
    if kind == "delimited" and not inner:
        raise AdqlError(at, 'expected a name between the quotes, found ""')
    return Token(kind, inner, "", at)


def _word_at(text: str, offset: int) -> str:
    end = offset
    while end < len(text) and end - offset < 60 and (text[end].isalnum() or text[end] in "_."):
        end += 1
    return text[offset:end]


def _unexpected(text: str, offset: int, at: Position) -> AdqlError:
    for pattern, hint in _HINTS:
        if pattern.match(text, offset):
            return AdqlError(at, f"found {hint}")
    if text.startswith("/*", offset):
        return AdqlError(at, "found '/*'; a comment is written from -- to the end of the line")
    return AdqlError(at, f"found the character {text[offset]!r}, which has no meaning in ADQL")
