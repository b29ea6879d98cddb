"""Do tables that come with a query join, keep all they say of themselves, and stay within bounds?"""

import csv
import gc
import gzip
import io
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import pyvo
import sqlalchemy as sa
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import MaskedColumn, Table
from flask import Flask
from urllib3.filepost import encode_multipart_formdata
from werkzeug.serving import make_server

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import QueryTimeoutError
from datamodel.observatory import Instrument
from datamodel.session import Session
from datamodel.sky import hpx29
from datamodel.sources import COLUMNS, insert_sources
from processing.classes import TABLES
from vo_server.app import create_app
from vo_server.tap import tap_schema
from vo_server.tap.uploads import Allowance

ARCSEC = 1 / 3600
RANDOM = np.random.default_rng(20)
RA = np.concatenate([RANDOM.uniform(0, 360, 60), [0.00001, 359.99999, 120.0, 300.0, 10.0]])
DEC = np.concatenate(
    [np.degrees(np.arcsin(RANDOM.uniform(-1, 1, 60))), [0.0, 0.0, 89.9999, 89.9999, -89.99999]]
)


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with sources all over the sky, among them some at RA 0 and the poles; nobody writes there."""
    folder = tmp_path_factory.mktemp("uploads") / "archive"
    archive = Archive(Config(archive=folder, database_url=new_database(), project="P"))
    archive.prepare(TABLES)
    archive.add_account("A", "P")
    with Session(archive, archive.caller("A", "P", 5)) as session:
        owner = Instrument(name="camera")
        owner.commit()
        rows = np.zeros(len(RA), dtype=[(c.name, c.datatype.numpy) for c in COLUMNS if c.name != "slid"])
        rows["sid"], rows["ra"], rows["dec"], rows["hpx29"] = range(len(RA)), RA, DEC, hpx29(RA, DEC)
        with session.transaction() as connection:
            insert_sources(connection, 1, owner.object_id, rows)
    tap_schema.update_tap_schema(archive, tap_schema.tables(archive.config))
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def application(shared: Archive) -> Flask:
    return create_app(shared)


@pytest.fixture
def served(shared: Archive, application: Flask) -> Iterator[Archive]:
    """The same, whose configuration a test may change."""
    config = shared.config
    yield shared
    shared.config = config


@pytest.fixture
def post(
    served: Archive, application: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, bytes]]]:
    """Posts to ``/tap/sync``; gives the status and the answer. Nothing is left in the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    client = application.test_client()

    def send(data: dict, query: str = "") -> tuple[int, bytes]:
        body, mime = encode_multipart_formdata({"LANG": "ADQL"} | data)
        response = client.post(f"/tap/sync?{query}", data=body, content_type=mime, buffered=True)
        return response.status_code, response.data

    yield send
    assert [*folder.iterdir()] == []


@pytest.fixture
def ask(post: Callable[..., tuple[int, bytes]]) -> Callable[..., tuple[int, bytes]]:
    """Sends a query with tables; gives the status and the answer."""

    def send(
        query: str, upload: str = "t,param:t", format: str = "votable", **tables: bytes | tuple
    ) -> tuple[int, bytes]:
        parts = {name: _file(name, given) for name, given in tables.items()}
        return post({"QUERY": query, "UPLOAD": upload, "FORMAT": format} | parts)

    return send


def _file(name: str, given: bytes | tuple) -> tuple:
    """File name, bytes and what is said of them, as urllib3 takes them."""
    data, *said = given if isinstance(given, tuple) else (given,)
    filename, *mime = said or [name]
    return (filename, data, *mime)


def _answer(given: tuple[int, bytes]) -> Table:
    status, body = given
    assert status == 200, body
    return votable.parse_single_table(io.BytesIO(body)).to_table(use_names_over_ids=True)


def _error(given: tuple[int, bytes]) -> str:
    status, body = given
    assert status in (400, 413), body
    (info,) = votable.parse(io.BytesIO(body)).resources[0].infos
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    return info.content


def _votable(table: Table, serialization: str = "tabledata") -> bytes:
    out = io.BytesIO()
    votable.from_table(table).to_xml(out, tabledata_format=serialization)
    return out.getvalue()


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
def test_every_type_and_all_that_is_said_of_it_comes_back(
    serialization: str, ask: Callable[..., tuple[int, bytes]]
) -> None:
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


def test_a_time_of_any_length_comes_back_as_dali_writes_it(ask: Callable[..., tuple[int, bytes]]) -> None:
    field = '<FIELD name="x" datatype="char" arraysize="19" xtype="timestamp"/>'
    data = _xml("<TR><TD>2026-01-31T12:00:00</TD></TR>", field)
    assert _answer(ask("SELECT x FROM TAP_UPLOAD.t", t=data))["x"].tolist() == ["2026-01-31T12:00:00.000"]


