"""Which kind of table is a file, and who reads it?"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from datamodel.errors import UsageError, nearest
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Source
from vo_server.formats.reading.table import Reading

_READERS = {
    "votable": ("votable", "read"),
    "fits": ("fits", "read"),
    "parquet": ("parquet", "read"),
    "csv": ("separated", "csv"),
    "tsv": ("separated", "tsv"),
    "ecsv": ("separated", "ecsv"),
}
"""Module and function that read each format; looked up when first used, for some bring heavy libraries."""

FORMATS = tuple(_READERS)
"""What `open_table` can read."""

_HEAD = 4096


def open_table(
    path_or_file: str | Path | BinaryIO, format: str | None = None, limits: Limits | None = None
) -> Reading:
    """Open a table in any format that is known here; its rows are read as they are asked for.

    Parameters
    ----------
    path_or_file
        Where it is, or a binary file open for reading. A file stays open, and no other reader may use it
        meanwhile; one that cannot be rewound is copied into a temporary file first. gzip is unpacked.
    format
        One of `FORMATS`; None for what the content says.
    limits
        What the table may be; None for `Limits`' own.

    Returns
    -------
    Reading
        Columns, and an iterable of batches.

    Raises
    ------
    NotFoundError
        There is no such file.
    UsageError
        It is not a table of a known format, is broken, or exceeds the limits: here where it shows at the
        beginning, and else while the batches are read.
    """
    limits = limits or Limits()
    if format is not None and format not in _READERS:
        near = nearest(format, FORMATS)
        raise UsageError(
            f"there is no format '{format[:60]}'{near or ';'} expected one of {', '.join(FORMATS)}"
        )
    source = Source(path_or_file, limits)
    try:
        reading = _reader(format or _guessed(source, _name_of(path_or_file)))(source, limits)
    except BaseException:
        source.close()
        raise
    reading.close = source.close
    return reading


def _reader(format: str) -> Callable[[Source, Limits], Reading]:
    module, name = _READERS[format]
    read: Callable[[Source, Limits], Reading] = getattr(
        import_module(f"vo_server.formats.reading.{module}"), name
    )
    return read


def _guessed(source: Source, name: str) -> str:
    """By the first bytes; what begins like none of the others is text with commas or, by its name or look, tabs."""
    head = source.head(_HEAD)
    for beginning, format in _BEGINNINGS:
        if head.startswith(beginning):
            return format
    if b"<" in head[:64].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:2]:
        return "votable"
    plain = name.lower().removesuffix(".gz")
    if b"\0" in head and not plain.endswith(_TEXTS):
        raise UsageError(
            "the file is no table of a known format, and no text, for it has bytes of zero; "
            f"expected one of {', '.join(FORMATS)}"
        )
    line = head.split(b"\n")[0]
    is_tsv = plain.endswith((".tsv", ".tab")) or line.count(b"\t") > line.count(b",")
    return "tsv" if is_tsv else "csv"


_TEXTS = (".csv", ".tsv", ".tab", ".txt")
"""Names of files in which a byte of zero is a fault of one value; the reader of text says which."""


_BEGINNINGS = (
    (b"SIMPLE  =", "fits"),
    (b"PAR1", "parquet"),
    (b"# %ECSV", "ecsv"),
    (b"#%ECSV", "ecsv"),
)


def _name_of(path_or_file: str | Path | BinaryIO) -> str:
    return str(path_or_file) if isinstance(path_or_file, str | Path) else ""
