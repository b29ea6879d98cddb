"""Does STILTS, which sends chunked bodies, get its tables to a real server, at once and as a job?"""

import gc
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import pyvo
from astropy.table import Table

from datamodel.archive import Archive

READY_S = 60
RUN_S = 120
ROWS = 30_000

pytestmark = pytest.mark.clients


@pytest.fixture
def url(archive: Archive, tmp_path: Path) -> Iterator[str]:
    """The TAP service of a real server over an empty archive."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    start = "import sys; from vo_server.cli import main; sys.exit(main())"
    options = ["serve", "--archive", str(archive.config.archive), "--port", str(port)]
    environment = os.environ | {"VO_DATABASE_URL": archive.config.database_url}
    log = tmp_path / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", start, *options], stdout=output, stderr=output, env=environment
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/tap/availability", server, log)
        yield f"http://127.0.0.1:{port}/tap"
    finally:
        server.terminate()
        server.wait(30)
    assert "Traceback" not in log.read_text()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"the server was not ready: {log.read_text()}")


@pytest.fixture
def table() -> Table:
    random = np.random.default_rng(7)
    ra, dec = random.uniform(0, 360, ROWS), random.uniform(-90, 90, ROWS)
    return Table({"n": np.arange(ROWS), "ra": ra, "dec": dec, "name": ["αβγ"] * ROWS})


@pytest.mark.parametrize("format", ["votable", "fits"])
@pytest.mark.parametrize("sync", ["true", "false"])
def test_stilts_uploads_a_table_in_chunks(
    sync: str, format: str, url: str, table: Table, tmp_path: Path
) -> None:
    path = tmp_path / f"t.{format}"
    if format == "fits":
        table.remove_column("name")
    table.write(path, format=format)
    run = _stilts(
        tmp_path,
        "tapquery",
        f"tapurl={url}",
        f"sync={sync}",
        "nupload=1",
        f"upload1={path}",
        "upname1=mine",
        "adql=SELECT COUNT(*) AS c, MAX(n) AS m FROM TAP_UPLOAD.mine WHERE dec > 0",
        "ofmt=csv",
    )
    assert run.returncode == 0, run.stderr
    north = table["n"][table["dec"] > 0]
    assert run.stdout.splitlines()[-1] == f"{len(north)},{max(north)}"


def test_pyvo_runs_a_job_with_a_table_and_a_bad_one_ends_in_error(url: str, table: Table) -> None:
    query = "SELECT COUNT(*) AS c FROM TAP_UPLOAD.mine"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pyvo leaves sockets open
        found, phase = _with_pyvo(pyvo.dal.TAPService(url), query, table)
        gc.collect()
    assert found == [ROWS]
    assert phase == "ERROR"


def _with_pyvo(service: pyvo.dal.TAPService, query: str, table: Table) -> tuple[list[int], str]:
    found = service.run_async(query, uploads={"mine": table})["c"].tolist()
    job = service.submit_job(query, uploads={"mine": table[:0], "mine2": "ftp://example.org/t"})
    job.run().wait(phases=["COMPLETED", "ERROR"], timeout=RUN_S)
    phase = job.phase
    job.delete()
    return found, phase


def _stilts(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("stilts")
    assert program, "stilts is not installed; the second tier needs it"
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=RUN_S, cwd=folder, check=False
    )
