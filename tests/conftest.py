"""What every test may ask for: an empty database of the kind under test, and an engine on it.

``VO_TEST_DATABASE=postgresql`` runs the whole suite on a private PostgreSQL server, started with
``initdb`` as an unprivileged user; otherwise it runs on SQLite.
"""

import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config

ON_POSTGRESQL = os.environ.get("VO_TEST_DATABASE", "sqlite") == "postgresql"


def _binary(name: str) -> str:
    """The newest PostgreSQL program of that name, also where Debian hides it."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4]))
    found = str(places[-1]) if places else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; the second tier needs PostgreSQL")
    return found


def _unprivileged() -> dict[str, object]:
    """Arguments for subprocess that drop root's rights; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a private PostgreSQL server, without a database name; it goes with the session."""
    folder = Path("/tmp") / f"vo-pg-{uuid.uuid4().hex[:8]}"  # a socket path must stay under 108 bytes
    folder.mkdir()
    rights = _unprivileged()
    if rights:
        os.chown(folder, rights["user"], rights["group"])  # type: ignore[arg-type]
    data = folder / "data"
    run = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **rights}
    try:
        subprocess.run(
            [_binary("initdb"), "-D", data, "-U", "archive", "-A", "trust", "-E", "UTF8", "--locale=C"], **run
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run([_binary("pg_ctl"), "-D", data, "-o", options, "-w", "start"], **run)
        try:
            yield f"postgresql+psycopg2://archive@/{{database}}?host={folder}"
        finally:
            subprocess.run([_binary("pg_ctl"), "-D", data, "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of its own for one test."""
    if not ON_POSTGRESQL:
        yield f"sqlite:///{tmp_path}/archive.sqlite"
        return
    template = request.getfixturevalue("postgresql_server")
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(template.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield template.format(database=name)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


class FrozenClock:
    """A clock that stands still at 2026-01-01 until a test moves it on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> datetime:
        """Move on by the arguments of `timedelta`."""
        self.now += timedelta(**step)
        return self.now


@pytest.fixture
def clock() -> FrozenClock:
    """The clock of `archive`; ``clock.advance(days=1)`` moves it on."""
    return FrozenClock()


@pytest.fixture
def archive(database_url: str, tmp_path: Path, clock: FrozenClock) -> Iterator[Archive]:
    """A prepared archive: accounts A and B are members of project P, C of project Q."""
    opened = Archive(Config(archive=tmp_path / "archive", database_url=database_url, project="P"), clock)
    opened.prepare()
    for account, project in (("A", "P"), ("B", "P"), ("C", "Q")):
        opened.add_account(account, project)
    yield opened
    opened.close()


@pytest.fixture
def statements(archive: Archive) -> Iterator[Callable[[], int]]:
    """How many statements the archive's database was sent since the last time one asked."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    def count() -> int:
        number = len(sent)
        sent.clear()
        return number

    sa.event.listen(archive.database.engine, "before_cursor_execute", note)
    yield count
    sa.event.remove(archive.database.engine, "before_cursor_execute", note)
