"""Do the sessions of the founding talk run at the prompt as they were typed there?

Valentijn, *Virtual Observations and Data Mining in Astronomy*, Groningen, 11 October 2010. What is typed is verbatim,
but that a line for which the slide is too narrow is one line here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from datamodel.archive import Archive
from datamodel.dataobject import DataObject
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.session import Session
from processing.hot_pixel_map import HotPixelMap
from processing.opening import operator
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from tests.sent import counted
from vo_server import awe_prompt as awe

TARGET = "awe> targethot=HotPixelMap.get(date='2003-02-14', chip='A5382')"

DBOBJECT = """
  # make it

  example = DBObject()
  example.commit()

  # get it

  oid = example.object_id
  result = DBObject(object_id = oid)
"""

DATAOBJECT = """
example = DataObject(pathname='example.txt')
example.store()
example.commit()

g = DataObject.filename.like('example*')
"""

FIVE_LINES = """\
# Find ScienceFrames for a ccd named ccd53 and filter

Awe> q = (ReducedScienceFrame.chip.name == 'ccd53') and (ReducedScienceFrame.filter == '#841')

# From the query result, get the rms of the sky in image

Awe> x = [k.imstat.stdev for k in q]

# get the rms of the used Masterflat

Awe> y = [k.flat.imstat.stdev for k in q]

# Make a plot

Awe> pylab.scatter(x,y)
"""

SAMP = "awe> sl = (SourceList.SLID == 135651)[0]"


@pytest.fixture
def shell(session: Session) -> Iterator[Any]:
    """A shell as `awe` has it, on the simulated survey."""
    made = awe.equipped(InteractiveShell(user_ns=awe.namespace(session)), session)
    yield made
    made.user_ns["pylab"].close("all")
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def typed(shell: Any) -> Callable[[str], dict[str, Any]]:
    """Types a session, as one paste; gives the names that are known afterwards."""

    def run(text: str) -> dict[str, Any]:
        shell.run_cell(text).raise_error()
        names: dict[str, Any] = shell.user_ns
        return names

    return run


@pytest.fixture
def statements_of(observatory: Archive) -> Iterator[Callable[[], int]]:
    """How many statements the database was sent since the last time one asked."""
    with counted(observatory) as count:
        yield count


def test_the_make_metaphor(typed: Callable[[str], dict[str, Any]]) -> None:
    hot = typed(TARGET)["targethot"]
    assert isinstance(hot, HotPixelMap)
    assert typed("found = HotPixelMap.exist(date='2003-02-14', chip='A5382'); fresh = targethot.uptodate()")[
        "found"
    ]
    assert typed("pass")["fresh"]
    assert hot.bias.read_noise.uptodate()


def test_a_persistent_object(typed: Callable[[str], dict[str, Any]]) -> None:
    names = typed(DBOBJECT)
    assert names["result"] is names["example"]
    assert type(names["example"]) is DBObject


def test_a_data_object(
    typed: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("example.txt").write_text("an example")
    names = typed(DATAOBJECT)
    assert list(names["g"]) == [names["example"]]
    assert type(names["example"]) is DataObject


@pytest.mark.thorough
def test_the_five_line_script(
    typed: Callable[[str], dict[str, Any]], observatory: Archive, statements_of: Callable[[], int]
) -> None:
    with Session(observatory, operator(observatory)):
        raws = (RawScienceFrame.chip == "ccd53") & (RawScienceFrame.filter == "#841")
        frames = [ReducedScienceFrame.get(raw=raw) for raw in raws.order_by("DATE_OBS").limit(2)]
    statements_of()
    names = typed(FIVE_LINES)
    assert statements_of() <= 6, "not one for each row"
    assert sorted(names["x"]) == sorted(f.imstat.stdev for f in frames)
    assert names["y"] == [frames[0].flat.imstat.stdev] * len(frames)
    (drawn,) = names["pylab"].gca().collections
    assert [tuple(point) for point in drawn.get_offsets()] == list(zip(names["x"], names["y"], strict=True))


def test_a_source_list_by_its_number(typed: Callable[[str], dict[str, Any]], session: Session) -> None:
    listed = SourceList(SLID=135651)
    listed.commit()
    assert typed(SAMP)["sl"] is listed


def test_parameters_are_completed_down_to_their_names(
    shell: Any, typed: Callable[[str], dict[str, Any]]
) -> None:
    typed("pars = Pars(HotPixelMap, instrument='SIMCAM')")
    for code, expected in (
        ("pars.Bias", "pars.BiasFrame"),
        ("pars.BiasFrame.process_params.SIG", "pars.BiasFrame.process_params.SIGMA_CLIP"),
    ):
        with provisionalcompleter():
            found = [each.text for each in shell.Completer.completions(code, len(code))]
        assert found == [expected]


def test_an_error_and_ctrl_c_are_one_line(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("HotPixelMap.get(date='2003-02-14', chip='A5381')")
    said = capsys.readouterr()
    assert said.err.startswith("NotFoundError: there is no chip 'A5381'; there are SIMCAM/A5382, ")
    assert said.err.count("\n") == 1
    shell.run_cell("raise KeyboardInterrupt")
    assert capsys.readouterr() == ("", "KeyboardInterrupt\n")


def test_the_current_project_is_told_with_its_privileges(typed: Callable[[str], dict[str, Any]]) -> None:
    project = typed("p = context.get_current_project()")["p"]
    assert (project.name, project.id, project.maximum_privileges) == ("demo", "demo", 5)
    assert repr(project).splitlines() == [
        "- name : demo",
        "- id : demo",
        "- description : none",
        "- instrument : any",
        "- maximum privileges : 5 (VO)",
        f"- current privileges : {project.current_privileges} (World)",
    ]
    assert typed("context.set_project('ALL'); p = context.get_current_project()")["p"].name == "ALL"
