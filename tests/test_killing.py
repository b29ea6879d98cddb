"""Fifty times kill -9, at random, during ingest, get and serve: nothing is lost, the next call completes it."""

import collections
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodel.config import Config
from datamodel.dataobject import DataObject
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.session import Session
from processing.classes import TARGET_CLASSES
from processing.ingest import ingest
from processing.opening import open_archive, operator
from processing.source_list import SourceList

pytestmark = pytest.mark.killing

KILLS = int(os.environ.get("VO_KILLS", "50"))
LONGEST_S = 2.0
START_S = 20.0


def test_nothing_is_lost_however_often_and_whenever_it_is_killed(survey: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("VO_KILL_SEED", random.SystemRandom().randrange(1 << 30)))
    print(f"seed {seed}: VO_KILL_SEED={seed} repeats it")
    chance = random.Random(seed)
    at, trace = tmp_path / "archive", tmp_path / "trace"
    phases: collections.Counter[str] = collections.Counter()
    with _opened(at) as (archive, _):
        url = archive.config.database_url
    for number in range(KILLS):
        doing = ("ingest", "get", "serve")[number % 3]
        trace.unlink(missing_ok=True)
        _kill(doing, at, trace, survey, chance)
        reached = trace.read_text().split() if trace.exists() else []
        phases[f"{doing} after {reached[-1] if reached else 'nothing yet'}"] += 1
        with _opened(at) as (archive, _):
            for stored in DataObject.select_all():
                if stored.filename:
                    archive.store.path(stored.filename, stored.file_sha256)
    for phase, count in sorted(phases.items()):
        print(f"{count:4d}  {phase}")
    with _opened(at) as (archive, session):
        ingest(session, [survey / "raw"])
        files = len(list((survey / "raw").iterdir()))
        assert len(RawFrame.select_all()) == 4 * files
        raw = (RawScienceFrame.chip == "ccd53").order_by("DATE_OBS")[0]
        assert SourceList.get(raw=raw).uptodate()
        for cls in TARGET_CLASSES:
            keys = [o.derivation_key for o in cls.select_all()]
            assert len(keys) == len(set(keys)), f"a {cls.__name__} was made twice"
    assert url == ""


class _opened:
    def __init__(self, at: Path) -> None:
        self.archive = open_archive(Config(archive=at, log_level="ERROR"))
        self.session = Session(self.archive, operator(self.archive))

    def __enter__(self) -> tuple[object, Session]:
        return self.archive, self.session.__enter__()

    def __exit__(self, *error: object) -> None:
        self.session.__exit__(*error)
        self.archive.close()


def _kill(doing: str, at: Path, trace: Path, survey: Path, chance: random.Random) -> None:
    port = _free_port()
    command = {
        "ingest": ["ingest", "--archive", str(at), str(survey / "raw")],
        "get": ["get", "SourceList", "--archive", str(at), "--raw", _exposure(at, chance)],
        "serve": ["serve", "--archive", str(at), "--port", str(port)],
    }[doing]
    environment = {**os.environ, "VO_CRASH_TRACE": str(trace), "VO_LOG_LEVEL": "ERROR", "VO_JOB_WORKERS": "0"}
    started = subprocess.Popen(
        [sys.executable, "-m", "vo_server.cli", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if doing == "serve":
        url = f"http://127.0.0.1:{port}/target/SourceList/{_exposure(at, chance)}"
        threading.Thread(target=_download, args=(url,), daemon=True).start()
    if chance.random() < 0.8:  # mostly when it is at work, now and then while it starts
        _until(lambda: trace.exists() or started.poll() is not None)
    try:
        started.wait(chance.uniform(0.0, LONGEST_S))
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def _exposure(at: Path, chance: random.Random) -> str:
    with _opened(at):
        raws = list(RawScienceFrame.select_all())
    return chance.choice(raws).object_id if raws else "none yet"


def _download(url: str) -> None:
    """Ask until there is an answer or no server any more."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=START_S).read()  # loopback
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)


def _until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + START_S
    while not reached() and time.monotonic() < until:
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