def test_null_is_null_in_conditions(ask: Callable[..., tuple[int, bytes]]) -> None:
    counts = ", ".join(
        f'COUNT("{name}")' for name in ("flag", "byte", "long", "double", "when", "doubles", "point")
    )
    found = _answer(ask(f"SELECT {counts} FROM TAP_UPLOAD.t", t=EVERYTHING.encode()))
    assert [*found[0]] == [1] * 7


TABLE = Table(
    {
        "ra": [1.5, 359.0, 0.0],
        "dec": MaskedColumn([-90.0, 12.25, 0.0], mask=[False, False, True]),
        "name": ["a", "b c", "d,e"],
        "n": MaskedColumn([1, 2, 3], mask=[False, True, False]),
    }
)


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
def test_a_table_may_come_in_any_format_and_packed(
    format: str, said: tuple, packed: bool, ask: Callable[..., tuple[int, bytes]]
) -> None:
    data = gzip.compress(_written(format)) if packed else _written(format)
    got = _answer(ask("SELECT * FROM TAP_UPLOAD.t ORDER BY name", t=(data, *said)))
    assert got["ra"].tolist() == TABLE["ra"].tolist()
    assert got["dec"].tolist()[:2] == TABLE["dec"].tolist()[:2]
    assert np.ma.is_masked(got["dec"][2]) or np.isnan(got["dec"][2])
    assert got["name"].tolist() == TABLE["name"].tolist()
    if format != "fits":  # which astropy fills in for what is missing
        assert got["n"].tolist() == TABLE["n"].tolist()


@pytest.mark.parametrize(
    "condition",
    [
        f"DISTANCE(POINT(t.ra, t.dec), POINT(s.ra, s.dec)) < {ARCSEC}",
        f"1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(t.ra, t.dec, {ARCSEC}))",
        f"1 = CONTAINS(POINT(t.ra, t.dec), CIRCLE(s.ra, s.dec, {ARCSEC}))",
    ],
    ids=["distance", "circle around the upload", "circle around the source"],
)
def test_an_upload_is_matched_with_the_archive_by_position(
    condition: str, ask: Callable[..., tuple[int, bytes]]
) -> None:
    """Against astropy, over the whole sky, both poles and RA 0."""
    shift = RANDOM.uniform(0, 1.6 * ARCSEC, len(RA))
    theirs = _shifted(shift)
    found = _answer(
        ask(
            f"SELECT s.sid, t.n FROM archive.sources AS s JOIN TAP_UPLOAD.t AS t ON {condition}",
            t=_votable(
                Table({"n": np.arange(len(RA)), "ra": theirs.ra.deg, "dec": theirs.dec.deg}), "binary2"
            ),
        )
    )
    ours = SkyCoord(RA, DEC, unit="deg").cartesian.xyz.value
    chords = np.linalg.norm(theirs.cartesian.xyz.value[:, None, :] - ours[:, :, None], axis=0)
    apart = np.degrees(2 * np.arcsin(chords / 2))
    assert set(zip(found["sid"].tolist(), found["n"].tolist(), strict=True)) == set(
        zip(*(i.tolist() for i in np.nonzero(apart < ARCSEC)), strict=True)
    )
    assert 20 < len(found) < len(RA)


def _shifted(by_deg: np.ndarray) -> SkyCoord:
    """The sources, each moved by an angle, in any direction."""
    directions = RANDOM.uniform(0, 360, len(by_deg)) * u.deg
    return SkyCoord(RA, DEC, unit="deg").directional_offset_by(directions, by_deg * u.deg)


def test_several_tables_come_at_once_in_either_style(
    ask: Callable[..., tuple[int, bytes]], post: Callable[..., tuple[int, bytes]]
) -> None:
    query = "SELECT a.x, b.y FROM TAP_UPLOAD.a AS a JOIN tap_upload.B AS b ON a.x = b.x"
    first, second = _votable(Table({"x": [1, 2, 3]})), _votable(Table({"x": [2, 3, 4], "y": [5, 6, 7]}))
    found = _answer(ask(f"{query} ORDER BY a.x", "a,param:p;b,param:q", p=first, q=second))
    assert [tuple(row) for row in found] == [(2, 5), (3, 6)]
    parts = {"p": _file("p", first), "q": _file("q", second)}
    found = _answer(post({"query": query, "upload": "b,param:q"} | parts, "UPLOAD=a,param:p"))
    assert len(found) == 2


