"""Do whole tables that a process of its own reads come out as they are, and can that be stopped?"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.columns import Column, Rows
from datamodel.database import Database
from datamodel.errors import QueryTimeoutError

COLUMNS = (
    Column("number", "BIGINT"),
    Column("small", "SMALLINT"),
    Column("wide", "DOUBLE"),
    Column("narrow", "REAL"),
    Column("words", "UNICODE"),
)
TEXT = 'SELECT "number" AS c1, "small" AS c2, "wide" AS c3, "narrow" AS c4, "words" AS c5 FROM kept'
COUNT = 40_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/a b%20é.sqlite")
    kinds = {c.name: c.datatype.sql() for c in COLUMNS}
    table = sa.Table("kept", sa.MetaData(), *(sa.Column(n, kind) for n, kind in kinds.items()))
    table.create(database.engine)
    with database.write() as connection:
        connection.execute(table.insert(), [_row(i) for i in range(COUNT)])
    database.keep_readers()
    while not database._readers._ready:  # type: ignore[union-attr]  there is no other way to know
        time.sleep(0.01)
    yield database
    database.close()


def _row(i: int) -> dict[str, object]:
    """The first rows hold nothing, so that they do not tell of what type a column is."""
    if i < 20_000:
        return dict.fromkeys(c.name for c in COLUMNS) | {"number": i}
    extreme = 2**63 - 1 if i % 2 else -(2**63)
    return {
        "number": extreme if i > COUNT - 3 else i,
        "small": i % 30_000,
        "wide": i / 7,
        "narrow": float(np.float32(i / 3)),
        "words": f"Zoë's ★ {i}",
    }


def _scan(database: Database, limit: int | None = None) -> Rows:
    text = TEXT if limit is None else f"{TEXT} LIMIT {limit + 1}"
    return database.rows(text, COLUMNS, limit=limit, scan=True)


def _values(rows: Rows) -> list[dict[str, object]]:
    return [row for batch in rows.batches for row in batch.to_pylist()]


def test_a_scan_gives_what_the_ordinary_way_gives(database: Database) -> None:
    plain = _values(database.rows(TEXT, COLUMNS))
    for _ in range(2):  # the process is used again
        process = database._readers._ready[0]  # type: ignore[union-attr]
        assert _values(_scan(database)) == plain
        assert database._readers._ready == [process]  # type: ignore[union-attr]


def test_a_scan_is_cut_off_at_its_limit(database: Database) -> None:
    rows = _scan(database, 30_001)
    assert len(_values(rows)) == 30_001
    assert rows.overflow


def test_a_scan_that_nobody_reads_to_its_end_ends_its_process(database: Database) -> None:
    process = database._readers._ready[0]  # type: ignore[union-attr]
    rows = _scan(database)
    next(rows.batches)
    rows.close()
    assert process.wait(10) is not None
    with pytest.raises(QueryTimeoutError):
        next(rows.batches)


def test_a_scan_ends_when_its_process_does(database: Database) -> None:
    process = database._readers._ready[0]  # type: ignore[union-attr]
    rows = _scan(database)
    next(rows.batches)
    process.kill()
    with pytest.raises(Exception, match="ended before its end"):
        _values(rows)


def test_without_a_process_that_is_ready_the_rows_come_in_the_ordinary_way(database: Database) -> None:
    first, second = _scan(database), _scan(database)
    assert len(_values(second)) == len(_values(first)) == COUNT


def test_ctrl_c_does_not_reach_the_process_that_reads(database: Database) -> None:
    reader = database._readers._ready[0]  # type: ignore[union-attr]  as above
    assert os.getpgid(reader.pid) != os.getpgrp()
