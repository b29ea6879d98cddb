"""How does a query become rows? The same walk for synchronous and asynchronous queries."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.bounding import bounded
from datamodel.columns import Rows
from datamodel.context import Caller
from datamodel.errors import OutOfRangeError, UsageError
from datamodel.speech import Speech
from vo_server.formats.negotiate import choose
from vo_server.slow_queries import watched
from vo_server.tap import tap_schema, udfs, uploads
from vo_server.tap.adql.translate import translate
from vo_server.tap.parameters import TapQuery
from vo_server.tap.uploads import Allowance, Uploaded


def run(
    archive: Archive,
    caller: Caller,
    query: TapQuery,
    cancelled: Callable[[], bool] = lambda: False,
    seconds: float | None = None,
) -> Rows:
    """Start a query, and give its rows as they come.

    Parameters
    ----------
    archive
        An open archive; its configuration bounds the time.
    caller
        Who asks: only the rows visible to it are there, in every table of the query.
    query
        What was asked. With `maxrec` 0 the database is not asked, and the rows count as cut off.
    cancelled
        Asked now and then; true stops the query.
    seconds
        It may take; None for as many as a query may that is answered at once.

    Raises
    ------
    UsageError
        The text is no query or has no meaning, or the database cannot compute what it says.
    QueryTimeoutError
        The time was over before the first rows were there.
    """
    speech = archive.database.speech
    try:
        return _spoken(speech, archive, caller, query, cancelled, seconds)
    except OutOfRangeError:
        if speech.careful is None:
            raise
    return _spoken(speech.careful, archive, caller, query, cancelled, seconds)


def _spoken(
    speech: Speech,
    archive: Archive,
    caller: Caller,
    query: TapQuery,
    cancelled: Callable[[], bool],
    seconds: float | None,
) -> Rows:
    with uploads.opened(query.uploads, archive.config, cancelled) as uploaded:
        return _answer(speech, archive, caller, query, uploaded, cancelled, seconds)


def _answer(
    speech: Speech,
    archive: Archive,
    caller: Caller,
    query: TapQuery,
    uploaded: tuple[Uploaded, ...],
    cancelled: Callable[[], bool],
    seconds: float | None,
) -> Rows:
    catalogue = tap_schema.catalogue(archive, caller)
    if uploaded:
        catalogue = catalogue.with_tables([each.table for each in uploaded])
    with _alone():
        translated = translate(
            query.text, catalogue, caller, speech, most=query.maxrec + 1, udfs=udfs.for_query(archive, caller)
        )
    if query.maxrec == 0:
        return Rows(translated.columns, iter(()), overflow=True, tables=translated.tables)
    seconds = archive.config.query_seconds if seconds is None else seconds
    allowance = Allowance(archive.config.upload_rows, cancelled, seconds)
    try:
        rows = archive.database.rows(
            translated.text,
            translated.columns,
            limit=query.maxrec,
            seconds=seconds,
            cancelled=cancelled,
            before=partial(uploads.load, uploaded, allowance) if uploaded else None,
            scan=translated.scan and not uploaded,
        )
    except sa.exc.DataError as error:
        reason = str(error.orig).partition("\n")[0][:200]
        raise UsageError(f"the database cannot compute this query: {reason}") from None
    rows.tables = translated.tables
    return bounded(rows, archive.config.answer_bytes)


_TRANSLATING = threading.Lock()
_PATIENCE_S = 0.05


@contextmanager
def _alone() -> Iterator[None]:
    """Let one thread translate at a time, as long as that is brief: many at once all take longer."""
    held = _TRANSLATING.acquire(timeout=_PATIENCE_S)
    try:
        yield
    finally:
        if held:
            _TRANSLATING.release()


def run_watched(
    archive: Archive,
    caller: Caller,
    who: str,
    query: TapQuery,
    cancelled: Callable[[], bool] = lambda: False,
    seconds: float | None = None,
) -> Rows:
    """The same, and the log is told of a query that takes long; `who` is an account or an address."""
    return watched(archive.config, who, query.text, partial(run, archive, caller, query, cancelled, seconds))


def first_rows(
    archive: Archive, caller: Caller, who: str, text: str, maxrec: int, cancelled: Callable[[], bool]
) -> Rows:
    """The first rows of the answer to a query that came without any parameters."""
    return run_watched(archive, caller, who, TapQuery(text, maxrec, choose(None)), cancelled)
