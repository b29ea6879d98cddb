"""Is a file that means harm, or breaks off, refused within bounds of time and memory?"""

import base64
import gzip
import io
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from datamodel.errors import UsageError
from vo_server.formats.reading import Limits, open_table

SMALL = Limits(rows=100_000, file_bytes=8 << 20, header_bytes=1 << 20, cell_bytes=1 << 20)
FIELD = '<FIELD name="x" datatype="int"/>'


def read(content, format=None, limits=SMALL):
    with open_table(io.BytesIO(content), format, limits) as reading:
        return sum(batch.num_rows for batch in reading)


def votable(data, fields=FIELD, before="", start="<VOTABLE>"):
    return (
        f"{before}{start}<RESOURCE><TABLE>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>".encode()
    )


def stream(data, form="BINARY2"):
    return f'<{form}><STREAM encoding="base64">{data}</STREAM></{form}>'


def b64(data):
    return base64.b64encode(data).decode()


LAUGHS = "".join(f"<!ENTITY l{i} '" + f"&l{i - 1};" * 10 + "'>" for i in range(1, 12))
ROW = "<TABLEDATA><TR><TD>{}</TD></TR></TABLEDATA>"

HOSTILE = {
    "billion laughs": (
        votable(ROW.format("&l11;"), before=f'<!DOCTYPE VOTABLE [<!ENTITY l0 "ha">{LAUGHS}]>'),
        "document type",
    ),
    "external entity": (
        votable(ROW.format("&x;"), before='<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        "document type",
    ),
    "entity without a declaration": (votable(ROW.format("&lol;")), "another entity of XML, found '&lol;'"),
    "entity without a declaration, the slow way": (votable(ROW.format("&lol;<!---->")), "undefined entity"),
    "entity in the header": (votable("", '<FIELD name="&x;" datatype="int"/>'), "undefined entity"),
    "forbidden character": (votable(ROW.format("&#0;")), "a character that XML forbids"),
    "control character": (votable(ROW.format("\x01")), "control characters"),
    "deep nesting": (b"<VOTABLE>" + b"<RESOURCE>" * 100_000, "nests too deep"),
    "deep nesting of cells": (votable(ROW.format("<TD>" * 1000)), "found the XML element|no well-formed XML"),
    "many attributes": (b"<VOTABLE " + b" ".join(b"a%d='1'" % i for i in range(1000)) + b">", "too many attributes"),
    "a huge attribute": (b'<VOTABLE ID="' + b"x" * (4 << 20), "header is longer"),
    "a huge description": (b"<VOTABLE><DESCRIPTION>" + b"x" * (4 << 20), "header is longer"),
    "many fields": (votable("", FIELD * 3000), "more than the 2000 columns"),
    "a huge cell": (votable(ROW.format("1" * (4 << 20))), "too long"),
    "a huge array": (votable("", '<FIELD name="x" datatype="int" arraysize="999999x999999"/>'), "a row would take"),
    "no table": (b"<VOTABLE><RESOURCE/></VOTABLE>", "no TABLE with a FIELD"),
    "no VOTable": (b"<html><body/></html>", "expected a VOTABLE, found the XML element 'html'"),
    "no XML": (b"<VOTABLE><<<", "no well-formed XML"),
    "breaks off in the header": (votable("")[:40], "no well-formed XML|no element"),
    "breaks off in a row": (votable(ROW.format("1"))[:-60], "breaks off|no well-formed"),
    "breaks off in a stream": (votable(stream(b64(b"\0" * 50)))[:-70], "breaks off"),
    "breaks off after the rows": (votable(ROW.format("1"))[:-5], "no well-formed XML"),
    "an error at the end": (
        votable(ROW.format("1")).replace(b"</TABLE>", b'</TABLE><INFO name="QUERY_STATUS" value="ERROR"/>'),
        "not whole",
    ),
    "an unknown datatype": (votable("", '<FIELD name="x" datatype="text"/>'), "expected a datatype of boolean"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="zlib"?><VOTABLE/>', "found the encoding 'zlib'"),
    "another file": (votable('<BINARY2><STREAM href="file:///etc/passwd"/></BINARY2>'), "not fetched"),
    "no base64": (votable(stream("!!!!")), "not in base64"),
    "base64 that goes on": (votable(stream("AAAA=" + "A" * (3 << 20))), "not in base64|goes on"),
    "a row cut off": (votable(stream(b64(b"\0\0\0"))), "within a row"),
    "a negative length": (
        votable(stream(b64(struct.pack(">bi", 0, -5))), '<FIELD name="x" datatype="char" arraysize="*"/>'),
        "-5 elements",
    ),
    "a huge length": (
        votable(stream(b64(struct.pack(">bi", 0, 2**31 - 1))), '<FIELD name="x" datatype="double" arraysize="*"/>'),
        "2147483647 elements",
    ),
    "rows of no bytes": (
        votable(stream("AAAA", "BINARY"), '<FIELD name="x" datatype="char" arraysize="0"/>'),
        "no bytes",
    ),
    "bytes that are no text": (
        votable(stream(b64(b"\0\0\0\0\2\xff\xfe")), '<FIELD name="x" datatype="char" arraysize="*"/>'),
        "text in ASCII or UTF-8",
    ),
    "half a character": (
        votable(stream(b64(b"\0\0\0\0\1\xd8\0")), '<FIELD name="x" datatype="unicodeChar" arraysize="*"/>'),
        "text in UTF-16",
    ),
    "a bomb": (gzip.compress(b"<VOTABLE>" + b" " * (64 << 20), 1), "larger than|header is longer"),
    "a bomb of rows": (gzip.compress(votable(ROW.format(" " * (16 << 20))), 1), "larger than|too long"),
    "a broken gzip": (gzip.compress(votable(ROW.format("1")))[:-20], "cannot be unpacked|breaks off"),
    "ECSV with aliases": (b"# %ECSV 1.0\n# ---\n# a: &a [1]\n# b: [*a, *a]\n# datatype: []\nx\n1\n", "aliases"),
    "ECSV that makes objects": (
        b"# %ECSV 1.0\n# ---\n# datatype: !!python/object/apply:os.system ['true']\nx\n1\n",
        "no list 'datatype'|expected a name",
    ),
    "ECSV that nests": (b"# %ECSV 1.0\n# ---\n# a: " + b"[" * 5000 + b"\nx\n1\n", "too deep|no YAML"),
    "ECSV of comments alone": (b"# %ECSV 1.0\n" + b"# x\n" * 500_000, "header is longer"),
    "CSV in one line": (b"a,b\n" + b"x" * (3 << 20), "a row is longer|cannot be read"),
    "bytes of zero": (b"a,b\n\0\0", "no table of a known format, and no text, for it has bytes of zero"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_means_harm_is_refused_in_words_and_within_bounds(name):
    content, told = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=told):
            read(content)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 48 << 20


def test_a_votable_of_too_many_columns_is_read_no_further_than_these():
    class Counted(io.BytesIO):
        def read(self, size=-1):
            self.given = getattr(self, "given", 0) + len(piece := super().read(size))
            return piece

    fields = "".join(f'<FIELD name="x{i}" datatype="int"/>' for i in range(10_000))
    content = Counted(votable("", fields))
    with pytest.raises(UsageError, match="more than the 100 columns that are allowed"):
        open_table(content, "votable", Limits(columns=100))
    assert content.given < 20_000 < len(content.getvalue())


def fits_file(n=3, **cards):
    columns = [
        fits.Column("a", "J", array=np.arange(n)),
        fits.Column("v", "PJ()", array=np.array([np.arange(i + 1) for i in range(n)], dtype=object)),
    ]
    made = fits.BinTableHDU.from_columns(columns)
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), made]).writeto(content)
    data = content.getvalue()
    for name, value in cards.items():
        at = data.rindex(f"{name:8}=".encode())
        data = data[:at] + f"{name:8}= {value:>20}".ljust(80).encode() + data[at + 80 :]
    return data


