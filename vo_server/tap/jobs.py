"""How does a query run as a job? The same walk as a synchronous one, into a file (TAP 1.1 section 2.3)."""

from collections import deque
from collections.abc import Iterator

import flask
import pyarrow as pa

from datamodel.archive import Archive
from datamodel.columns import Rows
from datamodel.context import ANONYMOUS
from vo_server import dali, errors
from vo_server.dali import Parameters
from vo_server.tap import parameters, query, udfs, uploads
from vo_server.tap.adql.parser import parse
from vo_server.tap.document import about
from vo_server.tap.plan import plan
from vo_server.uws.service import Craft, Output, Progress, Service, Task

NAME = "tap"
RESULT = "result"
REHEARSAL_S = 60.0


def work(task: Task) -> Iterator[Output]:
    """Answer the query of a job; its parameters are looked at here, not when the job is made."""
    archive = task.archive
    asked = parameters.read(Parameters.of(task.parameters), archive.config, task.folder)
    task.progress.plan = plan(parse(asked.text, functions=udfs.offered(archive.config).arities), asked.maxrec)
    rows = query.run_watched(archive, task.caller, task.who, asked, task.cancelled, task.seconds)
    counted = _Counted(rows.batches, task.progress)
    rows.batches = counted
    spool_bytes = archive.config.spool_bytes
    chunks = asked.format.write(rows, spool_bytes=spool_bytes, **about(archive, asked.text, rows))
    yield Output(
        RESULT, asked.format.mime, f"{RESULT}.{asked.format.extension}", _whole(chunks, counted, rows)
    )


def error(message: str) -> flask.Response:
    """What went wrong with a job: a document that says so, with status 200, for it is what was asked for."""
    return dali.error_document(errors.Told(200, message))


def rehearse(archive: Archive) -> None:
    """Answer a small query, so that what that needs is loaded."""
    query = "SELECT TOP 1 table_name FROM tap_schema.tables"
    asked = (("LANG", "ADQL"), ("QUERY", query))
    task = Task(archive, ANONYMOUS, "nobody", asked, archive.config.archive, REHEARSAL_S, lambda: False)
    for output in work(task):
        deque(output.chunks, maxlen=0)


CRAFT = Craft(work, rehearse)


SERVICE = Service(NAME, "/tap/async", uploads.receive, error)


class _Counted(Iterator[pa.RecordBatch]):
    """Batches on their way; a format that can tell of a failure in its document would hide it from the job."""

    def __init__(self, batches: Iterator[pa.RecordBatch], progress: Progress) -> None:
        self._batches = batches
        self._progress = progress
        self.failure: BaseException | None = None

    def __next__(self) -> pa.RecordBatch:
        try:
            batch = next(self._batches)
        except StopIteration:
            raise
        except BaseException as failure:
            self.failure = failure
            raise
        self._progress.rows += batch.num_rows
        return batch


def _whole(chunks: Iterator[bytes], counted: _Counted, rows: Rows) -> Iterator[bytes]:
    """The bytes of an answer; raises at the end where rows are missing from it."""
    try:
        yield from chunks
        if counted.failure is not None:
            raise counted.failure
    finally:
        rows.close()
