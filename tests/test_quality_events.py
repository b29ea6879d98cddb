"""Is everybody told of what was flagged or judged, once at least, in order, and of nothing that is hidden?"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask.testing import FlaskClient

from datamodel import projects
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from datamodel.observatory import Chip, Instrument
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.quality_delivery import SENT, take_turn
from tests import templates
from vo_server import cli
from vo_server.app import create_app
from vo_server.qc.webhooks import Sender, receivers, tell_all

complete_archive = templates.complete_archive


class Receiver:
    """A local server that answers with the statuses it was told, and then with 204."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.asked = 0
        self.told = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked += 1
                status = outer.statuses.pop(0) if outer.statuses else 204
                if status == 204:
                    outer.taken.append(body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.told.set()

            do_GET = do_POST

            def log_message(self, *_told: Any) -> None:
                """Be silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def archive(complete_archive: Archive) -> Archive:
    """An archive with all its tables and nothing in it, whose project has a manager."""
    projects.set_member(complete_archive, "P", "A", is_manager=True)
    return complete_archive


def _bias(archive: Archive, *, flags: int = 0, privileges: int = 4) -> Any:
    with Session(archive, archive.caller("A", "P")):
        camera = Instrument(name="CAM", _privileges=4)
        bias = BiasFrame(
            instrument=camera,
            chip=Chip(name="c1", instrument=camera, _privileges=4),
            quality_flags=flags,
            _privileges=privileges,
        )
        bias.commit()
        return bias


def _judge(archive: Archive, product: Any, is_valid: int) -> None:
    with Session(archive, archive.caller("A", "P")):
        product.judge(is_valid)


def _told(events: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(each["event"], each["object_id"], each["is_valid"]) for each in events]


def test_the_stream_has_what_was_flagged_or_judged_in_order_and_goes_on(archive: Archive) -> None:
    client = create_app(archive).test_client()
    assert client.get("/qc/events").json == {"events": [], "next": 0, "more": False}
    good, flagged, hidden = _bias(archive), _bias(archive, flags=0b101), _bias(archive, flags=1, privileges=2)
    _judge(archive, good, 0)
    _judge(archive, hidden, 0)
    first = client.get("/qc/events").json
    assert _told(first["events"]) == [("flagged", flagged.object_id, 1), ("judged", good.object_id, 0)]
    (event, _) = first["events"]
    assert event == {
        "number": event["number"],
        "event": "flagged",
        "object_id": flagged.object_id,
        "class": "BiasFrame",
        "instrument": "CAM",
        "chip": "c1",
        "filter": None,
        "flags": ["STDEV_TOO_HIGH", "SUBWIN_STDEV_TOO_HIGH"],
        "is_valid": 1,
        "by": "A",
        "at": "2026-01-01T00:00:00.000Z",
        "url": f"http://127.0.0.1:8000/object/{flagged.object_id}",
    }
    assert client.get(f"/qc/events?since={first['next']}").json["events"] == []
    _judge(archive, good, 2)
    later = client.get(f"/qc/events?since={first['next']}").json
    assert _told(later["events"]) == [("judged", good.object_id, 2)]


def test_a_long_stream_is_given_in_pieces(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.quality_events.SCANNED", 2)
    client = create_app(archive).test_client()
    product = _bias(archive)
    for judgement in (0, 1, 2, 0):
        _judge(archive, product, judgement)
    found, since, more = [], 0, True
    while more:
        answer = client.get(f"/qc/events?since={since}").json
        assert len(answer["events"]) <= 2
        found += [each["is_valid"] for each in answer["events"]]
        since, more = answer["next"], answer["more"]
    assert found == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("sinse=1", "there is no parameter 'sinse'; did you mean 'since'?"),
        ("since=1&since=2", "since is given more than once"),
    ],
)
def test_a_parameter_that_is_not_understood_is_refused(archive: Archive, asked: str, told: str) -> None:
    answer = create_app(archive).test_client().get(f"/qc/events?{asked}")
    assert (answer.status_code, told in answer.text) == (400, True)


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "", "9" * 30, "²"])
def test_a_number_that_is_none_is_refused(archive: Archive, since: str) -> None:
    answer = create_app(archive).test_client().get("/qc/events", query_string={"since": since})
    assert (answer.status_code, f"since is '{since}'" in answer.text) == (400, True)


def test_a_receiver_that_fails_twice_is_told_later_and_in_order(
    archive: Archive, receiver: Receiver, clock: Any
) -> None:
    before = _bias(archive, flags=1)
    urls = (receiver.url,)
    tell_all(archive, urls)
    assert receiver.asked == 0, f"{before!r} was flagged before there was a receiver"
    receiver.statuses = [500, 302]
    product, hidden = _bias(archive, flags=1), _bias(archive, flags=1, privileges=3)
    _judge(archive, product, 0)
    _judge(archive, hidden, 0)
    tell_all(archive, urls)
    tell_all(archive, urls)
    assert receiver.asked == 1, "it is not asked again at once"
    clock.advance(seconds=5)
    tell_all(archive, urls)
    clock.advance(seconds=5)
    tell_all(archive, urls)
    assert (receiver.asked, receiver.taken) == (2, []), "the delays grow, and nobody is followed elsewhere"
    clock.advance(seconds=5)
    tell_all(archive, urls)
    expected = [("flagged", product.object_id, 0), ("judged", product.object_id, 0)]
    assert _told(receiver.taken) == expected
    clock.advance(hours=1)
    tell_all(archive, urls)
    assert receiver.asked == 4


def test_what_nobody_takes_for_a_day_is_given_up(archive: Archive, receiver: Receiver, clock: Any) -> None:
    tell_all(archive, (receiver.url,))
    product = _bias(archive, flags=1)
    receiver.statuses = [500] * 2
    tell_all(archive, (receiver.url,))
    clock.advance(days=1)
    _judge(archive, product, 2)
    tell_all(archive, (receiver.url,))
    assert _told(receiver.taken) == [("judged", product.object_id, 2)]


def test_two_processes_do_not_tell_the_same_receiver_at_a_time(
    archive: Archive, receiver: Receiver, clock: Any
) -> None:
    tell_all(archive, (receiver.url,))
    _bias(archive, flags=1)
    turn = take_turn(archive, receiver.url)
    assert turn is not None
    tell_all(archive, (receiver.url,))
    assert receiver.asked == 0
    clock.advance(minutes=1)
    tell_all(archive, (receiver.url,))
    assert receiver.asked == 1
    assert not turn.told(turn.last_event), "the first has lost its turn"


def test_a_site_says_from_which_level_on_receivers_are_told(archive: Archive, receiver: Receiver) -> None:
    archive.config = replace(archive.config, qc_webhook_level=2)
    tell_all(archive, (receiver.url,))
    _bias(archive, flags=1, privileges=1)
    product = _bias(archive, flags=1, privileges=2)
    tell_all(archive, (receiver.url,))
    assert [each["object_id"] for each in receiver.taken] == [product.object_id]


def test_a_server_tells_its_receivers_by_itself(
    archive: Archive, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vo_server.qc.webhooks.POLL_S", 0.01)
    archive.config = replace(archive.config, qc_webhooks=receiver.url)
    tell_all(archive, (receiver.url,))
    product = _bias(archive, flags=1)
    sender = Sender(archive)
    assert receiver.told.wait(20)
    sender.close()
    assert [each["object_id"] for each in receiver.taken] == [product.object_id]


_TELL = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
import processing.classes
from vo_server.qc.webhooks import tell_all
archive = Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2]))
tell_all(archive, (sys.argv[3],))
"""


@pytest.mark.killing
def test_a_process_killed_while_telling_has_lost_nothing(
    archive: Archive, receiver: Receiver, clock: Any
) -> None:
    tell_all(archive, (receiver.url,))
    products = [_bias(archive, flags=1) for _ in range(2)]
    config = archive.config
    command = [sys.executable, "-c", _TELL, str(config.archive), config.database_url, receiver.url]
    environment = os.environ | {"VO_CRASH_AT": f"{SENT}:2"}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == 137, killed.stderr.decode()
    assert len(receiver.taken) == 2
    clock.advance(days=100_000)  # the process that was killed had the real clock
    tell_all(archive, (receiver.url,))
    first, second = (product.object_id for product in products)
    assert [each["object_id"] for each in receiver.taken] == [first, second, second]


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "host/x", "http://", "http://host:99999/x", "http://h/ä", f"http://h/{'x' * 500}"]
)
def test_a_receiver_that_cannot_be_posted_to_is_refused_before_anything_is_served(
    url: str, tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="qc_webhooks has"):
        receivers(Config(qc_webhooks=f"https://good.example.org/hook, {url}"))
    (tmp_path / "files").mkdir()
    (tmp_path / "archive.sqlite").touch()
    monkeypatch.setenv("VO_QC_WEBHOOKS", url)
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    assert cli.main(["serve", "--archive", str(tmp_path)]) == 2
    assert "qc_webhooks has" in capsys.readouterr().err


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="qc_webhook_level is 6"):
        receivers(Config(qc_webhook_level=6))


def test_the_stream_of_an_archive_at_work_is_public(client: FlaskClient) -> None:
    answer = client.get("/qc/events")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"].startswith("no-store")
