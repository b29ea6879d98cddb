"""How is a VOTable read, whichever way its rows are written?"""

from collections.abc import Callable, Iterator

import pyarrow as pa

from datamodel.errors import UsageError
from vo_server.formats.reading import binary, inline_fits, tabledata
from vo_server.formats.reading.encodings import Utf8
from vo_server.formats.reading.header import Header, read_header
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable, Source
from vo_server.formats.reading.table import Reading, check_rows, counted, described

_Rows = Callable[[Header, Readable, Limits], Iterator[pa.RecordBatch]]

_FORMS: dict[str, _Rows] = {
    "TABLEDATA": tabledata.batches,
    "BINARY": binary.batches,
    "BINARY2": binary.batches,
    "FITS": inline_fits.batches,
}


def read(source: Source, limits: Limits) -> Reading:
    """The first table with columns of a VOTable of version 1.0 to 1.5.

    Raises
    ------
    UsageError
        It is no VOTable, is broken, or exceeds the limits.
    """
    stream = Utf8(source.stream())
    header = read_header(stream, limits)[0]
    columns = described([f.column for f in header.fields], limits)
    if header.rows is not None:
        check_rows(header.rows, limits)
    if header.form and header.stream.get("href"):
        raise UsageError("the rows of the VOTable are in another file, which is not fetched")
    return Reading(
        columns,
        counted(_rows(header, stream, limits), limits),
        header.name,
        header.description,
        header.rows,
        tuple(header.infos),
    )


def _rows(header: Header, stream: Readable, limits: Limits) -> Iterator[pa.RecordBatch]:
    if not header.form or header.is_empty:
        return iter(())
    return _FORMS[header.form](header, stream, limits)
