"""Is a VOTable that we or astropy write read as it was written?"""

import gzip
import io
import warnings

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import from_table, parse
from astropy.table import MaskedColumn, Table
from astropy.units import Unit
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.errors import UsageError
from tests.answers import answer
from tests.readings import read_rows
from vo_server.formats import votable
from vo_server.formats.reading import Limits

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    max_size=6,
)
LETTERS = st.text("abcXYZ 09", max_size=5).map(str.rstrip)
FORMS = ("binary2", "binary", "tabledata")


def whole(bits, signed=True):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def listed(element, least=0, most=4, step=1):
    sizes = st.sampled_from(range(least, most + 1, step))
    return sizes.flatmap(lambda n: st.lists(element, min_size=n, max_size=n))


COLUMNS = (
    (Column("flag", "BOOLEAN", ucd="meta.code"), st.booleans()),
    (Column("bit", "BIT"), st.integers(0, 1)),
    (Column("byte", "UNSIGNEDBYTE"), whole(8, False)),
    (Column("small", "SMALLINT"), whole(16)),
    (Column("plain", "INTEGER", unit="km/s"), whole(32)),
    (Column("big", "BIGINT", utype="a:b"), whole(64)),
    (Column("single", "REAL"), st.floats(width=32)),
    (Column("double", "DOUBLE", description="a < b & c"), st.floats()),
    (Column("text", "VARCHAR"), LETTERS),
    (Column("one", "VARCHAR", arraysize=""), st.sampled_from("abc")),
    (Column("code", "VARCHAR", arraysize="5"), LETTERS),
    (Column("upto", "VARCHAR", arraysize="5*"), LETTERS),
    (Column("wide", "UNICODE"), WORDS),
    (Column("wider", "UNICODE", arraysize="12"), WORDS),
    (Column("stamped", "VARCHAR", xtype="hms"), LETTERS),
    (Column("moc", "VARCHAR", xtype="moc"), st.just("4/1-3")),
    (Column("region", "REGION"), st.just("CIRCLE ICRS 1 2 3")),
    (Column("point", "POINT"), listed(st.floats(), 2, 2)),
    (Column("circle", "CIRCLE"), listed(st.floats(), 3, 3)),
    (Column("polygon", "POLYGON"), listed(st.floats(), 6, 8)),
    (Column("between", "DOUBLE[]", arraysize="2", xtype="interval"), listed(st.floats(), 2, 2)),
    (Column("flags", "BOOLEAN[]"), listed(st.none() | st.booleans())),
    (Column("flags3", "BOOLEAN[]", arraysize="3"), listed(st.none() | st.booleans(), 3, 3)),
    (Column("bits", "BIT[]"), listed(st.booleans(), 0, 17)),
    (Column("bits9", "BIT[]", arraysize="9"), listed(st.booleans(), 9, 9)),
    (Column("bytes", "UNSIGNEDBYTE[]", arraysize="4*"), listed(whole(8, False))),
    (
        Column("shorts", "SMALLINT[]", arraysize="2x*", null=-9),
        listed(st.none() | whole(16).filter(lambda n: n != -9), 0, 6, 2),
    ),
    (Column("ints", "INTEGER[]", arraysize="2x2"), listed(whole(32).filter(lambda n: n != -(2**31)), 4, 4)),
    (Column("longs", "BIGINT[]"), listed(whole(64))),
    (Column("floats", "REAL[]"), listed(st.floats(width=32))),
    (Column("complex", "COMPLEX"), listed(st.floats(width=32), 2, 2)),
    (Column("complexes", "DOUBLECOMPLEX[]"), listed(st.floats(), 0, 6, 2)),
    (Column("words", "CHAR[]", arraysize="5x*"), listed(LETTERS)),
    (Column("two", "UNICODE[]", arraysize="12x2"), listed(WORDS.map(str.rstrip), 2, 2)),
)
DESCRIBED = tuple(column for column, _ in COLUMNS)
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in COLUMNS)), max_size=4)


def document(rows, columns=DESCRIBED, **options):
    return b"".join(votable.write(answer(columns, rows), **options))


def seen(value, column, form):
    """What of a value a serialization can tell: an empty cell is NULL, and so is a point without a number."""
    is_nowhere = (
        column.type in ("POINT", "CIRCLE", "COMPLEX", "DOUBLECOMPLEX")
        and value is not None
        and np.isnan(value).all()
    )
    return None if form == "tabledata" and (value in ("", []) or is_nowhere) else value


@settings(max_examples=12, deadline=None)
@given(rows=ROWS, form=st.sampled_from(["binary2", "tabledata"]), version=st.sampled_from(votable.VERSIONS))
def test_every_datatype_comes_back_as_it_was_written(rows, form, version):
    reading, got = read_rows(document(rows, serialization=form, version=version))
    assert [_key(c) for c in reading.columns] == [_key(c) for c in DESCRIBED]
    expected = [tuple(seen(v, c, form) for v, c in zip(r, DESCRIBED, strict=True)) for r in rows]
    single = [
        pa.array([r[i] for r in expected], c.datatype.arrow).to_pylist() for i, c in enumerate(DESCRIBED)
    ]
    for i, column in enumerate(DESCRIBED):
        assert repr([r[i] for r in got]) == repr(single[i]), column.name


