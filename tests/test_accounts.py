"""Are accounts, projects, passwords and tokens kept as they should be, and of no use where they should not?"""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import argon2
import pytest
import sqlalchemy as sa

from datamodel import account_changes, accounts, login_failures, logins, passwords, projects, tokens
from datamodel.archive import Archive
from datamodel.commit import commit
from datamodel.config import Config
from datamodel.context import PROJECT, Caller
from datamodel.crash import CRASH_POINTS
from datamodel.errors import (
    ArchiveError,
    BusyError,
    ForbiddenError,
    LoginError,
    NotFoundError,
    TooOftenError,
    UsageError,
)
from datamodel.observatory import Instrument
from datamodel.session import Session
from datamodel.upgrading import upgrade
from tests import accounts as of_tests
from tests.accounts import CHEAP, PASSWORD, with_password
from tests.old_archives import thaw
from tests.templates import FrozenClock

cheap = of_tests.cheap

HERE = "192.0.2.1"


def test_an_archive_from_before_there_were_passwords_takes_them(database_url: str, tmp_path: Path) -> None:
    archive = Archive(Config(archive=tmp_path / "archive", database_url=database_url))
    thaw(archive)
    upgrade(archive)
    archive.prepare()
    assert archive.caller("A") == Caller("A", projects=frozenset({"P"}))
    (found,) = [each for each in projects.listed(archive) if each.name == "P"]
    assert (found.maximum_privileges, found.is_public, ("A", False) in found.members) == (5, False, True)
    with_password(archive, "A")
    assert logins.log_in(archive, "A", PASSWORD, HERE).name == "A"
    archive.close()


def test_a_caller_is_a_member_of_own_and_of_public_projects(archive: Archive) -> None:
    projects.add(archive, "open", is_public=True)
    projects.add(archive, "closed")
    projects.set_member(archive, "closed", "C", is_manager=True)
    assert archive.caller("A").projects == {"P", "open"}
    seen = archive.caller("C")
    assert (seen.projects, seen.managed) == ({"Q", "closed", "open"}, {"closed"})
    projects.set_member(archive, "closed", "C")
    assert archive.caller("C").managed == frozenset()
    projects.remove_member(archive, "closed", "C")
    projects.change(archive, "open", is_public=False)
    assert archive.caller("C").projects == {"Q"}


def test_what_is_made_in_a_public_project_is_seen_by_every_account(archive: Archive) -> None:
    projects.add(archive, "open", is_public=True)
    with Session(archive, archive.caller("A", "open", PROJECT)):
        Instrument(name="shared camera").commit()
    for name, sees in (("A", 1), ("C", 1)):
        with Session(archive, archive.caller(name)):
            assert len(Instrument.select_all()) == sees
    projects.change(archive, "open", is_public=False)
    with Session(archive, archive.caller("C")):
        assert len(Instrument.select_all()) == 0


