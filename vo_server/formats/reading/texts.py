"""How do values that are written as text become those of a column?"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamodel.columns import Column
from vo_server.formats.batches import flat_list
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.table import refuse
from vo_server.formats.tabledata import numbers_of

_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError)
_NOTHING = pa.scalar(None, pa.string())

_TRUTHS: dict[str, bool | None] = {
    **dict.fromkeys(("T", "t", "1", "true", "TRUE", "True", "Y", "y"), True),
    **dict.fromkeys(("F", "f", "0", "false", "FALSE", "False", "N", "n"), False),
    **dict.fromkeys(("?", " ", "", "\0"), None),
}


def parsed(texts: pa.StringArray, field: Field) -> pa.Array:
    """Cells of TABLEDATA as the column's values (VOTable 1.4 section 6): an empty cell is NULL.

    So is a point, circle or complex number that is all NaN, as some write NULL where there must be so many numbers.

    Parameters
    ----------
    texts
        As they stand in the cells.
    field
        The column.

    Raises
    ------
    UsageError
        A text is no value of the column; the message quotes it.
    """
    column = field.column
    if column.datatype.kind == "text":
        return _text(texts, column)
    trimmed = pc.utf8_trim_whitespace(texts)
    nothing = pc.equal(trimmed, "")
    if field.null is not None:
        nothing = pc.or_(nothing, pc.equal(trimmed, field.null.strip()))
    if numbers_of(column):
        nothing = pc.or_(nothing, pc.match_substring_regex(trimmed, "^NaN(?:\\s+NaN)*$"))
    if column.datatype.votable in ("char", "unicodeChar") and column.datatype.kind == "array":
        return _texts(pc.if_else(pc.equal(texts, ""), _NOTHING, texts), column)
    return _PARSERS[column.datatype.kind](pc.if_else(nothing, _NOTHING, trimmed), column)


def check_text(texts: pa.StringArray, column: Column) -> pa.StringArray:
    """The texts, none of which may be longer than the arraysize allows or hold a NUL.

    Raises
    ------
    UsageError
        One does.
    """
    most = column.extent.most
    if most is not None:
        lengths = pc.utf8_length(texts)
        if (pc.max(lengths).as_py() or 0) > most:
            worst = texts.filter(pc.greater(lengths, most))[0].as_py()
            refuse(column, worst, f"at most {most} characters, as its arraysize says")
    return texts


def check_lengths(lengths: np.ndarray[Any, Any], column: Column) -> None:
    """Refuse arrays that are not as long as the arraysize says; lengths count VOTable's elements."""
    extent = column.extent
    bad = lengths % extent.row != 0 if extent.row > 1 else np.zeros(len(lengths), dtype=bool)
    if extent.most is not None:
        bad |= (lengths != extent.most) if extent.fixed else (lengths > extent.most)
    if bad.any():
        found = int(lengths[bad][0])
        refuse(column, found, f"as many elements as an arraysize of '{column.votable_arraysize}' allows")


def check_widths(texts: pa.StringArray, column: Column) -> None:
    """Refuse texts in arrays that are longer than the first dimension of the arraysize; of all arrays, end to end."""
    width = column.extent.first
    lengths = pc.utf8_length(texts)
    if width is not None and (pc.max(lengths).as_py() or 0) > width:
        worst = texts.filter(pc.greater(lengths, width))[0].as_py()
        refuse(column, worst, f"texts of at most {width} characters, as its arraysize says")


def check_bits(values: pa.Array, column: Column) -> pa.Array:
    """The values, single ones or the elements of arrays; of a column of bits, none but 0 and 1.

    Raises
    ------
    UsageError
        A bit is another number, or one within an array is NULL, which VOTable has no place for.
    """
    if column.datatype.votable == "bit":
        if column.datatype.kind == "array" and values.null_count:
            refuse(column, None, "bits, each 0 or 1")
        if column.datatype.kind == "number" and (pc.max(values).as_py() or 0) > 1:
            refuse(column, pc.max(values).as_py(), "a bit, 0 or 1")
    return values


