"""Which column is meant by the cards of a FITS binary table, and how are its values decoded?"""

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from astropy import units

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError
from vo_server.formats.reading.cells import Cells, decoded, item_bytes, null_where_nothing, texts
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.fits_header import Cards
from vo_server.formats.reading.table import refuse

_FORM = re.compile(r"(\d{0,12})([LXBIJKAEDCM]|[PQ]([LXBIJKAEDCM])(?:\((\d*)\))?)\s*(?:[^\s].*)?")
_LETTERS = {
    "L": "BOOLEAN",
    "X": "BIT",
    "B": "UNSIGNEDBYTE",
    "I": "SMALLINT",
    "J": "INTEGER",
    "K": "BIGINT",
    "E": "REAL",
    "D": "DOUBLE",
    "C": "COMPLEX",
    "M": "DOUBLECOMPLEX",
    "A": "VARCHAR",
}
_SHIFTED = {
    ("B", -128): "SMALLINT",
    ("I", 1 << 15): "INTEGER",
    ("J", 1 << 31): "BIGINT",
    ("K", 1 << 63): "BIGINT",
}
"""What holds the numbers of the other sign that an offset makes of these letters (FITS 4.0 section 5.2.5)."""

_WHOLE = "BIJK"
"""The letters that have a TNULL (FITS 4.0 section 7.3.2)."""


@dataclass(frozen=True)
class FitsColumn:
    """A column of a binary table.

    Attributes
    ----------
    column
        What it is.
    raw
        The same before TSCAL and TZERO.
    scale, zero
        TSCAL and TZERO.
    null
        TNULL, where it is a number that the raw values can be.
    at
        Where it begins in a row.
    width
        Its bytes in a row.
    descriptor
        The dtype of the two numbers of an array descriptor, where the values are in the heap; else empty.
    """

    column: Column
    raw: Field
    scale: float
    zero: float
    null: int | None
    at: int
    width: int
    descriptor: str = ""

    @property
    def is_scaled(self) -> bool:
        """Whether the values are others than those in the file."""
        return (self.scale, self.zero) != (1, 0)


def fits_column(cards: Cards, number: int, at: int) -> FitsColumn:
    """The column that the cards of a number describe (FITS 4.0 section 7.3).

    Parameters
    ----------
    cards
        The header.
    number
        From 1.
    at
        Where its bytes begin in a row.

    Raises
    ------
    UsageError
        TFORM is none of FITS.
    """
    form = cards.text(f"TFORM{number}").upper()
    parts = _FORM.fullmatch(form)
    if not parts:
        raise UsageError(f"expected a format of FITS as TFORM{number}, found '{form[:60]}'")
    repeat = int(parts[1]) if parts[1] else 1
    letter = parts[3] or parts[2]
    descriptor = {"P": ">i4", "Q": ">i8"}.get(parts[2][0], "")
    size = "*" if descriptor else _arraysize(cards.text(f"TDIM{number}"), letter, repeat)
    raw = _named(cards, number, _datatype(letter, size), size)
    scale, zero = cards.number(f"TSCAL{number}"), cards.number(f"TZERO{number}")
    null = _null(cards, number, raw) if letter in _WHOLE else None
    column = _unscaled(raw, letter, scale, zero)
    width = (
        repeat * 2 * np.dtype(descriptor).itemsize
        if descriptor
        else (repeat + 7) // 8
        if letter == "X"
        else repeat * item_bytes(raw)
    )
    return FitsColumn(
        replace(column, null=_element_null(column, null, zero)),
        Field(raw),
        1.0 if scale is None or not _scales(letter) else float(scale),
        0.0 if zero is None or not _scales(letter) else float(zero),
        null,
        at,
        width,
        descriptor if repeat else "",
    )


def values(column: FitsColumn, cells: Cells) -> pa.Array:
    """The values in some rows.

    Parameters
    ----------
    column
        What it is.
    cells
        Where its bytes are.

    Raises
    ------
    UsageError
        A number does not fit into the datatype after scaling.

    Notes
    -----
    FITS has no sign for an array that is NULL, so that one is which has no elements, or none but undefined ones:
    TNULL, a logical value that is neither T nor F (FITS 4.0 section 7.3.3.1), NaN in the rows, or text that
    begins with NUL. NaN in the heap is an element, for there an array that is NULL has no elements.
    """
    if column.raw.column.datatype.kind == "text":
        return _texts(column, cells)
    made = decoded(cells, column.raw)
    if column.raw.column.type == "CHAR[]":
        return pc.if_else(pa.array(_are_empty(column, cells)), pa.scalar(None, made.type), made)
    is_list = pa.types.is_list(made.type)
    flat = pc.list_flatten(made) if is_list else made
    if column.null is not None:
        flat = pc.if_else(
            pc.equal(flat, pa.scalar(column.null, pa.int64())), pa.scalar(None, flat.type), flat
        )
    if column.is_scaled:
        flat = _scaled(flat, column)
    if not is_list:
        return flat
    return null_where_nothing(made, flat, nan_is_null=not column.descriptor)


@lru_cache(maxsize=1024)
def vounit(unit: str) -> str | None:
    """A unit as VOUnits writes it, where it is known; else as it is; None for none."""
    if not unit:
        return None
    for format in ("vounit", "fits", "cds", "generic"):
        try:
            text: str = units.Unit(unit, format=format).to_string("vounit")
        except (ValueError, TypeError):
            continue
        return text or None
    return unit


