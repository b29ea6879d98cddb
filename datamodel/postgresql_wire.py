"""How are rows received from PostgreSQL many at a time, where its drivers give one after the other?

By reading the messages of its protocol ourselves, for as long as one COPY lasts, from the connection that the driver
has made and will have back: it need not know. The protocol is described in PostgreSQL's manual under "Frontend/Backend
Protocol", "Message Formats": a message is a letter, its length in four bytes, which count themselves, and what it
says. Each row is one message. Of a block of rows we find all beginnings at once, as rows begin alike: with a letter,
a length that is not too large, and the number of fields.
"""

import os
import select
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg2
import psycopg2.errors

from datamodel.dialect import LONGEST_BYTES
from datamodel.errors import ArchiveError, UsageError
from datamodel.postgresql_copy import HEADER_BYTES, TRAILER, RowsOfCopy

_HEAD = 5
_LEAST_BYTES = 1 << 14
_MOST_BYTES = 5 << 19
_GROWTH = 8
_PAUSE_S = 0.0005  # in which the server lays ready more than it sends at once
_PATIENCE_MS = 20  # after which the rows that are there are handed on, be they few
_LONGEST = 1 << 30
"""Of a message; PostgreSQL makes none that is longer."""

Array = np.ndarray[Any, Any]


class SilenceError(ArchiveError):
    """A connection had broken before anything was asked, so it can be asked again on another."""


def copied(raw: Any, statements: str, fields: int, hand: Callable[[RowsOfCopy], None]) -> None:
    """Send statements of which the last is COPY TO STDOUT in binary form, and hand over its rows in blocks.

    Parameters
    ----------
    raw
        A connection of psycopg2 over which nothing is under way and which is not encrypted.
    statements
        What to send.
    fields
        Of each row.
    hand
        Takes some rows; while it does, the server has to wait.

    Raises
    ------
    psycopg2.Error
        What the server says; the connection can be used afterwards.
    UsageError
        A row is too long; the connection cannot be used any more.
    ArchiveError
        The connection broke off, or what came is not the protocol; it cannot be used any more. A `SilenceError`
        where there was no answer at all.
    """
    receiver = _Receiver(raw.fileno(), fields, hand)
    try:
        _send(raw.fileno(), b"Q", statements.encode() + b"\0")
        receiver.receive()
    except (OSError, _BrokenOff) as failure:
        kind = ArchiveError if receiver.heard else SilenceError
        raise kind("the connection to the database broke off") from failure


class _BrokenOff(Exception):
    """What came is not all, or not the protocol."""


def _send(file: int, kind: bytes, said: bytes) -> None:
    left = memoryview(kind + (4 + len(said)).to_bytes(4, "big") + said)
    while left:
        try:
            left = left[os.write(file, left) :]
        except BlockingIOError:
            _wait(file, select.POLLOUT)


def _wait(file: int, what: int, patience_ms: int | None = None) -> bool:
    """Whether there is something to do, waited for as long as it takes or for some time."""
    poll = select.poll()
    poll.register(file, what)
    return bool(poll.poll(patience_ms))


