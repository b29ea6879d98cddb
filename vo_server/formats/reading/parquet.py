"""How is a Parquet file read, row group by row group, and what does its VOTable say of it? (VOParquet 1.0)"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError
from vo_server.formats.reading.fits_columns import vounit
from vo_server.formats.reading.header import Header, read_header
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.pages import Footer, read_footer
from vo_server.formats.reading.source import Source
from vo_server.formats.reading.table import Reading, check_rows, counted, described, refuse
from vo_server.formats.reading.texts import (
    check_bits,
    check_lengths,
    check_text,
    check_widths,
    instants,
    written_instants,
)

VOTABLE = b"IVOA.VOTable-Parquet.content"
_ROWS = 1 << 14
_BYTES = 4 << 20
_BUFFER = 1 << 20
_THRIFT_BYTES = 16 << 20
_THRIFT_ITEMS = 200_000
_Rows = Callable[..., Iterator[pa.RecordBatch]]
"""Gives batches of all columns, or of those that are named."""

_FAILURES = (pa.ArrowException, OSError, OverflowError, KeyError, UnicodeError)

_TYPES: dict[str, str] = {
    "bool": "BOOLEAN",
    "int8": "SMALLINT",
    "uint8": "UNSIGNEDBYTE",
    "int16": "SMALLINT",
    "uint16": "INTEGER",
    "int32": "INTEGER",
    "uint32": "BIGINT",
    "int64": "BIGINT",
    "uint64": "BIGINT",
    "halffloat": "REAL",
    "float": "REAL",
    "double": "DOUBLE",
    "string": "UNICODE",
    "large_string": "UNICODE",
    "string_view": "UNICODE",
    "binary": "UNICODE",
    "large_binary": "UNICODE",
    "null": "VARCHAR",
    "date32[day]": "TIMESTAMP",
    "date64[ms]": "TIMESTAMP",
}
"""What holds the values of an Arrow type."""

_FAMILIES = ((pa.types.is_timestamp, "TIMESTAMP"), (pa.types.is_decimal, "DOUBLE"))
"""What holds those of types of which there are many; others are refused."""


def read(source: Source, limits: Limits) -> Reading:
    """All rows, with units, UCDs and descriptions where the file has them.

    Raises
    ------
    UsageError
        The file is broken, exceeds the limits, or has a column of structures or the like.
    """
    file = source.anywhere()
    footer = read_footer(file, limits)
    check_rows(footer.rows, limits)
    if footer.columns > limits.columns:
        raise UsageError(f"the table has {footer.columns} columns; {limits.columns} are allowed")
    opened, schema = _opened(file, footer)
    rows: _Rows = partial(_rows, opened, footer, max(1, min(_ROWS, _BYTES // footer.row_bytes)))
    columns = [_column(f, rows) for f in schema]
    told = _told(opened.metadata.metadata or {}, limits)
    if told is not None and len(told.fields) == len(columns):
        columns = [_as_told(own, f.column, rows) for own, f in zip(columns, told.fields, strict=True)]
    else:
        told = None
    named = described(columns, limits)
    return Reading(
        named,
        counted(_batches(rows, named, limits), limits),
        told.name if told else "",
        told.description if told else "",
        footer.rows,
        tuple(told.infos) if told else (),
        frozenset() if told else frozenset(f.name for f in schema if pa.types.is_null(f.type)),
    )


def _opened(file: BinaryIO, footer: Footer) -> tuple[Any, pa.Schema]:
    """The reader of pyarrow, with texts left in their dictionaries, and the columns."""
    file.seek(0)
    try:
        opened = parquet.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=_BUFFER,
            read_dictionary=footer.texts,
            thrift_string_size_limit=_THRIFT_BYTES,
            thrift_container_size_limit=_THRIFT_ITEMS,
        )
        return opened, opened.schema_arrow
    except _FAILURES as failure:
        raise UsageError(f"the Parquet file cannot be read: {_first_line(failure)}") from None


def _rows(
    opened: Any, footer: Footer, step: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of all columns, or of some, in each of which an array of texts has one dictionary."""
    is_nested = any("." in path for path in footer.texts)
    for groups in [[group] for group in footer.groups] if is_nested else [footer.groups]:
        yield from opened.iter_batches(step, groups, columns, use_threads=False)


