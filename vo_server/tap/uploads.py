"""Which tables does a query bring along, and how do they become tables it can ask? (TAP 1.1 section 2.7.6)

`asked` reads what UPLOAD says; the tables themselves are looked at where the query is executed, so that a bad one
makes an ERROR job: `opened` reads their columns, and `Uploaded.load` their rows, in the transaction of the query.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from datamodel import temporary
from datamodel.columns import Table
from datamodel.config import Config
from datamodel.errors import QueryTimeoutError, UsageError, nearest
from vo_server.dali import shown
from vo_server.formats.reading import Limits, Reading, open_table
from vo_server.tap import upload_fetch, upload_parts
from vo_server.tap.adql.words import RESERVED
from vo_server.tap.upload_parts import Part, allow, receive

__all__ = ["TYPES", "Allowance", "Upload", "Uploaded", "allow", "asked", "load", "opened", "receive"]

SCHEMA = "TAP_UPLOAD"
MAX_TABLES = 32

_ROW_BYTES = 100
"""What a row takes, about, in a file that does not say how many it has."""

_NAME = r'[A-Za-z][A-Za-z0-9_]*|"(?:[^"]|"")+"'
_NAMED = re.compile(rf"({_NAME})\s*,")
_NEXT = re.compile(rf";(?=\s*(?:{_NAME})\s*,)")
TYPES = {
    "application/x-votable+xml": "votable",
    "text/tab-separated-values": "tsv",
    "application/fits": "fits",
    "image/fits": "fits",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
_EXTENSIONS = {"vot": "votable", "votable": "votable", "tsv": "tsv", "fits": "fits", "parquet": "parquet"}
"""What clients call the formats; where they say text/plain, text/csv or nothing of use, the bytes tell."""


@dataclass(frozen=True)
class Upload:
    """One table that UPLOAD names.

    Attributes
    ----------
    name
        In ``TAP_UPLOAD``, as it was written but for double quotes.
    uri
        ``param:part``, or a URL of http or https.
    folder
        Where the parts that came with the request are, and where a fetched table is put.
    """

    name: str
    uri: str
    folder: Path


class Uploaded:
    """An upload whose columns are known.

    Parameters
    ----------
    number
        Tells it from others of the query.
    upload
        What was asked for.
    reading
        Its rows.
    size
        Bytes of the file.
    """

    def __init__(self, number: int, upload: Upload, reading: Reading, size: int) -> None:
        rows = size // _ROW_BYTES if reading.rows is None else reading.rows
        self._temporary = temporary.temporary(
            number, SCHEMA, upload.name, reading.columns, reading.description, rows
        )
        self._reading = reading

    @property
    def table(self) -> Table:
        """The table as the query knows it."""
        return self._temporary.table

    def load(self, connection: sa.Connection, allowance: "Allowance") -> None:
        """Make and fill the table in the transaction under way.

        Parameters
        ----------
        connection
            In the transaction of the query.
        allowance
            What is left of the bounds of all tables.

        Raises
        ------
        UsageError
            There are more rows, or a value cannot be read or kept.
        QueryTimeoutError
            Nobody wants the answer any more.
        """
        temporary.load(connection, self._temporary, map(allowance.take, self._batches()))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with _naming(self.table.full_name):
            yield from self._reading


@dataclass
class Allowance:
    """How much more may be loaded.

    Attributes
    ----------
    rows
        Of all tables together, at the most.
    cancelled
        Asked for each batch; true gives it up.
    seconds
        From now on, until it is given up.
    taken
        Rows until now.
    """

    rows: int
    cancelled: Callable[[], bool]
    seconds: float = math.inf
    taken: int = 0

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count a batch, and give it back."""
        self.taken += batch.num_rows
        if self.taken > self.rows:
            raise UsageError(
                f"the uploaded tables have more than {self.rows} rows, the limit of this service"
            )
        if self.cancelled():
            raise QueryTimeoutError("the query was stopped before its end")
        if time.monotonic() > self._deadline:
            raise QueryTimeoutError(f"the query was stopped at the limit of {self.seconds:g} s")
        return batch


