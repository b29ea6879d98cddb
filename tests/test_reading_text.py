"""Are CSV, TSV and ECSV files read as they were written, each column by the datatype that fits all its values?"""

import gzip
import io

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.errors import UsageError
from tests.answers import answer
from tests.readings import read_columns
from vo_server.formats import text
from vo_server.formats.reading import Limits, open_table

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
TABLE = Table(
    {
        "n": MaskedColumn([1, 2, 3], mask=[False, True, False], dtype="i4"),
        "x": [0.1, np.nan, -np.inf],
        "text": ["a b", 'say "é"', "c,d"],
        "flag": [True, False, True],
        "z": np.array([1 + 2j, 0, -1j]),
        "grid": np.arange(12).reshape(3, 2, 2),
        "byte": np.array([0, 1, 255], "u1"),
    },
    meta={"name": "stars", "creator": "A. Author"},
)


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_ecsv_of_astropy_is_read_with_all_that_it_says(delimiter):
    table = TABLE.copy()
    table["x"].unit, table["x"].description = "km / s", "a speed"
    table.write(content := io.StringIO(), format="ascii.ecsv", delimiter=delimiter)
    reading, got = read_columns(content.getvalue().encode())
    assert (got["n"], got["text"], got["flag"]) == ([1, None, 3], TABLE["text"].tolist(), [True, False, True])
    assert (repr(got["x"]), got["byte"]) == ("[0.1, nan, -inf]", [0, 1, 255])
    assert [complex(*v) for v in got["z"]] == TABLE["z"].tolist()
    assert [np.reshape(v, (2, 2)).tolist() for v in got["grid"]] == TABLE["grid"].tolist()
    columns = {c.name: c for c in reading.columns}
    assert (columns["x"].unit, columns["x"].description) == ("km.s**-1", "a speed")
    types = [columns[n].type for n in ("n", "byte", "grid", "z")]
    assert types == ["INTEGER", "UNSIGNEDBYTE", "BIGINT[]", "DOUBLECOMPLEX"]
    assert (reading.name, ("creator", "A. Author") in reading.infos) == ("stars", True)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | WORDS,
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
        ),
        min_size=1,
        max_size=6,
    )
)
@pytest.mark.parametrize(("write", "format"), [(text.csv, "csv"), (text.tsv, "tsv")], ids=["csv", "tsv"])
def test_text_that_we_write_is_read_as_it_was(write, format, rows):
    columns = (Column("word", "VARCHAR"), Column("n", "BIGINT"), Column("x", "DOUBLE"))
    rows = [("word, word", 7, 0.5), *rows]
    reading, got = read_columns(b"".join(write(answer(columns, rows))), format)
    assert [c.type for c in reading.columns] == ["UNICODE", "BIGINT", "DOUBLE"]
    empty = None if format == "tsv" else ""
    assert got["word"] == [empty if word == "" else word for word, _, _ in rows]
    assert (got["n"], got["x"]) == ([n for _, n, _ in rows], [x for _, _, x in rows])


