"""Does the TAP window of TOPCAT show what there is, and get the rows it asks for?

A script that stands beside the project drives the program on a display of its own; it needs Xvfb, openbox,
xdotool, ImageMagick's ``import`` and a JDK, and keeps logs and pictures.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "shared" / "clients" / "topcat_tap.py"
NEEDED = ("topcat", "Xvfb", "openbox", "xdotool", "import", "javac")
MISSING = [name for name in NEEDED if not shutil.which(name)]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not SCRIPT.exists(), reason="the script that drives TOPCAT is not beside the project"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


OBSCORE = "ivo://ivoa.net/std/ObsCore#core-1.1"


def drive(service: str, folder: Path) -> str:
    """Have TOPCAT's window of TAP show a service and a table of it; what the script read in the window."""
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--tap", service, "--table", "hipparcos.main"],
        env=os.environ | {"CLIENTS_OUT": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    return said


def test_the_window_shows_tables_columns_and_functions_and_gets_rows(served: Any, tmp_path: Path) -> None:
    said = drive(served.tap, tmp_path)
    if OBSCORE not in said:  # the window was read before it had come to the data models
        said = drive(served.tap, tmp_path)
    for table in ("gaia.bright", "ivoa.obscore", "archive.sources", "small.votable", "tap_schema.columns"):
        assert f"    {table}\n" in said
    assert "hip | int | null | true | Hipparcos number | meta.id;meta.main |" in said
    assert OBSCORE in said
    assert "AREA, BOX, CENTROID, CIRCLE, CONTAINS" in said
    functions = re.sub(r"\s+", " ", said.partition("User-Defined Functions:")[2])
    assert "ivo_healpix_index(hpxOrder INTEGER," in functions, (
        "TOPCAT looks for the functions under identifiers of mixed case"
    )
    assert "TOPCAT ran the query and holds 7 rows" in said