def test_names_are_those_of_adql(ask: Callable[..., tuple[int, bytes]]) -> None:
    names = ["select", "My Column", "RA", 'a"b', "%s", "c1", "é"]
    data = io.StringIO()
    csv.writer(data).writerows([names, range(len(names))])
    select = 'SELECT "select", "My Column", ra, "a""b", "%s", c1, "é", * FROM TAP_UPLOAD."my table"'
    status, body = ask(select, '"my table",param:t', "csv", t=data.getvalue().encode())
    assert status == 200, body
    *_, row = csv.reader(io.StringIO(body.decode()))
    assert row == [str(i) for i in range(len(names))] * 2


def test_names_that_differ_in_case_alone_or_are_long_are_told_apart(
    ask: Callable[..., tuple[int, bytes]],
) -> None:
    long = "é" * 32
    names = ["g", "G", long, f"{long}2", "x"]
    select = (
        f'SELECT "G" AS one, "g" AS two, "{long}2" AS three, "{long}" AS four, x AS five FROM TAP_UPLOAD.t'
    )
    data = f"{','.join(names)}\n0,1,2,3,4\n".encode()
    condition = f'WHERE "g" = 0 AND "G" = 1 AND "{long}2" > "{long}" ORDER BY "G"'
    assert ask(f"{select} {condition}", format="csv", t=data) == (
        200,
        b"one,two,three,four,five\r\n1,0,3,2,4\r\n",
    )
    status, body = ask("SELECT * FROM TAP_UPLOAD.t", format="csv", t=data)
    assert (status, body.splitlines()[1]) == (200, b"0,1,2,3,4")


def test_an_upload_is_there_for_its_query_alone(
    ask: Callable[..., tuple[int, bytes]], post: Callable[..., tuple[int, bytes]], served: Archive
) -> None:
    data = _votable(Table({"x": [1]}))
    told = _answer(ask("SELECT table_name FROM tap_schema.tables", t=data))
    assert "upload" not in " ".join(told["table_name"]).lower()
    assert len(_answer(ask("SELECT * FROM TAP_UPLOAD.t", t=data))) == 1
    message = _error(post({"QUERY": "SELECT * FROM TAP_UPLOAD.t"}))
    assert "unknown table 'TAP_UPLOAD.t'" in message
    with served.database.read() as connection:
        assert not [name for name in sa.inspect(connection).get_table_names() if "temporary" in name]


def test_the_columns_alone_can_be_asked_for(post: Callable[..., tuple[int, bytes]]) -> None:
    asked = {"QUERY": "SELECT y AS z FROM TAP_UPLOAD.t", "UPLOAD": "t,param:t", "MAXREC": "0"}
    _, body = post(asked | {"t": _file("t", _votable(Table({"x": [1], "y": [1.5]})))})
    table = votable.parse_single_table(io.BytesIO(body))
    assert [(f.name, f.datatype) for f in table.fields] == [("z", "double")]
    assert len(table.array) == 0


LAUGHS = '<!DOCTYPE VOTABLE [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def _xml(rows: str, fields: str = '<FIELD name="x" datatype="char" arraysize="*"/>', head: str = "") -> bytes:
    body = f"<RESOURCE><TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE>"
    return f'<?xml version="1.0"?>{head}<VOTABLE version="1.4">{body}</VOTABLE>'.encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (_xml("<TR><TD>&i;</TD></TR>", head=f"{LAUGHS}]>"), ""),
        (_xml("<TR><TD>&x;</TD></TR>", head='<!DOCTYPE V [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), ""),
        (_xml("<TR><TD>1</TD></TR>")[:-40], ""),
        (_xml("", "".join(f'<FIELD name="c{i}" datatype="int"/>' for i in range(1001))), ""),
        (",".join(f"c{i}" for i in range(10**6)).encode(), ""),
        (_xml("", '<FIELD name="x" datatype="int"/>' * 2), "x"),
        (
            _xml(
                "<TR><TD>yesterday</TD></TR>",
                '<FIELD name="x" datatype="char" arraysize="*" xtype="timestamp"/>',
            ),
            "x",
        ),
        (_xml("<TR><TD>1e5x</TD></TR>", '<FIELD name="x" datatype="int"/>'), "x"),
        (b"", ""),
        (b"\0" * 1000, ""),
        (b"PAR1" + b"\xff" * 1000 + b"PAR1", ""),
        (b"SIMPLE  =                    T" + b" " * 5000, ""),
        (gzip.compress(b"x" * 1000)[:-20], ""),
    ],
    ids="laughs passwd cut wide million twice time number empty zeros parquet fits gzip".split(),  # noqa: SIM905
)
def test_what_is_no_table_is_told(data: bytes, told: str, ask: Callable[..., tuple[int, bytes]]) -> None:
    message = _error(ask("SELECT * FROM TAP_UPLOAD.t", t=data))
    assert "TAP_UPLOAD.t" in message
    assert told in message
    assert len(message) < 500
    assert "/tmp" not in message
    assert "part-" not in message
    assert "root:" not in message


