"""Does STILTS, which has a reader of its own for everything, take our answers without a word?

What votlint 3.4.7 gets wrong is kept from it: bits, empty cells that stand for a polygon, and, in its binary forms,
polygons by that name and arrays of complex numbers, whose lengths it misreads.
"""

import shutil
import subprocess

import pyarrow as pa
import pytest

from datamodel.columns import Column, Rows
from datamodel.datatypes import DATATYPES
from vo_server import descriptors
from vo_server.formats import votable
from vo_server.formats.document import Document
from vo_server.formats.negotiate import choose

pytestmark = pytest.mark.clients

SERIALIZATIONS = ("binary2", "tabledata", "binary")
NOT_TOLD = {"BIT", "BIT[]", "COMPLEX[]", "DOUBLECOMPLEX[]"}
NEEDS_A_VALUE = {"POLYGON"}
PLAIN = {
    "number": 1,
    "boolean": True,
    "text": "a <b> & c",
    "timestamp": "2003-02-14T01:02:03.456",
    "POINT": [1.0, 2.0],
    "CIRCLE": [1.0, 2.0, 0.5],
    "POLYGON": [0.0, 0.0, 1.0, 0.0, 1.0, 1.0],
    "COMPLEX": [1.0, -1.0],
    "DOUBLECOMPLEX": [1.0, -1.0],
    "BOOLEAN[]": [True, False],
    "CHAR[]": ["ab", "cd"],
    "UNICODE[]": ["ab", "cd"],
}
"""A value of each datatype, or of all of its kind."""


def described(i, type):
    """A column of the datatype with all that can be said of one."""
    kind = DATATYPES[type].kind
    return Column(
        f"c{i}",
        type,
        unit="m" if kind == "number" else None,
        ucd="meta.note",
        description="What it is",
        arraysize="2x*" if type in ("CHAR[]", "UNICODE[]") else None,
        xtype="" if type == "POLYGON" else None,
        null=77 if type in ("UNSIGNEDBYTE[]", "SMALLINT[]", "INTEGER[]", "BIGINT[]") else None,
    )


def everything(overflow=False, rows=3):
    """A table of every datatype that votlint can be told of, with NULL where it stands that."""
    types = [type for type in DATATYPES if type not in NOT_TOLD]
    columns = tuple(described(i, type) for i, type in enumerate(types))
    arrays = []
    for column in columns:
        value = PLAIN.get(column.type, PLAIN.get(column.datatype.kind, [1, 2]))
        middle = value if column.type in NEEDS_A_VALUE else None
        arrays.append(pa.array([value, middle, value], column.datatype.arrow))
    batch = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns]).slice(0, rows)
    return Rows(columns, iter([batch] if rows else []), overflow)


def stilts(*arguments):
    """What it says; the test fails where it says that it failed."""
    program = shutil.which("stilts")
    assert program, "stilts is not installed; the second tier needs it"
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.parametrize("serialization", SERIALIZATIONS)
@pytest.mark.parametrize("case", ["rows", "overflow", "empty"])
def test_votlint_has_nothing_to_say(tmp_path, serialization, case):
    rows = everything(case == "overflow", 0 if case == "empty" else 3)
    told = {
        "infos": [("query", "SELECT é <&>", "What was asked")],
        "resource_extras": descriptors.datalink("http://127.0.0.1/links", "c6"),
        "description": "of everything",
    }
    path = tmp_path / "answer.vot"
    path.write_bytes(b"".join(votable.write(rows, serialization=serialization, **told)))
    assert stilts("votlint", f"votable={path}", "ucd=true", "unit=true") == ""


def test_votlint_has_nothing_to_say_of_an_error(tmp_path):
    path = tmp_path / "error.vot"
    path.write_bytes(votable.error("there is no column 'x' & no 'y'", [("a", "b")]))
    assert stilts("votlint", f"votable={path}") == ""


def test_the_votable_inside_other_formats_passes_votlint(tmp_path):
    path = tmp_path / "inside.vot"
    path.write_bytes(votable.metadata(everything().columns, Document(), overflow=True))
    assert stilts("votlint", f"votable={path}") == ""


def seen(path, format):
    """Name, unit and UCD of each column, as STILTS has them."""
    out = stilts("tpipe", f"in={path}", f"ifmt={format}", "cmd=meta Name Units UCD", "omode=out", "ofmt=csv")
    return [line.split(",") for line in out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("votable/b2", "votable"),
        ("votable/td", "votable"),
        ("votable/b", "votable"),
        ("fits", "fits-plus"),
    ],
)
def test_stilts_reads_the_same_columns_units_and_ucds_from_all(tmp_path, name, format):
    path = tmp_path / "answer"
    path.write_bytes(b"".join(choose(name).write(everything())))
    assert seen(path, format) == [[c.name, c.unit or "", c.ucd] for c in everything().columns]


@pytest.mark.parametrize("name", ["votable/b2", "votable/td", "votable/b", "fits", "csv"])
def test_stilts_reads_every_row(tmp_path, name):
    path, format = tmp_path / "answer", choose(name).extension.replace("vot", "votable")
    path.write_bytes(b"".join(choose(name).write(everything())))
    assert "rows: 3" in stilts("tpipe", f"in={path}", f"ifmt={format}", "omode=count")
