"""Does what this server wrote come back through its own reader as it was, described and with its NULLs?"""

import math
from dataclasses import replace

import pytest

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError
from tests.answers import answer
from tests.readings import read_columns
from vo_server.formats.negotiate import choose

VALUES = {
    ("BOOLEAN", None): True,
    ("BIT", None): 1,
    ("UNSIGNEDBYTE", None): 255,
    ("SMALLINT", None): -(2**15),
    ("INTEGER", None): -(2**31),
    ("BIGINT", None): 2**63 - 1,
    ("REAL", None): 1.5,
    ("DOUBLE", None): 0.1,
    ("CHAR", None): "some text",
    ("VARCHAR", None): "some text",
    ("VARCHAR", ""): "V",
    ("VARCHAR", "5"): "abc",
    ("VARCHAR", "9*"): "abc",
    ("CLOB", None): "some text",
    ("UNICODE", None): "some text",
    ("UNICODE", ""): "V",
    ("REGION", None): "Circle ICRS 1 2 3",
    ("TIMESTAMP", None): "2003-02-14T01:02:03.500000",
    ("POINT", None): [1.0, 2.0],
    ("CIRCLE", None): [1.0, 2.0, 3.0],
    ("POLYGON", None): [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    ("BOOLEAN[]", None): [True],
    ("BOOLEAN[]", "3"): [True, False, True],
    ("BIT[]", None): [True, False],
    ("BIT[]", "8"): [True, False] * 4,
    ("UNSIGNEDBYTE[]", "2"): [0, 255],
    ("SMALLINT[]", None): [1, 2, 3],
    ("INTEGER[]", "3"): [-(2**31), 2, 3],
    ("INTEGER[]", "2x3"): [1, 2, 3, 4, 5, 6],
    ("BIGINT[]", "2"): [-(2**63), 2**63 - 1],
    ("REAL[]", "2"): [1.0, 2.0],
    ("DOUBLE[]", None): [1.0, 2.0],
    ("DOUBLE[]", "2"): [1.0, 2.0],
    ("COMPLEX", None): [1.0, 2.0],
    ("DOUBLECOMPLEX", None): [1.0, 2.0],
    ("COMPLEX[]", "2"): [1.0, 2.0, 3.0, 4.0],
    ("DOUBLECOMPLEX[]", None): [1.0, 2.0, 3.0, 4.0],
    ("CHAR[]", "3x2"): ["abc", "de"],
    ("UNICODE[]", "3x*"): ["abc", "de"],
}
"""A value of each datatype, and of each kind of arraysize."""

SAME = {"CHAR": "VARCHAR", "CLOB": "VARCHAR"}
"""Names for what is the same in VOTable, and the one that a reader gives it."""


WHOLE_ARRAYS = ("UNSIGNEDBYTE[]", "SMALLINT[]", "INTEGER[]", "BIGINT[]")
"""Those of which a number stands for missing elements."""


def column(type, arraysize=None, **told):
    told = {"unit": "m", "ucd": "meta.note", "utype": "a:b", "description": "what it is"} | told
    return Column("x", type, arraysize=arraysize, **told)


def written(format, made, *values):
    return b"".join(choose(format).write(answer((made,), [(value,) for value in values])))


def test_every_datatype_is_among_these():
    assert {type for type, _ in VALUES} == set(DATATYPES)


@pytest.mark.parametrize("format", ["parquet", "votable/b2", "votable/td"])
@pytest.mark.parametrize(("type", "arraysize"), VALUES)
def test_every_datatype_comes_back_with_all_that_is_told_of_it(type, arraysize, format):
    made, value = column(type, arraysize), VALUES[type, arraysize]
    reading, got = read_columns(written(format, made, value, None, value))
    assert reading.columns == (replace(made, type=SAME.get(type, type)),)
    assert got["x"] == [value, None, value]


@pytest.mark.parametrize(("type", "arraysize"), VALUES)
def test_every_datatype_comes_back_from_fits_with_its_null(type, arraysize):
    """But a floating-point number, which is NaN in both cases; and a single character is text there."""
    made, value = column(type, arraysize), VALUES[type, arraysize]
    reading, got = read_columns(written("fits", made, value, None, value))
    found = reading.columns[0]
    assert replace(found, null=None) == replace(made, type=SAME.get(type, type))
    assert (found.null is not None) == (type in WHOLE_ARRAYS)
    nothing = math.nan if type in ("REAL", "DOUBLE") else None
    assert repr(got["x"]) == repr([value, nothing, value])


@pytest.mark.parametrize(("type", "arraysize"), VALUES)
def test_every_datatype_comes_back_from_the_older_binary_with_its_null(type, arraysize):
    """But a floating-point number, which is NaN, and text, which is empty; bits have nothing that stands for NULL."""
    made, value = column(type, arraysize), VALUES[type, arraysize]
    if type == "BIT" or (type, arraysize) == ("BIT[]", "8"):
        assert b"stand for NULL" in written("votable/b", made, value, None)
        return
    reading, got = read_columns(written("votable/b", made, value, None, value))
    assert replace(reading.columns[0], null=None) == replace(made, type=SAME.get(type, type))
    assert (got["x"][0], got["x"][2]) == (value, value)
    is_text = type in ("CHAR", "VARCHAR", "CLOB", "UNICODE", "REGION", "TIMESTAMP", "CHAR[]", "UNICODE[]")
    nothing = (None, "", ["", ""]) if is_text else (None,)
    assert got["x"][1] in nothing or (type in ("REAL", "DOUBLE") and math.isnan(got["x"][1]))


def test_an_xtype_of_its_own_comes_back_from_parquet():
    made = column("DOUBLE[]", "2", xtype="interval")
    assert read_columns(written("parquet", made, [1.0, 2.0]))[0].columns == (made,)


def test_text_that_is_not_ascii_comes_back_from_parquet_as_unicode():
    reading, got = read_columns(written("parquet", column("VARCHAR"), "é", "x"))
    assert (reading.columns[0].type, got["x"]) == ("UNICODE", ["é", "x"])


def test_texts_of_a_parquet_file_whose_votable_has_no_arraysize_may_be_long():
    reading, got = read_columns(written("parquet", column("VARCHAR", ""), "V", "Johnson"))
    assert (reading.columns[0].votable_arraysize, got["x"]) == ("*", ["V", "Johnson"])


@pytest.mark.parametrize("format", ["fits", "parquet", "votable/b2", "votable/td"])
def test_elements_that_are_missing_stay_so_within_an_array_that_is_not_null(format):
    numbers, truths = column("INTEGER[]", "3", null=-9), column("BOOLEAN[]", "3")
    assert read_columns(written(format, numbers, [1, None, 3], None))[1]["x"] == [[1, None, 3], None]
    assert read_columns(written(format, truths, [True, None, False], None))[1]["x"] == [
        [True, None, False],
        None,
    ]


def told_otherwise(content, old, new):
    """A file whose VOTable says something else of the same length."""
    assert len(old) == len(new)
    assert old in content
    return content.replace(old, new)


LIES = [
    (column("DOUBLE[]", "3"), [1.0, 2.0, 3.0], b'arraysize="3"', b'arraysize="2"', "arraysize of '2'"),
    (column("BOOLEAN[]"), [True, None], b'datatype="boolean"', b'datatype="bit"    ', "bits, each 0 or 1"),
    (column("UNSIGNEDBYTE"), 7, b'datatype="unsignedByte"', b'datatype="bit"         ', "a bit, 0 or 1"),
    (column("VARCHAR", xtype="whatever!"), "hello", b"whatever!", b"timestamp", "a time such as"),
]
LONG = [
    (column("VARCHAR", "9"), "abcdefghi", b'arraysize="9"', b'arraysize="3"', "at most 3 characters"),
    (column("UNICODE[]", "3x*"), ["abc"], b'arraysize="3x*"', b'arraysize="2x*"', "texts of at most 2 char"),
]


@pytest.mark.parametrize(
    ("format", *("made", "value", "old", "new", "told")),
    [("parquet", *lie) for lie in LIES + LONG] + [("fits", *lie) for lie in LIES],
)
def test_values_that_are_not_as_the_votable_of_the_file_says_are_refused(format, made, value, old, new, told):
    with pytest.raises(UsageError, match=told):
        read_columns(told_otherwise(written(format, made, value), old, new))


def test_texts_of_fits_may_be_longer_than_its_votable_says_for_they_have_escapes():
    reading, got = read_columns(written("fits", column("UNICODE", "1"), "é"))
    assert (reading.columns[0].votable_arraysize, got["x"]) == ("4", [r"\xe9"])
    made = written("fits", column("VARCHAR", "4*"), "é", "a" * 5000, *["x"] * 100)
    reading, got = read_columns(made)
    assert (reading.columns[0].votable_arraysize, got["x"][:1]) == ("*", [r"\xe9"])
    reading, got = read_columns(written("fits", column("UNICODE[]", "1x*"), ["é", "x"]))
    assert (reading.columns[0].votable_arraysize, got["x"]) == ("4x2", [[r"\xe9", "x"]])


def test_a_votable_in_a_parquet_file_that_is_broken_is_passed_over():
    content = told_otherwise(written("parquet", column("DOUBLE"), 1.5), b"</RESOURCE>", b"</RESOURCES")
    reading, got = read_columns(content)
    assert reading.columns == (Column("x", "DOUBLE", unit="m", description="what it is"),)
    assert got["x"] == [1.5]
