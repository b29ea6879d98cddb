"""What is NULL in a binary table of FITS, as astropy writes it or a header lies of it?"""

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from datamodel.errors import UsageError
from tests.readings import read_columns


def table(*columns, **cards):
    made = fits.BinTableHDU.from_columns([fits.Column(**c) for c in columns])
    made.header.update(cards)
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), made]).writeto(content, output_verify="ignore")
    return content.getvalue()


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(d, s) for d in ("u1", "i2", "i4", "i8", "f4", "f8", "c8", "S3") for s in ((2,), (2, 3))],
)
def test_what_astropy_masks_is_null_an_array_as_a_whole_and_an_element_within_one(dtype, shape):
    values = np.arange(1, 1 + 4 * np.prod(shape)).reshape(4, *shape).astype(dtype)
    mask = np.zeros(values.shape, bool)
    mask[1], mask[2, 0] = True, True
    made = Table({"x": MaskedColumn(values, mask=mask)})
    made.write(content := io.BytesIO(), format="fits")
    theirs = Table.read(io.BytesIO(content.getvalue()), format="fits")["x"]
    _, got = read_columns(content.getvalue())
    assert [v is None for v in got["x"]] == [False, True, False, False]
    for ours, wanted in zip(got["x"], theirs, strict=True):
        if ours is not None:
            assert_same(ours, np.ma.asarray(wanted).ravel())


def assert_same(ours, wanted):
    """Elements are as astropy has them, which masks NaN and empty texts, too."""
    if wanted.dtype.kind == "c":
        ours = [complex(*pair) for pair in np.reshape(ours, (-1, 2))]
    nothing = [v is None or v == "" or v != v for v in ours]
    assert nothing == np.ma.getmaskarray(wanted).tolist()
    pairs = [(a, b) for a, b, missing in zip(ours, wanted.tolist(), nothing, strict=True) if not missing]
    assert [a for a, _ in pairs] == [b.decode() if isinstance(b, bytes) else b for _, b in pairs]


def test_the_number_of_missing_elements_is_told_as_it_is_after_scaling():
    column = {"name": "x", "format": "2J", "bzero": 2**31, "array": np.array([[0, 7], [7, 7]], "u4")}
    content = table(column, TNULL1=7 - 2**31)
    reading, got = read_columns(content)
    assert (reading.columns[0].null, got["x"]) == (7, [[0, None], None])


def test_logical_values_that_are_neither_true_nor_false_are_undefined():
    content = table({"name": "x", "format": "3L", "array": np.ones((3, 3), bool)})
    raw = content.replace(b"TTTTTTTTT", b"TFT\0\0\0T\0F")
    assert read_columns(raw)[1]["x"] == [[True, False, True], None, [True, None, False]]


def test_arrays_in_the_heap_are_null_where_they_have_no_elements_and_keep_nan():
    floats = np.array([np.array([np.nan]), np.array([]), np.array([1.0, np.nan])], dtype=object)
    whole = np.array([np.array([-1, -1]), np.array([], "i4"), np.array([1, -1])], dtype=object)
    content = table(
        {"name": "d", "format": "PD()", "array": floats},
        {"name": "j", "format": "PJ()", "array": whole},
        TNULL2=-1,
    )
    _, got = read_columns(content)
    assert repr(got["d"]) == "[[nan], None, [1.0, nan]]"
    assert got["j"] == [None, None, [1, None]]


TWO, PAIRS = np.array([3, 4]), np.array([[3, 4], [3, 4]])
BITS = np.zeros((2, 8), bool)


@pytest.mark.parametrize(
    ("format", "array", "tnull", "expected"),
    [
        ("B", TWO, -1, [3, 4]),
        ("2B", PAIRS, 256, [[3, 4], [3, 4]]),
        ("J", TWO, 10**30, [3, 4]),
        ("K", TWO, -(2**63) - 1, [3, 4]),
        ("J", TWO, "3.0", [None, 4]),
        ("E", TWO, 3, [3.0, 4.0]),
        ("1X", BITS[:, :1], 0, [0, 0]),
        ("8X", BITS, 0, [[False] * 8, [False] * 8]),
    ],
)
def test_a_tnull_that_no_value_can_be_sets_nothing_aside(format, array, tnull, expected):
    assert read_columns(with_tnull(format, array, tnull))[1]["x"] == expected


@pytest.mark.parametrize(
    ("tnull", "told"),
    [
        ("3.5", "expected a whole number as TNULL1 in the FITS header, found 3.5"),
        ("1E400", "expected a whole number as TNULL1 in the FITS header, found inf"),
        ("'x'", "expected a number as TNULL1"),
        ("T", "expected a number as TNULL1"),
    ],
)
def test_a_tnull_that_is_no_whole_number_is_refused(tnull, told):
    with pytest.raises(UsageError, match=told):
        read_columns(with_tnull("2J", PAIRS, tnull))


def with_tnull(format, array, tnull):
    """A table with that card, however wrong it is."""
    content = table({"name": "x", "format": format, "array": array}, TNULL1=0)
    at = content.index(b"TNULL1  =")
    return content[:at] + f"TNULL1  = {tnull:>20}".ljust(80).encode() + content[at + 80 :]


def test_offsets_that_no_machine_has_a_whole_number_for_are_taken():
    content = table({"name": "x", "format": "J", "array": TWO}, TZERO1=10**60, TSCAL1=10**61)
    assert read_columns(content)[1]["x"] == pytest.approx([3.1e61, 4.1e61])
