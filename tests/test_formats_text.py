"""Does comma- and tab-separated text come back as it went, and is the right format chosen?"""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column, Rows
from datamodel.errors import UsageError
from vo_server.formats import text
from vo_server.formats.negotiate import OFFERS, choose

XVOTABLE = "application/x-votable+xml"
WORD = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


def answer(*columns, close=lambda: None):
    """Rows of the given (type, values)."""
    described = tuple(Column(f"c{i}", type) for i, (type, _) in enumerate(columns))
    arrays = [pa.array(values, c.datatype.arrow) for c, (_, values) in zip(described, columns, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in described])
    half = len(arrays[0]) // 2
    return Rows(described, iter([batch.slice(0, half), batch.slice(half)]), close=close)


def read_csv(content):
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def read_tsv(content):
    unescaped = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}

    def plain(cell):
        parts = cell.replace("\\\\", "\0").split("\0")
        for escape, character in unescaped.items():
            parts = [part.replace(escape, character) for part in parts]
        return "\\".join(parts)

    lines = content.decode().split("\n")
    assert lines.pop() == ""
    return [[plain(cell) for cell in line.split("\t")] for line in lines]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(WORD, WORD, st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=6))
@pytest.mark.parametrize(("write", "read"), [(text.csv, read_csv), (text.tsv, read_tsv)], ids=["csv", "tsv"])
def test_text_comes_back_as_it_went(write, read, rows):
    first, second, third = zip(*rows, strict=True) if rows else ([], [], [])
    content = b"".join(write(answer(("VARCHAR", first), ("VARCHAR", second), ("BIGINT", third))))
    header, *body = read(content)
    assert header == ["c0", "c1", "c2"]
    assert body == [["" if v is None else str(v) for v in row] for row in rows]


def test_numbers_truth_and_geometry_are_plain_and_null_is_nothing():
    rows = answer(
        ("DOUBLE", [0.1, float("nan"), None]),
        ("REAL", [0.1, float("inf"), None]),
        ("BOOLEAN", [True, False, None]),
        ("POINT", [[1.5, -2.0], None, [float("nan"), 0.0]]),
        ("VARCHAR", ["", "a", None]),
    )
    assert b"".join(text.csv(rows)) == (
        b'c0,c1,c2,c3,c4\r\n0.1,0.1,true,1.5 -2,""\r\nNaN,+Inf,false,,a\r\n,,,NaN 0,\r\n'
    )


def test_a_lonely_null_is_not_an_empty_line():
    assert read_csv(b"".join(text.csv(answer(("BIGINT", [1, None]))))) == [["c0"], ["1"], [""]]


@pytest.mark.parametrize(("write", "header"), [(text.csv, b"c0\r\n"), (text.tsv, b"c0\n")])
def test_no_rows_leave_the_header(write, header):
    assert b"".join(write(answer(("BIGINT", [])))) == header
    assert b"".join(write(answer(("BIGINT", [])), header=False)) == b""


def test_a_failure_is_not_hidden_in_text():
    def failing():
        raise ZeroDivisionError
        yield

    closed = []
    chunks = text.csv(Rows((Column("x", "REAL"),), failing(), close=lambda: closed.append(True)))
    assert next(chunks) == b"x\r\n"
    with pytest.raises(ZeroDivisionError):
        next(chunks)
    assert closed == [True]


@pytest.mark.parametrize(
    ("asked", "mime", "serialization"),
    [
        (None, XVOTABLE, "binary2"),
        ("", XVOTABLE, "binary2"),
        (" VOTable ", XVOTABLE, "binary2"),
        ("votable/td", f"{XVOTABLE};serialization=tabledata", "tabledata"),
        ("votable/b2", f"{XVOTABLE};serialization=binary2", "binary2"),
        (XVOTABLE, XVOTABLE, "binary2"),
        ("application/x-votable xml", XVOTABLE, "binary2"),
        (f"{XVOTABLE}; Serialization=TABLEDATA", f"{XVOTABLE}; Serialization=TABLEDATA", "tabledata"),
        (f'{XVOTABLE};serialization="binary2"', f'{XVOTABLE};serialization="binary2"', "binary2"),
        (f"{XVOTABLE};content=datalink", f"{XVOTABLE};content=datalink", "binary2"),
        (
            f"{XVOTABLE};version=1.5;serialization=tabledata",
            f"{XVOTABLE};version=1.5;serialization=tabledata",
            "tabledata",
        ),
        ("text/xml", "text/xml", "tabledata"),
        ("TEXT/XML", "text/xml", "tabledata"),
        ("csv", "text/csv;header=present", "csv"),
        ("text/csv", "text/csv;header=present", "csv"),
        ("text/csv; header=absent", "text/csv; header=absent", "csv"),
        ("tsv", "text/tab-separated-values", "tsv"),
        ("text/tab-separated-values", "text/tab-separated-values", "tsv"),
    ],
)
def test_a_format_is_known_by_all_its_names(asked, mime, serialization):
    chosen = choose(asked)
    assert (chosen.mime, chosen.serialization) == (mime, serialization)


@pytest.mark.parametrize(
    "asked",
    [
        "parquett",
        "image/png",
        "votable/zz",
        "text/csv\r\nX: y",
        f"{XVOTABLE};a=\r\nb",
        f"{XVOTABLE};;",
        "/",
        "\0",
    ],
)
def test_an_unknown_format_is_refused_with_what_there_is(asked):
    with pytest.raises(UsageError, match=r"(?s)no format '.*expected one of .*votable/td.*csv"):
        choose(asked)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (f"{XVOTABLE};serialization=fits", "serialization=binary2 or serialization=tabledata"),
        (f"{XVOTABLE};version=1.9", "version=1.4 or version=1.5"),
        ("text/csv;header=maybe", "header=present or header=absent"),
    ],
)
def test_an_unknown_parameter_value_is_refused_with_those_there_are(asked, expected):
    with pytest.raises(UsageError, match=expected):
        choose(asked)


def test_near_misses_are_helped():
    with pytest.raises(UsageError, match="did you mean 'votable'"):
        choose("votabel")


@pytest.mark.parametrize("asked", [None, "votable", XVOTABLE, f"{XVOTABLE};content=datalink"])
def test_what_the_caller_leaves_open_is_the_protocols_default(asked):
    assert choose(asked, default="votable/td").serialization == "tabledata"
    assert choose("votable/b2", default="votable/td").serialization == "binary2"
    assert choose("csv", default="votable/td").serialization == "csv"


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.mime)
def test_every_offer_can_be_asked_for_and_written(offer):
    for name in (offer.mime, *offer.aliases):
        chosen = choose(name)
        content = b"".join(chosen.write(answer(("BIGINT", [1])), infos=[("a", "b")], table_name="t"))
        assert chosen.mime == offer.mime
        assert chosen.is_votable == content.startswith(b"<?xml")
        assert chosen.extension == offer.extension


def test_version_and_header_reach_the_document():
    written = choose(f"{XVOTABLE};version=1.5").write(answer(("BIGINT", [1])))
    assert b'<VOTABLE version="1.5"' in b"".join(written)
    assert b"".join(choose("text/csv;header=absent").write(answer(("BIGINT", [1])))) == b"1\r\n"
