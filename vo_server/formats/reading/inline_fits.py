"""How are rows read that stand in a VOTable as a FITS file of their own?"""

import tempfile
from collections.abc import Iterator

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
        The FITS file is broken, or its columns have other datatypes than the FIELDs.
    """
    from vo_server.formats.reading import fits

    with tempfile.TemporaryFile() as file:
        for piece in base64_bytes(header, stream):
            file.write(piece)
        file.seek(0)
        number = header.stream.get("extnum", "")
        reading = fits.extension(Source(file, limits), limits, int(number) if number.isdecimal() else None)
        columns = tuple(field.column for field in header.fields)
        _check(columns, reading.columns)
        for batch in reading.batches:
            yield pa.RecordBatch.from_arrays(batch.columns, names=[c.name for c in columns])


def _check(wanted: tuple[Column, ...], found: tuple[Column, ...]) -> None:
    if [c.datatype.arrow for c in wanted] != [c.datatype.arrow for c in found]:
        told = ", ".join(c.datatype.votable for c in found)
        raise UsageError(f"the FIELDs of the VOTable are not those of its FITS file, which has {told}")
