"""Where in the tokens are we, and is the next one what the grammar wants?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.lexer import Token
from vo_server.tap.adql.tree import Name
from vo_server.tap.adql.words import FOREIGN_CLAUSES, RESERVED

MAX_DEPTH = 64
"""Deepest nesting; SQLite's parser has room for a hundred open parentheses."""

T = TypeVar("T")


class Cursor:
    """The tokens of a query, read from left to right.

    Parameters
    ----------
    tokens
        As from `lexer.tokens`; the last one is of kind ``end``.

    Attributes
    ----------
    deepest
        Most levels of nesting met so far.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self.deepest = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    def ahead(self, count: int = 1) -> Token:
        """The token `count` places after the next one, or the end."""
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token, read; the end is never passed."""
        token = self.token
        if token.kind != "end":
            self._next += 1
        return token

    def accept(self, *words: str) -> Token | None:
        """Read the next token if it is one of these words or signs."""
        return self.take() if self.token.word in words else None

    def expect(self, word: str, context: str) -> Token:
        """Read this word or sign; `context` says where, such as ``after DISTANCE``."""
        if self.token.word != word:
            raise self.error(f"{word} {context}")
        return self.take()

    def error(self, expected: str) -> AdqlError:
        """What to raise when the next token is not what was expected."""
        token = self.token
        if token.word in FOREIGN_CLAUSES:
            return AdqlError(token.at, FOREIGN_CLAUSES[token.word])
        if token.word == ";":
            return AdqlError(token.at, "found ';'; a request has one query")
        if token.word in RESERVED and "name" in expected:
            hint = f'a reserved word; to use it as a name, write "{token.text}"'
            return AdqlError(token.at, f"expected {expected}, found '{token.text}', {hint}")
        return AdqlError(token.at, f"expected {expected}, found {token.shown}")

    def name(self, expected: str) -> Name:
        """Read an identifier: a word that is not reserved, or one between double quotes."""
        if not self.at_name():
            raise self.error(expected)
        token = self.take()
        return Name(token.at, token.text, token.kind == "delimited")

    def at_name(self) -> bool:
        """Whether the next token is an identifier."""
        token = self.token
        return token.kind == "delimited" or (token.kind == "name" and token.word not in RESERVED)

    def names(self, expected: str) -> tuple[Name, ...]:
        """Read a qualified name such as ``schema.table``."""
        parts = [self.name(expected)]
        while self.token.word == "." and self.ahead().word != "*":
            self.take()
            parts.append(self.name("a name after '.'"))
        return tuple(parts)

    def count(self, expected: str) -> int:
        """Read a whole number that is not negative."""
        if self.token.kind != "integer":
            raise self.error(expected)
        token = self.take()
        if len(token.text) > 18:
            raise AdqlError(token.at, f"expected {expected} below 10^18, found '{token.text[:60]}'")
        return int(token.text)

    def listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Read items between commas."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return tuple(found)

    def enter(self) -> None:
        """Go one level of nesting further in; a reader that fails need not come back.

        Raises
        ------
        AdqlError
            Beyond `MAX_DEPTH` levels.
        """
        self._depth += 1
        if self._depth > self.deepest:
            self.deepest = self._depth
            if self._depth > MAX_DEPTH:
                raise AdqlError(self.token.at, f"nested deeper than {MAX_DEPTH} levels")

    def leave(self) -> None:
        """Come back one level."""
        self._depth -= 1

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of nesting further in; see `enter`."""
        self.enter()
        yield
        self.leave()
