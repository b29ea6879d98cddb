"""Are the pages of a Parquet file as large as its footer leads one to believe?

Memory for a page is taken by what its header says, which is written by whoever wrote the file. So the
headers are read before any page is. They are in Thrift's compact protocol (parquet-format,
``PageHeader``): structures of numbered fields, whole numbers as zigzag varints.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO

from datamodel.errors import UsageError
from vo_server.formats.reading.limits import Limits

_HEAD = 1 << 12
_LONG_HEAD = 1 << 22
_DEPTH = 16
_VALUES = 1 << 24
"""Values in a page at the most: with a bit for each, a few kilobytes can tell of any number."""

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
_PAGES = 200_000


@dataclass(frozen=True)
class _Page:
    """What the header of a page says."""

    header: int
    unpacked: int
    packed: int
    values: int


def check_pages(file: BinaryIO, metadata: Any, limits: Limits) -> None:
    """Refuse a file with a page that is too large, or that is not where the footer says.

    Parameters
    ----------
    file
        Can be read anywhere.
    metadata
        pyarrow's FileMetaData.
    limits
        Of the size of a page, which holds whole values.

    Raises
    ------
    UsageError
        A page is too large or beyond the end of the file.
    """
    end = file.seek(0, 2)
    most = max(limits.cell_bytes, 64 << 20)
    pages = 0
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            start = chunk.data_page_offset
            if chunk.has_dictionary_page and chunk.dictionary_page_offset:
                start = min(start, chunk.dictionary_page_offset)
            stop = start + chunk.total_compressed_size
            if start < 0 or stop > end or stop < start:
                raise UsageError("the footer of the Parquet file tells of pages beyond its end")
            pages += _check_chunk(file, start, stop, most)
            if pages > _PAGES:
                raise UsageError(f"the Parquet file has more than {_PAGES} pages")
    file.seek(0)


def _check_chunk(file: BinaryIO, place: int, stop: int, most: int) -> int:
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
    thrift = _Thrift(data)
    fields = thrift.structure()
    inner = fields.get(5) or fields.get(7) or fields.get(8) or {}
    try:
        values = inner.get(1, 0) if isinstance(inner, dict) else 0
        return _Page(thrift.at, int(fields[2]), int(fields[3]), int(values))
    except (KeyError, TypeError):
        raise UsageError("a page of the Parquet file has no header that can be read") from None


class _Thrift:
    """Reads a structure in the compact protocol; what is not a number or a structure is skipped."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """The fields by their numbers."""
        if depth > _DEPTH:
            raise UsageError("a page of the Parquet file has no header that can be read")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _WHOLE:
            return self._zigzag()
        if kind == _STRUCT:
            return self.structure(depth + 1)
        if kind in (_LIST, _SET):
            return self._skip_list(depth)
        if kind not in _LENGTHS:
            raise UsageError("a page of the Parquet file has no header that can be read")
        length = _LENGTHS[kind] or self._varint()
        self.at += length
        return None

    def _skip_list(self, depth: int) -> None:
        head = self._byte()
        for _ in range(head >> 4 if head >> 4 < 15 else self._varint()):
            if head & 15 in (_TRUE, _FALSE):
                self.at += 1
            else:
                self._value(head & 15, depth + 1)
            if self.at > len(self._data):
                raise UsageError("a page of the Parquet file has no header that can be read")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise UsageError("a page of the Parquet file has no header that can be read")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise UsageError("a page of the Parquet file has no header that can be read")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


_LENGTHS = {_BYTE: 1, _DOUBLE: 8, _BINARY: 0}
"""Bytes of what is skipped; 0 where a length comes first."""
