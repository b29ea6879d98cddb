"""Does Tab offer what may follow: attributes through links, keys, parameters, and the names of what there is?"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from datamodel.archive import Archive
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.session import Session
from processing import classes
from vo_server import awe_prompt as awe
from vo_server.awe_known import WAIT_S, Known

CHIPS = {"SIMCAM": ["A5382", "ccd50"], "WFI": ["ccd50", "ccd51"]}
FILTERS = {"SIMCAM": ["#841", "#842"], "WFI": ["BB#B"]}


@pytest.fixture
def session(archive: Archive) -> Iterator[Session]:
    """Two instruments with their chips and filters."""
    with Session(archive, archive.caller("A", "P")) as opened, opened.transaction():
        for name, chips in CHIPS.items():
            instrument = Instrument(name=name)
            for chip in chips:
                Chip(name=chip, instrument=instrument).commit()
            for each in FILTERS[name]:
                Filter(name=each, mag_id=each[-1], instrument=instrument).commit()
    with Session(archive, archive.caller("A", "P")) as opened:
        yield opened


@pytest.fixture
def shell(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell as `awe` has it, without a terminal, and on a machine that may be busy."""
    assert classes.TARGET_CLASSES
    monkeypatch.setattr("vo_server.awe_known.WAIT_S", 20.0)
    made = awe.equipped(InteractiveShell(user_ns=awe.namespace(session)), session)
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def offered(shell: Any) -> Callable[[str], list[str]]:
    """What a line becomes with each completion at its end."""

    def lines(code: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(code, len(code)))
        return [code[: each.start] + each.text + code[each.end :] for each in found]

    return lines


HOT = "HotPixelMap.get("
REDUCED = "ReducedScienceFrame"

CASES = {
    "an attribute of a class": (f"{REDUCED}.fl", [f"{REDUCED}.flat"]),
    "an attribute through a link": (f"{REDUCED}.flat.ims", [f"{REDUCED}.flat.imstat"]),
    "and further": (f"{REDUCED}.flat.imstat.st", [f"{REDUCED}.flat.imstat.stdev"]),
    "within a list": (
        "BiasFrame.raw_bias_frames.EXP",
        ["BiasFrame.raw_bias_frames.EXPTIME"],
    ),
    "what a path can do": (f"{REDUCED}.flat.imstat.stdev.be", [f"{REDUCED}.flat.imstat.stdev.between"]),
    "in the middle of an expression": (
        f"q = ({REDUCED}.chip.sat",
        [f"q = ({REDUCED}.chip.saturation"],
    ),
    "an object found by a query": ("q = 1; frames[0].flat.ims", ["q = 1; frames[0].flat.imstat"]),
    "an object of a list of an object": (
        "bias.raw_bias_frames[0].EXP",
        ["bias.raw_bias_frames[0].EXPTIME"],
    ),
    "what a query can do": ("frames.order", ["frames.order_by"]),
    "what a class can do": (f"{REDUCED}.get_per", [f"{REDUCED}.get_persistent_properties"]),
    "a key": (f"{HOT}da", [f"{HOT}date="]),
    "a parameter": (f"{HOT}THR", [f"{HOT}THRESHOLD="]),
    "on another line": (
        f"x = {HOT}\n    date='2003-02-14',\n    ch",
        f"x = {HOT}\n    date='2003-02-14',\n    chip=",
    ),
    "an option of the method": (f"{HOT}prog", [f"{HOT}progress="]),
    "chips": (f"{HOT}chip='", [f"{HOT}chip='A5382", f"{HOT}chip='ccd50", f"{HOT}chip='ccd51"]),
    "chips of an instrument": (
        f"{HOT}instrument='WFI', chip='",
        [f"{HOT}instrument='WFI', chip='{c}" for c in CHIPS["WFI"]],
    ),
    "the rest of a chip": (f"{HOT}chip='A5", [f"{HOT}chip='A5382"]),
    "chips without a quote": (
        f"{HOT}instrument='WFI', chip=",
        [f"{HOT}instrument='WFI', chip='{c}'" for c in CHIPS["WFI"]],
    ),
    "filters": (
        "DomeFlatFrame.get(chip='A5382', filter='",
        [f"DomeFlatFrame.get(chip='A5382', filter='{f}" for f in FILTERS["SIMCAM"]],
    ),
    "the rest of a filter with a strange name": (
        'DomeFlatFrame.get(filter="#84',
        ['DomeFlatFrame.get(filter="#841', 'DomeFlatFrame.get(filter="#842'],
    ),
    "instruments": ("BiasFrame.exist(instrument='S", ["BiasFrame.exist(instrument='SIMCAM"]),
    "a policy": (f"{HOT}policy='ne", [f"{HOT}policy='nearest-scope", f"{HOT}policy='newest"]),
    "yes or no": (f"{HOT}allow_forever=", [f"{HOT}allow_forever=False", f"{HOT}allow_forever=True"]),
    "projects": ("context.set_project('", ["context.set_project('ALL", "context.set_project('P"]),
    "levels": ("context.set_privileges(", [f"context.set_privileges({n}" for n in range(1, 6)]),
    "an attribute of a value": (f"{REDUCED}.flat.imstat.stdev.mean", []),
    "an attribute of a call": (f"{HOT}date='2003-02-14').bia", []),
    "a value that no chip has": (f"{HOT}chip='nothing", []),
}


