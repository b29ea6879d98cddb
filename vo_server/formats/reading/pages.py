"""What do the footer and the pages of a Parquet file claim, and can that be?

Memory for a page is taken by what its header says, which is written by whoever wrote the file; and some
lies in a footer end the whole process when pyarrow is asked about them. So both are read here first, as
the definition of the format has them (parquet-format, ``FileMetaData`` and ``PageHeader``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from datamodel.errors import UsageError
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.thrift import Thrift

_MAGIC = b"PAR1"
_BYTE_ARRAY = 6
_HEAD = 1 << 12
_LONG_HEAD = 1 << 22
_PAGE_BYTES = 64 << 20
_PAGES = 200_000
_VALUES = 1 << 24
"""Values in a page at the most: with a bit for each, a few kilobytes can tell of any number."""


@dataclass(frozen=True)
class Footer:
    """What the end of a file says.

    Attributes
    ----------
    rows
        How many there are.
    groups
        The row groups that have rows. Those without may have no pages either, and were not looked at.
    texts
        The paths of the columns of bytes.
    columns
        How many there are, those within others counted one by one.
    row_bytes
        About how many bytes a row takes in memory.
    """

    rows: int
    groups: list[int]
    texts: list[str]
    columns: int
    row_bytes: int


@dataclass(frozen=True)
class _Page:
    """What the header of a page says."""

    header: int
    unpacked: int
    packed: int
    values: int


def read_footer(file: BinaryIO, limits: Limits) -> Footer:
    """What the footer says, after all pages were found to be as it says.

    Parameters
    ----------
    file
        Can be read anywhere.
    limits
        Of the size of the footer and of a value, which a page has whole.

    Raises
    ------
    UsageError
        A page is too large or beyond the end of the file, or something cannot be read.
    """
    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > end - 12:
        raise UsageError("the Parquet file breaks off: its end is not there")
    if length > limits.header_bytes:
        raise UsageError(
            f"the footer of the Parquet file is longer than the {limits.header_bytes} bytes allowed"
        )
    file.seek(end - 8 - length)
    try:
        return _footer(file, Thrift(file.read(length)).structure(), end - 8 - length, limits)
    except (LookupError, TypeError, AttributeError, UnicodeError):
        raise UsageError("the footer of the Parquet file cannot be read") from None


def _footer(file: BinaryIO, told: dict[int, Any], end: int, limits: Limits) -> Footer:
    leaves = list(_leaves(told[2]))
    rows = size = pages = 0
    for group in told[4]:
        if len(group[1]) != len(leaves):
            raise UsageError("the footer of the Parquet file has a row group of other columns")
        for chunk in group[1] if group[3] else ():
            meta = chunk[3]
            pages += _check_chunk(file, meta, end, max(limits.cell_bytes, _PAGE_BYTES), _PAGES - pages)
            size += meta[6] + 8 * meta[5]
        rows += group[3]
    if rows != told[3] or rows < 0 or size < 0:
        raise UsageError("the footer of the Parquet file tells of other numbers of rows than its row groups")
    groups = [number for number, group in enumerate(told[4]) if group[3]]
    texts = [".".join(path) for path, kind in leaves if kind == _BYTE_ARRAY]
    return Footer(rows, groups, texts, len(leaves), max(1, size // max(rows, 1)))


def _leaves(schema: list[dict[int, Any]]) -> Iterator[tuple[list[str], int]]:
    """The path and type of each column that has values; the schema is a tree, written depth first."""
    open_: list[tuple[str, int]] = []
    for element in schema[1:]:
        while open_ and not open_[-1][1]:
            open_.pop()
        if open_:
            name, left = open_.pop()
            open_.append((name, left - 1))
        own = element[4].decode()
        if element.get(5):
            open_.append((own, element[5]))
            if len(open_) > 32:
                raise UsageError("the schema of the Parquet file nests too deep")
        else:
            yield [name for name, _ in open_] + [own], element.get(1, -1)


def _check_chunk(file: BinaryIO, meta: dict[int, Any], end: int, most: int, pages_left: int) -> int:
    """How many pages a column chunk has, if they are as they may be."""
    starts = [meta[9], meta.get(11) or meta[9]]
    place = min(starts)
    stop = place + meta[7]
    if place < 4 or stop > end or stop < place or meta[6] < 0 or meta[5] < 0:
        raise UsageError("the footer of the Parquet file tells of pages beyond its end")
    pages = 0
    while place < stop:
        page = _page_at(file, place, stop)
        if not 0 <= page.unpacked <= most or not 0 <= page.packed <= stop - place:
            raise UsageError(
                f"a page of the Parquet file is said to have {page.unpacked} bytes; {most} are allowed"
            )
        if not 0 <= page.values <= _VALUES:
            raise UsageError(f"a page of the Parquet file is said to have {page.values} values")
        place += page.header + page.packed
        pages += 1
        if pages > pages_left:
            raise UsageError(f"the Parquet file has more than {_PAGES} pages")
    if not pages:
        raise UsageError("the footer of the Parquet file tells of rows without pages")
    return pages


def _page_at(file: BinaryIO, place: int, stop: int) -> _Page:
    """The header at a place; it is longer than usual where it has long texts as statistics."""
    file.seek(place)
    try:
        return _page(file.read(min(_HEAD, stop - place)))
    except UsageError:
        if stop - place <= _HEAD:
            raise
    file.seek(place)
    return _page(file.read(min(_LONG_HEAD, stop - place)))


def _page(data: bytes) -> _Page:
    thrift = Thrift(data)
    fields = thrift.structure()
    inner = fields.get(5) or fields.get(7) or fields.get(8) or {1: 0}
    values = inner.get(1) if isinstance(inner, dict) else None
    told = [n for n in (fields.get(2), fields.get(3), values) if isinstance(n, int)]
    if len(told) < 3:
        raise UsageError("a page of the Parquet file has no header that can be read")
    return _Page(thrift.at, *told)