def _first_line(failure: BaseException) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0][:160]


def _plain(type: pa.DataType) -> pa.DataType:
    return type.value_type if pa.types.is_dictionary(type) else type


def _column(field: pa.Field, rows: _Rows) -> Column:
    """What holds a column of the file."""
    sizes: list[str] = []
    type = _plain(field.type)
    while pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        sizes.insert(0, str(type.list_size) if pa.types.is_fixed_size_list(type) else "*")
        type = _plain(type.value_type)
    unit, description = _unit_of(field)
    name = _TYPES.get(str(type)) or next((name for is_one, name in _FAMILIES if is_one(type)), "")
    if not name or (sizes and name in ("TIMESTAMP", "VARCHAR")) or any("*" in s for s in sizes[:-1]):
        raise UsageError(
            f"column '{field.name[:60]}': values of the type {str(field.type)[:80]} are not taken"
        )
    if not sizes:
        return Column(field.name, name, unit=unit, description=description)
    if name == "UNICODE":
        sizes.insert(0, str(_longest(rows, field.name)))
    arraysize = "x".join(sizes)
    kind = name + "[]"
    return Column(
        field.name,
        kind,
        unit=unit,
        description=description,
        arraysize=None if arraysize == DATATYPES[kind].arraysize else arraysize,
    )


def _unit_of(field: pa.Field) -> tuple[str | None, str]:
    """The unit and description that the field's own metadata have, as some writers leave them."""
    told = {
        k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in (field.metadata or {}).items()
    }
    return vounit(told.get("unit", "")), " ".join(told.get("description", "").split())


def _longest(rows: _Rows, name: str) -> int:
    """The characters of the longest text in a column of texts, or of arrays of texts."""
    longest = 1
    try:
        for batch in rows(columns=[name]):
            texts = batch.column(name)
            while pa.types.is_nested(texts.type) or pa.types.is_dictionary(texts.type):
                texts = texts.dictionary if pa.types.is_dictionary(texts.type) else texts.flatten()
            longest = max(longest, pc.max(pc.utf8_length(texts.cast(pa.string()))).as_py() or 0)
    except _FAILURES as failure:
        raise UsageError(f"the Parquet file cannot be read: {_first_line(failure)}") from None
    return longest


def _told(metadata: dict[bytes, bytes], limits: Limits) -> Header | None:
    """The table that the VOTable in the file's metadata describes; None where there is none that can be read."""
    content = metadata.get(VOTABLE)
    if content is None:
        return None
    try:
        return read_header(BytesIO(content), limits, all_tables=True)[0]
    except UsageError:
        return None


def _as_told(own: Column, given: Column, rows: _Rows) -> Column:
    """The column as its FIELD describes it, as far as its values are of that datatype.

    Some writers leave the arraysize of texts out, which would make them single characters.
    """
    if not _holds(own, given):
        told = {name: getattr(given, name) for name in ("unit", "ucd", "utype", "description")}
        return replace(own, **told)
    single = given.datatype.kind == "text" and given.votable_arraysize is None
    arraysize = None if single and _longest(rows, own.name) > 1 else given.arraysize
    return replace(given, name=own.name, arraysize=arraysize)


def _holds(own: Column, given: Column) -> bool:
    ours, theirs = own.datatype, given.datatype
    if ours.arrow == theirs.arrow:
        return own.type != "TIMESTAMP" or given.type == "TIMESTAMP"
    whole = pa.types.is_integer(ours.arrow) and theirs.kind == "number"
    return whole and pa.types.is_integer(theirs.arrow) and theirs.numpy.itemsize >= ours.numpy.itemsize


