"""Does STILTS votlint have nothing to say about any kind of answer, as it comes over HTTP?

What it says wrongly of documents that are right is shown with documents written by hand, byte by byte: STILTS's
own reader takes those, and the very same messages come. Such columns are kept from it in those encodings.
"""

import io
import struct
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.table
import pytest
import requests

pytestmark = pytest.mark.clients

Stilts = Callable[..., subprocess.CompletedProcess[str]]

FORMATS = ("votable/b2", "votable/td", "votable/b")
EVERYTHING = Path(__file__).parent / "tables" / "everything.vot"

COMPUTED = """
SELECT ra + 1, COUNT(*) AS n, POINT(ra, dec) AS p, CIRCLE(ra, dec, 1) AS c, CAST(n AS VARCHAR(10)) AS s,
  CAST(taken AS TIMESTAMP) AS t, IN_UNIT(mag, 'mmag') AS m, name || 'x' AS nx, ivo_to_mjd(taken) AS mjd,
  ivo_healpix_index(5, ra, dec) AS h, DISTANCE(1, 2, ra, dec) AS d, 'a' AS text, 1.5 AS f, NULL AS nothing,
  AREA(CIRCLE(ra, dec, 2)) AS a, CENTROID(CIRCLE(ra, dec, 2)) AS ce, ivo_histogram(mag, 0, 20, 5) AS hist
FROM small.votable GROUP BY ra, dec, n, taken, mag, name
"""
KEPT_FROM_IT_IN_BINARY = ("outline",)
"""A polygon: see `FAULTS`."""
KEPT_FROM_IT_AS_TEXT = ("fluxes",)
"""An array of NaN, which is NULL once it was in FITS: see `FAULTS`."""


def checked(stilts: Stilts, folder: Path, document: bytes) -> str:
    """What votlint says; empty if nothing."""
    path = folder / "answer.vot"
    path.write_bytes(document)
    run = stilts("votlint", f"votable={path}", "ucd=true", "unit=true")
    return run.stdout + run.stderr


def columns_of(format: str, as_text: tuple[str, ...] = ()) -> str:
    """All columns of the table of every datatype that votlint can read; some others are not for it as text."""
    names = astropy.table.Table.read(EVERYTHING).colnames
    kept = as_text if format == "votable/td" else KEPT_FROM_IT_IN_BINARY
    return ", ".join(f'"{name}"' if name == "select" else name for name in names if name not in kept)


