"""Is what a person says of how to choose and make all there or not at all, when the command is killed?"""

import os
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.favourites import favourite
from datamodel.history import event
from datamodel.pinning import PINNED
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.defaults import SET, default_value
from processing.opening import operator
from processing.waivers import WAIVED, waiver

WORDS = {
    PINNED: ("favourite", "OBJECT"),
    SET: ("parameter", "set", "BiasFrame.SIGMA_CLIP=4.0", "BiasFrame.MAXIMUM_STDEV=5.0"),
    WAIVED: ("waiver", "add", "BiasFrame", "DIGEST", "--reason", "its comments changed"),
}
ROWS = {PINNED: 1, SET: 2, WAIVED: 1}


@pytest.mark.killing
@pytest.mark.parametrize("point", [PINNED, SET, WAIVED])
def test_a_command_that_is_killed_has_done_nothing_and_is_given_again(
    observatory: Archive, point: str
) -> None:
    with Session(observatory, operator(observatory)):
        bias = BiasFrame.get(date="2003-02-14", chip="A5382")
    words = [
        {"OBJECT": bias.object_id, "DIGEST": bias.recipe_digest}.get(word, word) for word in WORDS[point]
    ]
    before = _counts(observatory)
    assert _run(observatory, words, VO_CRASH_AT=point) == 137
    assert _counts(observatory) == before
    assert _run(observatory, words) == 0
    after = _counts(observatory)
    assert sum(after[:3]) - sum(before[:3]) == ROWS[point]


def _run(archive: Archive, words: list[str], **environ: str) -> int:
    command = [sys.executable, "-m", "vo_server.cli", *words, "--archive", str(archive.config.archive)]
    environ |= {"VO_DATABASE_URL": archive.config.database_url, "VO_LOG_LEVEL": "ERROR"}
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, check=False).returncode


def _counts(archive: Archive) -> list[Any]:
    with archive.database.read() as connection:
        tables = (favourite, default_value, waiver, event)
        return [connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables]