class _Receiver:
    """One answer."""

    def __init__(self, file: int, fields: int, hand: Callable[[RowsOfCopy], None]) -> None:
        self._file = file
        self._hand = hand
        self._fields = fields.to_bytes(2, "big")
        self._enough = 1
        self._failure: psycopg2.Error | None = None
        self._begun = self._over = False
        self.heard = False

    def receive(self) -> None:
        """Receive all of it."""
        rest = b""
        while not self._over:
            block, end = self._read(rest)
            rest = self._take(block, end)
        if rest:
            raise _BrokenOff("something follows the end of an answer")
        if self._failure is not None:
            raise self._failure

    def _read(self, rest: bytes) -> tuple[bytearray, int]:
        """Some bytes more, and zeros behind them: as many as are enough, or all to the end of the answer."""
        block = bytearray(max(_LEAST_BYTES, self._enough, 2 * len(rest)) + len(rest) + 8)
        block[: len(rest)] = rest
        end, room = len(rest), len(block) - 8
        view = memoryview(block)
        while end < room:
            try:
                got = os.readv(self._file, [view[end:room]])
            except BlockingIOError:
                if end > max(len(rest), self._enough):
                    break
                if self._enough > _LEAST_BYTES:
                    time.sleep(_PAUSE_S)
                if not _wait(self._file, select.POLLIN, _PATIENCE_MS if end > len(rest) else None):
                    break
                continue
            if not got:
                raise _BrokenOff("the database closed the connection")
            end += got
            if self._enough <= _LEAST_BYTES or _is_end(view, end):
                break
        self._enough = min(_MOST_BYTES, _GROWTH * self._enough + _LEAST_BYTES)
        return block, end

    def _take(self, block: bytearray, end: int) -> bytes:
        """Take the messages of a block; gives the beginning of one that is not there to its end."""
        at, begins, ends = 0, [], []
        while at + _HEAD <= end:
            length = int.from_bytes(block[at + 1 : at + _HEAD], "big")
            if not 4 <= length <= _LONGEST:
                raise _BrokenOff("a message without a sensible length")
            if length > LONGEST_BYTES and block[at] == _ROW:
                raise UsageError(f"a row of the answer is longer than {LONGEST_BYTES >> 20} MB")
            after = at + 1 + length
            if after > end:
                break
            if block[at] != _ROW:
                self._hear(block[at], bytes(block[at + _HEAD : after]))
            elif not self._begun:
                self._begun = True
                begins.append(np.array([at + _HEAD + HEADER_BYTES]))
                ends.append(np.array([after]))
            elif length - 4 == len(TRAILER):
                pass
            else:
                found, behind = self._rows(block, at, end)
                begins.append(found)
                ends.append(behind)
                after = int(behind[-1])
            at = after
        if begins:
            self._give(block, np.concatenate(begins), np.concatenate(ends))
        return bytes(block[at:end])

    def _give(self, block: bytearray, begins: Array, ends: Array) -> None:
        if begins[0] == ends[0] - len(TRAILER):  # the header came with the trailer, as there are no rows
            begins, ends = begins[1:], ends[1:]
        if len(begins):
            self._hand(RowsOfCopy(block, begins, ends))

    def _rows(self, block: bytearray, at: int, end: int) -> tuple[Array, Array]:
        """Where the rows begin and end that follow one another from a place on, all of which are there whole."""
        view = np.frombuffer(block, np.uint8)
        alike = np.flatnonzero(view[at : end - _HEAD - 1] == _ROW) + at
        for offset, byte in ((1, 0), (_HEAD, self._fields[0]), (_HEAD + 1, self._fields[1])):
            alike = alike[view[alike + offset] == byte]
        ends = alike + 1 + _numbers(block, alike + 1)
        if (
            not len(alike) or alike[0] != at or (alike[1:] != ends[:-1]).any()
        ):  # a value looks like a beginning
            return _one_by_one(block, at, end)
        whole = int(np.searchsorted(ends, end, side="right"))
        return alike[:whole] + _HEAD, ends[:whole]

    def _hear(self, kind: int, said: bytes) -> None:
        """A message that is no row."""
        self.heard = self.heard or kind in _ANSWERS
        if kind == _ERROR:
            self._failure = _failure(said)
        elif kind == _READY:
            self._over = True


_ROW, _ERROR, _READY = b"dEZ"
_ANSWERS = b"CHZ"
_READY_MESSAGE = b"Z\0\0\0\5"


def _is_end(view: memoryview, end: int) -> bool:
    """Whether bytes may well end with the message that the server is ready for another query."""
    return end >= 6 and bytes(view[end - 6 : end - 1]) == _READY_MESSAGE


def _numbers(block: bytearray, at: Array) -> Array:
    """The numbers of four bytes that begin at some."""
    everywhere = np.ndarray((len(block) - 3,), ">u4", block, strides=(1,))
    return everywhere[at].astype(np.int64)


def _one_by_one(block: bytearray, at: int, end: int) -> tuple[Array, Array]:
    begins, ends = [], []
    while at + _HEAD <= end and block[at] == _ROW:
        after = at + 1 + int.from_bytes(block[at + 1 : at + _HEAD], "big")
        if after > end or after == at + _HEAD + len(TRAILER):
            break
        begins.append(at + _HEAD)
        ends.append(after)
        at = after
    return np.array(begins, np.int64), np.array(ends, np.int64)


def _failure(said: bytes) -> psycopg2.Error:
    """What the server objects to, as the driver would say it."""
    told = {field[:1]: field[1:].decode(errors="replace") for field in said.split(b"\0") if field}
    code = told.get(b"C", "XX000")
    try:
        kind = psycopg2.errors.lookup(code)
    except KeyError:
        kind = psycopg2.DatabaseError
    failure = kind(told.get(b"M", ""))
    failure.__setstate__({"pgcode": code})
    return failure
