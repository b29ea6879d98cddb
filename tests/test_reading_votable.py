"""Is a VOTable read as astropy reads it, and as it was written?"""

import base64
import codecs
import gzip
import io
import struct
import warnings

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, parse
from astropy.table import MaskedColumn, Table
from astropy.units import Unit
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column, Rows
from datamodel.errors import UsageError
from vo_server.formats import votable
from vo_server.formats.reading import Limits, open_table

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
    arrays = [pa.array([r[i] for r in rows], c.datatype.arrow) for i, c in enumerate(columns)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])
    return b"".join(votable.write(Rows(columns, iter([batch])), **options))


def read(content, **options):
    """The reading, and its rows as Python has them."""
    reading = open_table(io.BytesIO(content), **options)
    rows = []
    for batch in reading:
        batch.validate(full=True)
        assert batch.schema.types == [c.datatype.arrow for c in reading.columns]
        rows += [tuple(row.values()) for row in batch.to_pylist()]
    return reading, rows


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
    reading, got = read(document(rows, serialization=form, version=version))
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
    reading, rows = read(gzip.compress(content) if packed else content)
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
    _, got = read(document(rows, columns, serialization=form))
    table = parse(io.BytesIO(document(got, columns, serialization=form))).get_first_table()
    array = table.array
    assert [array[n][0] for n in ("bit", "byte", "wide", "wider")] == [True, 255, "σ", "é"]
    assert array["bits9"][0].tolist() == [True] * 9
    assert array["ints"][0].tolist() == [[1, 2], [3, 4]]
    assert (array["complex"][0], array["complexes"][0].tolist()) == (1 + 2j, [3 + 4j])


FIELDS = '<FIELD name="x" datatype="int"><VALUES null="-1"/></FIELD><FIELD name="s" datatype="char" arraysize="*"/>'


def by_hand(data, fields=FIELDS, start="<VOTABLE>", tail="", table=""):
    return (
        f'<?xml version="1.0"?>{start}<RESOURCE>{table}<TABLE name="t" nrows="3">{fields}<DATA>{data}</DATA></TABLE>'
        f"{tail}</RESOURCE></VOTABLE>"
    ).encode()


CELLS = "<TR><TD>1</TD><TD>a&amp;&#x3c3;</TD></TR><TR><TD> 0x1F </TD><TD/></TR><TR><TD>-1</TD><TD>x\r\ny</TD></TR>"
EXPECTED = [(1, "a&σ"), (31, None), (None, "x\ny")]


@pytest.mark.parametrize(
    "rows",
    [
        CELLS,
        CELLS.replace("<TD/>", "<TD></TD>"),
        CELLS.replace("<TD/>", "<TD />"),
        CELLS.replace("<TR>", "\n <TR>\n ").replace("<TD>", "\t<TD>"),
        CELLS.replace("<TR>", "<!-- <TR> --><TR>"),
        CELLS.replace("a&amp;", "<![CDATA[a&]]>"),
        CELLS.replace("<TR>", '<TR ID="r">'),
    ],
)
def test_cells_are_read_however_they_are_written(rows):
    reading, got = read(by_hand(f"<TABLEDATA>{rows}</TABLEDATA>"))
    assert got == EXPECTED
    assert (reading.name, reading.rows) == ("t", 3)


TOKENS = st.sampled_from(
    [
        "<TR>",
        "</TR>",
        "<TD>",
        "</TD>",
        "<TD/>",
        "<TD />",
        "1",
        "a",
        "&lt;",
        " ",
        ">",
        "é",
        "<TR><TD>1</TD><TD/></TR>",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TOKENS, max_size=12).map("".join))
def test_cells_are_told_apart_as_by_a_parser_of_xml(rows):
    """Which a comment has to be left to."""

    def outcome(content):
        try:
            return read(by_hand(f"<TABLEDATA>{content}</TABLEDATA>"))[1]
        except UsageError:
            return None

    assert outcome(rows) == outcome(f"<!-- -->{rows}")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.text(st.sampled_from("aé€😀\0 "), max_size=4), max_size=6))
def test_unicode_of_binary_is_cut_where_it_was(texts):
    columns = (Column("x", "UNICODE"), Column("y", "VARCHAR"))
    pieces = []
    for text in texts:
        encoded = (text or "").encode("utf-16-be")
        pieces.append(
            struct.pack(">Bi", 128 * (text is None), len(encoded) // 2)
            + encoded
            + struct.pack(">i1s", 1, b"y")
        )
    stream = base64.b64encode(b"".join(pieces)).decode()
    fields = "".join(
        f'<FIELD name="{c.name}" datatype="{c.datatype.votable}" arraysize="*"/>' for c in columns
    )
    got = read(by_hand(f'<BINARY2><STREAM encoding="base64">{stream}</STREAM></BINARY2>', fields))[1]
    assert got == [(text if text is None else text.split("\0")[0], "y") for text in texts]


def test_half_a_character_is_not_made_whole_by_the_next_value():
    halves = [struct.pack(">BiH", 0, 1, half) for half in (0xD83D, 0xDE00)]
    stream = base64.b64encode(b"".join(halves)).decode()
    with pytest.raises(UsageError, match="text in UTF-16"):
        read(
            by_hand(
                f'<BINARY2><STREAM encoding="base64">{stream}</STREAM></BINARY2>',
                '<FIELD name="x" datatype="unicodeChar" arraysize="*"/>',
            )
        )


def test_prefixed_elements_are_the_same():
    content = by_hand(f"<TABLEDATA>{CELLS}</TABLEDATA>").decode()
    for tag in ("VOTABLE", "RESOURCE", "TABLEDATA", "FIELD", "TR", "TD", "DATA", "VALUES"):
        content = content.replace(f"<{tag}>", f"<v:{tag}>").replace(f"<{tag} ", f"<v:{tag} ")
        content = content.replace(f"</{tag}>", f"</v:{tag}>").replace(f"<{tag}/>", f"<v:{tag}/>")
    content = content.replace("<TABLE ", "<v:TABLE ").replace("</TABLE>", "</v:TABLE>")
    assert read(content.encode())[1] == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "iso-8859-1", "windows-1252"])
