"""Is a VOTable read for what it says, in all the ways that the standard leaves to its author, or refused?"""

import base64
import codecs
import io
import struct

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.errors import UsageError
from tests.readings import read_rows

FIELDS = '<FIELD name="x" datatype="int"><VALUES null="-1"/></FIELD><FIELD name="s" datatype="char" arraysize="*"/>'


def by_hand(data, fields=FIELDS, table=""):
    return (
        f'<?xml version="1.0"?><VOTABLE><RESOURCE>{table}<TABLE name="t" nrows="3">{fields}<DATA>{data}</DATA></TABLE>'
        "</RESOURCE></VOTABLE>"
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
    reading, got = read_rows(by_hand(f"<TABLEDATA>{rows}</TABLEDATA>"))
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
            return read_rows(by_hand(f"<TABLEDATA>{content}</TABLEDATA>"))[1]
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
    got = read_rows(by_hand(f'<BINARY2><STREAM encoding="base64">{stream}</STREAM></BINARY2>', fields))[1]
    assert got == [(text if text is None else text.split("\0")[0], "y") for text in texts]


def test_half_a_character_is_not_made_whole_by_the_next_value():
    halves = [struct.pack(">BiH", 0, 1, half) for half in (0xD83D, 0xDE00)]
    stream = base64.b64encode(b"".join(halves)).decode()
    with pytest.raises(UsageError, match="text in UTF-16"):
        read_rows(
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
    assert read_rows(content.encode())[1] == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "iso-8859-1", "windows-1252"])
def test_documents_are_read_in_the_encoding_that_they_declare(encoding):
    rows = "<TABLEDATA><TR><TD>1</TD><TD>é</TD></TR></TABLEDATA>"
    text = by_hand(rows).decode().replace('version="1.0"', f'version="1.0" encoding="{encoding}"')
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    assert read_rows(mark + text.encode(encoding))[1] == [(1, "é")]


def test_what_the_table_and_its_data_are_said_to_be_is_kept():
    table = (
        '<DESCRIPTION>of  it\n all</DESCRIPTION><INFO name="creator" value="A. Author"/>'
        '<INFO name="rights_uri" value="https://example.org/cc0"/><PARAM name="epoch" datatype="float" value="2016.0"/>'
    )
    reading, _ = read_rows(by_hand(f"<TABLEDATA>{CELLS}</TABLEDATA>", table=table))
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
    reading, rows = read_rows(by_hand(data))
    assert (len(reading.columns), rows) == (2, [])


def test_a_table_without_data_has_no_rows():
    content = f"<VOTABLE><RESOURCE><TABLE>{FIELDS}</TABLE></RESOURCE></VOTABLE>".encode()
    assert read_rows(content)[1] == []


def test_rows_in_a_fits_file_inside_are_read():
    inner = io.BytesIO()
    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "J", array=[1, 2]), fits.Column("s", "3A", array=["a", "bcd"])]
    )
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(inner)
    text = base64.b64encode(inner.getvalue()).decode()
    content = by_hand(f'<FITS extnum="1"><STREAM encoding="base64">{text}</STREAM></FITS>')
    assert read_rows(content)[1] == [(1, "a"), (2, "bcd")]


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
    assert read_rows(by_hand(rows, field))[1] == [(expected,)]


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
        read_rows(content)
    assert told in str(raised.value)


def test_nulls_of_binary_are_those_that_were_set_aside():
    data = struct.pack(">ii1s", -1, 1, b"a") + struct.pack(">ii", 5, 0)
    content = by_hand(
        f'<BINARY><STREAM encoding="base64">{base64.b64encode(data).decode()}</STREAM></BINARY>'
    )
    assert read_rows(content)[1] == [(None, "a"), (5, "")]
