"""Does ``?`` say what a class, an attribute or an object means, with its unit and what it is for?"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from datamodel.archive import Archive
from datamodel.frames import RawScienceFrame
from datamodel.observatory import Chip, Imstat, Instrument
from datamodel.session import Session
from processing import classes
from processing.bias_frame import BiasFrame
from vo_server import awe_prompt as awe


@pytest.fixture
def shell(archive: Archive) -> Iterator[Any]:
    """A shell as `awe` has it, with one frame of which something is known."""
    assert classes.TARGET_CLASSES
    with Session(archive, archive.caller("A", "P")) as session:
        chip = Chip(name="ccd50", instrument=Instrument(name="WFI"))
        frame = RawScienceFrame(chip=chip, EXPTIME=60.0, imstat=Imstat(stdev=2.0))
        flagged = BiasFrame(chip=chip, quality_flags=1)
        names = awe.namespace(session) | {"frame": frame, "flagged": flagged, "plain": 5}
        made = awe.equipped(InteractiveShell(user_ns=names), session)
        yield made
        made.history_manager.end_session()
        InteractiveShell.clear_instance()


@pytest.fixture
def shown(shell: Any) -> Callable[[str], str]:
    """What ``name?`` shows, without colours."""
    return lambda name: (
        shell.object_inspect_mime(name)["text/plain"].replace("\x1b[31m", "").replace("\x1b[39m", "")
    )


CASES = {
    "ReducedScienceFrame.flat": [
        "The master flat it was divided by",
        "link to MasterFlatFrame",
        "always; without it the target cannot be made",
        "fixed once the object is committed",
    ],
    "ReducedScienceFrame.cold_pixels": ["if inputs exist; null where what it is made from does not exist"],
    "ReducedScienceFrame.flat.imstat.stdev": ["DOUBLE", "adu", "stat.stdev;phot.count", "Standard deviation"],
    "BiasFrame.SIGMA_CLIP": ["Clipping of outliers", "DOUBLE", "3.0", "another value changes the product"],
    "BiasFrame.MAXIMUM_STDEV": ["1000.0", "adu", "changes the judgement of the product, not its content"],
    "BiasFrame.raw_bias_frames": ["list of RawBiasFrame"],
    "ReadNoise.raw_bias_frames": ["New members", "do not outdate the target"],
    "BiasFrame.is_valid": ["may be changed later", "meta.code.qual"],
    "BiasFrame": [
        "Master bias of a chip (541).",
        "read_noise       link to ReadNoise",
        "SIGMA_CLIP           3.0  Clipping",
        "MAXIMUM_STDEV  1000.0 adu",
        "STDEV_TOO_HIGH  bit 0  the pixels spread more than their limit",
        "chip=, date= (instrument=",
        "file_size",
        "phys.size;meta.file",
    ],
    "ReducedScienceFrame": ["raw= (one exposure)"],
    "frame": ["RawScienceFrame: An exposure of the sky.", "60.0 s", "Exposure time", "<Chip "],
    "frame.EXPTIME": ["Value", "60.0 s", "time.duration;obs.exposure", "Exposure time"],
    "frame.imstat.stdev": ["2.0 adu", "Standard deviation of the pixels"],
    "flagged": ["STDEV_TOO_HIGH  the pixels spread more than their limit", "SIGMA_CLIP"],
}


@pytest.mark.parametrize(("asked", "expected"), CASES.items(), ids=CASES)
def test_a_question_mark_says_what_is_declared(
    shown: Callable[[str], str], asked: str, expected: list[str]
) -> None:
    text = shown(asked)
    found = " ".join(text.split())  # how far apart the columns are is nobody's business
    assert [words for words in expected if " ".join(words.split()) not in found] == [], text


def test_what_is_not_ours_is_explained_as_python_does(shown: Callable[[str], str], shell: Any) -> None:
    assert "int" in shown("plain")
    assert "Work in another project" in shown("context.set_project")
    assert shell.object_inspect("nothing")["found"] is False
    assert "The master flat" in shell.object_inspect("ReducedScienceFrame.flat")["docstring"]
    assert "&lt;Chip" in shell.object_inspect_mime("frame")["text/html"]