@pytest.mark.parametrize(
    ("cards", "told"),
    [
        ({"NAXIS2": 90_000}, "90000 rows of 12 bytes, but the file breaks off"),
        ({"NAXIS2": 10**15}, "more than the 100000 rows"),
        ({"NAXIS2": -1}, "expected a whole number as NAXIS2"),
        ({"NAXIS2": "T"}, "expected a whole number as NAXIS2"),
        ({"NAXIS1": 10**15}, "but the file breaks off"),
        ({"NAXIS1": 4}, "take 12 bytes of a row, but NAXIS1 says 4"),
        ({"PCOUNT": 0}, "beyond the end of the FITS table"),
        ({"TFIELDS": 10**9}, "columns"),
        ({"TFIELDS": 900}, "expected a format of FITS as TFORM3"),
        ({"TFORM1": "'9999999999J'"}, "take 40000000004 bytes"),
        ({"TFORM1": "'Z'"}, "expected a format of FITS as TFORM1, found 'Z'"),
        ({"BITPIX": 7}, "as BITPIX"),
    ],
)
def test_a_fits_header_that_lies_is_found_out(cards, told):
    with pytest.raises(UsageError, match=told):
        read(fits_file(**cards))


def test_a_fits_descriptor_that_lies_is_found_out():
    whole = fits_file()
    assert read(whole) == 3
    place = whole.index(struct.pack(">iii", 0, 1, 0), 5760)
    lies = ((2**31 - 1, 0, "elements that"), (1, 10**6, "beyond the end"), (-1, 0, "elements that"))
    for count, at, told in lies:
        with pytest.raises(UsageError, match=told):
            read(whole[:place] + struct.pack(">iii", 0, count, at) + whole[place + 12 :])


