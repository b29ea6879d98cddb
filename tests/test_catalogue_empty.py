"""What does a catalogue make of columns that have no values, of which nothing tells the type?"""

import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from datamodel.archive import Archive
from datamodel.catalogues import Entry
from datamodel.errors import UsageError
from tests.catalogues import ask, brought
from vo_server.formats.reading import Reading, open_table

NAMES = b"n,RA,Dec,s_region,note\n"
HOLES = NAMES + b"1,,,,\n2,,,,\n"
WHOLE = NAMES + b'1,10.5,-20.25,"Circle ICRS 10 -20 1",\n'


def opened(content: bytes) -> Reading:
    return open_table(io.BytesIO(content))


def types(entry: Entry) -> dict[str, str]:
    return {column.name: column.type for column in entry.columns}


def of_parquet() -> bytes:
    made = pa.table({"n": pa.array([1, 2], pa.int64()), "RA": pa.nulls(2), "Dec": pa.nulls(2)})
    parquet.write_table(made, content := io.BytesIO())
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "rows"),
    [(NAMES, 0), (HOLES, 2), (HOLES.replace(b",", b"\t"), 2), (of_parquet(), 2)],
    ids=["no rows", "no values", "TSV", "Parquet"],
)
def test_columns_without_values_may_be_the_position(archive: Archive, content: bytes, rows: int) -> None:
    entry = brought(archive, opened(content), ra="ra", dec="Dec")
    assert entry.point is not None
    assert (entry.point.ra, entry.point.dec) == ("ra", "dec")
    assert {name: types(entry)[name] for name in ("ra", "dec")} == {"ra": "DOUBLE", "dec": "DOUBLE"}
    assert (
        ask(archive, "SELECT ra, dec, hpx29 FROM test.stars")
        == [{"ra": None, "dec": None, "hpx29": None}] * rows
    )
    assert ask(archive, "SELECT n FROM test.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(1, 1, 90))") == []


@pytest.mark.parametrize("content", [NAMES, HOLES], ids=["no rows", "no values"])
def test_columns_without_values_are_what_they_were(archive: Archive, content: bytes) -> None:
    before = brought(archive, opened(WHOLE))
    assert types(before)["ra"] == "DOUBLE"
    emptied = brought(archive, opened(content), replaces=True)
    assert types(emptied) == types(before)
    assert (emptied.point, emptied.region) == (before.point, before.region)
    again = brought(archive, opened(WHOLE), replaces=True)
    assert types(again) == types(before)
    near = "SELECT n FROM test.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, -20, 1))"
    assert ask(archive, near) == [{"n": 1}]


def test_what_a_felis_file_says_of_them_counts_more(archive: Archive, tmp_path: Path) -> None:
    brought(archive, opened(WHOLE))
    felis = tmp_path / "stars.yaml"
    felis.write_text(
        "name: test\ntables:\n- name: stars\n  columns:\n"
        "  - {name: RA, datatype: float}\n  - {name: note, datatype: int}\n"
    )
    entry = brought(archive, opened(HOLES), replaces=True, metadata=felis)
    assert [types(entry)[name] for name in ("ra", "dec", "note")] == ["REAL", "DOUBLE", "INTEGER"]
    assert ask(archive, "SELECT ra, note FROM test.stars") == [{"ra": None, "note": None}] * 2


def test_texts_are_no_position_however_empty(archive: Archive) -> None:
    with pytest.raises(UsageError, match="column 'ra' is UNICODE, expected numbers in deg"):
        brought(archive, opened(NAMES + b'1,"",1,,\n'), ra="RA", dec="Dec")