def _batches(rows: _Rows, columns: Sequence[Column], limits: Limits) -> Iterator[pa.RecordBatch]:
    try:
        for batch in rows():
            for piece in _pieces(batch, limits):
                arrays = [_values(a, c) for a, c in zip(piece.columns, columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])
    except _FAILURES as failure:
        raise UsageError(f"the Parquet file cannot be read: {_first_line(failure)}") from None


def _pieces(batch: pa.RecordBatch, limits: Limits) -> Iterator[pa.RecordBatch]:
    """The rows in pieces whose texts, taken out of their dictionaries, are not too many."""
    size = np.zeros(batch.num_rows, np.int64)
    for array in batch.columns:
        if pa.types.is_dictionary(array.type):
            lengths = pc.fill_null(pc.binary_length(array.dictionary).cast(pa.int64()), 0)
            size += pc.fill_null(lengths.take(array.indices), 0).to_numpy(zero_copy_only=False)
    if len(size) and int(size.max()) > limits.cell_bytes:
        raise UsageError(f"a value is longer than the {limits.cell_bytes} bytes that are allowed")
    bounds = np.searchsorted(np.cumsum(size), np.arange(_BYTES, int(size.sum()), _BYTES))
    edges = np.unique([0, *bounds, batch.num_rows])
    for begin, end in pairwise(edges):
        yield batch.slice(int(begin), int(end - begin))


def _values(array: pa.Array, column: Column) -> pa.Array:
    """The values in the Arrow type of the column.

    Raises
    ------
    UsageError
        A value does not fit.
    """
    kind = column.datatype.kind
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind in ("array", "geometry"):
        return _list(array, column)
    if column.type == "TIMESTAMP":
        return _instants(array, column)
    if kind == "text":
        return _texts(array, column)
    return check_bits(_cast(array, column.datatype.arrow, column), column)


def _cast(array: pa.Array, wanted: pa.DataType, column: Column) -> pa.Array:
    try:
        if pa.types.is_decimal(array.type):
            array = array.cast(pa.string())  # whose cast gives the nearest double
        return array.cast(wanted)
    except _FAILURES:
        limits = pc.min_max(array).as_py()
        worst = max(limits.values(), key=abs)
        refuse(column, worst)


def _texts(array: pa.Array, column: Column) -> pa.StringArray:
    try:
        made = array.cast(pa.string())
    except _FAILURES:
        refuse(column, array.drop_null()[0].as_py(), "text in UTF-8")
    if pc.any(pc.match_substring(made, "\0")).as_py():
        refuse(column, "\0", "text without bytes of zero")
    return check_text(made, column)


def _instants(array: pa.Array, column: Column) -> pa.StringArray:
    if pa.types.is_string(array.type):
        return instants(array, column)
    if pa.types.is_timestamp(array.type) and array.type.tz:
        array = array.cast(pa.timestamp(array.type.unit))
    try:
        made = array.cast(pa.timestamp("us"), safe=False)
        return written_instants(made)
    except _FAILURES:
        refuse(column, str(array.drop_null()[0]), "a time from year 1 to 9999")


def _list(array: pa.Array, column: Column) -> pa.ListArray:
    """Lists of lists as one, the innermost running fastest."""
    null = array.is_null()
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = array.flatten()
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or _is_fixed(values.type):
        if values.null_count:
            refuse(column, None, "arrays without NULL inside")
        inner = pc.list_value_length(values).to_numpy(zero_copy_only=False).astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(inner)])
        ends = np.cumsum(lengths)
        lengths = sums[ends] - sums[ends - lengths]
        values = values.flatten()
    if pa.types.is_dictionary(values.type):
        values.validate(full=True)
        values = values.dictionary_decode()
    element = column.datatype.arrow.value_type
    made = check_bits(_cast(values, element, column), column)
    if pa.types.is_string(element):
        check_widths(made, column)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    valid = lengths[~null.to_numpy(zero_copy_only=False)]
    per = (column.extent.first or 1) if pa.types.is_string(element) else 1
    check_lengths(valid * per // column.datatype.parts, column)
    return pa.ListArray.from_arrays(pa.array(offsets), made, mask=null if array.null_count else None)


def _is_fixed(type: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(type))
