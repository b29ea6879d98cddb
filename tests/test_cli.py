"""Does the command line refuse what it should, with the exit code and the words for it, and end on Ctrl-C?"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from processing.opening import open_archive
from vo_server import cli


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """What would have been served."""
    asked: list[Config] = []
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    monkeypatch.setattr("vo_server.serve.serve", lambda config: asked.append(config) or 0)
    return asked


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "worker",
        "status",
        "get BiasFrame --chip A5382",
        "catalogue list",
        "catalogue drop survey.stars",
        "catalogue replace FILE --name survey.stars",
    ],
)
@pytest.mark.parametrize("there", [False, True], ids=["no folder", "another folder"])
def test_an_archive_that_was_never_begun_is_not_opened_and_not_begun(
    served: list[Config], tmp_path: Path, capsys: pytest.CaptureFixture[str], there: bool, command: str
) -> None:
    mistyped = tmp_path / "acrhive"
    if there:
        mistyped.mkdir()
    words = command.replace("FILE", str(Path(__file__))).split()
    assert cli.main([*words, "--archive", str(mistyped)]) == 2
    assert f"there is no archive at '{mistyped}'" in capsys.readouterr().err
    assert served == []
    assert list(tmp_path.rglob("*")) == ([mistyped] if there else [])


def test_an_archive_that_was_begun_is_served(served: list[Config], tmp_path: Path) -> None:
    open_archive(Config(archive=tmp_path / "mine")).close()
    assert cli.main(["serve", "--archive", str(tmp_path / "mine")]) == 0
    assert [config.archive for config in served] == [tmp_path / "mine"]


def test_an_archive_whose_database_is_elsewhere_is_served(
    served: list[Config], archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", "postgresql://somewhere/archive")
    assert cli.main(["serve", "--archive", str(archive.config.archive)]) == 0


@pytest.mark.parametrize("below", ["", "deeper"], ids=["a file", "below a file"])
@pytest.mark.parametrize("command", ["ingest", "catalogue add --name a.b"])
def test_a_place_where_no_archive_can_be_is_named(
    command: str,
    below: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    file, table = tmp_path / "file", tmp_path / "t.csv"
    file.write_text("no archive")
    table.write_text("ra,dec\n1.0,2.0\n")
    place = file / below if below else file
    assert cli.main([*command.split(), str(table), "--archive", str(place)]) == 2
    assert f"the archive cannot be at '{place}'" in capsys.readouterr().err


IMPORTING = """
import importlib.abc, signal, sys, time

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a script has in the background is deaf to it

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "SLOW":
            print("importing", flush=True)
            try:
                time.sleep(60)
            except KeyboardInterrupt:  # as modules do that try to do without another
                raise ImportError("interrupted")

sys.meta_path.insert(0, Slow())
from MODULE import main
sys.exit(main(["--help"]))
"""


@pytest.mark.parametrize("slow", ["numpy", "vo_server.commands", "sqlalchemy"])
@pytest.mark.parametrize("module", ["vo_server.cli", "vo_server.awe"])
def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_word(module: str, slow: str) -> None:
    slow = slow.replace("commands", "awe_prompt") if module.endswith("awe") else slow
    code = IMPORTING.replace("SLOW", slow).replace("MODULE", module)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130


WRONGLY = {
    "get HotPixelMp --date 2003-02-14": "there is no target class 'HotPixelMp'; did you mean 'HotPixelMap'?",
    "get HotPixelMap --date 2003-02-31 --chip A5382": "in ISO 8601: day is out of range for month",
    "get HotPixelMap --date 20030214 --chip A5382": "date '20030214' is neither a night",
    "get HotPixelMap --date 9999-12-31 --chip A5382": "is not in the years 1000 to 8999",
    "get HotPixelMap --dat 2003-02-14 --chip A5382": "there is no option '--dat'; did you mean '--date'?",
    "get HotPixelMap --date 2003-02-14 --chip A538": "there is no chip 'A538'; there are SIMCAM/A5382, ",
    "plan HotPixelMap --date 2003-02-14 --chip A538": "did you mean 'A5382'?",
    "timeline HotPixelMap --chip A5382 --filter zz": "there is no filter 'zz'; SIMCAM has #841",
    "status HotPixelMap --chip A5382 --date 2003-02-14 --instrument SIMCAN": "did you mean 'SIMCAM'?",
    "get HotPixelMap --date 2003-02-14 --chip A5382 --set SIGMB=1": "no key or parameter 'SIGMB'",
    "get HotPixelMap --date 2003-02-14 --chip A5382 --policy newst": "did you mean 'newest'?",
    "get BiasFrame --date 2003-02-14 --chip A5382 --set SIGMA_CLIP=inf": "is 'inf', expected a finite number",
    'get BiasFrame --date 2003-02-14 --chip A5382 --compatibility {"bining":"1x1"}': "has no 'bining'; raw",
    "get HotPixelMap --date 2003-02-14 --chip A5382 --as-of 1999-01-01": "as of 1999-01-01T00:00:00 there was no chip",
    "gett HotPixelMap": "argument COMMAND: there is no 'gett'; did you mean 'get'?",
    "xyzzy": "there is no 'xyzzy', expected one of serve, worker, demo,",
    "project lst": "argument VERB: there is no 'lst'; did you mean 'list'?",
    "project add new --level wrld": "expected one of 1 MyDB, 2 Project, 3 AstroWISE, 4 World, 5 VO; did you mean",
    "user token demo --level 7": "the level is '7', expected one of 1 MyDB",
    "trend BiasFrame.imstat.stdevv": "no attribute 'imstat.stdevv': no 'stdevv'; did you mean 'stdev'?",
}


def test_what_is_asked_wrongly_is_quoted_with_what_is_nearest_and_ends_with_2(
    observatory: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VO_DATABASE_URL", observatory.config.database_url)
    for command, told in WRONGLY.items():
        assert code_of([*command.split(), "--archive", str(observatory.config.archive)]) == 2
        assert told in capsys.readouterr().err
    monkeypatch.setenv("VO_PROJECT", "demoo")
    assert code_of(["status", "--archive", str(observatory.config.archive)]) == 2
    assert "there is no project 'demoo'; did you mean 'demo'?" in capsys.readouterr().err


def code_of(arguments: list[str]) -> int:
    """How the command ends, also where it says how it is used."""
    try:
        return cli.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
