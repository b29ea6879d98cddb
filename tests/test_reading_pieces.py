"""Is a long text cut between its rows, however it quotes, and does a refused one let the process end?"""

import gzip
import io
import re
import subprocess
import sys
import threading
from itertools import pairwise
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import csv

from datamodel.errors import UsageError
from vo_server.formats.reading import open_table
from vo_server.formats.reading.pieces import pieces

CELLS = st.sampled_from(
    [
        "a",
        "1",
        '"',
        '""',
        '""""',
        '"a,b"',
        '"a\nb"',
        '"say ""x"""',
        'a"b',
        '5"',
        "",
        '"\r\n"',
        '"a"b"c',
        '",\n"',
    ]
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r"])
ROWS = st.lists(st.tuples(CELLS, CELLS, ENDS).map("{0[0]},{0[1]}{0[2]}".format), max_size=40).map("".join)


def cells(text):
    """What pyarrow makes of a text that it has as a whole, or that it refuses it."""
    options = (
        csv.ReadOptions(use_threads=False, block_size=1 << 20, column_names=["a", "b"]),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(column_types={"a": pa.string(), "b": pa.string()}),
    )
    try:
        return csv.read_csv(pa.BufferReader(text), *options).to_pylist() if text else []
    except pa.ArrowInvalid:
        return None


def rows_of(text):
    """The rows with their ends, as one long pattern finds them."""
    ends = [
        0,
        *(
            found.end()
            for found in re.finditer(r'(?:(?<![^,\n\r])"(?:[^"]|"")*+(?:"|\Z)|[^\n\r])*[\n\r]*', text)
        ),
    ]
    return [text[begin:end] for begin, end in pairwise(ends)]


@given(
    text=st.tuples(ROWS, ROWS).map("".join) | st.text('a,"\n\r', max_size=60),
    size=st.integers(1, 150),
    looked_at=st.integers(1, 50),
)
@example(text='a,"' + "x\n" * 40 + '"\n' + 'a"b,5"\n' * 5, size=40, looked_at=4)
def test_pieces_have_the_rows_that_the_whole_text_has(text, size, looked_at):
    content = text.encode()
    with patch("vo_server.formats.reading.pieces._LOOKED_AT", looked_at):
        try:
            made = list(pieces(io.BytesIO(content), 0, ",", size))
        except UsageError:
            assert max(len(row) for row in rows_of(text)) > size
            return
    assert b"".join(made) == content
    assert max(map(len, made), default=0) <= 3 * size
    whole, parts = cells(content), [cells(piece) for piece in made]
    assert (whole is None) == (None in parts)
    assert whole is None or whole == [row for part in parts for row in part]


@pytest.mark.parametrize("separator", [",", None])
def test_rows_without_quotes_are_cut_at_the_last_end_of_a_line(separator):
    content = b"".join(b"%d,%d\r\n" % (i, -i) for i in range(50_000))
    made = list(pieces(io.BytesIO(b"# x\rid,n\n" + content), 2, separator, 1 << 16))
    assert (b"".join(made), len(made) > 5) == (content, True)
    assert all(piece.endswith(b"\r\n") for piece in made)


REFUSED = """
import sys
from datamodel.errors import UsageError
from vo_server.formats.reading import open_table
try:
    with open_table(sys.argv[1]) as reading:
        sum(batch.num_rows for batch in reading)
except UsageError as refused:
    sys.exit(str(refused))
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("packed", "at"), [(False, 400_000), (True, 2)], ids=["plain, late", "gzip, at once"]
)
def test_a_process_that_refuses_a_long_text_ends_as_it_should(tmp_path, packed, at):
    content = b"id,ra,dec\n" + b"1,2,3\n" * (at - 2) + b"1,2\n" + b"1,2,3\n" * (2_000_000 - at)
    path = tmp_path / ("stars.csv.gz" if packed else "stars.csv")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    told = f"the CSV cannot be read: line {at}: Expected 3 columns, got 2: 1,2\n"
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", REFUSED, path], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ended.returncode, ended.stderr) == (1, told)


def test_a_text_is_read_in_the_thread_that_asks():
    class Stream(io.BytesIO):
        def read(self, size=-1):
            threads.add(threading.get_ident())
            return super().read(size)

    threads = set()
    with open_table(Stream(b"a,b\n" + b"1,2\n" * 1_000_000), "csv") as reading:
        assert sum(batch.num_rows for batch in reading) == 1_000_000
    assert threads == {threading.get_ident()}
