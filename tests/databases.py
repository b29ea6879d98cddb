"""Which databases do the tests have? SQLite, or with ``VO_TEST_DATABASE=postgresql`` a private PostgreSQL server.

The server is started with ``initdb`` as an unprivileged user, with the extensions that ``VO_TEST_EXTENSIONS`` lists,
such as ``q3c``.
"""

import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

ON_POSTGRESQL = os.environ.get("VO_TEST_DATABASE", "sqlite") == "postgresql"

on_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="asks what only SQLite does")


def on_postgresql(test: Any) -> Any:
    """Mark a test of what only PostgreSQL does: it is of the second tier, and passed over on SQLite."""
    passed_over = pytest.mark.skipif(not ON_POSTGRESQL, reason="asks what only PostgreSQL does")
    return pytest.mark.postgresql(passed_over(test))


_HASTY = " ".join(
    f"-c {setting}"
    for setting in (
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "max_wal_size=4GB",
        "checkpoint_timeout=1h",
    )
)
"""What a server that nobody will miss need not do."""

FIRST_TO_CHOOSE = 15
"""The version of PostgreSQL from which one can say how a database is copied; before, it was by files."""

ROOM = 4 << 30
"""So many bytes in memory are enough for the databases of all tests."""


class Server:
    """A PostgreSQL server, and the databases on it.

    Parameters
    ----------
    url
        With ``{database}`` in the place of a name.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._admin = sa.create_engine(url.format(database="postgres"), isolation_level="AUTOCOMMIT")

    def new(self, like: str = "") -> str:
        """The URL of a new database: empty, or a copy of that at another URL, which nobody has open."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        template = f" TEMPLATE {sa.make_url(like).database}" if like else ""
        with self._admin.connect() as connection:
            if like and (connection.dialect.server_version_info or ())[0] >= FIRST_TO_CHOOSE:
                template += " STRATEGY FILE_COPY"  # six times as fast where files are in memory
            connection.exec_driver_sql(f"CREATE DATABASE {name}{template}")
        return self.url.format(database=name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever has it open."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        """Give the connection back."""
        self._admin.dispose()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A private server; it goes with the session."""
    folder = _place() / f"vo-pg-{uuid.uuid4().hex[:8]}"
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
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} {_HASTY}"
        subprocess.run([_binary("pg_ctl"), "-D", data, "-o", options, "-w", "start"], **run)
        try:
            for extension in os.environ.get("VO_TEST_EXTENSIONS", "").split():
                create = ["-U", "archive", "-h", folder, "-c", f"CREATE EXTENSION {extension}", "template1"]
                subprocess.run([_binary("psql"), *create], **run)
            server = Server(f"postgresql+psycopg2://archive@/{{database}}?host={folder}")
            yield server
            server.close()
        finally:
            subprocess.run([_binary("pg_ctl"), "-D", data, "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> Path:
    """Where a server may keep its files: in memory if there is room, on a path short enough for a socket."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return memory if has_room else Path("/tmp")


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


class Databases:
    """Gives the URLs of databases for the tests of a session.

    Parameters
    ----------
    folder
        Gives a new folder of its own each time, for files of SQLite.
    server
        Where databases are made; None for SQLite.
    """

    def __init__(self, folder: Callable[[], Path], server: Server | None) -> None:
        self._folder = folder
        self._server = server

    def __call__(self, like: str = "", at: Path | None = None) -> str:
        """The URL of a new database.

        Parameters
        ----------
        like
            URL of one of which it is a copy, and which nobody has open; else it is empty.
        at
            Its file, where it is SQLite's; else one in a folder of its own.
        """
        if self._server is not None:
            return self._server.new(like)
        file = at or self._folder() / "archive.sqlite"
        if like:
            shutil.copyfile(str(sa.make_url(like).database), file)
        return f"sqlite:///{file}"

    def drop(self, url: str) -> None:
        """Remove a database; files of SQLite go with their folder."""
        if self._server is not None:
            self._server.drop(url)


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Gives the URL of another database, empty or a copy, for what tests share."""
    server = request.getfixturevalue("postgresql_server") if ON_POSTGRESQL else None
    return Databases(lambda: tmp_path_factory.mktemp("database"), server)


@pytest.fixture
def database_url(new_database: Databases, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of its own for one test."""
    url = new_database(at=tmp_path / "archive.sqlite")
    yield url
    new_database.drop(url)


DATABASES = {"new_database", "postgresql_server"}
"""Who takes none of these fixtures, itself or by others, does not care which database the tests run on."""


ABOVE = (
    "account_commands",
    "app_serving",
    "awe",
    "awe_completing",
    "awe_explaining",
    "awe_telling",
    "catalogue_command",
    "cli",
    "first_steps",
    "http_every_url",
    "http_fuzzing",
    "keeping_command",
    "pages",
    "progress_tree",
    "quality_figures",
    "query_page",
    "standing_commands",
)
"""Files of tests about prompts, command lines and pages: these ask below for what others ask on every database."""


def without_repeats(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that PostgreSQL can matter to, and the others, which the fast tests have run."""
    kept, repeats = [], []
    for item in items:
        below = item.path.stem.removeprefix("test_") not in ABOVE
        matters = below and DATABASES & set(getattr(item, "fixturenames", ()))
        (kept if matters or item.get_closest_marker("postgresql") else repeats).append(item)
    return kept, repeats
