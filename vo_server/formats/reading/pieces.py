"""Where can a long text be cut, so that each piece has whole rows?

A row ends with its line, unless that is within quotes. A quote counts where a value begins, and from there up to
the next one that is not doubled: as RFC 4180 has it, and as pyarrow reads what is not written by it.
"""

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

from datamodel.errors import UsageError
from vo_server.formats.reading.source import Readable

SIZE = 1 << 20
"""Bytes that are read at once."""

_LOOKED_AT = 1 << 14
_LINE_END = re.compile(rb"\r\n|\n|\r")


def pieces(stream: Readable, skipped: int, separator: str | None, size: int = SIZE) -> Iterator[bytes]:
    """The text in pieces of whole rows, of less than three times the size each.

    Parameters
    ----------
    stream
        At its beginning.
    skipped
        How many lines to leave out first; they are in the first bytes that are read.
    separator
        What stands between values, of which some are in quotes; None where there are no quotes.
    size
        How many bytes are read at once; a row may be twice as long.

    Raises
    ------
    UsageError
        A row is longer, or a quote is never closed.
    """
    held = _filled(stream, size)
    ends = [end.end() for end in islice(_LINE_END.finditer(held), skipped)]
    if len(ends) < skipped:
        return
    held = held[max(ends, default=0) :]
    while more := _filled(stream, size):
        cut = _last_end(held, separator)
        if not cut and len(held) >= 2 * size:
            raise UsageError(f"a row is longer than {2 * size} bytes, or a quote is never closed")
        if cut:
            yield held[:cut]
        held = held[cut:] + more
    if held:
        yield held


def _filled(stream: Readable, size: int) -> bytes:
    """So many bytes, or all that are left."""
    read, left = [], size
    while left and (some := stream.read(left)):
        read.append(some)
        left -= len(some)
    return b"".join(read)


def _last_end(text: bytes, separator: str | None) -> int:
    """Where the last row ends that is whole; 0 where there is none. Not between a return and its line feed."""
    if separator is None or b'"' not in text:
        return text.rfind(b"\n") + 1 or text.rfind(b"\r", 0, -1) + 1
    looked_at = _LOOKED_AT
    while looked_at < len(text):
        begin = len(text) - looked_at
        if end := _Quoted(text[begin:], separator, is_whole=False).last_end():
            return begin + end
        looked_at *= 8
    return _Quoted(text, separator, is_whole=True).last_end()


class _Quoted:
    """Which bytes of a text are within quotes.

    Of quotes side by side an even number changes nothing: they are doubled, or an empty value. An odd number ends
    a value in quotes, and begins one where none is open and a value begins. So a place is within quotes if
    the number of these that may begin one, after the last that may not, is odd.

    Parameters
    ----------
    text
        Part of a text, up to its end.
    separator
        What stands between values.
    is_whole
        Whether it begins with a row. If not, nothing is known before the first quote that cannot begin a value.
    """

    def __init__(self, text: bytes, separator: str, is_whole: bool) -> None:
        data = np.frombuffer(text, np.uint8)
        quotes = np.flatnonzero(data == ord('"'))
        first = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
        odd = np.diff(first, append=len(quotes)) % 2 == 1
        at = quotes[first[odd]]
        begins = np.zeros(256, bool)
        begins[[*separator.encode(), *b"\r\n"]] = True
        may_begin = begins[data[at - 1]] | (at == 0)
        count = np.cumsum(may_begin)
        self._text = text
        self._at = at
        self._is_open = (count - np.maximum.accumulate(np.where(may_begin, 0, count))) % 2 == 1
        self._known = 0 if is_whole else int(next(iter(at[~may_begin]), len(text)))

    def last_end(self) -> int:
        """Where the last row ends; 0 where that is not known."""
        for end, stop in ((b"\n", len(self._text)), (b"\r", len(self._text) - 1)):
            at = self._text.rfind(end, self._known, stop)
            while at >= 0 and (opening := self._opening(at)) >= 0:
                at = self._text.rfind(end, self._known, opening)
            if at >= 0:
                return at + 1
        return 0

    def _opening(self, at: int) -> int:
        """The quote that opens the value in quotes that a byte is in; -1 where it is in none."""
        last = int(np.searchsorted(self._at, at)) - 1
        return int(self._at[last]) if last >= 0 and self._is_open[last] else -1
