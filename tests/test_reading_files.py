"""Are FITS and Parquet files read as astropy and pyarrow read them, and told from all others?"""

import datetime
import decimal
import gzip
import io
import math

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from datamodel.columns import Column
from datamodel.errors import NotFoundError, UsageError
from tests.readings import read_columns
from vo_server.formats.reading import open_table

ASCII = st.text("abc XYZ,;\"'\\\t<&", max_size=6).map(str.strip)
SIGNED = {bits: st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64)}


def written(*hdus):
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(content)
    return content.getvalue()


def table_of(*columns, **header):
    made = fits.BinTableHDU.from_columns([fits.Column(**c) for c in columns])
    made.header.update(header)
    return made


@settings(max_examples=10, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            SIGNED[16], SIGNED[32], SIGNED[64], st.integers(0, 255), st.floats(width=32), st.floats(), ASCII,
            st.booleans(),
            st.lists(SIGNED[32], min_size=4, max_size=4), st.lists(st.floats(), max_size=5),
            st.lists(st.booleans(), min_size=11, max_size=11),
            st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(-128, 127), st.complex_numbers(width=64),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_every_form_of_fits_is_read_as_astropy_wrote_it(rows):
    c = [list(v) for v in zip(*rows, strict=True)]
    floats = np.empty(len(rows), dtype=object)
    floats[:] = [np.array(v, "f8") for v in c[9]]
    made = table_of(
        {"name": "i", "format": "I", "array": np.array(c[0], "i2")},
        {"name": "j", "format": "J", "array": np.array(c[1], "i4"), "unit": "mag"},
        {"name": "k", "format": "K", "array": np.array(c[2], "i8")},
        {"name": "b", "format": "B", "array": np.array(c[3], "u1")},
        {"name": "e", "format": "E", "array": np.array(c[4], "f4")},
        {"name": "d", "format": "D", "array": np.array(c[5], "f8")},
        {"name": "a", "format": "8A", "array": np.array(c[6])},
        {"name": "l", "format": "L", "array": np.array(c[7])},
        {"name": "grid", "format": "4J", "dim": "(2,2)", "array": np.array(c[8], "i4").reshape(-1, 2, 2)},
        {"name": "p", "format": "PD()", "array": floats},
        {"name": "x", "format": "11X", "array": np.array(c[10])},
        {"name": "u2", "format": "I", "bzero": 2**15, "array": np.array(c[11], "u2")},
        {"name": "u4", "format": "J", "bzero": 2**31, "array": np.array(c[12], "u4")},
        {"name": "i1", "format": "B", "bzero": -128, "array": np.array(c[13], "i1")},
        {"name": "c", "format": "C", "array": np.array(c[14], "c8")},
    )
    reading, got = read_columns(written(made))
    assert reading.rows == len(rows)
    names = ("i", "j", "k", "b", "e", "d", "a", "l", "grid", "p", "x", "u2", "u4", "i1")
    expected = [
        [v or None for v in values] if n in ("a", "p") else values
        for n, values in zip(names, c, strict=False)
    ]
    for name, values in zip(names, expected, strict=True):
        assert repr(got[name]) == repr(values), name
    numbers = [complex(math.nan, math.nan) if v is None else complex(*v) for v in got["c"]]
    assert np.array_equal(numbers, np.array(c[14], "c8"), equal_nan=True)
    types = {column.name: (column.type, column.votable_arraysize) for column in reading.columns}
    assert types["grid"] == ("INTEGER[]", "2x2")
    assert types["x"] == ("BIT[]", "11")
    assert (types["u2"][0], types["u4"][0], types["i1"][0]) == ("INTEGER", "BIGINT", "SMALLINT")
    assert (types["a"], types["p"]) == (("VARCHAR", "8"), ("DOUBLE[]", "*"))


def test_scaled_and_missing_numbers_of_fits_are_what_they_mean():
    made = table_of(
        {"name": "n", "format": "J", "null": -99, "array": np.array([1, -99, 3])},
        {"name": "s", "format": "I", "array": np.array([0, 1, 2], "i2")},
        {"name": "empty", "format": "3A", "array": np.array(["a", "", "  b"])},
    )
    made.header["TSCAL2"], made.header["TZERO2"] = 0.5, 10.0
    reading, got = read_columns(written(made))
    assert got == {"n": [1, None, 3], "s": [10.0, 10.5, 11.0], "empty": ["a", None, "  b"]}
    assert reading.columns[1].type == "DOUBLE"


def test_what_the_cards_say_of_a_column_is_kept():
    made = table_of(
        {"name": "RA", "format": "D", "unit": "deg", "array": np.array([1.0])},
        EXTNAME="STARS",
        TUCD1="pos.eq.ra;meta.main",
        TUTYP1="a:b",
        TCOMM1="right ascension",
        AUTHOR="A. Author",
    )
    reading, _ = read_columns(gzip.compress(written(made)))
    (column,) = reading.columns
    assert column == Column("RA", "DOUBLE", "deg", "pos.eq.ra;meta.main", "right ascension", "a:b")
    assert (reading.name, reading.infos) == ("STARS", (("creator", "A. Author"),))


def test_the_first_table_of_a_fits_file_is_read_wherever_it_is():
    image = fits.ImageHDU(np.zeros((10, 10)))
    first = table_of({"name": "a", "format": "J", "array": np.array([1])})
    second = table_of({"name": "b", "format": "J", "array": np.array([2])})
    assert read_columns(written(image, first, second))[1] == {"a": [1]}
    with pytest.raises(UsageError, match="no binary table"):
        read_columns(written(image))


def test_the_votable_of_a_fits_plus_file_describes_its_columns():
    table = Table({"x": [1, 2], "when": ["2003-02-14T01:02:03", "2004-01-01"]})
    file = from_table(table)
    told = file.get_first_table()
    told.name, told.description = "stars", "some stars"
    told.fields[0].ucd, told.fields[1].xtype = "meta.id", "timestamp"
    file.to_xml(xml := io.BytesIO())
    document = xml.getvalue().split(b"<DATA>")[0] + b"</TABLE></RESOURCE></VOTABLE>"
    primary = fits.PrimaryHDU(np.frombuffer(document, "u1"))
    primary.header["VOTMETA"] = True
    content = io.BytesIO()
    fits.HDUList([primary, fits.BinTableHDU(table)]).writeto(content)
    reading, got = read_columns(content.getvalue())
    assert (reading.name, reading.description) == ("stars", "some stars")
    assert [(c.type, c.ucd) for c in reading.columns] == [("BIGINT", "meta.id"), ("TIMESTAMP", None)]
    assert got["when"] == ["2003-02-14T01:02:03.000000", "2004-01-01T00:00:00.000000"]


def test_long_fits_tables_come_in_pieces():
    n = 100_000
    made = table_of(
        {"name": "i", "format": "J", "array": np.arange(n, dtype="i4")},
        {"name": "wide", "format": "20D", "array": np.zeros((n, 20))},
    )
    reading = open_table(io.BytesIO(written(made)))
    sizes = [batch.num_rows for batch in reading]
    assert (sum(sizes), max(sizes) < n) == (n, True)


ARROW = {
    "i1": (pa.int8(), "SMALLINT", [-128, None, 127]),
    "u1": (pa.uint8(), "UNSIGNEDBYTE", [0, None, 255]),
    "i2": (pa.int16(), "SMALLINT", [-(2**15), None, 2**15 - 1]),
    "u2": (pa.uint16(), "INTEGER", [0, None, 2**16 - 1]),
    "i4": (pa.int32(), "INTEGER", [-(2**31), None, 2**31 - 1]),
    "u4": (pa.uint32(), "BIGINT", [0, None, 2**32 - 1]),
    "i8": (pa.int64(), "BIGINT", [-(2**63), None, 2**63 - 1]),
    "u8": (pa.uint64(), "BIGINT", [0, None, 2**63 - 1]),
    "f4": (pa.float32(), "REAL", [0.5, None, math.inf]),
    "f8": (pa.float64(), "DOUBLE", [0.1, None, -0.0]),
    "flag": (pa.bool_(), "BOOLEAN", [True, None, False]),
    "text": (pa.string(), "UNICODE", ["é", None, ""]),
    "large": (pa.large_string(), "UNICODE", ["x", None, "y"]),
    "coded": (pa.dictionary(pa.int32(), pa.string()), "UNICODE", ["x", None, "x"]),
    "list": (pa.list_(pa.int64()), "BIGINT[]", [[1, 2], None, []]),
    "pair": (pa.list_(pa.float64(), 2), "DOUBLE[]", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    "words": (pa.list_(pa.string()), "UNICODE[]", [["a", "bcd"], None, []]),
}


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zstd", "data_page_version": "2.0"}, {"use_dictionary": False, "row_group_size": 2}],
)
def test_every_type_of_parquet_is_read_as_it_was_written(options):
    made = pa.table({name: pa.array(values, type) for name, (type, _, values) in ARROW.items()})
    parquet.write_table(made, content := io.BytesIO(), **options)
    reading, got = read_columns(content.getvalue())
    assert reading.rows == 3
    assert [c.type for c in reading.columns] == [type for _, type, _ in ARROW.values()]
    assert repr(got) == repr({name: values for name, (_, _, values) in ARROW.items()})
    sizes = {c.name: c.votable_arraysize for c in reading.columns}
    assert (sizes["list"], sizes["pair"], sizes["words"]) == ("*", "2", "3x*")


def test_times_of_parquet_are_told_in_utc():
    noon = datetime.datetime(2003, 2, 14, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    made = pa.table(
        {
            "zoned": pa.array([noon, None], pa.timestamp("us", tz="Europe/Berlin")),
            "fine": pa.array([1_234_567_891, None], pa.timestamp("ns")),
            "day": pa.array([datetime.date(2003, 2, 14), None]),
        }
    )
    parquet.write_table(made, content := io.BytesIO())
    _, got = read_columns(content.getvalue())
    assert got == {
        "zoned": ["2003-02-14T11:00:00.000000", None],
        "fine": ["1970-01-01T00:00:01.234567", None],
        "day": ["2003-02-14T00:00:00.000000", None],
    }


@pytest.mark.parametrize("type", [pa.decimal128(38, 9), pa.decimal256(70, 9)], ids=str)
def test_decimals_of_parquet_are_the_nearest_doubles(type):
    digits = np.random.default_rng(1).integers(-(10**18), 10**18, (500, 2)).tolist()
    values = [decimal.Decimal(a * 10**18 + b).scaleb(-9) for a, b in digits if a] + [None]
    made = pa.table(
        {"x": pa.array(values, type), "v": pa.array([[v] for v in values[:-1]] + [None], pa.list_(type))}
    )
    parquet.write_table(made, content := io.BytesIO())
    reading, got = read_columns(content.getvalue())
    assert [c.type for c in reading.columns] == ["DOUBLE", "DOUBLE[]"]
    assert got["x"] == [float(v) for v in values[:-1]] + [None]
    assert got["v"] == [[float(v)] for v in values[:-1]] + [None]


@pytest.mark.parametrize("lengths", [(), (0,), (0, 0), (0, 3, 0, 2)], ids=str)
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_row_groups_without_rows_are_read(lengths, use_dictionary):
    made = pa.table(
        {"n": range(3), "s": ["a", None, "c"], "v": [["x", "yz"], None, []], "d": [0.5, None, 2.0]}
    )
    with parquet.ParquetWriter(content := io.BytesIO(), made.schema, use_dictionary=use_dictionary) as writer:
        for length in lengths:
            writer.write_table(made.slice(0, length))
    reading, got = read_columns(content.getvalue())
    assert [c.type for c in reading.columns] == ["BIGINT", "UNICODE", "UNICODE[]", "DOUBLE"]
    assert (reading.rows, got["n"]) == (sum(lengths), [i for length in lengths for i in range(length)])
    assert got["v"] == [made["v"][i].as_py() for i in got["n"]]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([{"a": 1}]), "struct"),
        (pa.array([[[1], [2, 3]]]), "list<"),
        (pa.array([datetime.time(1)]), "time64"),
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
    ],
)
def test_what_no_column_holds_is_refused_by_its_name(values, told):
    parquet.write_table(pa.table({"x": values}), content := io.BytesIO())
    with pytest.raises(UsageError, match=f"column 'x'.*{told}"):
        read_columns(content.getvalue())