def _key(column):
    datatype = column.datatype
    return (
        column.name,
        datatype.votable,
        column.votable_arraysize,
        column.votable_xtype,
        column.unit,
        column.ucd,
        column.utype,
        column.description,
    )


ASTROPY = Table(
    {
        "i2": MaskedColumn(np.array([-(2**15), 1, 2**15 - 1], "i2"), mask=[0, 1, 0]),
        "i8": np.array([-(2**63), 0, 2**63 - 1], "i8"),
        "u1": np.array([0, 1, 255], "u1"),
        "f4": np.array([0.1, np.inf, -0.0], "f4"),
        "f8": [0.1, np.nan, 5e-324],
        "flag": [True, False, True],
        "text": ["a", "h & χ <Persei>", ""],
        "grid": np.arange(12, dtype="i4").reshape(3, 2, 2),
        "c8": np.array([1 + 2j, 0, -1j], "c8"),
    }
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_astropy_writes_is_read_as_it_was(form, packed):
    table = ASTROPY.copy()
    table["f8"].unit, table["f8"].description = "km / s", "a speed"
    if form == "binary":
        table["i2"].mask = False  # astropy sets no value aside
    file = from_table(table)
    file.get_first_table().name = "made"
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.to_xml(written, tabledata_format=form)
    content = written.getvalue()
    reading, rows = read_rows(gzip.compress(content) if packed else content)
    columns = dict(zip((c.name for c in reading.columns), zip(*rows, strict=True), strict=True))
    assert reading.name == "made"
    assert columns["i2"] == tuple(table["i2"].tolist())
    for name in ("i8", "u1", "f4", "flag"):
        assert np.array_equal(columns[name], table[name].tolist()), name
    assert repr(columns["f8"]) == "(0.1, nan, 5e-324)"
    assert [v or "" for v in columns["text"]] == table["text"].tolist()
    assert [np.reshape(v, (2, 2)).tolist() for v in columns["grid"]] == table["grid"].tolist()
    assert [complex(*v) for v in columns["c8"]] == table["c8"].tolist()
    by_name = {c.name: c for c in reading.columns}
    assert (by_name["grid"].type, by_name["grid"].arraysize) == ("INTEGER[]", "2x2")
    assert Unit(by_name["f8"].unit) == Unit("km / s")
    assert by_name["f8"].description == "a speed"


@pytest.mark.parametrize("form", ["tabledata", "binary2"])
def test_astropy_reads_what_we_write_of_what_we_read(form):
    columns = tuple(c for c in DESCRIBED if c.type not in ("CHAR[]", "UNICODE[]") and c.name != "shorts")
    # fmt: off
    rows = [
        (True, 1, 255, -1, 2, 3, 0.5, 0.25, "a", "b", "code", "up", "σ", "é", "1:2", "4/1", "x", [1.0, 2.0],
         [1.0, 2.0, 3.0],
         [0.0] * 6, [1.0, 2.0], [True, None], [True, False, None], [True], [True] * 9, [1], [1, 2, 3, 4], [5], [1.5],
         [1.0, 2.0], [3.0, 4.0])
    ]
    # fmt: on
    _, got = read_rows(document(rows, columns, serialization=form))
    table = parse(io.BytesIO(document(got, columns, serialization=form))).get_first_table()
    array = table.array
    assert [array[n][0] for n in ("bit", "byte", "wide", "wider")] == [True, 255, "σ", "é"]
    assert array["bits9"][0].tolist() == [True] * 9
    assert array["ints"][0].tolist() == [[1, 2], [3, 4]]
    assert (array["complex"][0], array["complexes"][0].tolist()) == (1 + 2j, [3 + 4j])


def test_a_stream_may_be_cut_into_lines_anywhere():
    rows = [(i, "x" * (i % 7)) for i in range(1000)]
    columns = (Column("n", "INTEGER"), Column("s", "VARCHAR"))
    content = document(rows, columns)
    head, _, rest = content.partition(b'base64">\n')
    stream, end, tail = rest.partition(b"</STREAM>")
    lines = b"\r\n".join(stream.replace(b"\n", b"")[i : i + 61] for i in range(0, len(stream), 61))
    assert read_rows(head + b'base64">\n' + lines + end + tail)[1] == rows


def test_rows_beyond_what_is_allowed_are_refused_as_they_come():
    content = document([(i,) for i in range(10)], (Column("n", "INTEGER"),))
    assert len(read_rows(content, limits=Limits(rows=10))[1]) == 10
    with pytest.raises(UsageError, match="more than the 9 rows"):
        read_rows(content, limits=Limits(rows=9))
