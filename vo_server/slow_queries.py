"""Which queries held the database for long? They are logged with who asked them, for how long and what."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pyarrow as pa

from datamodel.columns import Rows
from datamodel.config import Config
from vo_server.adql_layout import laid_out

T = TypeVar("T")

LOGGED_CHARACTERS = 10_000

log = logging.getLogger("vo_server.slow")


def watched(config: Config, who: str, adql: str, run: Callable[[], Rows]) -> Rows:
    """Run a query, and log it at its end where it took the database longer than ``slow_query_seconds``.

    Parameters
    ----------
    config
        Has the bound.
    who
        An account or an address.
    adql
        The query, as it was asked.
    run
        Starts it.

    Returns
    -------
    Rows
        Those of `run`; reading them is watched too. Time that the reader takes between batches does not count.
    """
    watch = _Watch(config.slow_query_seconds, who, adql)
    try:
        rows = watch.timed(run)
    except BaseException:
        watch.end()
        raise
    rows.batches = _Batches(rows.batches, watch)
    close = rows.close

    def closed() -> None:
        close()
        watch.end()

    rows.close = closed
    return rows


class _Watch:
    """The time that one query took so far; it is told of once."""

    def __init__(self, bound_s: float, who: str, adql: str) -> None:
        self._bound_s, self._who, self._adql = bound_s, who, adql
        self._spent_s = 0.0
        self._ended = False
        self.rows = 0

    def timed(self, work: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return work()
        finally:
            self._spent_s += time.monotonic() - began

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._spent_s >= self._bound_s:
            told = (self._who, self._spent_s, self.rows, _quoted(self._adql))
            log.warning("slow query of %s: %.1f s, %d rows\n%s", *told)


class _Batches(Iterator[pa.RecordBatch]):
    """Batches whose making is timed and whose rows are counted."""

    def __init__(self, batches: Iterator[pa.RecordBatch], watch: _Watch) -> None:
        self._batches, self._watch = batches, watch

    def __next__(self) -> pa.RecordBatch:
        try:
            batch = self._watch.timed(lambda: next(self._batches))
        except BaseException:
            self._watch.end()
            raise
        self._watch.rows += batch.num_rows
        return batch


def _quoted(adql: str) -> str:
    """The query, each line marked and without control characters, so that none passes for a line of the log."""
    text = laid_out(adql)
    cut = text[:LOGGED_CHARACTERS] + ("..." if len(text) > LOGGED_CHARACTERS else "")
    lines = cut.split("\n")
    return "\n".join(
        "    | " + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        for line in lines
    )