def asked(values: Iterable[str], folder: Path | None) -> tuple[Upload, ...]:
    """What the values of UPLOAD say; several tables may be in one value, between semicolons.

    Parameters
    ----------
    values
        Each such as ``mine,param:t1;other,http://example.org/t.vot``.
    folder
        Where the parts are; None where there can be none.

    Raises
    ------
    UsageError
        A value cannot be read, a name is no identifier or is used twice.
    """
    pairs = [pair for value in values for pair in _NEXT.split(value.strip().strip(";"))]
    if len(pairs) > MAX_TABLES:
        raise UsageError(f"UPLOAD names {len(pairs)} tables, expected {MAX_TABLES} at the most")
    if pairs and folder is None:
        raise UsageError("UPLOAD is given where no tables are taken")
    found = tuple(_pair(text, folder) for text in pairs if folder is not None)
    names = [upload.name.lower() for upload in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"UPLOAD names the table {shown(twice)} twice, expected different names")
    return found


@contextmanager
def opened(
    uploads: Sequence[Upload], config: Config, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Uploaded, ...]]:
    """The tables of a query, fetched where they must be, with their columns read.

    Parameters
    ----------
    uploads
        As `asked` found them.
    config
        With the bounds.
    cancelled
        Asked now and then; true gives it up.

    Raises
    ------
    UsageError
        A table is not there, cannot be read or is too large.
    QueryTimeoutError
        `cancelled` said so.
    """
    with ExitStack() as stack:
        budget = config.upload_bytes
        found = []
        for number, upload in enumerate(uploads):
            part = _part(number, upload, budget, config, cancelled)
            size = part.path.stat().st_size
            budget = _spend(budget, config.upload_bytes, size)
            reading = stack.enter_context(_reading(part, upload, config))
            found.append(Uploaded(number, upload, reading, size))
        yield tuple(found)


def load(uploaded: Sequence[Uploaded], allowance: Allowance, connection: sa.Connection) -> None:
    """Make and fill all tables; see `Uploaded.load`."""
    for each in uploaded:
        each.load(connection, allowance)


def _pair(text: str, folder: Path) -> Upload:
    text = text.strip()
    named = _NAMED.match(text)
    uri = text[named.end() :].strip() if named else ""
    if named is None or not uri:
        raise UsageError(f"UPLOAD has {shown(text)}, expected a table name and a URI such as mine,param:t1")
    name = named[1]
    if name.upper() in RESERVED:
        raise UsageError(
            f'UPLOAD calls a table {name}, a reserved word of ADQL; write "{name}" or another name'
        )
    return Upload(name[1:-1].replace('""', '"') if name.startswith('"') else name, uri, folder)


def _part(number: int, upload: Upload, budget: int, config: Config, cancelled: Callable[[], bool]) -> Part:
    """Where the bytes of a table are; fetched if they must be."""
    scheme, _, name = upload.uri.partition(":")
    if scheme.lower() in upload_fetch.PORTS:
        rules = replace(upload_fetch.Rules.of(config), max_bytes=budget)
        return upload_fetch.fetch(upload.uri, upload.folder / f"fetched-{number:04d}.data", rules, cancelled)
    if scheme.lower() != "param":
        raise UsageError(f"UPLOAD has the URI {shown(upload.uri)}, expected param:, http: or https:")
    parts = upload_parts.stored(upload.folder)
    if name not in parts:
        near = nearest(name, parts)
        raise UsageError(
            f"UPLOAD names the part {shown(name)}, but the request brought none of that name{near}"
        )
    return parts[name]


def _spend(budget: int, limit: int, size: int) -> int:
    """What is left of the bytes of all tables when `size` of them are taken."""
    if size > budget:
        raise UsageError(f"the uploaded tables have more than {limit} bytes, the limit of this service")
    return budget - size


def _reading(part: Part, upload: Upload, config: Config) -> Reading:
    """The table in a part, as far as its columns."""
    limits = Limits(rows=config.upload_rows, file_bytes=config.upload_bytes, columns=temporary.MAX_COLUMNS)
    with _naming(f"{SCHEMA}.{upload.name}"):
        return open_table(part.path, _format(part), limits)


@contextmanager
def _naming(table: str) -> Iterator[None]:
    """Say which table it is that cannot be read."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"table {table}: {error}") from None


def _format(part: Part) -> str | None:
    """Which format a part says it has; None where its bytes have to tell."""
    extension = part.filename.lower().removesuffix(".gz").rpartition(".")[2]
    return TYPES.get(part.content_type.lower()) or _EXTENSIONS.get(extension)
