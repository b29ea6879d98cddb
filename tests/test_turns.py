"""Can some callers keep the others out, or leave queries behind?"""

import gc
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError
from datamodel.places import Places, places_of
from datamodel.turns import Bounds, Turn, Turns, turns_of
from tests import templates
from vo_server.answers import client_left
from vo_server.app import create_app
from vo_server.uws.waiting import Waiters

archive = templates.complete_archive

BOUNDED = Config(queries_per_caller=2, queries_at_once=3, queue_seconds=0)
TAP = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": "SELECT COUNT(*) AS n FROM tap_schema.schemas"}
LONG = "SELECT COUNT(*) AS n FROM " + ", ".join(f"tap_schema.columns AS c{n}" for n in range(8))


@pytest.fixture
def client(archive: Archive) -> FlaskClient:
    archive.config = replace(archive.config, queries_per_caller=2, queries_at_once=3, queue_seconds=0)
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
    turns.take("c", BOUNDED)
    with pytest.raises(BusyError):
        turns.take("a", BOUNDED)


def test_threads_are_left_for_what_is_no_query() -> None:
    turns = Turns()
    few = replace(BOUNDED, threads=4)
    for who in "ab":
        turns.take(who, few)
    with pytest.raises(BusyError, match="2 queries"):
        turns.take("c", few)
    defaults = Config()
    assert defaults.queries_at_once <= defaults.threads // 2
    assert defaults.queries_at_once + defaults.queries_waiting + defaults.makes_at_once < defaults.threads
    for threads in range(2, 65):
        greedy = Bounds.of(Config(threads=threads, queries_at_once=1000, queries_waiting=1000))
        assert greedy.at_once + greedy.waiting <= max(threads - threads // 4, 1)


def test_whatever_takes_long_leaves_some_threads_to_what_is_quick(archive: Archive) -> None:
    """Queries, those who wait and what is made together have less than all threads, and none more than its share."""
    archive.config = config = replace(archive.config, threads=16, queue_seconds=0)
    places, turns = places_of(archive), turns_of(archive)
    waiters = Waiters(config.threads, places)
    with ExitStack() as held:
        waiting = [held.enter_context(waiters.place()) for _ in range(20)]
        assert waiting.count(True) == 8
        for _ in range(3):
            held.enter_context(places.place())
        under_way = [turns.take(f"address {n}", config) for n in range(3)]
        with pytest.raises(BusyError, match="so much else is under way"):
            turns.take("address 4", config)
        with pytest.raises(BusyError, match="14 requests that take long"):
            held.enter_context(places.place())
        with waiters.place() as one_more:
            assert not one_more
        for turn in under_way:
            turn.end()
        assert sum(places.take() for _ in range(16)) == 3
        for _ in range(3):
            places.give()
    assert sum(places.take() for _ in range(16)) == 14


def test_whoever_has_most_in_the_queue_makes_room_where_places_are_short() -> None:
    turns, bounds = Turns(Places(5)), Bounds(2, per_caller=9, waiting=9)
    scans = [turns.ask("greedy", bounds) for _ in range(4)]
    assert [turn.state for turn in scans] == ["granted", *["waiting"] * 3]
    cone = turns.ask("modest", bounds)
    assert (cone.state, scans[-1].state) == ("granted", "refused")
    assert turns.ask("greedy", bounds).state == "refused"


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 64])
def test_there_is_always_a_place_and_seldom_one_for_each_thread(threads: int) -> None:
    places = Places(threads)
    assert sum(places.take() for _ in range(100)) == places.number
    assert 1 <= places.number < max(threads, 2)


def finish_one(turns: list[Turn]) -> Turn:
    """End the query that has run for longest."""
    turn = next(turn for turn in turns if turn.state == "granted")
    turn.end()
    return turn


@pytest.mark.parametrize("at_once", [1, 2, 5, 16])
def test_a_hundred_scans_of_one_caller_delay_anothers_first_query_by_one_turn_at_the_most(
    at_once: int,
) -> None:
    turns, bounds = Turns(), Bounds(at_once, per_caller=100, waiting=1000)
    scans = [turns.ask("greedy", bounds) for _ in range(100)]
    under_way = sum(turn.state == "granted" for turn in scans)
    cone = turns.ask("modest", bounds)
    if cone.state != "granted":
        finish_one(scans)
    assert cone.state == "granted"
    assert under_way == max(1, at_once - 1)
    cone.end()
    while any(turn.state == "granted" for turn in scans):
        finish_one(scans)
    assert {turn.state for turn in scans} == {"over"}