def _texts(column: FitsColumn, cells: Cells) -> pa.StringArray:
    """Texts up to the first NUL, without the spaces that fill them up; one that begins with NUL is NULL."""
    null = cells.counts > 0
    null[null] = np.frombuffer(cells.data, np.uint8)[cells.at[null]] == 0
    found = texts(Cells(cells.data, cells.at, cells.counts, null), column.raw.column)
    return pc.utf8_rtrim(found, " ")


def _are_empty(column: FitsColumn, cells: Cells) -> npt.NDArray[np.bool_]:
    """Which arrays have texts that all begin with NUL."""
    extent = column.raw.column.extent
    starts = np.arange(0, extent.most or 0, extent.first or 1)
    letters = np.frombuffer(cells.data, np.uint8)[cells.at[:, None] + starts]
    empty: npt.NDArray[np.bool_] = (letters == 0).all(axis=1)
    return empty


def _datatype(letter: str, size: str | None) -> str:
    if letter == "A":
        return "CHAR[]" if size and "x" in size else "VARCHAR"
    return _LETTERS[letter] + ("[]" if size else "")


def _arraysize(dimensions: str, letter: str, repeat: int) -> str | None:
    """The arraysize of a fixed array; TDIM counts where its sizes fill the array (FITS 4.0 section 7.3.2)."""
    sizes = re.fullmatch(r"\(\s*(\d{1,9}(?:\s*,\s*\d{1,9}){0,8})\s*\)", dimensions)
    if sizes and sizes[1].count(","):
        numbers = [int(n) for n in sizes[1].split(",")]
        if 0 < math.prod(numbers) == repeat:
            return "x".join(map(str, numbers))
    if letter == "A":
        return str(repeat)
    return None if repeat == 1 else str(repeat)


def _named(cards: Cards, number: int, kind: str, size: str | None) -> Column:
    datatype = DATATYPES[kind]
    return Column(
        cards.text(f"TTYPE{number}"),
        kind,
        unit=vounit(cards.text(f"TUNIT{number}")),
        ucd=cards.text(f"TUCD{number}") or None,
        utype=cards.text(f"TUTYP{number}") or None,
        description=cards.text(f"TCOMM{number}"),
        arraysize=None if size == datatype.arraysize else size or "",
        xtype=cards.text(f"TXTYP{number}") or None,
    )


def _scales(letter: str) -> bool:
    return letter in "BIJKEDCM"


def _unscaled(raw: Column, letter: str, scale: float | None, zero: float | None) -> Column:
    """What the column is after scaling: whole numbers where only a sign is shifted, else doubles."""
    if not _scales(letter) or (scale in (None, 1) and zero in (None, 0)):
        return raw
    is_array = "[]" if raw.type.endswith("[]") else ""
    if scale in (None, 1) and (letter, zero) in _SHIFTED:
        return replace(raw, type=_SHIFTED[letter, int(zero or 0)] + is_array)
    wide = {"C": "DOUBLECOMPLEX", "M": "DOUBLECOMPLEX"}.get(letter, "DOUBLE")
    return replace(raw, type=wide + is_array)


def _null(cards: Cards, number: int, raw: Column) -> int | None:
    """TNULL, if there is one that the raw values can be.

    Raises
    ------
    UsageError
        It is no whole number.
    """
    null = cards.number(f"TNULL{number}")
    if null is None:
        return None
    if isinstance(null, float) and not null.is_integer():
        raise UsageError(f"expected a whole number as TNULL{number} in the FITS header, found {null}")
    type = raw.datatype.arrow
    limits = np.iinfo((type.value_type if pa.types.is_list(type) else type).to_pandas_dtype())
    return int(null) if limits.min <= null <= limits.max else None


def _element_null(column: Column, null: int | None, zero: float | None) -> int | None:
    """What TNULL stands for after scaling: the number for missing elements of arrays of whole numbers, if it fits."""
    element = column.datatype.arrow
    if null is None or column.datatype.kind != "array" or not pa.types.is_integer(element.value_type):
        return None
    limits = np.iinfo(element.value_type.to_pandas_dtype())
    meant = null + int(zero or 0)
    return meant if limits.min <= meant <= limits.max else None


def _scaled(flat: pa.Array, column: FitsColumn) -> pa.Array:
    wanted = column.column.datatype.arrow
    wanted = wanted.value_type if pa.types.is_list(wanted) else wanted
    null = flat.is_null().to_numpy(zero_copy_only=False)
    raw: npt.NDArray[Any] = pc.fill_null(flat, 0).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(wanted):
        return _shifted(raw, null, column, wanted)
    with np.errstate(over="ignore", invalid="ignore"):
        return pa.array(_stretched(raw, column), mask=null)


def _stretched(raw: npt.NDArray[Any], column: FitsColumn) -> npt.NDArray[np.float64]:
    """TZERO + TSCAL * value; of a complex number, the imaginary part has no offset."""
    stretched: npt.NDArray[np.float64] = raw.astype("f8") * column.scale
    if column.raw.column.datatype.parts == 2:
        stretched[::2] += column.zero
    else:
        stretched += column.zero
    return stretched


def _shifted(
    raw: npt.NDArray[Any], null: npt.NDArray[np.bool_], column: FitsColumn, wanted: pa.DataType
) -> pa.Array:
    if raw.dtype.itemsize < 8:
        return pa.array(raw.astype("i8") + int(column.zero), mask=null).cast(wanted)
    beyond = ~null & (raw >= 0)
    if beyond.any():
        refuse(
            column.column, int(raw[beyond][0]) + int(column.zero), "a whole number up to 9223372036854775807"
        )
    return pa.array((raw.view("u8") ^ np.uint64(1 << 63)).view("i8"), mask=null)
