"""Does STILTS, which TOPCAT is made of, get what it asks TAP for: at once, as jobs, with tables of its own?"""

import csv
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.coordinates
import astropy.units as u
import numpy as np
import pytest
import requests
from astropy.table import Table

from vo_server.web.first_steps import H_PERSEI

pytestmark = pytest.mark.clients

Stilts = Callable[..., subprocess.CompletedProcess[str]]
MODES = pytest.mark.parametrize("sync", ["true", "false"], ids=["sync", "async"])


def asked(run: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    """The rows of a table that STILTS wrote as CSV."""
    assert run.returncode == 0, run.stderr
    return list(csv.DictReader(run.stdout.splitlines()))


def jobs(url: str) -> int:
    """How many jobs are kept there."""
    return requests.get(f"{url}/async", timeout=60).text.count("<uws:jobref ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the files of `catalogue`."""
    return tmp_path_factory.mktemp("catalogue")


@pytest.fixture(scope="module")
def catalogue(folder: Path) -> Table:
    """Forty thousand positions, more than go into one piece of a body, and a file with the first 300."""
    random = np.random.default_rng(11)
    n = 40_000
    made = Table({"n": np.arange(n, dtype="i4"), "ra": random.uniform(0, 360, n)})
    made["dec"] = np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    made["name"] = np.where(made["n"] % 2, "odd", "αβγ")
    made.write(folder / "many.vot", format="votable")
    made[:300].write(folder / "few.csv", format="ascii.csv")
    return made


@MODES
def test_a_cone_of_sources_has_rows(sync: str, served: Any, stilts: Stilts) -> None:
    ra, dec = H_PERSEI
    cone = f"1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, 3))"
    query = f"adql=SELECT ra, dec, mag_auto FROM archive.sources WHERE {cone}"
    before = jobs(served.tap)
    rows = asked(stilts("tapquery", f"tapurl={served.tap}", f"sync={sync}", query, "ofmt=csv"))
    assert len(rows) > 1
    assert {abs(float(row["dec"]) - dec) < 3 for row in rows} == {True}
    assert jobs(served.tap) == before  # STILTS deletes what it has finished with


def test_what_is_wrong_with_a_query_is_told(served: Any, stilts: Stilts) -> None:
    run = stilts("tapquery", f"tapurl={served.tap}", "sync=true", "adql=SELECT raa FROM small.csv")
    assert run.returncode != 0
    assert "unknown column 'raa'; did you mean 'ra'?" in run.stdout + run.stderr


def test_no_more_rows_come_than_are_asked_for(served: Any, stilts: Stilts) -> None:
    query = "adql=SELECT n FROM small.csv ORDER BY n"
    run = stilts("tapquery", f"tapurl={served.tap}", "sync=true", "maxrec=2", query, "ofmt=csv")
    assert [row["n"] for row in asked(run)] == ["1", "2"]


@MODES
def test_several_tables_come_along_in_pieces(
    sync: str, served: Any, stilts: Stilts, catalogue: Table, folder: Path
) -> None:
    query = (
        "SELECT COUNT(*) AS matched, MAX(many.n) AS greatest, MIN(many.name) AS name FROM TAP_UPLOAD.many "
        "JOIN TAP_UPLOAD.few ON many.n = few.n WHERE many.dec > 0"
    )
    uploads = [
        "nupload=2",
        f"upload1={folder / 'many.vot'}",
        "upname1=many",
        f"upload2={folder / 'few.csv'}",
        "ufmt2=csv",
        "upname2=few",
    ]
    run = stilts("tapquery", f"tapurl={served.tap}", f"sync={sync}", f"adql={query}", *uploads, "ofmt=csv")
    north = catalogue[:300][catalogue["dec"][:300] > 0]
    (row,) = asked(run)
    assert int(row["matched"]) == len(north)
    assert int(row["greatest"]) == max(north["n"])
    assert row["name"] == "odd"


@pytest.mark.parametrize("format", ["TABLEDATA", "BINARY", "BINARY2"])
def test_every_serialization_that_is_sent_comes_back(
    format: str, served: Any, stilts: Stilts, catalogue: Table, folder: Path
) -> None:
    run = stilts(
        "tapquery",
        f"tapurl={served.tap}",
        "sync=true",
        "adql=SELECT * FROM TAP_UPLOAD.mine ORDER BY n",
        "nupload=1",
        f"upload1={folder / 'few.csv'}",
        "ufmt1=csv",
        "upname1=mine",
        f"upvotformat={format}",
        "ofmt=csv",
    )
    rows = asked(run)
    assert [int(row["n"]) for row in rows] == list(range(300))
    assert [float(row["ra"]) for row in rows] == list(catalogue["ra"][:300])


def test_a_sky_match_finds_the_nearest_star(
    served: Any, stilts: Stilts, catalogue: Table, folder: Path
) -> None:
    stars = asked(
        stilts(
            "tapquery",
            f"tapurl={served.tap}",
            "sync=true",
            "adql=SELECT hip, ra, dec FROM hipparcos.main",
            "ofmt=csv",
        )
    )
    places = astropy.coordinates.SkyCoord(
        [float(row["ra"]) for row in stars] * u.deg, [float(row["dec"]) for row in stars] * u.deg
    )
    mine = astropy.coordinates.SkyCoord(catalogue["ra"][:300] * u.deg, catalogue["dec"][:300] * u.deg)
    nearest, apart, _ = mine.match_to_catalog_sky(places)
    within = apart < 1 * u.deg
    run = stilts(
        "tapskymatch",
        f"tapurl={served.tap}",
        "taptable=hipparcos.main",
        "taplon=ra",
        "taplat=dec",
        "tapcols=hip",
        f"in={folder / 'few.csv'}",
        "ifmt=csv",
        "inlon=ra",
        "inlat=dec",
        "sr=1",
        "find=best",
        "blocksize=100",
        "compress=false",
        "ofmt=csv",
    )
    found = {int(row["n"]): int(row["hip"]) for row in asked(run)}
    assert found == {n: int(stars[nearest[n]]["hip"]) for n in np.flatnonzero(within)}
    assert len(found) > 20


def test_a_job_is_left_and_taken_up_again(served: Any, stilts: Stilts) -> None:
    started = stilts(
        "tapquery",
        f"tapurl={served.tap}",
        "sync=false",
        "delete=never",
        "adql=SELECT n, mag FROM small.csv ORDER BY n",
        "ofmt=csv",
        "progress=true",
    )
    assert [row["n"] for row in asked(started)] == ["1", "2", "3"]
    job = re.search(r"http://\S+/async/\w+", started.stderr + started.stdout)
    assert job
    resumed = stilts("tapresume", f"joburl={job[0]}", "delete=finished", "ofmt=csv")
    assert asked(resumed) == asked(started)
    assert requests.get(job[0], timeout=60).status_code == 404
