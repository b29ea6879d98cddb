"""How much may a table that somebody gives us be?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds that are enforced while a table is being read, so that no file costs more than it may.

    Attributes
    ----------
    rows
        Rows at the most; None for as many as there are.
    file_bytes
        Bytes at the most, of the file and of what it is when unpacked; None for as many as there are.
    columns
        Columns at the most.
    header_bytes
        Of what stands before the rows: names, descriptions, the whole header of a FITS extension.
    cell_bytes
        Of one value: a text or an array.
    row_bytes
        Of a row as the header declares it.
    """

    rows: int | None = None
    file_bytes: int | None = None
    columns: int = 2000
    header_bytes: int = 4 << 20
    cell_bytes: int = 16 << 20
    row_bytes: int = 4 << 20