@pytest.mark.parametrize("cut", [100, 2880, 4000, 5760, 5770])
def test_a_fits_file_that_breaks_off_is_refused(cut):
    with pytest.raises(UsageError, match=r"breaks off|no binary table|beyond the end"):
        read(fits_file()[:cut])


def test_a_fits_header_without_end_is_refused():
    with pytest.raises(UsageError, match=r"longer than|breaks off"):
        read(b"SIMPLE  =                    T".ljust(80) + b"COMMENT ".ljust(80) * 20_000)


def parquet_file(table, **options):
    parquet.write_table(table, content := io.BytesIO(), **options)
    return content.getvalue()


def zigzag(number):
    number = (number << 1) ^ (number >> 63)
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def page(unpacked, packed, values):
    """The header of a data page in Thrift's compact protocol."""
    inner = b"\x15" + zigzag(values) + b"\x15\0\x15\0\x15\0\0"
    return b"\x15\0\x15" + zigzag(unpacked) + b"\x15" + zigzag(packed) + b"\x2c" + inner + b"\0"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (page(2**31 - 1, 8, 1), "2147483647 bytes"),
        (page(-8, 8, 1), "-8 bytes"),
        (page(8, 2**20, 1), "8 bytes"),
        (page(8, 8, 2**31 - 1), "2147483647 values"),
        (page(8, 8, -1), "-1 values"),
        (b"\xff" * 20, "header that cannot be read"),
        (b"\x1c" * 200, "header that cannot be read"),
        (b"\x19\xfc\xff\xff\xff\xff\x0f", "header that cannot be read"),
    ],
)
def test_a_page_of_parquet_that_lies_is_found_out_before_it_is_read(header, told):
    table = pa.table({"x": pa.array(np.random.default_rng(1).integers(0, 2**60, 5000))})
    whole = parquet_file(table, use_dictionary=False, compression="none", write_statistics=False)
    assert read(whole) == 5000
    at = parquet.ParquetFile(io.BytesIO(whole)).metadata.row_group(0).column(0).data_page_offset
    with pytest.raises(UsageError, match=told):
        read(whole[:at] + header + whole[at + len(header) :])


def chunk(values, size, at):
    """What a footer says of the pages of a column in Thrift's compact protocol, as far as it is numbers."""
    return b"".join(b"\x16" + zigzag(n) for n in (values, size, size)) + b"\x26" + zigzag(at)


