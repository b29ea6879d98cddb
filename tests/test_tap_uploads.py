"""Do tables that come with a query keep their values and all that is said of them, in whichever format?"""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import votable

from tests import uploads
from tests.uploads import TABLE, Send, answer, xml

shared, application, served = uploads.shared, uploads.application, uploads.served
post, ask = uploads.post, uploads.ask

EVERYTHING = """<?xml version="1.0" encoding="utf-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE name="everything">
<FIELD name="flag" datatype="boolean"/>
<FIELD name="byte" datatype="unsignedByte"><VALUES null="255"/></FIELD>
<FIELD name="short" datatype="short" unit="pixel"><VALUES null="-1"/></FIELD>
<FIELD name="int" datatype="int"><VALUES null="-1"/></FIELD>
<FIELD name="long" datatype="long"><VALUES null="-1"/></FIELD>
<FIELD name="real" datatype="float" unit="mag" ucd="phot.mag;em.opt.V" utype="a:b.c"/>
<FIELD name="double" datatype="double" unit="deg"><DESCRIPTION>An angle &amp; more</DESCRIPTION></FIELD>
<FIELD name="text" datatype="char" arraysize="*"/>
<FIELD name="fixed" datatype="char" arraysize="3"/>
<FIELD name="one" datatype="char"/>
<FIELD name="unicode" datatype="unicodeChar" arraysize="*"/>
<FIELD name="when" datatype="char" arraysize="*" xtype="timestamp"/>
<FIELD name="doubles" datatype="double" arraysize="*"/>
<FIELD name="floats" datatype="float" arraysize="2"/>
<FIELD name="ints" datatype="int" arraysize="2x2"><VALUES null="-1"/></FIELD>
<FIELD name="longs" datatype="long" arraysize="*"><VALUES null="-1"/></FIELD>
<FIELD name="bytes" datatype="unsignedByte" arraysize="2"><VALUES null="7"/></FIELD>
<FIELD name="flags" datatype="boolean" arraysize="2"/>
<FIELD name="complex" datatype="doubleComplex"/>
<FIELD name="point" datatype="double" arraysize="2" xtype="point"/>
<FIELD name="circle" datatype="double" arraysize="3" xtype="circle"/>
<FIELD name="polygon" datatype="double" arraysize="*" xtype="polygon"/>
<DATA><TABLEDATA>
<TR><TD>true</TD><TD>254</TD><TD>-32768</TD><TD>2147483647</TD><TD>-9223372036854775808</TD><TD>1.5</TD>
<TD>0.1</TD><TD>a &lt;b&gt;, "c"</TD><TD>abc</TD><TD>x</TD><TD>αβγ é</TD><TD>2026-01-31T12:00:00.125</TD>
<TD>1 2.5 -3e300</TD><TD>1 2</TD><TD>1 2 3 4</TD><TD>9007199254740993</TD><TD>0 255</TD><TD>T F</TD><TD>1.5 -2</TD>
<TD>1 2</TD><TD>1 2 0.5</TD>
<TD>0 0 1 0 1 1</TD></TR>
<TR><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/><TD/></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
"""
ATTRIBUTES = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")


def _fields(document: bytes) -> list[dict[str, str]]:
    table = votable.parse_single_table(io.BytesIO(document))
    told = [{a: str(getattr(field, a)) for a in ATTRIBUTES if getattr(field, a)} for field in table.fields]
    return [{**field, "arraysize": field.get("arraysize", "1")} for field in told]


@pytest.mark.parametrize("serialization", ["tabledata", "binary", "binary2"])
def test_every_type_and_all_that_is_said_of_it_comes_back(serialization: str, ask: Send) -> None:
    parsed = votable.parse(io.BytesIO(EVERYTHING.encode()))
    out = io.BytesIO()
    parsed.to_xml(out, tabledata_format=serialization)
    sent = votable.parse_single_table(io.BytesIO(out.getvalue()))
    status, body = ask("SELECT * FROM TAP_UPLOAD.t", t=out.getvalue())
    assert status == 200, body
    got = votable.parse_single_table(io.BytesIO(body))
    assert _fields(body) == _fields(EVERYTHING.encode())
    for name in sent.array.dtype.names:
        assert repr(got.array[name][0]) == repr(sent.array[name][0]), name
        if name not in ("text", "fixed", "one", "unicode", "when"):
            assert np.all(np.ma.getmaskarray(got.array[name])[1] | _is_nothing(got.array[name].data[1])), name


def _is_nothing(value: object) -> bool:
    return np.size(value) == 0 or bool(np.all(np.isnan(np.asarray(value, complex))))


def test_a_time_of_any_length_comes_back_as_dali_writes_it(ask: Send) -> None:
    field = '<FIELD name="x" datatype="char" arraysize="19" xtype="timestamp"/>'
    data = xml("<TR><TD>2026-01-31T12:00:00</TD></TR>", field)
    assert answer(ask("SELECT x FROM TAP_UPLOAD.t", t=data))["x"].tolist() == ["2026-01-31T12:00:00.000"]


def test_null_is_null_in_conditions(ask: Send) -> None:
    counts = ", ".join(
        f'COUNT("{name}")' for name in ("flag", "byte", "long", "double", "when", "doubles", "point")
    )
    found = answer(ask(f"SELECT {counts} FROM TAP_UPLOAD.t", t=EVERYTHING.encode()))
    assert [*found[0]] == [1] * 7


def _written(format: str) -> bytes:
    out = io.BytesIO()
    if format == "parquet":
        masked = {name: pa.array(TABLE[name].tolist()) for name in TABLE.colnames}
        pyarrow.parquet.write_table(pa.table(masked), out)
    elif format.startswith("ascii"):
        text = io.StringIO()
        TABLE.write(text, format=format)
        return text.getvalue().encode()
    else:
        TABLE.write(out, format=format)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("votable", ("t.xml", "text/xml")),
        ("votable", ("t", "text/plain")),
        ("ascii.csv", ("t.csv", "text/csv")),
        ("ascii.csv", ("t", "text/plain")),
        ("ascii.tab", ("t", "text/tab-separated-values")),
        ("ascii.tab", ("t.tsv",)),
        ("fits", ("t.fits", "application/fits")),
        ("fits", ("t",)),
        ("parquet", ("t.parquet", "application/octet-stream")),
        ("parquet", ("t", "application/vnd.apache.parquet")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_may_come_in_any_format_and_packed(format: str, said: tuple, packed: bool, ask: Send) -> None:
    data = gzip.compress(_written(format)) if packed else _written(format)
    got = answer(ask("SELECT * FROM TAP_UPLOAD.t ORDER BY name", t=(data, *said)))
    assert got["ra"].tolist() == TABLE["ra"].tolist()
    assert got["dec"].tolist()[:2] == TABLE["dec"].tolist()[:2]
    assert np.ma.is_masked(got["dec"][2]) or np.isnan(got["dec"][2])
    assert got["name"].tolist() == TABLE["name"].tolist()
    if format != "fits":  # which astropy fills in for what is missing
        assert got["n"].tolist() == TABLE["n"].tolist()
