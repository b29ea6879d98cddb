"""Do the commands tell how products stand, and what a change would make outdated, without changing anything?"""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from datamodel.standings import standing
from processing.bias_frame import BiasFrame
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server import cli


@pytest.fixture
def command(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``vo-server`` on the archive; gives its exit code and what it said."""
    monkeypatch.setenv("VO_DATABASE_URL", session.archive.config.database_url)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main([*words, "--archive", str(session.archive.config.archive)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.thorough
def test_standings_and_impacts_are_told(
    session: Session, command: Callable[..., tuple[int, str, str]]
) -> None:
    reduced = ReducedScienceFrame.get(raw=(RawScienceFrame.chip == "A5382")[0])
    bias = BiasFrame.select(date="2003-02-14", chip="A5382")
    code, out, _ = command("standings", "--json", "--check")
    told = json.loads(out)
    assert (code, told["wrong"]) == (0, [])
    assert told["standings"]["ReducedScienceFrame"] == {"ok": 1}
    code, out, _ = command("impact", bias.object_id, "--json")
    assert code == 0
    assert json.loads(out)["outdated"]["ReducedScienceFrame"] == [reduced.object_id]
    code, out, _ = command("impact", bias.object_id, f"timestamp_end={bias.timestamp_end.isoformat()}")
    assert (code, out) == (0, "0 would be outdated\n")
    assert json.loads(command("standings", "--json")[1]) == {"standings": told["standings"]}
    with session.transaction() as connection:
        here = standing.c.object_id == bias.object_id
        connection.execute(sa.update(standing).where(here).values(own='[["recipe", "", 0, ""]]'))
    code, out, _ = command("standings", "--check")
    assert code == 1
    assert bias.object_id in out
    code, out, _ = command("standings", "--check", "--renew")
    assert code == 0
    assert out.endswith("a walk of every plan says the same\n")


def test_what_cannot_be_tried_is_quoted(
    session: Session, command: Callable[..., tuple[int, str, str]]
) -> None:
    bias = BiasFrame.get(date="2003-02-14", chip="A5382")
    for word, told in {
        "is_valit=0": "BiasFrame.is_valit cannot be changed; did you mean 'is_valid'?",
        "is_valid": "'is_valid': expected NAME=VALUE, such as is_valid=0",
        "is_valid=no": "is_valid is 'no', expected a whole number",
        "timestamp_end=soon": "timestamp_end is 'soon', expected an instant in ISO 8601",
    }.items():
        code, out, err = command("impact", bias.object_id, word)
        assert (code, out) == (2, "")
        assert told in err