@pytest.fixture
def small(served: Archive, ask: Callable[..., tuple[int, bytes]]) -> Callable[..., tuple[int, bytes]]:
    """`ask` where 100 rows or 100,000 bytes may be uploaded."""
    served.config = replace(served.config, upload_rows=100, upload_bytes=100_000)
    return ask


def test_rows_beyond_the_limit_are_refused_also_of_several_tables_together(
    small: Callable[..., tuple[int, bytes]],
) -> None:
    data = {n: _votable(Table({"x": np.arange(n)})) for n in (50, 51, 100, 101)}
    query = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t"
    assert _answer(small(query, t=data[100]))["n"] == 100
    assert "100 rows" in _error(small(query, t=data[101]))
    assert _answer(small(query, "t,param:t;u,param:u", t=data[50], u=data[50]))["n"] == 50
    assert "100 rows" in _error(small(query, "t,param:t;u,param:u", t=data[50], u=data[51]))


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
def test_bytes_beyond_the_limit_are_refused_packed_or_not(
    size: int, small: Callable[..., tuple[int, bytes]]
) -> None:
    data = b"x\n" + b"1" * size
    query = "SELECT * FROM TAP_UPLOAD.t"
    assert "bytes" in _error(small(query, t=gzip.compress(data)))
    assert any(word in _error(small(query, t=data)) for word in ("100000 bytes", "uploadLimit"))


def test_tables_that_are_too_long_together_are_refused(small: Callable[..., tuple[int, bytes]]) -> None:
    data = b"x\n" + b"1" * 60_000 + b"\n"
    message = _error(small("SELECT * FROM TAP_UPLOAD.t", "t,param:t;u,param:u", t=data, u=data))
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
def test_a_table_that_is_not_there_is_told(
    upload: str, told: str, ask: Callable[..., tuple[int, bytes]]
) -> None:
    assert _error(ask("SELECT * FROM TAP_UPLOAD.t", upload, t=b"x\n1\n")).startswith(told)


def test_other_routes_take_no_long_bodies(application: Flask) -> None:
    client = application.test_client()
    body, mime = encode_multipart_formdata({"t": ("t", b"x" * (5 << 20))})
    assert client.post("/sia2/query", data=body, content_type=mime, buffered=True).status_code == 413


def test_pyvo_uploads_whatever_it_can(served: Archive, application: Flask, tmp_path: Path) -> None:
    """Over a real socket: tables, files, several, and by URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    host = f"127.0.0.1:{server.port}"
    served.config = replace(served.config, port=server.port, upload_hosts=host, upload_networks="127.0.0.0/8")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        _check_pyvo(pyvo.dal.TAPService(f"http://{host}/tap"), host, tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


BOTH = "SELECT a.n FROM TAP_UPLOAD.a AS a JOIN TAP_UPLOAD.b AS b ON a.name = b.name"


def _check_pyvo(service: pyvo.dal.TAPService, host: str, folder: Path) -> None:
    methods = {method.ivo_id.rpartition("-")[2] for method in service.upload_methods}
    assert methods == {"inline", "http", "https"}
    path = folder / "t.xml"
    path.write_bytes(_votable(TABLE))
    query = "SELECT n, name FROM TAP_UPLOAD.mine ORDER BY name"
    expected = TABLE["name"].tolist()
    url = f"http://{host}/tap/sync?LANG=ADQL&QUERY=SELECT+table_name+AS+name,+1+AS+n+FROM+tap_schema.tables"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pyvo leaves files open
        for given in (TABLE, str(path)):
            assert service.run_sync(query, uploads={"mine": given})["name"].tolist() == expected
        both = service.run_sync(BOTH, uploads={"a": TABLE, "b": str(path)})
        gc.collect()
    assert len(both) == 3
    fetched = service.run_sync(query, uploads={"mine": url})["name"].tolist()
    assert fetched == sorted(
        service.run_sync("SELECT table_name FROM tap_schema.tables")["table_name"].tolist()
    )
    with pytest.raises(pyvo.dal.DALQueryError, match="unknown column 'x'"):
        service.run_sync("SELECT x FROM TAP_UPLOAD.mine", uploads={"mine": TABLE})
