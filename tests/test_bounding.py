"""Is an answer cut off at its bytes, told so, and the database released?"""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.bounding import bounded
from datamodel.columns import Column, Rows
from tests import templates
from vo_server.app import create_app

archive = templates.complete_archive
ROWS, BATCH = 1000, 64


def numbers(closed: list[str], length: int = 8) -> Rows:
    """A thousand integers, or texts of some length, in batches."""

    def batches() -> Iterator[pa.RecordBatch]:
        for begin in range(0, ROWS, BATCH):
            values = range(begin, min(begin + BATCH, ROWS))
            column = (
                pa.array(np.array(values)) if length == 8 else pa.array([f"{n:{length}d}" for n in values])
            )
            yield pa.RecordBatch.from_arrays([column], ["n"])

    column = Column("n", "BIGINT" if length == 8 else "VARCHAR")
    return Rows((column,), batches(), close=lambda: closed.append("closed"))


def read(rows: Rows) -> list[int]:
    return [int(value) for batch in rows.batches for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize("limit", [0, 1, 7, 8, 511, 512, 513, 4000, 7999])
def test_an_answer_that_is_too_long_is_cut_off_and_the_database_released(limit: int) -> None:
    closed: list[str] = []
    rows = bounded(numbers(closed), limit)
    assert not rows.overflow
    assert read(rows) == list(range(max(1, limit // 8)))
    assert (rows.overflow, closed) == (True, ["closed"])


@pytest.mark.parametrize("limit", [8000, 8001, 10**18])
def test_an_answer_that_fits_comes_whole(limit: int) -> None:
    closed: list[str] = []
    rows = bounded(numbers(closed), limit)
    assert read(rows) == list(range(ROWS))
    assert (rows.overflow, closed) == (False, [])


def test_a_first_row_that_is_longer_than_all_comes_alone() -> None:
    rows = bounded(numbers([], length=5000), 100)
    assert read(rows) == [0]
    assert rows.overflow


def test_no_batch_ends_an_empty_answer() -> None:
    rows = bounded(Rows((Column("n", "BIGINT"),), iter(())), 0)
    assert read(rows) == []
    assert not rows.overflow


@pytest.fixture
def client(archive: Archive) -> FlaskClient:
    archive.config = replace(archive.config, answer_bytes=2000)
    return create_app(archive).test_client()


@pytest.mark.parametrize("format", ["votable", "votable/td", "csv"])
def test_a_long_answer_ends_well_formed_and_says_that_it_was_cut(client: FlaskClient, format: str) -> None:
    query = {"LANG": "ADQL", "QUERY": "SELECT column_name FROM tap_schema.columns", "FORMAT": format}
    answer = client.get("/tap/sync", query_string=query)
    assert answer.status_code == 200
    if format == "csv":
        lines = answer.text.splitlines()
        assert 10 < len(lines) < 300
        return
    (resource,) = parse(io.BytesIO(answer.data)).resources
    assert 10 < len(resource.tables[0].array) < 300
    last = [info.value for info in resource.infos if info.name == "QUERY_STATUS"]
    assert last == ["OK", "OVERFLOW"]
