"""Is every job run to its end and no result half written, when workers and the server are killed while they run?"""

import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode

import pytest

from datamodel.config import Config
from processing.opening import open_archive
from vo_server.serve import prepare

pytestmark = pytest.mark.killing

JOBS, KILLS = 12, 2
WHOLE_S = 240.0
ROWS = 4000
QUERY = f"SELECT TOP {ROWS} a.column_name, b.column_name AS other FROM tap_schema.columns AS a, tap_schema.columns AS b"


def test_every_job_ends_well_whoever_is_killed(tmp_path: Path, unused_port: int) -> None:
    folder, chance = tmp_path / "archive", random.Random(7)
    prepare(Config(archive=folder))
    url = f"http://127.0.0.1:{unused_port}/tap"
    server = start(folder, unused_port, tmp_path / "log")
    try:
        until(lambda: answers(f"{url}/availability"))
        asked = urlencode({"LANG": "ADQL", "QUERY": QUERY, "FORMAT": "csv", "PHASE": "RUN"}).encode()
        jobs = [urllib.request.urlopen(f"{url}/async", asked, timeout=60).url for _ in range(JOBS)]
        for number in range(KILLS):
            time.sleep(chance.uniform(0.1, 1.0))
            if number == KILLS - 1:
                os.kill(server.pid, signal.SIGKILL)
                server.wait()
            for worker in workers():
                os.kill(worker, signal.SIGKILL)
        until(lambda: not workers())
        until(lambda: not answers(f"{url}/availability"))
        server = start(folder, unused_port, tmp_path / "log")
        until(lambda: answers(f"{url}/availability"))
        for job in jobs:
            until(lambda job=job: read(f"{job}/phase") not in ("QUEUED", "EXECUTING"))  # type: ignore[misc]
            assert read(f"{job}/phase") == "COMPLETED", read(job)
            assert len(read(f"{job}/results/result").splitlines()) == ROWS + 1
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    until(lambda: not workers())
    open_archive(Config(archive=folder)).close()
    assert [p.name for p in folder.glob("jobs/*/*.part")] == []


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def start(folder: Path, port: int, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "vo_server.cli", "serve", "--archive", str(folder), "--port", str(port)]
    environment = os.environ | {"VO_JOB_WORKERS": "2", MARK: str(os.getpid())}
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


MARK = "VO_TEST_OF_KILLING"
"""In the environment of what this test started, and of nothing else."""


def workers() -> list[int]:
    """The processes that run jobs for this test."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"{MARK}={os.getpid()}".encode() in (path / "environ").read_bytes()
            if ours and b"worker" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def answers(url: str) -> bool:
    try:
        return bool(read(url))
    except (URLError, ConnectionError):
        return False


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        text: str = answer.read().decode()
    return re.sub(r"\r", "", text)


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WHOLE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)