def test_documents_are_read_in_the_encoding_that_they_declare(encoding):
    rows = "<TABLEDATA><TR><TD>1</TD><TD>é</TD></TR></TABLEDATA>"
    text = by_hand(rows).decode().replace('version="1.0"', f'version="1.0" encoding="{encoding}"')
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    assert read(mark + text.encode(encoding))[1] == [(1, "é")]


def test_what_the_table_and_its_data_are_said_to_be_is_kept():
    table = (
        '<DESCRIPTION>of  it\n all</DESCRIPTION><INFO name="creator" value="A. Author"/>'
        '<INFO name="rights_uri" value="https://example.org/cc0"/><PARAM name="epoch" datatype="float" value="2016.0"/>'
    )
    reading, _ = read(by_hand(f"<TABLEDATA>{CELLS}</TABLEDATA>", table=table))
    assert reading.description == "of it all"
    assert reading.infos == (
        ("creator", "A. Author"),
        ("rights_uri", "https://example.org/cc0"),
        ("epoch", "2016.0"),
    )


@pytest.mark.parametrize(
    "data", ["", "<TABLEDATA/>", "<TABLEDATA></TABLEDATA>", '<BINARY2><STREAM encoding="base64"/></BINARY2>']
)
def test_a_table_may_have_no_rows(data):
    reading, rows = read(by_hand(data))
    assert (len(reading.columns), rows) == (2, [])


def test_a_table_without_data_has_no_rows():
    content = f"<VOTABLE><RESOURCE><TABLE>{FIELDS}</TABLE></RESOURCE></VOTABLE>".encode()
    assert read(content)[1] == []


def test_rows_in_a_fits_file_inside_are_read():
    inner = io.BytesIO()
    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "J", array=[1, 2]), fits.Column("s", "3A", array=["a", "bcd"])]
    )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(inner)
    text = base64.b64encode(inner.getvalue()).decode()
    content = by_hand(f'<FITS extnum="1"><STREAM encoding="base64">{text}</STREAM></FITS>')
    assert read(content)[1] == [(1, "a"), (2, "bcd")]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2003-02-14", "2003-02-14T00:00:00.000000"),
        ("2003-02-14T01:02:03Z", "2003-02-14T01:02:03.000000"),
        ("2003-02-14T01:02:03.1234567", "2003-02-14T01:02:03.123456"),
        ("2003-02-14T01:02:03+01:00", "2003-02-14T00:02:03.000000"),
        (" 2003-02-14T01:02:03.5 ", "2003-02-14T01:02:03.500000"),
        ("", None),
    ],
)
def test_times_are_told_in_one_way(written, expected):
    field = '<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>'
    rows = f"<TABLEDATA><TR><TD>{written}</TD></TR></TABLEDATA>"
    assert read(by_hand(rows, field))[1] == [(expected,)]


@pytest.mark.parametrize(
    ("field", "cell", "told"),
    [
        ('datatype="short"', "32768", "a whole number from -32768 to 32767, found '32768'"),
        ('datatype="int"', "1.5", "found '1.5'"),
        ('datatype="double"', "1,5", "expected a number, found '1,5'"),
        ('datatype="boolean"', "yes", "expected T or F, found 'yes'"),
        ('datatype="bit"', "2", "0 or 1, found 2"),
        ('datatype="int" arraysize="3"', "1 2", "an arraysize of '3' allows, found 2"),
        ('datatype="int" arraysize="2x*"', "1 2 3", "an arraysize of '2x*' allows, found 3"),
        ('datatype="char" arraysize="3"', "four", "at most 3 characters"),
        ('datatype="char" arraysize="*" xtype="timestamp"', "yesterday", "a time such as"),
        ('datatype="float" arraysize="*" xtype="x"', "1 a", "expected a number, found 'a'"),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_column(field, cell, told):
    content = by_hand(f"<TABLEDATA><TR><TD>{cell}</TD></TR></TABLEDATA>", f'<FIELD name="x" {field}/>')
    with pytest.raises(UsageError, match="column 'x'") as raised:
        read(content)
    assert told in str(raised.value)


def test_a_stream_may_be_cut_into_lines_anywhere():
    rows = [(i, "x" * (i % 7)) for i in range(1000)]
    columns = (Column("n", "INTEGER"), Column("s", "VARCHAR"))
    content = document(rows, columns)
    head, _, rest = content.partition(b'base64">\n')
    stream, end, tail = rest.partition(b"</STREAM>")
    lines = b"\r\n".join(stream.replace(b"\n", b"")[i : i + 61] for i in range(0, len(stream), 61))
    assert read(head + b'base64">\n' + lines + end + tail)[1] == rows


def test_nulls_of_binary_are_those_that_were_set_aside():
    data = struct.pack(">ii1s", -1, 1, b"a") + struct.pack(">ii", 5, 0)
    content = by_hand(
        f'<BINARY><STREAM encoding="base64">{base64.b64encode(data).decode()}</STREAM></BINARY>'
    )
    assert read(content)[1] == [(None, "a"), (5, "")]


def test_rows_beyond_what_is_allowed_are_refused_as_they_come():
    content = document([(i,) for i in range(10)], (Column("n", "INTEGER"),))
    assert len(read(content, limits=Limits(rows=10))[1]) == 10
    with pytest.raises(UsageError, match="more than the 9 rows"):
        read(content, limits=Limits(rows=9))
