"""Who is logged in on the pages? A signed cookie says so; its key lies in the folder of the archive."""

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import flask
from itsdangerous import BadData, URLSafeSerializer

from datamodel import accounts, crash
from datamodel.accounts import Account
from datamodel.archive import Archive
from datamodel.context import MYDB
from vo_server.auth.transport import is_encrypted
from vo_server.site import mount

KEY_FILE = "session.key"
KEY_BYTES = 32
KEY_WRITTEN = crash.declare("login.key_written", "a key for cookies is written aside, not in its place")
KEY_KEPT = crash.declare("login.key_kept", "a key for cookies is in its place, what was written aside too")


@dataclass(frozen=True)
class Session:
    """What a cookie says.

    Attributes
    ----------
    user
        Who is logged in; empty on the way there.
    changed
        When the password was set that it was shown for: another password ends the session.
    began
        When the cookie was made, in seconds since 1970.
    forms
        A secret that forms of our pages carry, and those of others do not.
    project, level
        In which project, and from which level on, one works on the pages; empty for all projects.
    """

    user: str
    changed: str
    began: float
    forms: str
    project: str = ""
    level: int = MYDB


def new(archive: Archive, who: Account | None) -> Session:
    """A session that begins now; None is nobody yet, who is about to log in."""
    began = archive.clock().timestamp()
    return Session(who.name if who else "", _changed(who), began, secrets.token_urlsafe(16))


def read(archive: Archive, request: flask.Request) -> Session | None:
    """What the cookie of a request says; None where there is none, or none that is ours and still valid."""
    key = _keeper(archive).key() if request.cookies else b""
    text = request.cookies.get(_name(key)) if key else None
    if not text:
        return None
    try:
        found = Session(**_signer(key).loads(text))
    except (BadData, TypeError):
        return None
    age = archive.clock().timestamp() - found.began
    return found if 0 <= age <= archive.config.login_hours * 3600 else None


def user_of(archive: Archive, session: Session) -> str | None:
    """The account that a session stands for; None where it stands for none any more."""
    if not session.user:
        return None
    with archive.database.read() as connection:
        found = accounts.read(connection, session.user)
    valid = found is not None and found.disabled is None and _changed(found) == session.changed
    return session.user if valid else None


def keep(archive: Archive, response: flask.Response, session: Session) -> None:
    """Have the browser keep a session."""
    key = _keeper(archive).made()
    response.set_cookie(
        _name(key),
        str(_signer(key).dumps(asdict(session))),
        max_age=round(session.began - archive.clock().timestamp() + archive.config.login_hours * 3600),
        path=mount(archive.config) or "/",
        secure=is_encrypted(flask.request, archive.config),
        httponly=True,
        samesite="Lax",
    )


def forget(archive: Archive, response: flask.Response) -> None:
    """Have the browser keep it no longer."""
    key = _keeper(archive).key()
    if key:
        response.delete_cookie(_name(key), path=mount(archive.config) or "/", httponly=True, samesite="Lax")


class Keeper:
    """The key of an archive, as one process knows it.

    Parameters
    ----------
    path
        Where it lies. It is made when somebody logs in for the first time; who takes it away ends all sessions.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""
        self._lock = threading.Lock()

    def key(self) -> bytes:
        """The key; empty where there is none yet."""
        if not self._key:
            with suppress(FileNotFoundError):
                self._key = self._path.read_bytes()
        return self._key

    def made(self) -> bytes:
        """The key, made where there is none; of several processes that make one, one succeeds."""
        with self._lock:
            return self.key() or self._make()

    def _make(self) -> bytes:
        aside = self._path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_bytes(KEY_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            crash.reach(KEY_WRITTEN)
            with suppress(FileExistsError):
                os.link(aside, self._path)
            crash.reach(KEY_KEPT)
        finally:
            aside.unlink(missing_ok=True)
        return self.key()


def _keeper(archive: Archive) -> Keeper:
    keeper: Keeper = archive.resource("session key", lambda: Keeper(archive.config.archive / KEY_FILE))
    return keeper


def _signer(key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})


def _name(key: bytes) -> str:
    """Browsers do not tell ports apart, so archives of one machine have cookies of different names."""
    return f"vo_session_{hashlib.sha256(b'name' + key).hexdigest()[:8]}"


def _changed(who: Account | None) -> str:
    return who.password_changed.isoformat() if who and who.password_changed else ""
