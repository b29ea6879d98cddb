"""Does every datatype of VOTable survive a database, and what does an arraysize say?"""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.arrays import stored
from datamodel.batches import record_batch
from datamodel.columns import Column
from datamodel.datatypes import DATATYPES, Extent, extent
from datamodel.errors import UsageError

FLOATS = {
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(width=64),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


def elements(arrow):
    """Any element of an array, in Python."""
    if arrow in FLOATS:
        return FLOATS[arrow]
    if pa.types.is_string(arrow):
        return TEXTS
    if pa.types.is_boolean(arrow):
        return st.none() | st.booleans()
    limits = np.iinfo(arrow.to_pandas_dtype())
    return st.none() | st.integers(int(limits.min), int(limits.max))


LISTS = [name for name, d in DATATYPES.items() if d.kind in ("array", "geometry")]


@pytest.mark.parametrize("name", LISTS)
def test_arrays_come_back_from_the_text_that_a_database_keeps(name):
    column = Column("x", name)
    arrow = column.datatype.arrow

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.none() | st.lists(elements(arrow.value_type), max_size=4), max_size=4))
    def check(values):
        kept = stored(pa.array(values, arrow), column)
        assert pa.types.is_string(kept.type)
        back = record_batch([(v,) for v in kept.to_pylist()], (column,)).column(0)
        assert back.type == arrow
        assert repr(back.to_pylist()) == repr(pa.array(values, arrow).to_pylist())

    check()


def test_a_slice_of_a_batch_is_kept_as_the_slice():
    column = Column("x", "INTEGER[]")
    array = pa.array([[1], [2, 3], None, [4, None]], pa.list_(pa.int32())).slice(1)
    assert stored(array, column).to_pylist() == ["2 3", None, "4 null"]


def test_what_is_no_array_is_kept_as_it_is():
    array = pa.array(["a", None])
    assert stored(array, Column("x", "VARCHAR")) is array


@pytest.mark.parametrize(
    ("name", "text"),
    [("INTEGER[]", "1 x"), ("INTEGER[]", "99999999999"), ("DOUBLE[]", "1 two"), ("BOOLEAN[]", "maybe")],
)
def test_text_that_is_no_array_is_refused_with_the_column(name, text):
    with pytest.raises(UsageError, match="column 'x'"):
        record_batch([(text,)], (Column("x", name),))


@pytest.mark.parametrize(
    ("arraysize", "expected"),
    [
        (None, Extent(1, True, 1, 1)),
        ("7", Extent(7, True, 1, 7)),
        ("*", Extent(None, False, 1, None)),
        ("7*", Extent(7, False, 1, 7)),
        ("3x4", Extent(12, True, 3, 3)),
        ("3x*", Extent(None, False, 3, 3)),
        ("3x4x5*", Extent(60, False, 12, 3)),
    ],
)
def test_an_arraysize_tells_how_many_elements_there_are(arraysize, expected):
    assert extent(arraysize) == expected


@pytest.mark.parametrize("arraysize", ["", "x", "*x3", "3x", "-1", "3 x 4", "1e3", "9" * 30, "2x" * 20 + "2"])
def test_what_is_no_arraysize_is_refused(arraysize):
    with pytest.raises(UsageError, match="expected an arraysize"):
        extent(arraysize)


def test_every_datatype_has_an_arrow_type_that_numbers_fit():
    for name, datatype in DATATYPES.items():
        if datatype.kind == "number":
            assert pa.from_numpy_dtype(datatype.numpy) == datatype.arrow, name
        assert pa.types.is_list(datatype.arrow) == (datatype.kind in ("array", "geometry"))
    assert math.prod(d.parts for d in DATATYPES.values()) == 2**4  # complex numbers, single and in arrays