@pytest.mark.parametrize(("code", "expected"), CASES.values(), ids=CASES)
def test_what_may_follow_is_offered(
    shell: Any, offered: Callable[[str], list[str]], code: str, expected: list[str]
) -> None:
    names = shell.user_ns
    names["frames"] = names[REDUCED].select_all()
    names["bias"] = names["BiasFrame"]()
    assert offered(code) == ([expected] if isinstance(expected, str) else expected)


def test_keys_that_are_given_and_those_that_a_class_has_not_are_not_offered(
    offered: Callable[[str], list[str]],
) -> None:
    code = f"{HOT}date='2003-02-14', "
    keys = {line.removeprefix(code) for line in offered(code)}
    assert {"chip=", "instrument=", "THRESHOLD="} <= keys
    assert not {"date=", "filter=", "raw="} & keys
    assert "as_of=" in keys
    assert not any("date=" in line for line in offered("HotPixelMap.timeline("))
    of_exposure = {line.rpartition("(")[2] for line in offered(f"{REDUCED}.get(")}
    assert {"raw=", "filter=", "OVERSCAN_CORRECTION="} <= of_exposure
    assert "OVERSCAN_CORRECTION=" not in {line.rpartition("(")[2] for line in offered(f"{REDUCED}.exist(")}


def test_private_attributes_are_offered_to_those_who_begin_them(offered: Callable[[str], list[str]]) -> None:
    assert "BiasFrame._creator" not in offered("BiasFrame.")
    assert "BiasFrame._creator" in offered("BiasFrame._cr")


def test_completing_asks_the_database_for_names_only_and_not_again_at_once(
    offered: Callable[[str], list[str]], statements: Callable[[], int]
) -> None:
    offered(f"{REDUCED}.flat.imstat.")
    assert statements() == 0
    assert offered(f"{HOT}chip='")
    assert statements() <= 8
    assert offered("DomeFlatFrame.get(filter='")
    assert statements() == 0


def test_another_context_knows_other_names(
    shell: Any, offered: Callable[[str], list[str]], archive: Archive
) -> None:
    assert offered(f"{HOT}chip='")
    shell.user_ns["context"].set_privileges(2)
    assert not any("A5382" in line for line in offered(f"{HOT}chip='"))


def test_a_database_that_does_not_answer_is_not_waited_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    look = Known._look

    def slow(known: Known, caller: Any) -> None:
        answers.wait(10)
        look(known, caller)

    monkeypatch.setattr(Known, "_look", slow)
    known = Known(session)
    began = time.monotonic()
    assert known.of("chip", {}) == []
    assert time.monotonic() - began < WAIT_S + 0.5
    answers.set()
    assert known._thread is not None
    known._thread.join(10)
    assert known.of("instrument", {}) == ["SIMCAM", "WFI"]


def test_half_a_line_of_anything_offers_something_or_nothing_and_never_fails(
    offered: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = "x = {'a': [HotPixelMap.get(chip=\"A53\", date='2003') , f(q[1:2].y)], '''b\n''': (1,)} # it's BiasFrame.\n"
    for end in range(len(whole)):
        offered(whole[:end])
    assert capsys.readouterr().err == ""