def as_declared(array: pa.Array, column: Column) -> pa.Array:
    """Values of the column's Arrow type that came from a file, of which something else tells what they are.

    Texts are made times where the column has times.

    Raises
    ------
    UsageError
        A value is longer or shorter than the arraysize allows, or is no time or no bit.
    """
    if column.datatype.kind == "timestamp":
        return instants(array, column)
    if column.datatype.kind == "text":
        return check_text(array, column)
    if not pa.types.is_list(array.type):
        return check_bits(array, column)
    elements, each = check_bits(pc.list_flatten(array), column), column.datatype.parts
    lengths = pc.list_value_length(array).drop_null().to_numpy(zero_copy_only=False)
    if pa.types.is_string(elements.type):
        check_widths(elements, column)
        lengths = lengths * (column.extent.first or 1)
    check_lengths(lengths // each, column)
    return array


def instants(texts: pa.StringArray, column: Column) -> pa.StringArray:
    """ISO 8601 times as text in UTC with six decimals; what is finer is cut.

    Raises
    ------
    UsageError
        A text is no time.
    """
    plain = pc.replace_substring_regex(texts, "[Zz]$", "")
    try:
        return written_instants(plain.cast(pa.timestamp("us")))
    except _UNFIT:
        return pa.array([v if v is None else _instant(v, column) for v in plain.to_pylist()], pa.string())


def written_instants(times: pa.TimestampArray) -> pa.StringArray:
    """Microseconds since 1970 as text."""
    return pc.replace_substring(times.cast(pa.timestamp("us")).cast(pa.string()), " ", "T")


def _text(texts: pa.StringArray, column: Column) -> pa.StringArray:
    return check_text(pc.if_else(pc.equal(texts, ""), _NOTHING, texts), column)


def _number(texts: pa.StringArray, column: Column) -> pa.Array:
    wanted = column.datatype.arrow
    try:
        made = texts.cast(wanted)
    except _UNFIT:
        one = _float if pa.types.is_floating(wanted) else _integer
        made = pa.array([v if v is None else one(v, column) for v in texts.to_pylist()], wanted)
    return check_bits(made, column)


def _boolean(texts: pa.StringArray, column: Column) -> pa.BooleanArray:
    known = pa.array(_TRUTHS)
    index = pc.index_in(texts, known)
    unknown = pc.and_(texts.is_valid(), index.is_null())
    if pc.any(unknown).as_py():
        refuse(column, texts.filter(unknown)[0].as_py(), "T or F")
    return pa.array(_TRUTHS.values(), pa.bool_()).take(index)


def _list(texts: pa.StringArray, column: Column) -> pa.ListArray:
    element, parts = column.datatype.arrow.value_type, column.datatype.parts
    if column.datatype.votable == "bit":
        texts = pc.replace_substring_regex(texts, r"([01])\s*", r"\1 ")
        texts = pc.utf8_trim_whitespace(texts)
    words, lengths = flat_list(pc.utf8_split_whitespace(texts))
    counts = lengths.to_numpy(zero_copy_only=False)
    check_lengths(counts[texts.is_valid().to_numpy(zero_copy_only=False)] / parts, column)
    parse = _boolean if pa.types.is_boolean(element) else _elements
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    null = texts.is_null() if texts.null_count else None
    values = check_bits(parse(words, column), column)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=null)


def _elements(words: pa.StringArray, column: Column) -> pa.Array:
    element = column.datatype.arrow.value_type
    if column.null is not None:
        words = pc.if_else(pc.equal(words, str(column.null)), _NOTHING, words)
    try:
        return words.cast(element)
    except _UNFIT:
        one = _float if pa.types.is_floating(element) else _integer
        return pa.array([v if v is None else one(v, column) for v in words.to_pylist()], element)


def _texts(cells: pa.StringArray, column: Column) -> pa.ListArray:
    """Texts of the same length, one after the other; each ends where nothing but white space follows."""
    return pa.array(
        [v if v is None else texts_of(v, column) for v in cells.to_pylist()], pa.list_(pa.string())
    )


def texts_of(cell: str, column: Column) -> list[str]:
    """The texts of one array of texts, of which the last may have lost its filling."""
    width = column.extent.first or 1
    count = -(-len(cell) // width)
    most = column.extent.most
    if most is not None and column.extent.fixed and len(cell) <= most:
        count = most // width
    check_lengths(np.array([count * width]), column)
    ended = (cell[i * width : (i + 1) * width].split("\0")[0] for i in range(count))
    return [text.rstrip(" ") for text in ended]


_PARSERS: dict[str, Callable[[pa.StringArray, Column], pa.Array]] = {
    "number": _number,
    "boolean": _boolean,
    "timestamp": instants,
    "geometry": _list,
    "array": _list,
}

_WHOLE = re.compile(r"[+-]?[0-9]+|0[xX][0-9a-fA-F]+")


def _integer(text: str, column: Column) -> int:
    """A whole number as VOTable writes it, also in hexadecimal (VOTable 1.4 section 6)."""
    element = column.datatype.arrow
    dtype = np.dtype((element.value_type if pa.types.is_list(element) else element).to_pandas_dtype())
    if not _WHOLE.fullmatch(text) or len(text) > 24:
        refuse(column, text, f"a whole number ({column.datatype.votable})")
    limits = np.iinfo(dtype)
    value = int(text, 16) if "x" in text.lower() else int(text)
    if not limits.min <= value <= limits.max:
        refuse(column, text, f"a whole number from {limits.min} to {limits.max}")
    return value


def _float(text: str, column: Column) -> float:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        refuse(column, text, "a number")
    if "_" in text:
        refuse(column, text, "a number")
    return value


def _instant(text: str, column: Column) -> str:
    try:
        instant = datetime.fromisoformat(text[:40])
    except ValueError:
        refuse(column, text, "a time such as 2003-02-14T01:02:03.5")
    if instant.tzinfo is not None:
        instant = _in_utc(instant, text, column)
    return instant.isoformat(timespec="microseconds")


def _in_utc(instant: datetime, text: str, column: Column) -> datetime:
    try:
        return instant.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        refuse(column, text, "a time from year 1 to 9999")
