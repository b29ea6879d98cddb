"""How does an answer under way end: by its time, by a cancel, by a close from anywhere, or forgotten?"""

import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.columns import Column, Rows
from datamodel.database import Database
from datamodel.dialect import is_full
from datamodel.errors import BusyError, QueryTimeoutError, UsageError
from vo_server.formats import votable
from vo_server.formats.spool import unhurried

COLUMN = (Column("n", "BIGINT"),)
GRACE_S = 20.0
"""How long a busy machine may need for what should happen within a second."""

STORED = sa.Table(
    "stored", sa.MetaData(), sa.Column("n", sa.BigInteger, primary_key=True), sa.Column("text", sa.Text)
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.create([STORED])
    yield opened
    assert busy(opened) == 0, "a connection was not given back"
    opened.close()


def busy(database: Database) -> int:
    """How many connections are in use."""
    pool: Any = database.engine.pool
    return int(pool.checkedout())


def eventually(happened: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + GRACE_S
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        threading.Event().wait(0.01)


def counted(count: int) -> Any:
    first = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    return first.union_all(sa.select(first.c.n + 1).where(first.c.n < count))


def numbers(count: int) -> Any:
    """1 to count, counted by the database."""
    return sa.select(counted(count).c.n)


def crossed(count: int) -> Any:
    """As many rows as the square of `count`, each made when it is asked for."""
    one = counted(count)
    two = one.alias()
    return sa.select((one.c.n * 10_000 + two.c.n).label("n")).select_from(one.join(two, sa.literal(True)))


ENDLESS = crossed(9000)
SILENT = sa.select(ENDLESS.subquery().c.n).where(sa.text("n % 10000 = 9999"))
"""No row, but not before 81 million were looked at."""


def clean(database: Database) -> bool:
    """Whether the pool's connections are as good as new."""
    assert busy(database) == 0
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            bound = connection.exec_driver_sql("SHOW statement_timeout").scalar()
            return bound == "0"
        return connection.exec_driver_sql("PRAGMA query_only").scalar() == 0 and _counts(connection)


def _counts(connection: sa.Connection) -> bool:
    return (
        connection.execute(sa.select(sa.func.count()).select_from(numbers(200_000).subquery())).scalar()
        == 200_000
    )


@pytest.mark.parametrize("select", [ENDLESS.order_by(sa.text("n DESC")), SILENT], ids=["sorting", "silent"])
def test_a_statement_ends_at_its_time_limit(database: Database, select: Any) -> None:
    with pytest.raises(QueryTimeoutError, match=r"limit of 0\.2 s"):
        database.rows(select, COLUMN, seconds=0.2)
    assert clean(database)


def test_the_time_limit_holds_while_rows_are_read(database: Database) -> None:
    rows = database.rows(ENDLESS, COLUMN, seconds=1.0)
    with pytest.raises(QueryTimeoutError, match="limit of 1 s"):
        for _ in rows.batches:
            pass
    assert clean(database)


def test_a_cancel_ends_a_statement_that_gives_nothing(database: Database) -> None:
    asked = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 2

    with pytest.raises(QueryTimeoutError, match="cancelled"):
        database.rows(SILENT, COLUMN, cancelled=cancelled)
    assert asked[-1] - asked[0] < GRACE_S
    assert clean(database)


def test_a_cancel_ends_an_answer_that_is_being_read(database: Database) -> None:
    enough = threading.Event()
    rows = database.rows(ENDLESS, COLUMN, cancelled=enough.is_set)
    next(rows.batches)
    enough.set()
    with pytest.raises(QueryTimeoutError, match="cancelled"):
        for _ in rows.batches:
            pass
    assert list(rows.batches) == []
    assert clean(database)


def test_close_stops_what_another_thread_is_waiting_for(database: Database) -> None:
    rows = database.rows(ENDLESS, COLUMN)
    ended: list[BaseException] = []

    def read() -> None:
        try:
            for _ in rows.batches:
                pass
        except QueryTimeoutError as told:
            ended.append(told)

    reader = threading.Thread(target=read)
    reader.start()
    rows.close()
    assert busy(database) == 0
    reader.join(GRACE_S)
    assert "stopped before its end" in str(ended[0])
    assert clean(database)


def test_closing_again_and_after_the_end_does_nothing(database: Database) -> None:
    rows = database.rows(numbers(5), COLUMN)
    assert sum(batch.num_rows for batch in rows.batches) == 5
    assert busy(database) == 0
    with database.read():
        threads = [threading.Thread(target=rows.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GRACE_S)
        rows.close()
        assert busy(database) == 1


def test_many_threads_that_close_at_once_release_once(database: Database) -> None:
    for _ in range(5):
        rows = database.rows(ENDLESS, COLUMN)
        next(rows.batches)
        threads = [threading.Thread(target=rows.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GRACE_S)
        assert busy(database) == 0
    assert clean(database)


@pytest.mark.parametrize("read", [0, 2], ids=["never-read", "half-way"])
def test_an_answer_that_is_forgotten_gives_its_connection_back(database: Database, read: int) -> None:
    rows: Rows | None = database.rows(ENDLESS, COLUMN)
    for _ in range(read):
        assert rows is not None
        next(rows.batches)
    rows = None
    gc.collect()
    assert clean(database)


def test_what_follows_the_limit_is_not_fetched(database: Database) -> None:
    rows = database.rows(ENDLESS, COLUMN, limit=100_000)
    assert sum(batch.num_rows for batch in rows.batches) == 100_000
    assert rows.overflow
    assert clean(database)


def test_a_failure_in_mid_answer_is_told_and_releases(database: Database) -> None:
    failing = sa.select((sa.literal(2**63 - 60_000) + sa.cast(sa.column("n"), sa.BigInteger)).label("n"))
    rows = database.rows(failing.select_from(numbers(100_000).subquery()), COLUMN)
    with pytest.raises(UsageError):
        for _ in rows.batches:
            pass
    assert list(rows.batches) == []
    assert clean(database)


def test_a_bug_in_a_statement_is_not_the_callers_fault(database: Database) -> None:
    for broken in (sa.select(sa.column("n")).select_from(sa.table("nowhere")), sa.text("SELECT FROM WHERE")):
        with pytest.raises(Exception, match=r"nowhere|syntax") as raised:
            database.rows(broken, COLUMN)
        assert not isinstance(raised.value, UsageError)
    assert clean(database)


def test_answers_at_the_same_time_do_not_touch_each_other(database: Database) -> None:
    slow = database.rows(ENDLESS, COLUMN)
    next(slow.batches)
    for count in (1, 30_000):
        other = database.rows(numbers(count), COLUMN)
        assert sum(batch.num_rows for batch in other.batches) == count
    assert next(slow.batches).num_rows > 0
    slow.close()


def test_a_reader_that_stalls_does_not_pin_the_write_ahead_log(database: Database, tmp_path: Path) -> None:
    if database.engine.dialect.name != "sqlite":
        return
    wide = "x" * 1000
    with database.write() as connection:
        connection.execute(STORED.insert(), [{"n": i, "text": wide} for i in range(20_000)])
    rows = database.rows(sa.select(STORED.c.n, STORED.c.text), (*COLUMN, Column("text", "VARCHAR")))
    chunks = unhurried(votable.write(rows), patience_s=0.0, memory_bytes=1, folder=tmp_path)
    taken = len(next(chunks))
    eventually(lambda: busy(database) == 0)
    log = Path(f"{database.engine.url.database}-wal")
    largest = 0
    for letter in "abcde":
        with database.write() as connection:
            connection.execute(STORED.update().values(text=letter * 1000))
        largest = max(largest, log.stat().st_size)
    assert largest < 64 << 20, "each write is 20 MB"
    assert taken + sum(map(len, chunks)) > 20_000_000


def test_without_reading_ahead_the_log_would_grow(database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        return
    with database.write() as connection:
        connection.execute(STORED.insert(), [{"n": i, "text": "x" * 1000} for i in range(20_000)])
    rows = database.rows(sa.select(STORED.c.n), COLUMN)
    for letter in "abc":
        with database.write() as connection:
            connection.execute(STORED.update().values(text=letter * 1000))
    log = Path(f"{database.engine.url.database}-wal")
    assert log.stat().st_size > 60_000_000
    rows.close()
    with sqlite3.connect(str(database.engine.url.database)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    assert log.stat().st_size == 0


def test_a_temporary_table_made_before_a_statement_goes_with_it(archive: Archive) -> None:
    def before(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TEMP TABLE lent (x INTEGER)")
        connection.exec_driver_sql("INSERT INTO lent VALUES (7)")

    lent = sa.table("lent", sa.column("x"))
    column = (Column("x", "INTEGER"),)
    for _ in range(3):
        rows = archive.database.rows(sa.select(lent.c.x), column, before=before)
        assert [batch.column(0).to_pylist() for batch in rows.batches] == [[7]]
        rows.close()
    with archive.database.read() as connection:
        assert not sa.inspect(connection).get_temp_table_names()


def test_a_connection_that_broke_while_nobody_used_it_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.facts.breaks:
        pytest.skip("a file does not break")
    with database.read() as connection:
        broken = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    other = sa.create_engine(database.url)
    with other.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": broken})
    other.dispose()
    monkeypatch.setattr("datamodel.database.TRUSTED_S", 0.0)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != broken


def test_who_finds_no_connection_left_is_told_to_come_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Database(database_url)
    full = sa.create_engine(opened.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    monkeypatch.setattr(opened, "engine", full)
    with opened.read(), pytest.raises(BusyError, match="no connection left"), opened.read():
        pass
    opened.close()


@pytest.mark.parametrize(
    "words", ["sorry, too many clients already", "remaining connection slots are reserved"]
)
def test_a_database_that_is_full_is_no_failure_of_ours(words: str) -> None:
    assert is_full(sa.exc.OperationalError("", None, Exception(f"FATAL:  {words}")))
    assert not is_full(sa.exc.OperationalError("", None, Exception("password authentication failed")))
