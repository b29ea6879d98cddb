"""How are rows read that stand in a VOTable as a FITS file of their own?"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.formats.reading.binary import base64_bytes
from vo_server.formats.reading.header import Header
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable, Source


def batches(header: Header, stream: Readable, limits: Limits) -> Iterator[pa.RecordBatch]:
    """The rows, of the columns that the FIELDs describe (VOTable 1.4 section 5.2).

    Raises
    ------
    UsageError
        The FITS file is broken, or its columns and values are other ones than the FIELDs tell of.
    """
    from vo_server.formats.reading import fits

    number = _extension(header)
    with tempfile.TemporaryFile() as file:
        for piece in base64_bytes(header, stream):
            file.write(piece)
        file.seek(0)
        with closing(Source(file, limits)) as source:
            reading = fits.extension(source, limits, number)
            columns = tuple(field.column for field in header.fields)
            _check(columns, reading.columns)
            for batch in reading.batches:
                yield fits.as_told(batch, columns)


def _extension(header: Header) -> int | None:
    """The number of the extension that is meant; None for the first binary table."""
    number = header.stream.get("extnum", "").strip()
    if number and not re.fullmatch("[0-9]{1,9}", number):
        raise UsageError(f"expected the number of an extension as extnum, found '{number[:60]}'")
    return int(number) if number else None


def _check(wanted: tuple[Column, ...], found: tuple[Column, ...]) -> None:
    if [c.datatype.arrow for c in wanted] != [c.datatype.arrow for c in found]:
        told = ", ".join(c.datatype.votable for c in found)
        raise UsageError(f"the FIELDs of the VOTable are not those of its FITS file, which has {told}")