def group(size, rows, at):
    """What it says of a row group after its columns."""
    return b"\x16" + zigzag(size) + b"\x16" + zigzag(rows) + b"\x26" + zigzag(at)


@pytest.mark.parametrize(
    ("said", "lie", "told"),
    [
        (chunk, (50, 427, 0), "pages beyond its end"),
        (chunk, (0, 0, 0), "pages beyond its end"),
        (chunk, (50, 427, 2**40), "pages beyond its end"),
        (chunk, (50, 0, 4), "rows without pages"),
        (group, (427, 0, 4), "other numbers of rows"),
        (group, (427, -50, 4), "other numbers of rows"),
    ],
)
def test_a_footer_of_parquet_that_lies_of_rows_and_their_pages_is_refused(said, lie, told):
    table = pa.table({"x": list(range(50))})
    whole = parquet_file(table, use_dictionary=False, compression="none", write_statistics=False)
    true = (427, 50, 4) if said is group else (50, 427, 4)
    assert whole.count(said(*true)) == 1
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    footer = whole[begin:-8].replace(said(*true), said(*lie))
    with pytest.raises(UsageError, match=told):
        read(whole[:begin] + footer + len(footer).to_bytes(4, "little") + b"PAR1", "parquet")


@settings(max_examples=30, deadline=None)
@given(st.data())
@pytest.mark.parametrize("rows", [0, 50])
def test_a_parquet_file_with_any_bytes_changed_is_read_or_refused(rows, data):
    table = pa.table({"x": list(range(50)), "s": [f"w{i}" for i in range(50)], "l": [[i] for i in range(50)]})
    whole = bytearray(parquet_file(table.slice(0, rows)))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(4, len(whole) - 9))] = data.draw(st.integers(0, 255))
    with suppress(UsageError):
        assert read(bytes(whole), "parquet") >= 0


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_fits_file_with_any_bytes_changed_is_read_or_refused(data):
    whole = bytearray(fits_file())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(2880, len(whole) - 1))] = data.draw(st.integers(32, 126))
    with suppress(UsageError):
        assert read(bytes(whole), "fits") >= 0


VALID = votable(
    stream(b64(struct.pack(">bi1si2s", 0, 1, b"a", 2, b"bc"))) + "",
    '<FIELD name="a" datatype="char" arraysize="*"/><FIELD name="b" datatype="char" arraysize="*"/>',
)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_votable_with_any_bytes_changed_is_read_or_refused(data):
    whole = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UsageError):
        assert read(bytes(whole), "votable") >= 0


def test_texts_that_a_dictionary_repeats_come_in_pieces():
    text = "x" * 100_000
    content = parquet_file(pa.table({"s": [text] * 400}))
    assert len(content) < 200_000
    with open_table(io.BytesIO(content), limits=SMALL) as reading:
        sizes = [batch.nbytes for batch in reading]
    assert sum(sizes) >= 400 * len(text)
    assert max(sizes) < 8 << 20


def test_rows_are_read_in_a_memory_that_stays_the_same():
    rows = b"<TR><TD>12345</TD></TR>" * 20_000
    head, tail = votable("<TABLEDATA>|</TABLEDATA>").split(b"|")

    class Endless(io.RawIOBase):
        """Gives the rows many times over without holding them."""

        def __init__(self):
            self.parts = self.made()
            self.held = b""

        def made(self):
            yield head
            for _ in range(12):
                yield rows
            yield tail

        def seekable(self):
            return True

        def tell(self):
            return 0

        def seek(self, place, whence=0):
            self.__init__()
            return 0

        def read(self, size=-1):
            while len(self.held) < size and (part := next(self.parts, None)):
                self.held += part
            piece, self.held = self.held[:size], self.held[size:]
            return piece

    reading = open_table(Endless(), "votable")
    tracemalloc.start()
    count = sum(batch.num_rows for batch in reading)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 240_000
    assert most < 24 << 20
