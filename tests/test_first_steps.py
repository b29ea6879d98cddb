"""Do the first steps work as they are written: the Python of the README and of the guide, the demo's queries?"""

import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits
from bs4 import BeautifulSoup
from werkzeug.serving import make_server

from datamodel.archive import Archive
from processing.opening import open_archive
from vo_server.app import create_app
from vo_server.demo import announce

ROOT = Path(__file__).parent.parent
WRITTEN_URL = "http://127.0.0.1:8000"


@pytest.fixture
def served(observatory: Archive, lent: Callable[[], object]) -> Iterator[Archive]:
    """The tiny survey behind a live server on the loopback interface."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    archive = open_archive(replace(observatory.config, base_url=f"http://127.0.0.1:{server.port}"))
    archive.resource("workers", lent)
    server.app = create_app(archive)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield archive
    server.shutdown()
    thread.join()
    server.server_close()
    archive.close()


def python_in(text: str) -> str:
    """The first Python of a page of the documentation."""
    return next(iter(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))


@pytest.mark.parametrize(
    "page", ["README.md", pytest.param("docs/getting_started.md", marks=pytest.mark.thorough)]
)
def test_the_first_python_runs_as_it_is_written(
    served: Archive, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = python_in((ROOT / page).read_text(encoding="utf-8"))
    assert WRITTEN_URL in code
    _run(code.replace(WRITTEN_URL, served.config.base_url))


@pytest.mark.thorough
def test_the_python_on_the_front_page_runs_as_it_is_shown(
    served: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = create_app(served).test_client().get("/", base_url=served.config.base_url)
    shown = [tag.text for tag in BeautifulSoup(answer.text, "html.parser").find_all("pre")]
    _run(next(code for code in shown if code.startswith("import pyvo")))


def _run(code: str) -> None:
    names: dict[str, object] = {}
    exec(compile(code, "first steps", "exec"), names)
    assert len(names["images"]) > 0  # type: ignore[arg-type]
    with fits.open("image.fits") as hdus:
        assert hdus[0].header["PRODUCT"] == "ReducedScienceFrame"
    assert len(names["stars"]) == 10  # type: ignore[arg-type]


def test_the_three_queries_of_the_demo_find_make_and_ask(
    served: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(served.config, served.config.base_url)
    lines = capsys.readouterr().out.splitlines()
    commands = [line[2:] for line in lines if line.startswith("  curl ")]
    assert "MAXREC=5" in commands[0]
    find, make, ask = (
        subprocess.run(shlex.split(each), cwd=tmp_path, capture_output=True, check=True).stdout.decode()
        for each in commands
    )
    assert len(find.splitlines()) == 6
    assert make == ""
    with fits.open(tmp_path / "sources.fits") as hdus:
        assert len(hdus[1].data) > 0
    assert len(ask.splitlines()) == 11
    assert lines[-1] == "Ready"