def test_callers_are_served_in_rotation_and_each_in_the_order_in_which_it_asked() -> None:
    turns, bounds = Turns(), Bounds(1, per_caller=9, waiting=99)
    asked = [(who, n, turns.ask(who, bounds)) for who in "abc" for n in range(3)]
    served = []
    while under_way := [each for each in asked if each[2].state == "granted"]:
        ((who, n, turn),) = under_way
        served.append(f"{who}{n}")
        turn.end()
    assert served == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_who_has_fewest_under_way_comes_first() -> None:
    turns, bounds = Turns(), Bounds(4, per_caller=9, waiting=99)
    scans = [turns.ask("greedy", bounds) for _ in range(9)]
    others = [turns.ask(who, bounds) for who in ("x", "y", "z")]
    assert [turn.state for turn in others] == ["granted", "waiting", "waiting"]
    finish_one(scans)
    finish_one(scans)
    assert {turn.state for turn in others} == {"granted"}
    others[0].end()
    assert [turn.state for turn in scans].count("granted") == 1


def test_a_full_queue_sends_away_the_latest_of_who_has_most_in_it() -> None:
    turns, bounds = Turns(), Bounds(1, per_caller=9, waiting=3)
    scans = [turns.ask("greedy", bounds) for _ in range(6)]
    assert [turn.state for turn in scans] == ["granted", *["waiting"] * 3, *["refused"] * 2]
    cone = turns.ask("modest", bounds)
    assert (cone.state, scans[3].state) == ("waiting", "refused")
    scans[0].end()
    assert (cone.state, scans[1].state) == ("granted", "waiting")


def test_who_leaves_the_queue_is_not_served() -> None:
    turns, bounds = Turns(), Bounds(1, per_caller=1, waiting=9)
    first, second, third = (turns.ask(who, bounds) for who in "abc")
    second.end()
    first.end()
    assert (first.state, second.state, third.state) == ("over", "over", "granted")


def test_a_turn_that_ends_lets_in_the_thread_that_waits_for_it() -> None:
    turns, patient = Turns(), Config(threads=4, queries_at_once=1, queue_seconds=60)
    held = turns.take("a", patient)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(turns.take, "b", patient)
        held.end()
        assert waiting.result(60).state == "granted"


def test_threads_that_take_and_end_turns_lose_none_and_never_pass_the_bounds() -> None:
    turns, config = Turns(), Config(threads=16, queries_at_once=3, queries_per_caller=2, queue_seconds=60)
    under_way: Counter[str] = Counter()
    seen: list[tuple[int, int]] = []
    counting = threading.Lock()

    def work(who: str) -> None:
        for _ in range(50):
            turn = turns.take(who, config)
            with counting:
                under_way[who] += 1
                seen.append((under_way.total(), max(under_way.values())))
            with counting:
                under_way[who] -= 1
            turn.end()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, "aabbcd"))
    assert len(seen) == 300
    assert max(total for total, _ in seen) <= 3
    assert max(one for _, one in seen) <= 2
    assert turns.ask("z", Bounds.of(config)).state == "granted"


def test_a_turn_that_the_garbage_collector_ends_within_another_call_is_not_lost() -> None:
    turns, bounds = Turns(), Bounds(1, per_caller=1, waiting=9)
    first = turns.ask("a", bounds)
    with turns._lock:  # as if the collector ran in the middle of the work of this thread
        first.end()
    assert turns.ask("b", bounds).state == "granted"


def test_callers_who_have_gone_are_forgotten() -> None:
    turns, bounds = Turns(), Bounds(2, per_caller=1, waiting=9)
    for n in range(1000):
        turns.ask(f"address {n}", bounds).end()
    assert len(turns._served) < 100


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("/tap/sync", ">2 queries"),
        ("/sia2/query", ">TransientFault: 2"),
        ("/datalink/links", ">2 queries"),
    ],
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
