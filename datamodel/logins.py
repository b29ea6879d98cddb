"""Who is it that shows a password? Looked at with care: bounded, counted, and alike for names that nobody has."""

import hmac
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from datamodel import login_failures, passwords
from datamodel.accounts import Account, account, changing, read, token
from datamodel.archive import Archive
from datamodel.errors import BusyError, LoginError

log = logging.getLogger("vo_server.accounts")

HASHES_AT_ONCE = 2
"""In each process: a hash takes 64 MiB."""

MOST_WAITING = 8
PATIENCE_S = 10.0
RETRY_AFTER_S = 5
REMEMBERED_S = 300.0
MOST_REMEMBERED = 1000

WRONG = "the user name or the password is wrong"


class Desk:
    """Where passwords are looked at in one process.

    What was right is remembered for some minutes, as a digest under a key that dies with the process, so that programs
    which send their password with each request do not have it hashed each time.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, tuple[str, datetime]] = {}
        self._turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._room = threading.BoundedSemaphore(HASHES_AT_ONCE + MOST_WAITING)
        self.has_accounts = False

    def knows(self, found: Account | None, password: str, now: datetime) -> bool:
        """Whether the password was right for the very hash that is kept now."""
        if found is None or found.password_hash is None or found.disabled is not None:
            return False
        kept, until = self._right.get(self._digest(found.name, password), ("", now))
        return until > now and hmac.compare_digest(kept, found.password_hash)

    def remember(self, name: str, password: str, kept: str, now: datetime) -> None:
        """The password is right for that hash."""
        if len(self._right) >= MOST_REMEMBERED:
            self._right.clear()
        self._right[self._digest(name, password)] = kept, now + timedelta(seconds=REMEMBERED_S)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The right to hash within the block.

        Raises
        ------
        BusyError
            Too many others wait for the same.
        """
        if not self._room.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=PATIENCE_S):
                raise _busy()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._room.release()

    def _digest(self, name: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{name}\0{password}".encode(errors="surrogatepass"), "sha256")


def log_in(archive: Archive, name: str, password: str, address: str) -> Account:
    """The account whose password that is.

    Parameters
    ----------
    archive
        An open archive.
    name, password
        As they were given.
    address
        From which they came, as bounds go.

    Raises
    ------
    LoginError
        They are wrong, or the account is disabled; nobody is told which.
    TooOftenError
        So many have been wrong that this one is not looked at.
    BusyError
        Too many are being looked at.
    """
    desk = _desk(archive)
    found = _account(archive, name)
    if found is not None and desk.knows(found, password, archive.clock()):
        return found
    login_failures.refuse_many(archive, name, address)
    with desk.turn():
        if found is not None and desk.knows(found, password, archive.clock()):
            return found  # another request with the same has just been looked at
        login_failures.refuse_many(archive, name, address)
        kept = found.password_hash if found is not None and found.disabled is None else None
        right = passwords.is_right(password, kept)
        if found is None or kept is None or not right:
            login_failures.note(archive, name, address)
            log.warning("a log-in from %s failed", address)
            raise LoginError(WRONG)
        login_failures.forget(archive, name)
        kept = _renewed(archive, found, password, kept)
        desk.remember(name, password, kept, archive.clock())
    return found


def is_there_any(archive: Archive) -> bool:
    """Whether anybody can log in: there is a password, or a token. True stays true while the process lives."""
    desk = _desk(archive)
    if not desk.has_accounts:
        some = sa.exists().where(account.c.password_hash.is_not(None)) | sa.exists().where(token.c.id != "")
        with archive.database.read() as connection:
            desk.has_accounts = bool(connection.scalar(sa.select(some)))
    return desk.has_accounts


def _desk(archive: Archive) -> Desk:
    desk: Desk = archive.resource("log-ins", Desk)
    return desk


def _account(archive: Archive, name: str) -> Account | None:
    with archive.database.read() as connection:
        return read(connection, name)


def _renewed(archive: Archive, found: Account, password: str, kept: str) -> str:
    """What is kept of a right password, made anew where parameters have changed since."""
    if not passwords.is_outdated(kept):
        return kept
    new = passwords.hashed(password)
    same = (account.c.name == found.name) & (account.c.password_hash == kept)
    with changing(archive.database) as connection:
        return (
            new
            if connection.execute(sa.update(account).where(same).values(password_hash=new)).rowcount
            else kept
        )


def _busy() -> BusyError:
    return BusyError("too many log in at this moment; try again", RETRY_AFTER_S)
