"""Is a slow query logged once, with who asked, what, and how many rows, and is no line of the log forged?"""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest

from datamodel.archive import Archive
from datamodel.columns import Column, Rows
from datamodel.config import Config
from tests import query_page
from tests.query_page import page, sync
from vo_server.app import create_app
from vo_server.slow_queries import watched

opened = query_page.opened


def rows_of(counts: list[int], fails: bool = False) -> Rows:
    """Rows in batches of so many."""

    def batches() -> Iterator[pa.RecordBatch]:
        for count in counts:
            yield pa.RecordBatch.from_arrays([pa.array(range(count), pa.int32())], names=["n"])
        if fails:
            raise RuntimeError("lost")

    return Rows((Column("n", "INTEGER"),), batches())


@pytest.mark.parametrize("bound", [0.0, 1000.0])
def test_a_slow_query_is_logged_once_with_who_what_and_how_many(
    caplog: pytest.LogCaptureFixture, bound: float
) -> None:
    rows = watched(
        Config(slow_query_seconds=bound), "address 192.0.2.7", "select n from t", lambda: rows_of([3, 4])
    )
    assert [batch.num_rows for batch in rows.batches] == [3, 4]
    rows.close()
    if bound:
        assert caplog.messages == []
        return
    (message,) = caplog.messages
    assert message.startswith("slow query of address 192.0.2.7: 0.0 s, 7 rows\n")
    assert message.endswith("\n    | SELECT n\n    | FROM t")


def test_a_slow_query_is_logged_also_where_it_fails_or_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    config = Config(slow_query_seconds=0.0)
    with pytest.raises(RuntimeError, match="lost"):
        list(watched(config, "A", "q1", lambda: rows_of([5], fails=True)).batches)
    watched(config, "A", "q2", lambda: rows_of([5])).close()
    with pytest.raises(ZeroDivisionError):
        watched(config, "A", "q3", lambda: 1 // 0)
    assert [re.search(r"(\d) rows\n    \| (q\d)", told).groups() for told in caplog.messages] == [
        ("5", "q1"),
        ("0", "q2"),
        ("0", "q3"),
    ]


def test_a_query_cannot_write_lines_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    text = "select 'x\n2026-01-01 ERROR forged\r\x1b[2J\x85\u2028' from t"
    list(watched(Config(slow_query_seconds=0.0), "A", text, lambda: rows_of([1])).batches)
    _, *others = caplog.messages[0].splitlines()
    assert all(line.startswith("    | ") and line.isprintable() for line in others)


def test_a_query_over_http_is_watched(opened: Archive, caplog: pytest.LogCaptureFixture) -> None:
    config = opened.config
    opened.config = replace(config, slow_query_seconds=0.0)
    client = create_app(opened).test_client()
    try:
        with caplog.at_level(logging.WARNING, "vo_server.slow"):
            sync(client, "SELECT schema_name FROM tap_schema.schemas")
            page(client, QUERY="SELECT key_id FROM tap_schema.keys")
    finally:
        opened.config = config
    assert ["address 127.0.0.1" in message for message in caplog.messages] == [True, True]