def test_the_votable_of_a_parquet_file_describes_its_columns(tmp_path):
    table = Table({"ra": [1.5, 2.5], "name": ["x", "é"]})
    told = {"unit": "deg", "ucd": "pos.eq.ra", "description": "", "utype": "a:b"}
    path = tmp_path / "made.parquet"
    table.write(path, format="parquet.votable", metadata={"ra": told, "name": dict.fromkeys(told, "")})
    reading, got = read_columns(path.read_bytes())
    assert got == {"ra": [1.5, 2.5], "name": ["x", "é"]}
    ra, name = reading.columns
    assert (ra.type, ra.unit, ra.ucd, ra.utype, name.type) == ("DOUBLE", "deg", "pos.eq.ra", "a:b", "UNICODE")


def test_the_format_is_told_by_the_content_and_a_path_will_do(tmp_path):
    parquet.write_table(pa.table({"x": [1]}), packed := io.BytesIO())
    contents = {
        "votable": b"<VOTABLE><RESOURCE><TABLE><FIELD name='x' datatype='long'/></TABLE></RESOURCE></VOTABLE>",
        "fits": written(table_of({"name": "x", "format": "K", "array": np.array([1])})),
        "parquet": packed.getvalue(),
        "csv": b"x,y\n1,2\n",
        "tsv": b"x\ty\n1\t2\n",
    }  # fmt: skip
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content if name == "fits" else gzip.compress(content))
        with open_table(path) as reading:
            assert (reading.columns[0].name, reading.columns[0].type) == ("x", "BIGINT")
    with pytest.raises(
        UsageError, match=r"no format 'fit'; did you mean 'fits'\? expected one of votable, fits"
    ):
        open_table(tmp_path / "fits", "fit")
    with pytest.raises(NotFoundError, match="there is no file"):
        open_table(tmp_path / "nothing")
