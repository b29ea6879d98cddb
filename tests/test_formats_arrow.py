"""Does pyarrow read from Arrow IPC and Parquet what went into them, and the metadata that the VO wants in them?"""

import io
import math
import xml.etree.ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse_single_table
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import QueryTimeoutError
from tests.answers import answer, failing, watched
from tests.votables import NAMESPACE, assert_valid, needs_schemas
from vo_server.formats import arrow, parquet
from vo_server.formats.document import Document

COLUMNS = (
    Column("id", "BIGINT", ucd="meta.id;meta.main", description="Which one"),
    Column("ra", "DOUBLE", unit="deg", ucd="pos.eq.ra"),
    Column("name", "VARCHAR"),
    Column("spot", "POINT"),
)
ROWS = [
    (2**63 - 1, 0.1, "é & <b>", [1.0, 2.0]),
    (-(2**63), None, "", None),
    (None, math.inf, None, [3.0, 4.0]),
]
WRITERS = {"arrow": arrow.write, "parquet": parquet.write}


def read(kind, content):
    """The table, as pyarrow reads it."""
    if kind == "parquet":
        return pq.read_table(io.BytesIO(content))
    return pa.ipc.open_stream(content).read_all()


def written(kind, rows, **told):
    return b"".join(WRITERS[kind](rows, Document(**told)))


def votable_in(kind, content):
    """The VOTable in the metadata."""
    if kind == "arrow":
        return pa.ipc.open_stream(content).schema.metadata[b"votable"]
    metadata = pq.read_metadata(io.BytesIO(content)).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    return metadata[b"IVOA.VOTable-Parquet.content"]


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_come_back_as_they_went_in_all_pieces(kind):
    content = written(kind, answer(COLUMNS, ROWS[:1], ROWS[1:]))
    table = read(kind, content)
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS
    assert table.schema.types == [c.datatype.arrow for c in COLUMNS]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("type", DATATYPES)
def test_every_datatype_has_a_place_even_with_nothing_but_null_and_with_no_rows(kind, type):
    column = Column("x", type)
    empty = read(kind, written(kind, answer((column,))))
    nulls = read(kind, written(kind, answer((column,), [(None,)])))
    assert (empty.num_rows, nulls.to_pylist()) == (0, [{"x": None}])
    assert empty.schema.field("x").type == nulls.schema.field("x").type == column.datatype.arrow


@pytest.mark.parametrize("kind", WRITERS)
def test_fields_say_their_units_and_ucds(kind):
    schema = read(kind, written(kind, answer(COLUMNS, ROWS))).schema
    told = {
        key: value for key, value in schema.field("ra").metadata.items() if not key.startswith(b"PARQUET")
    }
    assert told == {b"unit": b"deg", b"ucd": b"pos.eq.ra"}
    assert schema.field("id").metadata[b"description"] == b"Which one"
    assert schema.field("spot").metadata[b"xtype"] == b"point"


@pytest.mark.parametrize("kind", WRITERS)
def test_the_votable_describes_the_columns_in_order_and_has_no_rows(kind):
    content = written(kind, answer(COLUMNS, ROWS), infos=[("query", "SELECT é")], table_name="stars")
    document = votable_in(kind, content)
    described = parse_single_table(io.BytesIO(document), verify="exception")
    assert [(f.name, f.datatype, str(f.unit)) for f in described.fields] == [
        ("id", "long", "None"),
        ("ra", "double", "deg"),
        ("name", "unicodeChar", "None"),
        ("spot", "double", "None"),
    ]
    root = ET.fromstring(document)
    assert root.find(".//v:DATA", NAMESPACE) is None
    assert root.find(".//v:INFO[@name='query']", NAMESPACE).get("value") == "SELECT é"
    assert root.find(".//v:TABLE", NAMESPACE).get("name") == "stars"


@needs_schemas
def test_the_votable_in_the_metadata_keeps_to_the_schema():
    for kind in WRITERS:
        assert_valid(votable_in(kind, written(kind, answer(COLUMNS, ROWS, overflow=True))), "1.4")


def test_text_beyond_ascii_is_known_in_parquet_however_late_it_comes():
    content = written("parquet", answer((Column("x", "VARCHAR"),), [("plain",)], [("é",)]))
    assert b'datatype="unicodeChar"' in votable_in("parquet", content)


@pytest.mark.parametrize("overflow", [True, False])
def test_parquet_tells_of_overflow_in_its_votable_only(overflow):
    content = written("parquet", answer(COLUMNS, ROWS, overflow=overflow))
    assert (b'value="OVERFLOW"' in votable_in("parquet", content)) == overflow
    assert read("parquet", content).num_rows == len(ROWS)


@pytest.mark.parametrize("overflow", [True, False])
def test_arrow_tells_of_overflow_with_an_empty_batch_at_the_end(overflow):
    content = written("arrow", answer(COLUMNS, ROWS, overflow=overflow))
    told = []
    reader = pa.ipc.open_stream(content)
    while True:
        try:
            batch, metadata = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        told.append((batch.num_rows, dict(metadata) if metadata else {}))
    assert told == [(3, {})] + [(0, {b"QUERY_STATUS": b"OVERFLOW"})] * overflow


@pytest.mark.parametrize("kind", WRITERS)
def test_a_failure_leaves_no_file_that_could_be_taken_for_whole(kind):
    closed, came = [], []
    rows = failing(QueryTimeoutError("too long"), [(1,)], close=lambda: closed.append(1))
    chunks = WRITERS[kind](rows, Document())
    with pytest.raises(QueryTimeoutError):
        came.extend(chunks)
    assert closed == [1]
    if kind == "parquet":
        with pytest.raises(pa.ArrowInvalid):
            read(kind, b"".join(came))


@pytest.mark.parametrize("kind", WRITERS)
def test_the_first_bytes_come_before_the_second_batch_is_asked_for(kind):
    asked = []
    chunks = WRITERS[kind](watched(asked), Document())
    assert next(chunks)
    assert len(asked) <= 1
    chunks.close()


def test_groups_of_rows_are_bounded():
    part = [(i, 0.5, "x" * 100, None) for i in range(2000)]
    content = written("parquet", answer(COLUMNS, *[part] * 90))
    metadata = pq.read_metadata(io.BytesIO(content))
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sum(sizes) == 180_000
    assert parquet.GROUP_ROWS <= max(sizes) < parquet.GROUP_ROWS + len(part)
    assert len(sizes) == 2


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.text(max_size=9),
            st.none() | st.lists(st.floats(allow_nan=False), min_size=2, max_size=2),
        ),
        max_size=8,
    ),
    st.sampled_from(sorted(WRITERS)),
)
@settings(max_examples=40, deadline=None)
def test_what_goes_out_is_what_pyarrow_reads(rows, kind):
    content = written(kind, answer(COLUMNS, rows[:3], rows[3:]))
    assert [tuple(row.values()) for row in read(kind, content).to_pylist()] == rows
