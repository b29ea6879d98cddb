"""Is a table that is broken, too long, too slow or not there refused, with a word that says why?"""

import gzip
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from flask import Flask
from urllib3.filepost import encode_multipart_formdata

from datamodel.archive import Archive
from datamodel.errors import QueryTimeoutError
from tests import uploads
from tests.uploads import Send, answer, as_votable, error, xml
from vo_server.tap.uploads import Allowance

shared, application, served = uploads.shared, uploads.application, uploads.served
post, ask = uploads.post, uploads.ask

LAUGHS = '<!DOCTYPE VOTABLE [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (xml("<TR><TD>&i;</TD></TR>", head=f"{LAUGHS}]>"), ""),
        (xml("<TR><TD>&x;</TD></TR>", head='<!DOCTYPE V [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), ""),
        (xml("<TR><TD>1</TD></TR>")[:-40], ""),
        (xml("", "".join(f'<FIELD name="c{i}" datatype="int"/>' for i in range(1001))), ""),
        (",".join(f"c{i}" for i in range(10**6)).encode(), ""),
        (xml("", '<FIELD name="x" datatype="int"/>' * 2), "x"),
        (
            xml(
                "<TR><TD>yesterday</TD></TR>",
                '<FIELD name="x" datatype="char" arraysize="*" xtype="timestamp"/>',
            ),
            "x",
        ),
        (xml("<TR><TD>1e5x</TD></TR>", '<FIELD name="x" datatype="int"/>'), "x"),
        (b"", ""),
        (b"\0" * 1000, ""),
        (b"PAR1" + b"\xff" * 1000 + b"PAR1", ""),
        (b"SIMPLE  =                    T" + b" " * 5000, ""),
        (gzip.compress(b"x" * 1000)[:-20], ""),
    ],
    ids="laughs passwd cut wide million twice time number empty zeros parquet fits gzip".split(),  # noqa: SIM905
)
def test_what_is_no_table_is_told(data: bytes, told: str, ask: Send) -> None:
    message = error(ask("SELECT * FROM TAP_UPLOAD.t", t=data))
    assert "TAP_UPLOAD.t" in message
    assert told in message
    assert len(message) < 500
    assert "/tmp" not in message
    assert "part-" not in message
    assert "root:" not in message


@pytest.fixture
def small(served: Archive, ask: Send) -> Send:
    """`ask` where 100 rows or 100,000 bytes may be uploaded."""
    served.config = replace(served.config, upload_rows=100, upload_bytes=100_000)
    return ask


def test_rows_beyond_the_limit_are_refused_also_of_several_tables_together(small: Send) -> None:
    data = {n: as_votable(Table({"x": np.arange(n)})) for n in (50, 51, 100, 101)}
    query = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t"
    assert answer(small(query, t=data[100]))["n"] == 100
    assert "100 rows" in error(small(query, t=data[101]))
    assert answer(small(query, "t,param:t;u,param:u", t=data[50], u=data[50]))["n"] == 50
    assert "100 rows" in error(small(query, "t,param:t;u,param:u", t=data[50], u=data[51]))


@pytest.mark.parametrize(
    ("cancelled", "seconds", "told"),
    [(False, 0.0, "stopped at the limit of 0 s"), (True, 60.0, "stopped before its end")],
)
def test_loading_ends_when_the_time_is_over_or_nobody_waits(
    cancelled: bool, seconds: float, told: str
) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])], names=["x"])
    with pytest.raises(QueryTimeoutError, match=told):
        Allowance(10, lambda: cancelled, seconds).take(batch)
    assert Allowance(10, lambda: False, 60.0).take(batch) is batch


@pytest.mark.parametrize("size", [100_001, 10_000_000])
def test_bytes_beyond_the_limit_are_refused_packed_or_not(size: int, small: Send) -> None:
    data = b"x\n" + b"1" * size
    query = "SELECT * FROM TAP_UPLOAD.t"
    assert "bytes" in error(small(query, t=gzip.compress(data)))
    assert any(word in error(small(query, t=data)) for word in ("100000 bytes", "uploadLimit"))


def test_tables_that_are_too_long_together_are_refused(small: Send) -> None:
    data = b"x\n" + b"1" * 60_000 + b"\n"
    message = error(small("SELECT * FROM TAP_UPLOAD.t", "t,param:t;u,param:u", t=data, u=data))
    assert "more than 100000 bytes" in message


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        (
            "t,param:tt",
            "UPLOAD names the part 'tt', but the request brought none of that name; did you mean 't'?",
        ),
        (
            "t,vos://example.org/x",
            "UPLOAD has the URI 'vos://example.org/x', expected param:, http: or https:",
        ),
        ("t,file:///etc/passwd", "UPLOAD has the URI 'file:///etc/passwd'"),
        ("t,/etc/passwd", "UPLOAD has the URI '/etc/passwd'"),
        ("t,param:../../x", "UPLOAD names the part '../../x'"),
        (
            "t,http://127.0.0.1/",
            "tables cannot be uploaded from 'http://127.0.0.1/'; the hosts that may be asked: none",
        ),
        ("t", "UPLOAD has 't', expected a table name and a URI"),
    ],
)
def test_a_table_that_is_not_there_is_told(upload: str, told: str, ask: Send) -> None:
    assert error(ask("SELECT * FROM TAP_UPLOAD.t", upload, t=b"x\n1\n")).startswith(told)


def test_other_routes_take_no_long_bodies(application: Flask) -> None:
    client = application.test_client()
    body, mime = encode_multipart_formdata({"t": ("t", b"x" * (5 << 20))})
    assert client.post("/sia2/query", data=body, content_type=mime, buffered=True).status_code == 413
