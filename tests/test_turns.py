"""Can some callers keep the others out, or leave queries behind?"""

import gc
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError
from datamodel.turns import Turns
from processing.classes import TABLES
from vo_server.answers import client_left
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

BOUNDED = Config(queries_per_caller=2, queries_at_once=3)
TAP = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": "SELECT COUNT(*) AS n FROM tap_schema.schemas"}
LONG = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{n}" for n in range(8))


@pytest.fixture
def client(archive: Archive) -> FlaskClient:
    archive.prepare(TABLES)
    update_tap_schema(archive, tables(archive.config))
    archive.config = replace(archive.config, queries_per_caller=2, queries_at_once=3)
    return create_app(archive).test_client()


def ask(client: FlaskClient, address: str, service: str = "/tap/sync") -> TestResponse:
    return client.get(service, query_string=TAP, environ_base={"REMOTE_ADDR": address})


def test_one_caller_has_so_many_and_all_together_so_many() -> None:
    turns = Turns()
    first, _second = turns.take("a", BOUNDED), turns.take("a", BOUNDED)
    with pytest.raises(BusyError, match="2 queries at a time are answered for one caller"):
        turns.take("a", BOUNDED)
    turns.take("b", BOUNDED)
    with pytest.raises(BusyError, match="3 queries at a time are answered for all callers"):
        turns.take("c", BOUNDED)
    for _ in range(5):
        first.end()
    turns.take("a", BOUNDED)
    with pytest.raises(BusyError):
        turns.take("c", BOUNDED)


def test_half_of_the_threads_are_left_for_what_is_no_query() -> None:
    turns = Turns()
    few = replace(BOUNDED, threads=4)
    for who in "ab":
        turns.take(who, few)
    with pytest.raises(BusyError, match="2 queries"):
        turns.take("c", few)
    assert Config().queries_at_once <= Config().threads // 2
    assert Config().queries_at_once + Config().makes_at_once < Config().threads


@pytest.mark.parametrize(
    ("service", "told"), [("/tap/sync", ">2 queries"), ("/sia2/query", ">TransientFault: 2")]
)
def test_beyond_the_bound_a_caller_is_told_when_to_come_back(
    client: FlaskClient, service: str, told: str
) -> None:
    held = [ask(client, "192.0.2.1") for _ in range(2)]
    refused = ask(client, "192.0.2.1", service)
    assert (refused.status_code, refused.content_type) == (503, "application/x-votable+xml")
    assert refused.headers["Retry-After"] == "5"
    assert told in refused.text
    assert ask(client, "192.0.2.2", service).status_code == 200
    assert ask(client, "192.0.2.1", "/tap/availability").status_code == 200
    held[0].close()
    assert ask(client, "192.0.2.1", service).status_code == 200


@pytest.mark.parametrize("query", ["SELECT nonsense", TAP["QUERY"]])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_turn_ends_with_its_answer_whatever_that_is(client: FlaskClient, query: str, method: str) -> None:
    for _ in range(5):
        with client.open("/tap/sync", method=method, query_string=TAP | {"QUERY": query}) as response:
            assert response.status_code in (200, 400)
    del response
    gc.collect()
    assert ask(client, "127.0.0.1").status_code == 200


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """This end, and that of a client."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_only_a_closed_connection_counts_as_left(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    environ = {"gunicorn.socket": ours}
    assert not client_left({})
    assert not client_left({"gunicorn.socket": object()})
    assert not client_left(environ)
    theirs.sendall(b"GET /next HTTP/1.1\r\n")
    assert not client_left(environ)
    assert ours.recv(100) == b"GET /next HTTP/1.1\r\n"
    ours.settimeout(60)
    assert not client_left(environ)
    theirs.close()
    assert client_left(environ)
    ours.close()
    assert client_left(environ)


def test_a_query_whose_client_has_left_is_stopped(
    archive: Archive, client: FlaskClient, connection: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = connection
    theirs.close()
    response = client.get(
        "/tap/sync", query_string=TAP | {"QUERY": LONG}, environ_overrides={"gunicorn.socket": ours}
    )
    assert response.status_code == 400
    assert "the query was cancelled" in response.text
    assert archive.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
