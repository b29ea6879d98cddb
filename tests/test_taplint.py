"""What does STILTS taplint, the VO's own inspector, say about the TAP service?"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from datamodel.archive import Archive
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.source_list import SourceList
from vo_server.web.first_steps import H_PERSEI

STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO QAS UWS EXA"
FROM_START_TO_READY_S = 60
WHOLE_RUN_S = 300

pytestmark = pytest.mark.clients


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def served(observatory: Archive, session: Session, tmp_path: Path) -> Iterator[str]:
    """The base URL of a real server over the tiny survey, with one source list made."""
    SourceList.get(raw=RawScienceFrame.select_all().order_by("obs_id")[0])
    base_url = f"http://127.0.0.1:{free_port()}"
    log = tmp_path / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            _command(observatory, base_url), stdout=output, stderr=output, env=_environment(observatory)
        )
    try:
        _wait_for(f"{base_url}/tap/availability", server, log)
        yield base_url
    finally:
        server.send_signal(signal.SIGINT)
        status = server.wait(30)
    assert status in (0, 130), log.read_text()
    assert "Traceback" not in log.read_text()


def _command(archive: Archive, base_url: str) -> list[str]:
    start = "import sys; from vo_server.cli import main; sys.exit(main())"
    port = base_url.rpartition(":")[2]
    return [sys.executable, "-c", start, "serve", "--archive", str(archive.config.archive), "--port", port]


def _environment(archive: Archive) -> dict[str, str]:
    return os.environ | {"VO_DATABASE_URL": archive.config.database_url}


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + FROM_START_TO_READY_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"the server was not ready: {log.read_text()}")


def test_taplint_finds_no_error(served: str, tmp_path: Path) -> None:
    run = stilts(
        tmp_path, "taplint", f"tapurl={served}/tap", f"stages={STAGES}", "report=EWF", "maxrepeat=20"
    )
    print(run.stdout)
    found = [line for line in run.stdout.splitlines() if re.match(r"[EF]-", line)]
    totals = re.search(r"^Totals: Errors: (\d+)", run.stdout, re.MULTILINE)
    assert found == []
    assert totals, f"taplint did not finish: {run.stderr}"
    assert totals[1] == "0"


def test_a_cone_of_sources_through_stilts_has_rows(served: str, tmp_path: Path) -> None:
    ra, dec = H_PERSEI
    cone = f"1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, 3))"
    query = f"adql=SELECT ra, dec, mag_auto FROM archive.sources WHERE {cone}"
    run = stilts(tmp_path, "tapquery", f"tapurl={served}/tap", "sync=true", query, "ofmt=csv")
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) > 1


def stilts(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("stilts")
    assert program, "stilts is not installed; the second tier needs it"
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=WHOLE_RUN_S, cwd=folder, check=False
    )
