"""Are rows of PostgreSQL received as they were sent, however they are cut on the way and whatever is in them?"""

import itertools
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import psycopg2
import psycopg2.errors
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.columns import Column
from datamodel.database import Database
from datamodel.dialect import PLAIN
from datamodel.errors import ArchiveError, BusyError, QueryTimeoutError, UsageError
from datamodel.postgresql_copy import RowsOfCopy, decode
from datamodel.postgresql_wire import copied
from tests.databases import on_postgresql

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
OIDS = {"BIGINT": 20, "SMALLINT": 21, "UNICODE": 25}
COLUMNS = (Column("number", "BIGINT"), Column("small", "SMALLINT"), Column("words", "UNICODE"))
Row = tuple[int | None, int | None, str | None]
LIKE_A_ROW = int.from_bytes(b"d\0\0\0\x20\0\3\0")
"""A number whose bytes look like the beginning of a row."""

numbers = st.one_of(st.none(), st.just(LIKE_A_ROW), st.integers(-(2**63), 2**63 - 1))
smalls = st.one_of(st.none(), st.just(100), st.integers(-(2**15), 2**15 - 1))
words = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20))


def message(kind: bytes, said: bytes) -> bytes:
    return kind + struct.pack(">i", 4 + len(said)) + said


def row(values: Row) -> bytes:
    parts = [struct.pack(">h", 3)]
    for value, form in zip(values, (">q", ">h", None), strict=True):
        if value is None:
            parts.append(struct.pack(">i", -1))
            continue
        said = struct.pack(form, value) if form else str(value).encode()
        parts += [struct.pack(">i", len(said)), said]
    return b"".join(parts)


def answer(rows: Sequence[Row], end: bytes = message(b"C", b"COPY\0")) -> bytes:
    """What a server answers to `SET` and `COPY`."""
    said = [SIGNATURE + b"".join(map(row, rows[:1])), *map(row, rows[1:]), b"\xff\xff"]
    if not rows:
        said = [SIGNATURE + b"\xff\xff"]
    copy = message(b"H", bytes(9)) + b"".join(message(b"d", each) for each in said) + message(b"c", b"")
    return message(b"C", b"SET\0") + message(b"N", b"SNOTICE\0\0") + copy + end + message(b"Z", b"I")


class Connection:
    """Only what is read from."""

    def __init__(self, ours: socket.socket) -> None:
        self.fileno = ours.fileno