@pytest.mark.parametrize(
    ("cells", "type", "values"),
    [
        ("1\n2\n", "BIGINT", [1, 2]),
        ("1\n2.5\n", "DOUBLE", [1.0, 2.5]),
        ("1e3\n-.5\n", "DOUBLE", [1000.0, -0.5]),
        ("007\n1\n", "UNICODE", ["007", "1"]),
        ("99999999999999999999\n1\n", "UNICODE", ["99999999999999999999", "1"]),
        ("9223372036854775807\n", "BIGINT", [2**63 - 1]),
        ("9223372036854775808\n", "DOUBLE", [2.0**63]),
        ("9223372036854775809\n", "UNICODE", ["9223372036854775809"]),
        ("9007199254740993\n0.5\n", "UNICODE", ["9007199254740993", "0.5"]),
        ("1" * 400 + "\n", "UNICODE", ["1" * 400]),
        ("100000000000000000000.0\n1\n", "DOUBLE", [1e20, 1.0]),
        ("true\nFALSE\n", "BOOLEAN", [True, False]),
        ("1\n\"\"\n2\n", "UNICODE", ["1", "", "2"]),
        ("2003-02-14T01:02:03Z\n", "TIMESTAMP", ["2003-02-14T01:02:03.000000"]),
        ("2003-02-30T01:02:03\n", "UNICODE", ["2003-02-30T01:02:03"]),
        ("2003-02-14\n", "UNICODE", ["2003-02-14"]),
        ("a\n1\n", "UNICODE", ["a", "1"]),
        ('"a\nb"\n"say ""x"""\n', "UNICODE", ["a\nb", 'say "x"']),
        ("", "UNICODE", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_without_datatypes_gets_the_narrowest_that_fits_all(cells, type, values, end):
    content = ("\ufeffx\n" + cells).replace("\n", end).encode()
    reading, got = read_columns(content, "csv")
    expected = [v.replace("\n", end) if isinstance(v, str) else v for v in values]
    assert (reading.columns[0].type, got["x"]) == (type, expected)


ECSV = """# %ECSV 1.0
# ---
# delimiter: ','
# datatype: [{name: a, datatype: int64}, {name: b, datatype: string}]
"""


def test_a_later_value_that_does_not_fit_is_named_with_its_line():
    lines = ECSV + "a,b\n" + f'1,"{"x" * 50}\ny"\n' * 30_000 + "oops,z\n1,z\n"
    with pytest.raises(UsageError, match=r"column 'a': expected a whole number .*'oops' in line 60006"):
        read_columns(lines.encode())


def test_what_a_column_of_csv_is_all_its_values_say():
    rows = [f"1,,7,{'x' * 60},true\n"] * 20_000
    rows[17_000], rows[18_000] = "2.5,3,seven,y,false\n", "1,4,7,y,\n"
    reading, got = read_columns(("a,b,c,d,e\n" + "".join(rows)).encode())
    assert [c.type for c in reading.columns] == ["DOUBLE", "BIGINT", "UNICODE", "UNICODE", "BOOLEAN"]
    assert (got["a"][17_000], got["b"][18_000], got["c"][17_000], got["e"][18_000]) == (2.5, 4, "seven", None)
    assert (len(got["a"]), got["b"][:2]) == (20_000, [None, None])
    with pytest.raises(UsageError, match="more than the 18000 rows"):
        open_table(io.BytesIO(("a\n" + f"{'1' * 70}\n" * 18_001).encode()), "csv", Limits(rows=18_000))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,a\n1,2\n", "two columns have the name 'a'"),
        (b"a,b\n1,2,3\n", "Expected 2 columns, got 3"),
        (b"a,b\n" + b"1,2\n" * 400_000 + b"\xff\xfe,1\n", "line 400002: it is not in UTF-8"),
        (b"a,b\r" + b"1,2\r" * 400_000 + b"1\r", "line 400002: Expected 2 columns, got 1"),
        (b'a,b\n1,"x\ny"\n\n1,"x\ny",3\n', "line 6: Expected 2 columns, got 3"),
        (b"a,b\0\n1,2\n", "the names of its columns have bytes of zero"),
        (b"a,b\n1,x\n2,y\0z\n", "column 'b': a value has a byte of zero in line 3"),
        (b"a," * 40_000 + b"a\n1\n", "the names of the columns ends beyond the first 65536 bytes"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_text_that_is_no_table_is_refused(content, told):
    with pytest.raises(UsageError, match=told):
        read_columns(content, "csv")


@pytest.mark.parametrize("name", ["stars.csv", "stars.txt.gz", "STARS.TSV"])
def test_a_byte_of_zero_in_a_file_that_is_called_text_is_named_with_its_line(tmp_path, name):
    content = b"a\n1\n\0\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(UsageError, match="column 'a': a value has a byte of zero in line 3"):
        list(open_table(path))


def test_a_file_that_cannot_be_rewound_is_read_all_the_same():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    with open_table(Pipe(b"a,b\n1,2\n")) as reading:
        assert [b.to_pydict() for b in reading] == [{"a": [1], "b": [2]}]


def test_columns_and_rows_beyond_what_is_allowed_are_refused():
    with pytest.raises(UsageError, match="3 columns; 2 are allowed"):
        read_columns(b"a,b,c\n1,2,3\n", limits=Limits(columns=2))
    with pytest.raises(UsageError, match="more than the 1 rows"):
        read_columns(b"a,b\n1,2\n1,2\n", limits=Limits(rows=1))
