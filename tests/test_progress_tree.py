"""Is a person told how far a plan is, while it is carried out and when it is interrupted?"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from rich.text import Text

from datamodel.archive import Archive
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.claims import FAILED, MADE, MAKING, PLANNED, THERE, Claim, Step, claim
from processing.derivation import derivation_key
from processing.hot_pixel_map import HotPixelMap
from processing.progress import shown_by
from processing.read_noise import ReadNoise
from vo_server.progress_tree import ProgressTree

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def text_of(terminal: io.StringIO) -> str:
    return Text.from_ansi(terminal.getvalue()).plain


def test_a_plan_tells_how_far_each_of_its_products_is(session: Session) -> None:
    ReadNoise.get(**NIGHT)
    told: list[dict[str, str]] = []

    def note(steps: Sequence[Step]) -> None:
        states = {s.node.cls.__name__: s.state for s in steps}
        if not told or told[-1] != states:
            told.append(states)

    HotPixelMap.get(**NIGHT, progress=note)
    states = [(t["ReadNoise"], t["BiasFrame"], t["HotPixelMap"]) for t in told]
    assert states == [
        (THERE, MAKING, PLANNED),
        (THERE, MADE, PLANNED),
        (THERE, MADE, MAKING),
        (THERE, MADE, MADE),
    ] or states == [(THERE, MAKING, PLANNED), (THERE, MADE, MAKING), (THERE, MADE, MADE)]


def test_a_tree_is_drawn_on_a_terminal_and_nothing_elsewhere(session: Session) -> None:
    terminal, file = Terminal(), io.StringIO()
    ReadNoise.get(**NIGHT)
    with shown_by(lambda: ProgressTree(terminal)):
        hot = HotPixelMap.get(**NIGHT)
        drawn = text_of(terminal)
        assert HotPixelMap.get(**NIGHT) is hot
        assert text_of(terminal) == drawn, "what is there needs no tree"
    assert "BiasFrame SIMCAM A5382 2003-02-15T00:00:00" in drawn.replace("\n", " ")
    last = drawn[drawn.rindex(" of 3 products, 2 made") :]
    assert "bias: BiasFrame" in last
    assert "made 0." in last or "made 1." in last or "made 2." in last
    assert "read_noise: ReadNoise up to date" in last
    with shown_by(lambda: ProgressTree(file)):
        BiasFrame.get(**NIGHT, SIGMA_CLIP=2.5)
    assert file.getvalue() == ""


def test_a_failure_is_shown_where_it_happened(session: Session) -> None:
    terminal = Terminal()
    with shown_by(lambda: ProgressTree(terminal)), pytest.raises(Exception, match="STDEV_TOO_HIGH"):
        HotPixelMap.get(**NIGHT, **{"BiasFrame.MAXIMUM_STDEV": 0.001})
    assert f"BiasFrame {FAILED}" in text_of(terminal)


@pytest.mark.thorough
def test_an_interrupted_plan_says_what_was_kept_and_leaves_nothing_behind(session: Session) -> None:
    terminal = io.StringIO()

    class Impatient(ProgressTree):
        """Is interrupted as soon as the bias is being made."""

        def _told(self, steps: Sequence[Step]) -> None:
            super()._told(steps)
            if any(s.node.cls is BiasFrame and s.state == MAKING for s in steps):
                raise KeyboardInterrupt

    with shown_by(lambda: Impatient(terminal)), pytest.raises(KeyboardInterrupt):
        HotPixelMap.get(**NIGHT)
    said = "interrupted: made and kept ReadNoise; gave up BiasFrame; ask again to go on\n"
    assert terminal.getvalue() == said
    with session.connection() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(claim)) == 0
    assert len(ReadNoise.select_all()) == 1
    assert HotPixelMap.get(**NIGHT).uptodate()
    assert len(ReadNoise.select_all()) == 1


def test_what_another_makes_is_told_as_such(session: Session, observatory: Archive) -> None:
    node = ReadNoise.plan(**NIGHT)
    held = Claim(observatory, derivation_key(node, node.inputs))
    assert held.acquire()
    told: list[str] = []

    def note(steps: Sequence[Step]) -> None:
        told.append(steps[0].state)
        if told[-1] == "made by another":
            held.release()

    assert ReadNoise.get(**NIGHT, progress=note).uptodate()
    assert "made by another" in told
    assert told[-1] == MADE


@pytest.mark.thorough
def test_get_in_a_shell_prints_its_answer_alone(observatory: Archive) -> None:
    at = {"VO_ARCHIVE": str(observatory.config.archive), "VO_DATABASE_URL": observatory.config.database_url}
    environment = os.environ | at | {"VO_WORKERS": "1", "VO_LOG_LEVEL": "ERROR"}
    keys = ["--chip", "A5382", "--date", "2003-02-14", "--json"]
    command = [sys.executable, "-m", "vo_server.cli", "get", "ReadNoise", *keys]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["class"] == "ReadNoise"