def test_the_level_of_a_project_caps_its_objects(archive: Archive) -> None:
    projects.add(archive, "low", maximum_privileges=2)
    projects.set_member(archive, "low", "A")
    with Session(archive, archive.caller("A", "low", 5)) as session:
        made = Instrument(name="a")
        made.commit()
        assert made._privileges == 2
        with pytest.raises(ForbiddenError, match="'low' allows privileges up to 2, not 4"):
            commit(session, [Instrument(name="b", _privileges=4)])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda a: account_changes.add(a, "A"), "there is an account 'A' already; 'vo-server user passwd A'"),
        (lambda a: account_changes.add(a, "a b"), "the user is called 'a b', expected up to 100 letters"),
        (lambda a: account_changes.add(a, "x" * 101), "expected up to 100 letters"),
        (lambda a: account_changes.add(a, "archive"), "in whose name the archive itself works"),
        (lambda a: account_changes.add(a, "new", password="short"), "has 5 characters, expected 8 at least"),
        (lambda a: account_changes.add(a, "new", password="x" * 1001), "has 1001 characters"),
        (lambda a: account_changes.add(a, "Somebody", password="someBODY"), "the password is the name"),
        (lambda a: account_changes.set_password(a, "AA", PASSWORD), "there is no account 'AA'"),
        (lambda a: account_changes.disable(a, "D"), "there is no account 'D'"),
        (lambda a: a.caller("nobody\0"), "there is no account"),
        (lambda a: a.caller("y" * 300), "there is no account"),
        (lambda a: projects.add(a, "P"), "there is a project 'P' already; 'vo-server project change P'"),
        (lambda a: projects.add(a, "ALL"), "'ALL' stands for every project"),
        (lambda a: projects.add(a, "new", maximum_privileges=6), "the highest level of the project is 6"),
        (lambda a: projects.change(a, "P"), "nothing is said of project 'P'"),
        (lambda a: projects.change(a, "PP", is_public=True), "there is no project 'PP'; did you mean 'P'"),
        (lambda a: projects.set_member(a, "P", "D"), "there is no account 'D'"),
        (lambda a: projects.set_member(a, "R", "A"), "there is no project 'R'"),
        (lambda a: projects.remove_member(a, "Q", "A"), "'A' is no member of project 'Q'"),
        (lambda a: tokens.issue(a, "D"), "there is no account 'D'"),
        (lambda a: tokens.issue(a, "A", days=0), "the token is for 0 days"),
        (lambda a: tokens.issue(a, "A", level=6), "the level of the token is 6, expected one of 1, 2"),
        (lambda a: tokens.issue(a, "A", project="Q"), "A is no member of project 'Q'; there are P"),
        (lambda a: tokens.revoke(a, "0123456789abcdef"), "there is no token '0123456789abcdef'"),
        (lambda a: tokens.listed(a, "D"), "there is no account 'D'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_given(archive: Archive, call: object, said: str) -> None:
    with pytest.raises((UsageError, NotFoundError), match=said) as refused:
        call(archive)  # type: ignore[operator]
    assert PASSWORD not in str(refused.value)


def test_a_password_is_kept_as_a_hash_that_argon2_knows(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "HASHER", argon2.PasswordHasher())
    with_password(archive, "A")
    with archive.database.read() as connection:
        kept = accounts.named(connection, "A").password_hash
    assert kept is not None
    assert argon2.extract_parameters(kept) == argon2.profiles.RFC_9106_LOW_MEMORY
    assert argon2.PasswordHasher().verify(kept, PASSWORD)
    assert not argon2.PasswordHasher().check_needs_rehash(passwords._dummy())
    assert argon2.extract_parameters(passwords._dummy()) == argon2.extract_parameters(kept)


def test_a_password_is_the_same_however_it_is_composed(archive: Archive) -> None:
    account_changes.set_password(archive, "A", "gr\u00fc\u00dfe aus")
    assert logins.log_in(archive, "A", "gru\u0308\u00dfe aus", HERE).name == "A"


def test_a_hash_of_other_parameters_is_renewed_when_its_password_is_shown(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(archive, "A")
    stronger = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", stronger)
    logins.log_in(archive, "A", PASSWORD, HERE)
    with archive.database.read() as connection:
        kept = accounts.named(connection, "A").password_hash or ""
    assert not stronger.check_needs_rehash(kept)
    assert stronger.verify(kept, PASSWORD)


class Counted(argon2.PasswordHasher):
    """Counts how often it looks at a password."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.looked = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        self.looked += 1
        return super().verify(hash, password)


def test_a_name_that_nobody_has_costs_as_much_as_one_with_a_wrong_password(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(archive, "A", "C")
    account_changes.disable(archive, "C")
    hasher = Counted()
    monkeypatch.setattr(passwords, "HASHER", hasher)
    told = set()
    for name in ("A", "B", "C", "nobody", "x" * 300, "nul\0"):
        before = hasher.looked
        with pytest.raises(LoginError) as refused:
            logins.log_in(archive, name, "a wrong password", HERE)
        told.add(str(refused.value))
        assert hasher.looked == before + 1
    assert told == {"the user name or the password is wrong"}


def test_a_right_password_is_hashed_once_until_it_changes_or_some_minutes_are_over(
    archive: Archive, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = Counted()
    monkeypatch.setattr(passwords, "HASHER", hasher)
    with_password(archive, "A")
    for _ in range(3):
        logins.log_in(archive, "A", PASSWORD, HERE)
    assert hasher.looked == 1
    clock.advance(seconds=logins.REMEMBERED_S + 1)
    logins.log_in(archive, "A", PASSWORD, HERE)
    assert hasher.looked == 2
    account_changes.set_password(archive, "A", "another password")
    with pytest.raises(LoginError):
        logins.log_in(archive, "A", PASSWORD, HERE)
    account_changes.set_password(archive, "A", PASSWORD)
    logins.log_in(archive, "A", PASSWORD, HERE)
    account_changes.disable(archive, "A")
    with pytest.raises(LoginError):
        logins.log_in(archive, "A", PASSWORD, HERE)


def test_few_passwords_are_looked_at_at_a_time_and_few_wait(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(archive, "A")
    monkeypatch.setattr(logins, "PATIENCE_S", 0.0)
    desk = logins._desk(archive)
    with desk.turn(), desk.turn(), pytest.raises(BusyError, match="too many log in"):
        logins.log_in(archive, "A", PASSWORD, HERE)
    assert logins.log_in(archive, "A", PASSWORD, HERE).name == "A"


def fails(archive: Archive, name: str, address: str, error: type[ArchiveError] = LoginError) -> ArchiveError:
    with pytest.raises(error) as refused:
        logins.log_in(archive, name, "a wrong password", address)
    assert type(refused.value) is error
    return refused.value


def test_an_account_whose_password_is_guessed_is_looked_at_ever_more_slowly(
    archive: Archive, clock: FrozenClock
) -> None:
    with_password(archive, "A", "B")
    for number in range(login_failures.FREE["account"]):
        fails(archive, "A", f"192.0.2.{number}")
    waits = []
    for _ in range(8):
        busy = fails(archive, "A", HERE, TooOftenError)
        assert isinstance(busy, TooOftenError)
        waits.append(busy.retry_after_s)
        with pytest.raises(TooOftenError):
            logins.log_in(archive, "A", PASSWORD, HERE)
        clock.advance(seconds=busy.retry_after_s)
        fails(archive, "A", HERE)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert logins.log_in(archive, "B", PASSWORD, "192.0.2.200").name == "B"
    clock.advance(seconds=60)
    logins.log_in(archive, "A", PASSWORD, "192.0.2.200")
    fails(archive, "A", "192.0.2.200")
    assert logins.log_in(archive, "A", PASSWORD, "192.0.2.200").name == "A"


def test_an_address_that_guesses_is_kept_out_whatever_names_it_tries(
    archive: Archive, clock: FrozenClock
) -> None:
    with_password(archive, "A")
    for number in range(login_failures.FREE["address"]):
        fails(archive, f"name{number}", HERE)
    fails(archive, "another", HERE, TooOftenError)
    assert logins.log_in(archive, "A", PASSWORD, "192.0.2.77").name == "A"
    clock.advance(seconds=login_failures.FORGOTTEN_S + 1)
    fails(archive, "another", HERE)
    fails(archive, "another", HERE)


def test_failures_count_in_all_processes_and_hold_no_names(archive: Archive, clock: FrozenClock) -> None:
    for _ in range(login_failures.FREE["account"]):
        fails(archive, "my password typed as a name", HERE)
    other = Archive(archive.config, clock)
    fails(other, "my password typed as a name", "192.0.2.9", TooOftenError)
    other.close()
    with archive.database.read() as connection:
        rows = connection.execute(sa.select(accounts.login_failure)).all()
    assert len(rows) == 2
    assert not any("password" in str(row) or HERE in str(row) for row in rows)
    assert login_failures.sweep(archive) == 0
    clock.advance(seconds=login_failures.FORGOTTEN_S + 1)
    assert (login_failures.sweep(archive), login_failures.sweep(archive)) == (2, 0)


def test_failures_at_the_same_moment_are_all_counted(archive: Archive) -> None:
    threads = [threading.Thread(target=login_failures.note, args=(archive, "A", HERE)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with archive.database.read() as connection:
        counts = connection.scalars(sa.select(accounts.login_failure.c.failures)).all()
    assert counts == [8, 8]


def test_a_token_stands_for_its_account_until_it_ends_or_is_revoked(
    archive: Archive, clock: FrozenClock
) -> None:
    id, secret = tokens.issue(archive, "A", days=2, description="a script")
    assert secret.startswith("vo_token_")
    assert len(secret) >= len("vo_token_") + 43  # 256 bits in base64
    assert tokens.holder(archive, secret).account == "A"
    for wrong in ("", "vo_token_", secret[:-1], secret + "x", secret.upper(), "\udcff", "nul\0"):
        with pytest.raises(LoginError):
            tokens.holder(archive, wrong)
    with archive.database.read() as connection:
        (row,) = connection.execute(sa.select(accounts.token)).all()
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)
    clock.advance(days=2)
    with pytest.raises(LoginError):
        tokens.holder(archive, secret)
    other_id, other = tokens.issue(archive, "A")
    tokens.revoke(archive, other_id)
    with pytest.raises(LoginError, match="wrong, revoked or out of date"):
        tokens.holder(archive, other)
    assert [(t.id, t.revoked is None) for t in tokens.listed(archive, "A")] == [(other_id, False), (id, True)]
    assert tokens.listed(archive, "B") == []
    clock.advance(days=31)
    assert (tokens.sweep(archive), tokens.sweep(archive)) == (1, 0)
    assert [t.id for t in tokens.listed(archive)] == [other_id]


def test_a_token_of_a_disabled_account_is_void_while_it_is(archive: Archive) -> None:
    _, secret = tokens.issue(archive, "A")
    account_changes.disable(archive, "A")
    with pytest.raises(LoginError):
        tokens.holder(archive, secret)
    with pytest.raises(ForbiddenError, match="the account 'A' is disabled"):
        archive.caller("A")
    account_changes.enable(archive, "A")
    assert tokens.holder(archive, secret).account == "A"
    assert archive.caller("A").user == "A"


def test_a_new_password_ends_the_tokens_of_log_ins_and_counts_the_others(archive: Archive) -> None:
    _, of_login = tokens.issue(archive, "A", of_login=True)
    _, own = tokens.issue(archive, "A")
    tokens.issue(archive, "B")
    assert account_changes.set_password(archive, "A", PASSWORD) == 1
    assert tokens.holder(archive, own).account == "A"
    with pytest.raises(LoginError):
        tokens.holder(archive, of_login)


def test_the_use_of_a_token_is_written_down_but_not_each_time(
    archive: Archive, clock: FrozenClock, statements: object
) -> None:
    _, secret = tokens.issue(archive, "A")
    tokens.holder(archive, secret)
    assert tokens.listed(archive)[0].last_used == clock.now
    statements()  # type: ignore[operator]
    tokens.holder(archive, secret)
    assert statements() == 1  # type: ignore[operator]
    clock.advance(hours=2)
    tokens.holder(archive, secret)
    assert tokens.listed(archive)[0].last_used == clock.now


ADD = """
import sys
from pathlib import Path
from datamodel import account_changes
from datamodel.archive import Archive
from datamodel.config import Config
account_changes.add(Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2])), "new", "New")
"""


@pytest.mark.parametrize(("point", "there"), [("accounts.written", False), ("accounts.done", True)])
def test_an_account_is_there_or_not_whenever_the_process_is_killed(
    archive: Archive, point: str, there: bool
) -> None:
    assert point in CRASH_POINTS
    command = [sys.executable, "-c", ADD, str(archive.config.archive), archive.config.database]
    environment = {**os.environ, "VO_CRASH_AT": point}
    run = subprocess.run(command, env=environment, cwd=Path(__file__).parent.parent, check=False)
    assert run.returncode == 137
    assert ("new" in [each.name for each in account_changes.listed(archive)]) == there


def test_the_tests_hash_cheaply() -> None:
    assert passwords.HASHER is CHEAP
