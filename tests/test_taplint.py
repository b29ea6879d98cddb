"""What does STILTS taplint, the VO's own inspector, say about the TAP service?"""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.clients

STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO QAS UWS MDQ OBS LOC UPL EXA"
"""Every stage there is in 3.4.7 but EPN, which is of planetary tables only."""

EXPECTED = {
    "W-CAP-CULF": "COALESCE: the validator knows the identifier of its list of features in no case",
    "F-LOC-NOTP": "there is no ivoa.obsplan; looking for it is all that the stage can do",
}


def test_taplint_finds_nothing_but_what_it_does_not_know(
    served: Any, stilts: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run = stilts("taplint", f"tapurl={served.tap}", f"stages={STAGES}", "report=EWSF", "maxrepeat=20")
    found = re.findall(r"^[EWF]-\w+-\w+(?=-\d+)", run.stdout, re.MULTILINE)
    assert sorted(found) == sorted(EXPECTED), run.stdout
    assert re.findall(r"^Section (\w+):", run.stdout, re.MULTILINE) == STAGES.split()
    assert "Totals: Errors: 0; Warnings: 1;" in run.stdout, run.stderr
    succeeded = re.findall(r"Successful/submitted TAP queries: (\d+)/(\d+)", run.stdout)
    assert len(succeeded) >= 6
    assert all(done == asked for done, asked in succeeded)
    examples = re.search(r"S-EXA-XVAL.*", run.stdout)
    assert examples
    assert {done == asked for done, asked in re.findall(r"(\d+)/(\d+)", examples[0])} == {True}
