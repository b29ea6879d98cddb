"""Where in the query is it wrong, and what was expected there."""

from typing import NamedTuple

from datamodel.errors import UsageError

_LONGEST = 1000
"""Characters of a message, whatever it quotes."""


class Position(NamedTuple):
    """A place in the text of a query; both count from one."""

    line: int
    column: int


class AdqlError(UsageError):
    """The query has no meaning; the message begins with the place.

    Parameters
    ----------
    at
        The first character of what is wrong.
    message
        What was expected and what was found, quoting the text.
    """

    def __init__(self, at: Position, message: str) -> None:
        shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ..."
        super().__init__(f"line {at.line}, column {at.column}: {shown}")
        self.line = at.line
        self.column = at.column
