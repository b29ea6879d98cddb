"""Does astropy read from a FITS file what went into it, and do the standard's rules hold?"""

import io
import math
import tempfile
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from datamodel.errors import ArchiveError, QueryTimeoutError, UsageError
from tests.answers import answer, failing
from tests.votables import NAMESPACE
from vo_server.formats import fits
from vo_server.formats.document import Document
from vo_server.formats.fits_header import BLOCK_BYTES, card, header


def document(rows, **told):
    return b"".join(fits.write(rows, Document(**told)))


def opened(content):
    """The HDUs, after astropy found nothing wrong with them."""
    hdus = astropy_fits.open(io.BytesIO(content))
    hdus.verify("exception")
    return hdus


def text(value):
    """A text in the heap, of which astropy makes an array of characters."""
    return "".join(np.atleast_1d(value).tolist())


def column(type, values, **described):
    """One column of values, as astropy's table of the file has it."""
    content = document(
        answer(
            (Column("x", type, **described),),
            *[[(v,) for v in values[i : i + 3]] for i in range(0, len(values), 3)],
        )
    )
    opened(content)
    return Table.read(io.BytesIO(content), format="fits")["x"]


@pytest.mark.parametrize(
    ("type", "bits"), [("SMALLINT", 16), ("INTEGER", 32), ("BIGINT", 64)], ids=lambda x: str(x)
)
def test_whole_numbers_keep_their_extremes_and_null_is_none_of_them(type, bits):
    values = [-(2 ** (bits - 1)), 0, None, 2 ** (bits - 1) - 1, 1, -1]
    assert column(type, values).tolist() == values


def test_without_nulls_no_number_is_set_aside():
    content = document(answer((Column("x", "INTEGER"),), [(1,), (2,)]))
    assert "TNULL1" not in opened(content)[1].header


def test_unsigned_bytes_keep_their_extremes():
    assert column("UNSIGNEDBYTE", [0, 255, None, 1]).tolist() == [0, 255, None, 1]


def test_a_column_with_every_byte_and_null_is_refused_and_not_made_wrong():
    rows = answer((Column("x", "UNSIGNEDBYTE"),), [(i,) for i in range(256)], [(None,)])
    with pytest.raises(ArchiveError, match="column x: no number is left"):
        document(rows)