def received(sent: bytes, pieces: Sequence[int], fields: int = 3) -> list[Row]:
    """The rows that are received of what a server sends in some pieces; then it closes."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    bounds = [0, *sorted(min(p, len(sent)) for p in pieces), len(sent)]

    def send() -> None:
        theirs.recv(1 << 16)
        try:
            for begin, end in itertools.pairwise(bounds):
                theirs.sendall(sent[begin:end])
        except OSError:  # nobody reads any more
            pass
        theirs.shutdown(socket.SHUT_WR)

    server = threading.Thread(target=send)
    server.start()
    blocks: list[RowsOfCopy] = []
    try:
        copied(Connection(ours), "SELECT 1", fields, blocks.append)
    finally:
        ours.close()
        server.join()
        theirs.close()
    types = [OIDS[c.type] for c in COLUMNS]
    return [tuple(r.values()) for block in blocks for r in decode(block, COLUMNS, types).to_pylist()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(numbers, smalls, words), max_size=40), st.lists(st.integers(0, 3000), max_size=12))
def test_rows_are_received_as_they_were_sent(rows: list[Row], pieces: list[int]) -> None:
    assert received(answer(rows), pieces) == rows


def test_many_rows_are_received_in_blocks_that_grow() -> None:
    random = np.random.default_rng(1)
    rows: list[Row] = [
        (int(n), int(n) % 30_000, None if n % 7 == 0 else "x" * int(n % 50))
        for n in random.integers(0, 2**62, 60_000)
    ]
    rows[30_000] = (LIKE_A_ROW, 100, "d\x20\x21")
    sent = answer(rows)
    assert received(sent, range(0, len(sent), 8192)) == rows


def test_a_row_may_be_longer_than_a_block() -> None:
    rows: list[Row] = [(1, 1, "short"), (2, 2, "long" * (5 << 19)), (3, 3, "short again")]
    assert received(answer(rows), [100, 1 << 20]) == rows


def test_a_row_may_not_be_longer_than_a_bound() -> None:
    with pytest.raises(UsageError, match="longer than 16 MB"):
        received(answer([(1, 1, "short"), (2, 2, "x" * (1 << 24))]), [])


def test_few_rows_that_come_slowly_are_handed_on() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    rows: list[Row] = [(n, n, "x" * 9000) for n in range(12)]
    sent, handed = answer(rows), threading.Event()

    def serve() -> None:
        theirs.recv(1 << 16)
        theirs.sendall(sent[:40_000])
        assert handed.wait(60)  # before anything more comes
        handed.clear()
        theirs.sendall(sent[40_000:80_000])
        assert handed.wait(60)
        theirs.sendall(sent[80_000:])

    server = threading.Thread(target=serve)
    server.start()
    blocks: list[RowsOfCopy] = []

    def hand(block: RowsOfCopy) -> None:
        blocks.append(block)
        if sum(len(each.begins) for each in blocks) in (4, 8):
            handed.set()

    copied(Connection(ours), "SELECT 1", 3, hand)
    server.join()
    assert sum(len(each.begins) for each in blocks) == 12
    for each in (ours, theirs):
        each.close()


def test_what_the_server_objects_to_is_said_after_the_rows_before_it() -> None:
    objection = message(b"E", b"SERROR\0C22003\0Mtoo large\0\0")
    sent = answer([(1, 2, "three")]).replace(message(b"c", b"") + message(b"C", b"COPY\0"), objection)
    with pytest.raises(psycopg2.errors.NumericValueOutOfRange, match="too large") as caught:
        received(sent, [])
    assert caught.value.pgcode == "22003"


@pytest.mark.parametrize("length", [10, 40, 80])
def test_a_connection_that_closes_in_the_middle_is_no_end(length: int) -> None:
    with pytest.raises(ArchiveError, match="broke off"):
        received(answer([(1, 2, "three")])[:length], [])


@pytest.mark.parametrize("noise", [b"\0" * 40, b"\xff" * 40, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_not_the_protocol_is_refused(noise: bytes) -> None:
    with pytest.raises(ArchiveError, match="broke off"):
        received(noise, [])


def test_a_long_statement_is_sent_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    text, heard = "x" * (4 << 20), bytearray()

    def serve() -> None:
        while len(heard) < len(text):
            heard.extend(theirs.recv(1 << 16))
        theirs.sendall(answer([]))

    server = threading.Thread(target=serve)
    server.start()
    copied(Connection(ours), text, 3, lambda _: None)
    server.join()
    assert heard == message(b"Q", text.encode() + b"\0")
    for each in (ours, theirs):
        each.close()


ENDLESS = "SELECT generate_series(1, 1000000000) AS c1, CAST(0 AS int2) AS c2, '' AS c3"
SERIES = "SELECT n AS c1, CAST(n % 100 AS int2) AS c2, CAST(n AS text) AS c3 FROM generate_series(1, {}) AS n"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def counted(database: Database, text: str) -> int:
    return sum(batch.num_rows for batch in database.rows(text, COLUMNS).batches)


@on_postgresql
def test_the_driver_has_its_connection_back_whatever_happened(database: Database) -> None:
    def backend() -> tuple[int, bool]:
        with database.read() as connection:
            return connection.scalar(sa.text("SELECT pg_backend_pid()")), connection.info[PLAIN]

    before = backend()
    assert before[1]
    assert counted(database, SERIES.format(100_000)) == 100_000
    with pytest.raises(UsageError, match="out of range"):
        counted(database, SERIES.format("50000 + 2147483647 * 2"))
    rows = database.rows(ENDLESS, COLUMNS)
    next(rows.batches)
    rows.close()
    assert backend() == before
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE kept (n bigint)"))
        connection.execute(sa.text("INSERT INTO kept VALUES (1)"))
    assert counted(database, "SELECT n AS c1, CAST(0 AS int2) AS c2, '' AS c3 FROM kept") == 1
    assert backend() == before


@on_postgresql
def test_a_server_that_goes_away_is_an_error_and_the_next_query_has_another_connection(
    database: Database,
) -> None:
    rows = database.rows(ENDLESS, COLUMNS)
    next(rows.batches)
    with database.write() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(sa.text(f"{others} AND pid <> pg_backend_pid()"))
    with pytest.raises((ArchiveError, psycopg2.Error, sa.exc.DBAPIError)):
        list(rows.batches)
    assert counted(database, SERIES.format(10)) == 10


@on_postgresql
def test_a_query_on_a_connection_that_has_just_broken_is_asked_again(database: Database) -> None:
    assert counted(database, SERIES.format(10)) == 10
    admin = sa.create_engine(database.url, poolclass=sa.NullPool)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with admin.connect() as connection:
        connection.execute(sa.text(f"{others} AND pid <> pg_backend_pid()"))
    assert counted(database, SERIES.format(10)) == 10


@on_postgresql
def test_a_database_that_does_not_answer_is_left_to_itself(database: Database) -> None:
    rows = database.rows(ENDLESS, COLUMNS, seconds=0.5)
    next(rows.batches)
    with database.read() as connection:
        active = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        pids = list(connection.scalars(sa.text(f"{active} AND state = 'active'")))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(QueryTimeoutError):
            list(rows.batches)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert counted(database, SERIES.format(10)) == 10


def test_a_database_that_is_not_there_is_busy() -> None:
    database = Database("postgresql+psycopg2://nobody@/nothing?host=/nonexistent")
    with pytest.raises(BusyError, match="cannot be reached"), database.read():
        pass


@on_postgresql
def test_an_encrypted_connection_is_left_to_the_driver(database: Database) -> None:
    with database.read() as connection:
        connection.info[PLAIN] = False
    assert counted(database, SERIES.format(100_000)) == 100_000
    with database.read() as connection:
        assert connection.info[PLAIN] is False
