"""Downloads: served, made first, made once, bounded; and never for those who only look."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from astropy.io import fits
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import SERVICE_ACCOUNT, WORLD
from datamodel.errors import BusyError
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.making import Slot, making
from datamodel.session import Session
from processing.classes import TARGET_CLASSES
from processing.opening import operator
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server.app import create_app
from vo_server.data.views import is_robot
from vo_server.delivery import content_type

CHAIN = {"ReadNoise", "BiasFrame", "HotPixelMap", "MasterFlatFrame", "ReducedScienceFrame"}


@pytest.fixture
def path(raw: RawScienceFrame) -> str:
    return f"/target/ReducedScienceFrame/{raw.object_id}"


def made() -> dict[str, int]:
    counts = {c.__name__: len(c.select_all()) for c in TARGET_CLASSES}
    return {name: count for name, count in counts.items() if count}


def test_downloading_makes_once_and_downloading_again_makes_nothing(client: FlaskClient, path: str) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert first.mimetype == "application/fits"
    assert first.headers["VO-Status"] == "made"
    count = made()
    assert set(count) >= CHAIN
    assert count["ReducedScienceFrame"] == 1
    told = dict(reversed(each.split(" ")) for each in first.headers["VO-Made"].split("; ")[1].split(", "))
    assert {name: int(number) for name, number in told.items()} == count
    again = client.get(path)
    assert again.headers["VO-Status"] == "up-to-date"
    assert "VO-Made" not in again.headers
    assert again.data == first.data
    assert made() == count
    assert first.headers["Cache-Control"] == "public, no-cache"


def test_what_is_made_for_a_stranger_belongs_to_the_archive_and_the_project_of_the_exposure(
    client: FlaskClient, raw: RawScienceFrame, path: str
) -> None:
    client.get(path)
    frame = ReducedScienceFrame.select(raw=raw)
    assert (frame._creator, frame._project) == (SERVICE_ACCOUNT, raw._project)
    assert frame._privileges == min(raw._privileges, WORLD)
    assert frame.bias._creator == SERVICE_ACCOUNT


def test_looking_makes_nothing(client: FlaskClient, path: str) -> None:
    head = client.head(path)
    assert (head.status_code, head.headers["VO-Status"], head.data) == (200, "not made", b"")
    assert "Content-Length" not in head.headers
    probe = client.get(path, headers={"Range": "bytes=0-2879"})
    assert (probe.status_code, probe.mimetype) == (409, "text/plain")
    assert "not made" in probe.text
    robot = client.get(path, headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
    assert robot.status_code == 409
    assert made() == {}


def test_looking_at_what_is_there_gives_it(client: FlaskClient, path: str) -> None:
    whole = client.get(path).data
    head = client.head(path)
    assert int(head.headers["Content-Length"]) == len(whole)
    assert head.headers["VO-Status"] == "up-to-date"
    piece = client.get(path, headers={"Range": "bytes=80-159", "User-Agent": "Googlebot/2.1"})
    assert (piece.status_code, piece.data) == (206, whole[80:160])
    assert piece.headers["Content-Range"] == f"bytes 80-159/{len(whole)}"


@pytest.mark.thorough
def test_downloads_of_one_target_at_the_same_time_all_succeed_and_make_once(
    observatory: Archive, path: str
) -> None:
    app = create_app(observatory)
    count = 5
    start = threading.Barrier(count)

    def download() -> Any:
        start.wait()
        return app.test_client().get(path, buffered=True)

    with ThreadPoolExecutor(count) as pool:
        answers = [f.result() for f in [pool.submit(download) for _ in range(count)]]
    assert [a.status_code for a in answers] == [200] * count
    assert len({a.data for a in answers}) == 1
    assert made() == dict.fromkeys(made(), 1)
    told = [int(a.headers["VO-Made"].split(";")[0]) for a in answers if "VO-Made" in a.headers]
    assert sum(told) == sum(made().values())
    for answer in answers:
        assert answer.headers["VO-Status"] == ("made" if "VO-Made" in answer.headers else "up-to-date")
        assert "VO-Reasons" not in answer.headers


def test_the_bytes_of_one_object_are_given_for_ever(
    client: FlaskClient, raw: RawScienceFrame, path: str
) -> None:
    location = client.get(path).headers["Content-Location"]
    object_id = location.rpartition("/")[2]
    answer = client.get(f"/data/{object_id}")
    frame = ReducedScienceFrame.select(raw=raw)
    assert location.startswith("http://127.0.0.1:8000/data/")
    assert hashlib.sha256(answer.data).hexdigest() == frame.file_sha256
    assert answer.headers["ETag"] == f'"{frame.file_sha256}"'
    assert answer.headers["VO-Status"] == "up-to-date"
    assert f"filename={frame.filename}" in answer.headers["Content-Disposition"].replace('"', "")
    assert answer.headers["Link"] == f'<http://127.0.0.1:8000{path}>; rel="latest-version"'
    assert "immutable" in answer.headers["Cache-Control"]
    with fits.open(frame.path()) as hdus:
        assert hdus[0].header["PRODUCT"] == "ReducedScienceFrame"


def test_conditional_requests_and_ranges(client: FlaskClient, raw: RawScienceFrame) -> None:
    url = f"/data/{raw.object_id}"
    whole = client.get(url)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.get(url, headers={"Range": "bytes=-10"}).data == whole.data[-10:]
    assert client.get(url, headers={"Range": "bytes=999999999-"}).status_code == 416
    for ignored in ("bytes=0-1,5-6", "lines=1-2", "nonsense", "bytes=5-2"):
        answer = client.get(url, headers={"Range": ignored})
        assert (answer.status_code, len(answer.data)) in ((200, len(whole.data)), (416, len(answer.data)))
    head = client.head(url)
    assert (head.data, int(head.headers["Content-Length"])) == (b"", len(whole.data))


@pytest.mark.thorough
def test_a_source_list_is_given_as_its_table(client: FlaskClient, raw: RawScienceFrame) -> None:
    answer = client.get(f"/target/SourceList/{raw.object_id}")
    assert answer.status_code == 200
    with fits.open(io.BytesIO(answer.data)) as hdus:
        assert {"sid", "ra", "dec"} <= {name.lower() for name in hdus[1].columns.names}


def test_a_calibration_is_given_for_an_exposure_and_a_raw_frame_is_itself(
    client: FlaskClient, raw: RawScienceFrame
) -> None:
    answer = client.get(f"/target/BiasFrame/{raw.object_id}")
    assert answer.headers["VO-Made"] == "2; 1 BiasFrame, 1 ReadNoise"
    itself = client.get(f"/target/RawScienceFrame/{raw.object_id}")
    assert hashlib.sha256(itself.data).hexdigest() == raw.file_sha256


@pytest.mark.thorough
def test_a_stale_product_is_made_anew_and_the_old_one_says_why(
    client: FlaskClient, observatory: Archive, raw: RawScienceFrame
) -> None:
    url = f"/target/BiasFrame/{raw.object_id}"
    old = client.get(url).headers["Content-Location"].rpartition("/")[2]
    with Session(observatory, operator(observatory)):
        judged = (RawBiasFrame.chip == "A5382").order_by("DATE_OBS")[0]
        judged.is_valid = 0
        judged.commit()
    stale = client.get(f"/data/{old}")
    assert stale.headers["VO-Status"] == "outdated"
    assert "obsolete:raw_bias_frames" in stale.headers["VO-Reasons"]
    assert client.head(url).headers["VO-Status"] == "outdated"
    assert client.get(url).headers["VO-Status"] == "made"
    assert client.get(url).headers["Content-Location"].rpartition("/")[2] != old


@pytest.mark.thorough
def test_what_cannot_be_made_is_a_conflict_that_says_what_is_lacking(
    client: FlaskClient, observatory: Archive, raw: RawScienceFrame, path: str
) -> None:
    with Session(observatory, operator(observatory)) as session, session.transaction():
        for frame in list(RawBiasFrame.select_all()):
            frame.is_valid = 0
            frame.commit()
    answer = client.get(path)
    assert answer.status_code == 409
    assert "RawBiasFrame" in answer.text
    assert made() == {}


@pytest.mark.parametrize(
    "url",
    [
        "/target/ReducedScienceFrame/00000000-0000-7000-8000-000000000000",
        "/target/ReducedScienceFrames/x",
        "/target/DBObject/x",
        "/data/00000000-0000-7000-8000-000000000000",
        "/data/..%2f..%2fetc%2fpasswd",
        "/target/ReadNoise/%00",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_an_object_without_a_file_says_so(client: FlaskClient, raw: RawScienceFrame) -> None:
    answer = client.get(f"/target/ReadNoise/{raw.object_id}")
    assert (answer.status_code, "has no file" in answer.text) == (404, True)


def test_a_bound_per_caller_gives_503_and_when_to_try_again(
    client: FlaskClient, observatory: Archive, path: str
) -> None:
    with (
        Slot(observatory, "address 127.0.0.1", "something"),
        Slot(observatory, "address 127.0.0.1", "something else"),
    ):
        answer = client.get(path)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert made() == {}


def test_bounds_hold_together_and_are_free_again(archive: Archive, clock: Any) -> None:
    object.__setattr__(archive, "config", Config(archive=archive.config.archive, makes_at_once=2))
    with Slot(archive, "one", "a"), Slot(archive, "two", "b"):
        with pytest.raises(BusyError), Slot(archive, "three", "c"):
            pass
        clock.advance(seconds=31)  # the makers are believed dead
        with Slot(archive, "three", "c"):
            pass
    with archive.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(making)) == 0


def test_requests_for_one_target_count_as_one_for_their_caller(archive: Archive) -> None:
    object.__setattr__(archive, "config", replace(archive.config, makes_per_caller=2, makes_at_once=5))
    with ExitStack() as slots:
        for what in ("a", "a", "b", "a"):
            slots.enter_context(Slot(archive, "one", what))
        with pytest.raises(BusyError, match="one caller"), Slot(archive, "one", "c"):
            pass
        slots.enter_context(Slot(archive, "two", "c"))
        with pytest.raises(BusyError, match="5 requests"), Slot(archive, "one", "a"):
            pass


def test_bounds_hold_across_everybody_who_opens_the_archive(archive: Archive, clock: Any) -> None:
    config = Config(
        archive=archive.config.archive,
        database_url=archive.config.database_url,
        makes_per_caller=1,
        makes_at_once=2,
    )
    first, second = Archive(config, clock), Archive(config, clock)
    with Slot(first, "one", "a"):
        with pytest.raises(BusyError), Slot(second, "one", "c"):
            pass
        with Slot(second, "two", "b"), pytest.raises(BusyError), Slot(first, "three", "c"):
            pass
    first.close()
    second.close()


def test_an_exposure_that_is_not_public_is_unknown_to_strangers(
    client: FlaskClient, observatory: Archive
) -> None:
    with Session(observatory, operator(observatory).at(level=1)):
        hidden = RawScienceFrame(obs_id="secret")
        hidden.commit()
    for method in (client.get, client.head):
        assert method(f"/target/ReducedScienceFrame/{hidden.object_id}").status_code == 404
        assert method(f"/data/{hidden.object_id}").status_code == 404


def test_answers_for_people_who_are_logged_in_are_private(
    client: FlaskClient, observatory: Archive, raw: RawScienceFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = operator(observatory)
    monkeypatch.setattr("vo_server.data.views.caller_of", lambda _request: known)
    assert client.get(f"/data/{raw.object_id}").headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("user_agent", "robot"),
    [
        ("python-requests/2.32", False),
        ("pyVO/1.9 Python/3.12 (Linux)", False),
        ("STIL/4.3 Java/17", False),
        ("curl/8.5", False),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", False),
        ("", False),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", True),
        ("Mozilla/5.0 (compatible; Yahoo! Slurp)", True),
        ("GPTBot/1.2", True),
        ("ia_archiver", True),
        ("ExampleSpider/1", True),
        ("WebCrawler/3.0", True),
    ],
)
def test_robots_are_known_by_what_they_call_themselves(user_agent: str, robot: bool) -> None:
    assert is_robot(user_agent) is robot


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("a.fits", "application/fits"),
        ("a.FITS.fz", "application/fits"),
        ("a.txt", "text/plain"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_types_go_by_the_extension(name: str, mime: str) -> None:
    assert content_type(name) == mime