def test_floating_point_is_exact_and_null_is_nan():
    values = [0.1, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    read = column("DOUBLE", [*values, None])
    assert read[:6].tolist() == values
    assert math.copysign(1, read[1]) == -1
    assert read.mask[6]


def test_booleans_are_logical_and_null_is_neither():
    content = document(answer((Column("x", "BOOLEAN"),), [(True,), (None,), (False,)]))
    hdu = opened(content)[1]
    assert hdu.columns[0].format == "1L" or hdu.columns[0].format == "L"
    start = content.index(b"XTENSION") + BLOCK_BYTES
    assert content[start : start + 3] == b"T\0F"


def test_text_is_as_wide_as_its_content_and_escaped_where_it_is_not_ascii():
    content = document(answer((Column("x", "VARCHAR"),), [("ab",), (None,)], [("é",), ("abcde",), ("",)]))
    assert opened(content)[1].columns[0].format == "5A"
    assert Table.read(io.BytesIO(content))["x"].tolist() == ["ab", "", "\\xe9", "abcde", ""]


def test_a_long_text_among_short_ones_lies_in_the_heap():
    words = ["a", "b" * 3000, None, "", "c"] * 4
    content = document(
        answer((Column("x", "CLOB"), Column("n", "INTEGER")), [(w, i) for i, w in enumerate(words)])
    )
    hdu = opened(content)[1]
    assert hdu.columns[0].format == "1PA(3000)"
    assert [text(v) for v in hdu.data["x"]] == [w or "" for w in words]
    assert hdu.data["n"].tolist() == list(range(20))
    assert len(content) < 20 * 3000


def test_rows_that_are_much_longer_than_their_values_are_made_a_few_at_a_time(monkeypatch):
    """Hundreds of empty texts beside some long ones are still as wide as these in the rows."""
    monkeypatch.setattr(fits, "PIECE_BYTES", 10_000)
    long, short = [("x" * 2000,)] * 30, [("",)] * 60
    chunks = list(fits.write(answer((Column("t", "VARCHAR"),), short, long), Document()))
    assert max(map(len, chunks)) <= 10_000
    hdu = opened(b"".join(chunks))[1]
    assert hdu.columns[0].format == "2000A"
    assert [len(value) for value in hdu.data["t"]] == [0] * 60 + [2000] * 30


def test_lists_of_one_length_lie_in_the_rows_and_others_in_the_heap():
    columns = (Column("spot", "POINT"), Column("outline", "POLYGON"), Column("ids", "BIGINT[]"))
    rows = [
        ([1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [2**63 - 1, -(2**63)]),
        (None, None, None),
        ([3.0, 4.0], [], [7]),
    ]
    hdu = opened(document(answer(columns, rows[:1], rows[1:])))[1]
    assert [c.format for c in hdu.columns] == ["2D", "1PD(6)", "1PK(2)"]
    np.testing.assert_array_equal(hdu.data["spot"], [[1, 2], [np.nan, np.nan], [3, 4]])
    assert [list(v) for v in hdu.data["outline"]] == [rows[0][1], [], []]
    assert [list(v) for v in hdu.data["ids"]] == [rows[0][2], [], [7]]


def test_several_columns_of_the_heap_do_not_mix_over_many_pieces():
    columns = (Column("a", "POLYGON"), Column("b", "SMALLINT[]"), Column("c", "CLOB"))
    random = np.random.default_rng(1)
    rows = [
        (
            list(random.random(i % 5)),
            [int(x) for x in random.integers(-9, 9, i % 3)],
            "x" * (i % 7) * (i % 2) * 90,
        )
        for i in range(50)
    ]
    hdu = opened(document(answer(columns, rows[:7], rows[7:8], rows[8:])))[1]
    for i, (a, b, c) in enumerate(rows):
        assert (list(hdu.data["a"][i]), list(hdu.data["b"][i]), text(hdu.data["c"][i])) == (a, b, c)


def test_matrices_complex_numbers_and_lists_of_texts_keep_their_shape():
    columns = (
        Column("m", "DOUBLE[]", arraysize="2x3"),
        Column("z", "DOUBLECOMPLEX"),
        Column("zz", "COMPLEX[]", arraysize="2"),
        Column("words", "CHAR[]", arraysize="4x*"),
        Column("flags", "BOOLEAN[]", arraysize="2"),
    )
    rows = [
        ([1.0, 2, 3, 4, 5, 6], [1.0, -2.0], [0.0, 1.0, 2.0, 3.0], ["ab", "cdef"], [True, False]),
        (None, None, None, None, [False, False]),
    ]
    hdu = opened(document(answer(columns, rows)))[1]
    assert hdu.data["m"].shape == (2, 3, 2)
    np.testing.assert_array_equal(hdu.data["m"][0], [[1, 2], [3, 4], [5, 6]])
    assert hdu.data["z"][0] == 1 - 2j
    assert hdu.data["zz"][0].tolist() == [1j, 2 + 3j]
    assert hdu.data["words"].tolist() == [["ab", "cdef"], ["", ""]]
    assert hdu.data["flags"][0].tolist() == [True, False]


@pytest.mark.parametrize("type", DATATYPES)
def test_every_datatype_has_a_place_even_with_nothing_but_null_and_with_no_rows(type):
    empty, nulls = (document(answer((Column("x", type),), *parts)) for parts in ((), ([(None,)],)))
    assert len(opened(empty)[1].data) == 0
    assert len(opened(nulls)[1].data) == 1


def test_units_ucds_and_descriptions_are_in_the_header_and_in_the_votable():
    told = Column(
        "ra",
        "DOUBLE",
        unit="deg",
        ucd="pos.eq.ra;meta.main",
        utype="a:b.c",
        description="Right ascension, 90° at most",
    )
    columns = (told, Column("id", "BIGINT"))
    content = document(answer(columns, [(1.5, 2)]), infos=[("query", "SELECT é")], table_name="stars")
    primary, table = opened(content)
    assert {k: table.header[k] for k in ("TTYPE1", "TUNIT1", "TUCD1", "TUTYP1", "EXTNAME")} == {
        "TTYPE1": "ra",
        "TUNIT1": "deg",
        "TUCD1": "pos.eq.ra;meta.main",
        "TUTYP1": "a:b.c",
        "EXTNAME": "stars",
    }
    assert primary.header["VOTMETA"] is True
    described = parse_single_table(io.BytesIO(primary.data.tobytes()), verify="exception")
    assert [f.name for f in described.fields] == ["ra", "id"]
    assert described.fields[0].ucd == "pos.eq.ra;meta.main"
    assert 'value="SELECT é"'.encode() in primary.data.tobytes()


@pytest.mark.parametrize("overflow", [True, False])
def test_overflow_is_told_beside_the_rows(overflow):
    primary, table = opened(document(answer((Column("x", "INTEGER"),), [(1,)], overflow=overflow)))
    statuses = ET.fromstring(primary.data.tobytes()).findall(".//v:INFO[@name='QUERY_STATUS']", NAMESPACE)
    assert [s.get("value") for s in statuses] == ["OK", "OVERFLOW"][: 1 + overflow]
    assert table.header.get("OVERFLOW", False) == overflow
    assert len(table.data) == 1


def test_a_failure_comes_before_the_first_byte_and_closes_the_rows():
    closed = []
    rows = failing(QueryTimeoutError("too long"), [(1,)], close=lambda: closed.append(1))
    chunks = fits.write(rows, Document())
    with pytest.raises(QueryTimeoutError):
        next(chunks)
    assert closed == [1]


def test_the_temporary_file_is_bounded_and_removed(monkeypatch):
    made = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **given: made.append(make(**given)) or made[-1])
    rows = answer((Column("x", "VARCHAR"),), *[[("a" * 1000,)] for _ in range(100)])
    with pytest.raises(UsageError, match=r"more than 5000 bytes.*such as VOTable or Parquet"):
        list(fits.write(rows, Document(), most_bytes=5000))
    assert [file.closed for file in made] == [True]


def test_more_columns_than_fits_has_are_refused():
    columns = tuple(Column(f"c{i}", "SMALLINT") for i in range(1000))
    with pytest.raises(UsageError, match="1000 columns, expected 999"):
        document(answer(columns, [tuple(range(1000))]))


def test_the_file_is_whole_blocks_and_comes_in_pieces():
    rows = answer((Column("x", "DOUBLE"),), *[[(float(i),)] * 1000 for i in range(30)])
    chunks = list(fits.write(rows, Document()))
    assert sum(map(len, chunks)) % BLOCK_BYTES == 0
    assert max(map(len, chunks)) < 20_000


@given(st.text(max_size=300), st.text(max_size=60))
@settings(max_examples=40, deadline=None)
def test_any_text_makes_cards_that_astropy_reads(value, comment):
    ascii = value.encode("ascii", "backslashreplace").decode()
    shown = "".join(c if " " <= c <= "~" else " " for c in ascii)
    written = card("TCOMM1", value, comment)
    assert len(written) % 80 == 0
    read = astropy_fits.Header.fromstring(header([("TCOMM1", value, comment)]).decode())
    assert read["TCOMM1"] == shown.rstrip()


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**15), 2**15 - 1),
            st.none() | st.floats(width=64, allow_nan=False),
            st.none() | st.text("abc ~", max_size=90).map(str.strip),
            st.none() | st.lists(st.floats(width=64, allow_nan=False), max_size=4),
        ),
        max_size=9,
    ),
    st.integers(1, 9),
)
@settings(max_examples=25, deadline=None)
def test_what_goes_out_is_what_astropy_reads(rows, step):
    columns = (Column("n", "SMALLINT"), Column("x", "DOUBLE"), Column("t", "VARCHAR"), Column("p", "POLYGON"))
    content = document(answer(columns, *[rows[i : i + step] for i in range(0, len(rows), step)]))
    data = opened(content)[1].data
    null = opened(content)[1].header.get("TNULL1")
    assert len(data) == len(rows)
    for i, (n, x, t, p) in enumerate(rows):
        assert data["n"][i] == (null if n is None else n)
        assert (math.isnan(data["x"][i]) and x is None) or data["x"][i] == x
        assert str(data["t"][i]) == (t or "")
        assert list(data["p"][i]) == (p or [])
