"""Does the standard library read from JSON what went into it?"""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import QueryTimeoutError
from tests.answers import answer, failing, watched
from vo_server.formats.document import Document
from vo_server.formats.json import write as write_json
from vo_server.formats.negotiate import choose

COLUMNS = (
    Column("flag", "BOOLEAN"),
    Column("small", "SMALLINT"),
    Column("big", "BIGINT", ucd="meta.id;meta.main"),
    Column("ra", "DOUBLE", unit="deg", description='in "degrees"'),
    Column("single", "REAL"),
    Column("name", "VARCHAR"),
    Column("outline", "POLYGON"),
    Column("words", "UNICODE[]"),
)


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def loaded(rows, told=None, **options):
    content = b"".join(write_json(rows, Document(**(told or {})), **options))
    return json.loads(content, parse_constant=refuse)


def one(type, *values, **options):
    """A column of values, as it comes back."""
    return [row[0] for row in loaded(answer((Column("x", type),), [(v,) for v in values]), **options)["data"]]


SINGLE = st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLE = st.none() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.none() | st.text(max_size=9)
ROW = st.tuples(
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    DOUBLE,
    SINGLE,
    WORDS,
    st.none() | st.lists(DOUBLE, max_size=4),
    st.none() | st.lists(WORDS, max_size=3),
)


@given(st.lists(ROW, max_size=9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_what_goes_out_is_what_comes_in(rows, step):
    read = loaded(answer(COLUMNS, *[rows[i : i + step] for i in range(0, len(rows), step)]))
    assert len(read["data"]) == len(rows)
    for came, went in zip(read["data"], rows, strict=True):
        assert came[4] is went[4] is None or np.float32(came[4]) == np.float32(went[4])
        assert came[:4] + came[5:] == list(went[:4] + went[5:])


def test_the_columns_are_described_before_the_rows():
    read = loaded(
        answer(COLUMNS, [(True, 1, 2, 3.5, 4.5, "é", [1.0], ["a"])]),
        {"infos": [("query", 'SELECT "x"')], "table_name": "stars", "description": "Of the sky"},
    )
    assert list(read) == ["name", "description", "infos", "metadata", "data", "status"]
    assert (read["name"], read["description"], read["status"]) == ("stars", "Of the sky", "OK")
    assert read["infos"] == [{"name": "query", "value": 'SELECT "x"'}]
    assert read["metadata"][2:4] == [
        {"name": "big", "datatype": "long", "ucd": "meta.id;meta.main"},
        {"name": "ra", "datatype": "double", "unit": "deg", "description": 'in "degrees"'},
    ]
    assert read["metadata"][5]["datatype"] == "unicodeChar"


def test_overflow_is_told_behind_the_rows_and_is_no_row():
    read = loaded(answer((Column("x", "INTEGER"),), [(1,)], overflow=True))
    assert (read["data"], read["status"]) == ([[1]], "OVERFLOW")


def test_no_rows_are_an_empty_list():
    assert loaded(answer(COLUMNS))["data"] == []
    assert loaded(answer(COLUMNS, [], []))["data"] == []


@pytest.mark.parametrize("type", DATATYPES)
def test_every_datatype_has_a_place_even_with_nothing_but_null(type):
    assert one(type, None, None) == [None, None]


def test_what_is_not_finite_is_null_and_the_document_is_still_json():
    assert one("DOUBLE", math.nan, math.inf, -math.inf, 1.5, None) == [None, None, None, 1.5, None]
    assert one("POLYGON", [1.0, math.nan, math.inf]) == [[1.0, None, None]]


def test_bits_are_numbers_single_and_in_arrays_and_booleans_are_not():
    bits = [[True, False, None], [], None, [False]]
    assert repr(one("BIT[]", *bits)) == "[[1, 0, None], [], None, [0]]"
    assert repr(one("BIT", 1, None, 0)) == "[1, None, 0]"
    assert repr(one("BOOLEAN[]", [True, False])) == "[[True, False]]"
    assert one("BIT[]", None, None) == [None, None]


def test_whole_numbers_keep_all_digits_or_are_texts_where_that_is_asked_for():
    extremes = [2**63 - 1, -(2**63), 2**53 + 1, None]
    assert one("BIGINT", *extremes) == extremes
    assert one("BIGINT", *extremes, text_for_long=True) == [
        str(2**63 - 1),
        str(-(2**63)),
        str(2**53 + 1),
        None,
    ]
    assert one("BIGINT[]", [2**62, None], text_for_long=True) == [[str(2**62), None]]
    assert one("INTEGER", 7, text_for_long=True) == [7]


def test_text_for_long_is_a_parameter_of_the_media_type():
    chosen = choose("application/json;long=text")
    content = b"".join(chosen.write(answer((Column("x", "BIGINT"),), [(1,)])))
    assert json.loads(content)["data"] == [["1"]]
    assert chosen.mime == "application/json;long=text"


@pytest.mark.parametrize(
    "text", ['"', "\\", "\n\r\t\b\f", "\x00\x1f\x7f", "é😀\u2028", '\\"', "</script>", ""]
)
def test_any_text_survives(text):
    assert one("VARCHAR", text, "plain", None) == [text, "plain", None]


def test_a_failure_leaves_no_object_that_could_be_taken_for_whole():
    closed, came = [], []
    rows = failing(QueryTimeoutError("too long"), [(1,)], close=lambda: closed.append(1))
    with pytest.raises(QueryTimeoutError):
        came.extend(write_json(rows, Document()))
    assert closed == [1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(came))


def test_the_first_bytes_come_before_the_second_batch_is_asked_for():
    asked = []
    chunks = write_json(watched(asked), Document())
    assert b'"metadata"' in next(chunks)
    assert asked == [0]
    chunks.close()