CASES = {
    "rows": ("SELECT {columns} FROM small.votable", {}, 3, "OK"),
    "overflow": ("SELECT {columns} FROM small.votable", {"MAXREC": "1"}, 1, "OVERFLOW"),
    "no rows asked for": ("SELECT {columns} FROM small.votable", {"MAXREC": "0"}, 0, "OVERFLOW"),
    "no rows": ("SELECT {columns} FROM small.votable WHERE n > 5", {}, 0, "OK"),
    "computed": (COMPUTED, {}, 3, "OK"),
    "upload": ("SELECT {columns} FROM TAP_UPLOAD.t", {"UPLOAD": "t,param:x"}, 3, "OK"),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_an_answer_passes(case: str, format: str, served: Any, stilts: Stilts, tmp_path: Path) -> None:
    query, parameters, rows, status = CASES[case]
    data = {"LANG": "ADQL", "RESPONSEFORMAT": format, "QUERY": query.format(columns=columns_of(format))}
    files = {"x": EVERYTHING.read_bytes()} if "UPLOAD" in parameters else None
    answer = requests.post(f"{served.tap}/sync", data=data | parameters, files=files, timeout=60)
    assert answer.status_code == 200, answer.text
    assert f'<INFO name="QUERY_STATUS" value="{status}"'.encode() in answer.content
    assert len(astropy.table.Table.read(io.BytesIO(answer.content), format="votable")) == rows
    assert checked(stilts, tmp_path, answer.content) == ""


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("sent", ["fits", "parquet"])
def test_an_answer_that_is_sent_back_passes(
    sent: str, format: str, served: Any, stilts: Stilts, tmp_path: Path
) -> None:
    columns = columns_of(format, KEPT_FROM_IT_AS_TEXT if sent == "fits" else ())
    data = {"LANG": "ADQL", "FORMAT": sent, "QUERY": f"SELECT {columns} FROM small.votable"}
    first = requests.post(f"{served.tap}/sync", data=data, timeout=60)
    back = {"LANG": "ADQL", "FORMAT": format, "QUERY": "SELECT * FROM TAP_UPLOAD.t", "UPLOAD": "t,param:x"}
    answer = requests.post(f"{served.tap}/sync", data=back, files={"x": first.content}, timeout=60)
    assert len(astropy.table.Table.read(io.BytesIO(answer.content), format="votable")) == 3
    assert checked(stilts, tmp_path, answer.content) == ""


@pytest.mark.parametrize(
    "path",
    [
        "tap/sync?LANG=ADQL&QUERY=SELECT+*+FROM+ivoa.obscore",
        "tap/sync?LANG=ADQL&QUERY=SELECT+*+FROM+archive.sources",
        "tap/sync?LANG=ADQL&QUERY=SELECT+TOP+99+*+FROM+hipparcos.main",
        "tap/sync?LANG=ADQL&QUERY=SELECT+*+FROM+tap_schema.columns",
        "sia2/query?POS=CIRCLE+35+57+3",
        "datalink/links?ID={did}",
    ],
)
def test_what_the_archive_holds_passes(path: str, served: Any, stilts: Stilts, tmp_path: Path) -> None:
    one = "SELECT TOP 1 obs_publisher_did FROM ivoa.obscore"
    asked = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": one}
    did = requests.get(f"{served.tap}/sync", asked, timeout=60).text.split()[1]
    answer = requests.get(f"{served.url}/{path.format(did=did)}", timeout=60)
    assert len(astropy.table.Table.read(io.BytesIO(answer.content), format="votable", table_id=0)) > 0
    assert checked(stilts, tmp_path, answer.content) == ""


@pytest.mark.parametrize(
    "path",
    [
        "tap/sync?LANG=ADQL&QUERY=SELECT+nothing+FROM+small.votable",
        "tap/sync?LANG=OOBLECK&QUERY=SELECT+n+FROM+small.votable",
        "tap/sync",
        "sia2/query?POS=CIRCLE+x",
    ],
)
def test_an_error_passes(path: str, served: Any, stilts: Stilts, tmp_path: Path) -> None:
    answer = requests.get(f"{served.url}/{path}", timeout=60)
    assert answer.status_code == 400
    assert b'<INFO name="QUERY_STATUS" value="ERROR">' in answer.content
    assert checked(stilts, tmp_path, answer.content) == ""


def test_the_error_of_a_job_passes(served: Any, stilts: Stilts, tmp_path: Path) -> None:
    asked = {"LANG": "ADQL", "QUERY": "SELECT nothing FROM small.votable", "PHASE": "RUN"}
    job = requests.post(f"{served.tap}/async", asked, allow_redirects=False, timeout=60).headers["Location"]
    while requests.get(f"{job}?WAIT=10", timeout=60).text.count("<uws:phase>ERROR") == 0:
        pass
    answer = requests.get(f"{job}/error", timeout=60)
    requests.delete(job, timeout=60)
    assert b'<INFO name="QUERY_STATUS" value="ERROR">' in answer.content
    assert checked(stilts, tmp_path, answer.content) == ""


def by_hand(field: str, data: str) -> bytes:
    """A VOTable of one column."""
    return (
        '<?xml version="1.0"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE><TABLE><FIELD name="p" {field}/><DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>'
    ).encode()


def binary2(row: bytes) -> str:
    return f'<BINARY2><STREAM encoding="base64">{b64encode(row).decode()}</STREAM></BINARY2>'


def cells(*texts: str) -> str:
    return f"<TABLEDATA>{''.join(f'<TR><TD>{text}</TD></TR>' for text in texts)}</TABLEDATA>"


POLYGONS = b"".join(b"\0" + struct.pack(f">i{n}d", n, *range(-1, n - 1)) for n in (6, 8))
FAULTS = {
    "the length of a polygon is read twice": (
        'datatype="double" arraysize="*" xtype="polygon"',
        binary2(POLYGONS),
        "Apparent negative element count",
        ["(-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)", "(-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)"],
    ),
    "the length of an array of bits is read twice": (
        'datatype="bit" arraysize="*"',
        binary2(b"\0" + struct.pack(">iB", 3, 0b10100000)),
        "End of stream while reading element count",
        ["(true, false, true)"],
    ),
    "an empty cell, which is NULL for all datatypes, is no point for it": (
        'datatype="double" arraysize="2" xtype="point"',
        cells("1 2", ""),
        "Bad double string ''",
        ["(1.0, 2.0)", ""],
    ),
    "an empty cell, which is NULL for all datatypes, is no array for it": (
        'datatype="float" arraysize="3"',
        cells("1 2 3", ""),
        "Wrong number of elements in array (0 found, 3 expected)",
        ["(1.0, 2.0, 3.0)", ""],
    ),
}
"""FIELD, DATA, what votlint says, and what STILTS reads (VOTable 1.4 sections 2.2, 5.1, 5.4, 6)."""


@pytest.mark.parametrize("fault", FAULTS)
def test_what_votlint_says_wrongly_it_says_of_anybody(fault: str, stilts: Stilts, tmp_path: Path) -> None:
    field, data, message, values = FAULTS[fault]
    document = by_hand(field, data)
    assert message in checked(stilts, tmp_path, document)
    read = stilts("tpipe", f"in={tmp_path / 'answer.vot'}", "ifmt=votable", "ofmt=csv")
    assert [line.strip('"') for line in read.stdout.splitlines()] == ["p", *values]


def test_votlint_takes_complex_numbers_for_half_of_them(stilts: Stilts, tmp_path: Path) -> None:
    document = by_hand(
        'datatype="doubleComplex" arraysize="*"', binary2(b"\0" + struct.pack(">i4d", 2, 1, 2, 3, 4))
    )
    read = astropy.table.Table.read(io.BytesIO(document), format="votable")["p"]
    assert read[0].tolist() == [1 + 2j, 3 + 4j]
    assert "Stream ended during data read" in checked(stilts, tmp_path, document)


def test_a_polygon_under_another_name_is_read_once(stilts: Stilts, tmp_path: Path) -> None:
    document = by_hand('datatype="double" arraysize="*"', binary2(POLYGONS))
    assert checked(stilts, tmp_path, document) == ""
