"""How does a query run as a job? The same walk as a synchronous one, into a file (TAP 1.1 section 2.3)."""

from collections import deque
from collections.abc import Callable, Iterator

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
from vo_server.uws.service import Output, Progress, Service, Task

NAME = "tap"
RESULT = "result"
REHEARSAL_S = 60.0


Seen = Callable[[Rows], object]
"""Is handed the rows of an answer before they are read."""


def work(task: Task, seen: Seen = lambda rows: None) -> Iterator[Output]:
    """Answer the query of a job; its parameters are looked at here, not when the job is made."""
    archive = task.archive
    asked = parameters.read(Parameters.of(task.parameters), archive.config, task.folder, saves=True)
    task.progress.plan = plan(parse(asked.text, functions=udfs.offered(archive.config).arities), asked.maxrec)
    rows = query.run_watched(archive, task.caller, task.who, asked, task.cancelled, task.seconds)
    rows.batches = _counted(rows.batches, task.progress)
    seen(rows)
    told = about(archive, asked.text, rows)
    chunks = asked.format.write(rows, spool_bytes=archive.config.spool_bytes, strict=True, **told)
    yield Output(RESULT, asked.format.mime, f"{RESULT}.{asked.format.extension}", chunks)


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


SERVICE = Service(NAME, "/tap/async", uploads.receive, error)


def _counted(batches: Iterator[pa.RecordBatch], progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        progress.rows += batch.num_rows
        yield batch
