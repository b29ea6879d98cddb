"""Does STILTS, which sends chunked bodies, get its tables to a real server, at once and as a job?"""

import gc
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvo
from astropy.table import Table

Stilts = Callable[..., subprocess.CompletedProcess[str]]
RUN_S = 120
ROWS = 30_000

pytestmark = pytest.mark.clients


@pytest.fixture
def url(served: Any) -> str:
    """The TAP service of a live server."""
    return str(served.tap)


@pytest.fixture
def table() -> Table:
    random = np.random.default_rng(7)
    ra, dec = random.uniform(0, 360, ROWS), random.uniform(-90, 90, ROWS)
    return Table({"n": np.arange(ROWS), "ra": ra, "dec": dec, "name": ["αβγ"] * ROWS})


@pytest.mark.parametrize("format", ["votable", "fits"])
@pytest.mark.parametrize("sync", ["true", "false"])
def test_stilts_uploads_a_table_in_chunks(
    sync: str, format: str, url: str, table: Table, stilts: Stilts, tmp_path: Path
) -> None:
    path = tmp_path / f"t.{format}"
    if format == "fits":
        table.remove_column("name")
    table.write(path, format=format)
    run = stilts(
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
