"""How does the result of a job become a table of one's own: while it runs, where it says so, or afterwards?

A job with ``MYDB=<name>`` puts its rows aside as they go into its result, and has them known as a table when that is
written. A job with ``REQUEST=createIndex`` indexes a column (see `vo_server.mydb.views.update`).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.catalogues import Entry, known
from datamodel.columns import Column, Rows
from datamodel.context import Caller
from datamodel.errors import NotFoundError, QueryTimeoutError, UsageError
from vo_server.dali import Parameters, shown
from vo_server.formats.reading import Reading, open_table
from vo_server.mydb import tables
from vo_server.mydb.names import new_name, user_of
from vo_server.tap import jobs as tap_jobs
from vo_server.uws.service import Craft, Output, Task

PARAMETER = "MYDB"
"""Of a job: under which name its result is saved."""

INDEXES = "createindex"
"""What REQUEST is of a job that indexes a column, in lower case."""

_ASIDE = "saved.arrow"
_FORMATS = {
    "application/x-votable+xml": "votable",
    "text/xml": "votable",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/fits": "fits",
    "application/vnd.apache.parquet": "parquet",
}
"""The results that can be read back."""


def work(task: Task) -> Iterator[Output]:
    """Do a job of TAP."""
    given = Parameters.of(task.parameters)
    if (given.one("REQUEST") or "").lower() == INDEXES:
        table, column = (_required(given, name) for name in ("TABLE", "INDEX"))
        tables.index(task.archive, task.caller, table, column)
        return
    name = given.one(PARAMETER)
    if name is None or _is_saved(task, name):
        yield from tap_jobs.work(task)
        return
    tables.require_new(task.archive, name, task.caller)
    yield from _saved(task, name, given.one("QUERY") or "")


CRAFT = Craft(work, tap_jobs.rehearse)


def save(archive: Archive, caller: Caller, id: str, name: str) -> Entry:
    """Make a table of the result that a job has.

    Parameters
    ----------
    archive
        Prepared.
    caller
        Whose job it is, and whose table it becomes.
    id
        Of the job.
    name
        See `vo_server.mydb.names.meant`.

    Raises
    ------
    NotFoundError
        There is no such job, or it has no result.
    UsageError
        The result is in a format that is only written here, or the table cannot be; see `tables.create`.
    """
    user_of(caller)
    job = jobs.get(archive, tap_jobs.NAME, id, caller)
    result = next((each for each in job.results if each.id == tap_jobs.RESULT), None)
    if result is None:
        raise NotFoundError(f"the job is {job.phase}, and has no result to be saved")
    format = _FORMATS.get(result.mime.partition(";")[0].strip().lower())
    if format is None:
        raise UsageError(
            f"the result is {shown(result.mime)}, which is not read here; expected VOTable, FITS, Parquet, CSV or TSV"
        )
    reading = open_table(jobs.folder_of(archive, id) / result.file, format)
    query = next((value for key, value in job.parameters if key == "QUERY"), "")
    return tables.create(archive, caller, name, reading, _source(id), query)


def _saved(task: Task, name: str, query: str) -> Iterator[Output]:
    """The outputs of a query; while they are written its rows are put aside, and made a table after the last."""
    path = task.folder / _ASIDE
    seen: list[Rows] = []
    try:
        yield from tap_jobs.work(task, lambda rows: seen.append(_put_aside(rows, path)))
        (rows,) = seen
        with pa.OSFile(str(path)) as stream, pa.ipc.open_stream(stream) as batches:
            reading = Reading(rows.columns, iter(batches))
            told = f"The first {task.progress.rows} rows of: {query}" if rows.overflow else query
            source = _source(task.folder.name)
            tables.create(task.archive, task.caller, name, reading, source, told, _stopping(task))
    finally:
        path.unlink(missing_ok=True)


def _put_aside(rows: Rows, path: Path) -> Rows:
    """The same rows, which are written to a file as they are read."""
    rows.batches = _written(rows.batches, rows.columns, path)
    return rows


def _written(
    batches: Iterator[pa.RecordBatch], columns: tuple[Column, ...], path: Path
) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(str(place), column.datatype.arrow) for place, column in enumerate(columns)])
    with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            yield batch


def _stopping(task: Task) -> tables.Noted:
    """What ends the making of a table when its job is to end."""

    def noted(_size: int) -> None:
        if task.cancelled():
            raise QueryTimeoutError("the job was stopped before its table was made")

    return noted


def _is_saved(task: Task, name: str) -> bool:
    """Whether an attempt of this very job, which ended before it could say so, has made the table."""
    full, source = new_name(name, task.caller), _source(task.folder.name)
    return any(each.name == full and each.source == source for each in known(task.archive).entries)


def _source(id: str) -> str:
    return f"job {id}"


def _required(given: Parameters, name: str) -> str:
    text = given.one(name)
    if text is None:
        raise UsageError(f"{name} is missing")
    return text
