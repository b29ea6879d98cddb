"""Do ``vo-server user`` and ``vo-server project`` do what they say, and refuse what they should?"""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamodel import logins, tokens
from datamodel.archive import Archive
from datamodel.clock import utc_now
from datamodel.config import Config
from tests import accounts as of_tests
from tests.accounts import PASSWORD
from tests.databases import Databases
from tests.templates import COMPLETE, Templates
from vo_server import cli

cheap = of_tests.cheap

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path,
    templates: Templates,
    new_database: Databases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Runs a command on an archive; gives the exit code, and what it wrote to its two outputs."""
    archive = templates.opened(COMPLETE, tmp_path / "mine", utc_now)
    archive.close()
    url = archive.config.database_url
    monkeypatch.setenv("VO_ARCHIVE", str(tmp_path / "mine"))
    monkeypatch.setenv("VO_DATABASE_URL", url)

    def run(words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = cli.main(words.split())
        told = capsys.readouterr()
        return code, told.out, told.err

    yield run
    new_database.drop(url)


@pytest.fixture
def mine(run: Run, tmp_path: Path) -> Iterator[Archive]:
    """The same archive, to look at what was done."""
    archive = Archive(Config(archive=tmp_path / "mine", database_url=os.environ["VO_DATABASE_URL"]))
    yield archive
    archive.close()


@pytest.mark.thorough
def test_somebody_is_added_works_gets_tokens_and_is_disabled(run: Run, mine: Archive) -> None:
    assert run("user add eve --full-name Eve --password-stdin", f"{PASSWORD}\n")[:2] == (
        0,
        "eve has an account and can log in\n",
    )
    assert logins.log_in(mine, "eve", PASSWORD, "here").full_name == "Eve"
    assert run("user passwd eve --password-stdin", "quite another one\n")[0] == 0
    assert logins.log_in(mine, "eve", "quite another one", "here").name == "eve"
    code, secret, told = run("user token eve --days 3 --description nightly")
    assert (code, tokens.holder(mine, secret.strip()).account) == (0, "eve")
    (known,) = json.loads(run("user token eve --list --json")[1])
    assert known["id"] in told
    assert (known["description"], "digest" in known, secret.strip() in str(known)) == (
        "nightly",
        False,
        False,
    )
    assert known["id"] in run("user token --list")[1]
    assert run("user passwd eve --password-stdin", f"{PASSWORD}\n")[1].startswith(
        "eve has another password; 1 of its tokens stay valid"
    )
    assert run(f"user token --revoke {known['id']}")[0] == 0
    assert "revoked" in run("user token eve --list")[1]
    for verb in ("disable", "enable"):
        assert run(f"user {verb} eve") == (0, f"eve is {verb}d\n", "")
        (row,) = [each for each in json.loads(run("user list --json")[1]) if each["name"] == "eve"]
        assert (row["disabled"] is None) == (verb == "enable")
    mine.close()


@pytest.mark.thorough
def test_projects_are_added_changed_and_have_members(run: Run, mine: Archive) -> None:
    run("user add eve --without-password")
    assert run("project add deep --level 3 --instrument simcam --description Deep")[0] == 0
    assert run("project member deep eve --manager") == (0, "eve is a manager of deep\n", "")
    (deep,) = [each for each in json.loads(run("project list --json")[1]) if each["name"] == "deep"]
    assert deep == {
        "name": "deep",
        "description": "Deep",
        "maximum_privileges": 3,
        "is_public": False,
        "instrument": "SIMCAM",
        "members": [{"name": "eve", "is_manager": True}],
    }
    assert mine.caller("eve").managed == {"deep"}
    run("project change deep --public")
    assert "public" in run("project list")[1]
    run("project member deep eve --remove")
    run("user add bob --without-password")
    assert mine.caller("bob").projects == {"deep"}
    (row,) = [each for each in json.loads(run("user list --json")[1]) if each["name"] == "bob"]
    assert row == {
        "name": "bob",
        "full_name": "",
        "has_password": False,
        "tokens": 0,
        "disabled": None,
        "projects": [],
    }
    assert "no password" in run("user list")[1]
    mine.close()


@pytest.mark.parametrize(
    ("words", "typed", "code", "said"),
    [
        ("user add eve", "", 2, "nobody can be asked for a password here; --password-stdin"),
        ("user add eve --password-stdin", "", 2, "standard input is empty"),
        ("user add eve --password-stdin", "short\n", 2, "the password has 5 characters, expected 8"),
        ("user add archive --without-password", "", 2, "in whose name the archive itself works"),
        ("user add a:b --without-password", "", 2, "the user is called 'a:b'"),
        ("user passwd nobody --password-stdin", PASSWORD, 2, "there is no account 'nobody'"),
        ("user token", "", 2, "whose token is to be made? expected NAME"),
        ("user token archiv", "", 2, "there is no account 'archiv'; did you mean 'archive'?"),
        ("user token --revoke abc", "", 2, "there is no token 'abc'"),
        (
            "project add deep --level 7",
            "",
            2,
            "the level is '7', expected one of 1 MyDB",
        ),
        ("project add deep --instrument SIMCAN", "", 2, "'SIMCAN'; did you mean 'SIMCAM'?"),
        ("project member deep archive", "", 2, "there is no project 'deep'"),
    ],
)
def test_what_is_asked_wrongly_is_refused(run: Run, words: str, typed: str, code: int, said: str) -> None:
    got, _, told = run(words, typed)
    assert (got, said in told) == (code, True), told
    assert PASSWORD not in told


def test_a_person_is_asked_for_a_password_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [PASSWORD, PASSWORD, PASSWORD, "another one"]
    monkeypatch.setattr("getpass.getpass", lambda _prompt: answers.pop(0))
    monkeypatch.setattr("vo_server.user_command._is_terminal", lambda: True)
    assert run("user add eve")[0] == 0
    code, _, told = run("user passwd eve")
    assert (code, "the two passwords differ" in told) == (2, True)


@pytest.mark.parametrize("words", ["user list", "user add eve --without-password", "project list"])
def test_an_archive_that_is_not_there_is_not_begun(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    assert cli.main([*words.split(), "--archive", str(tmp_path / "no")]) == 2
    assert "there is no archive at" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
