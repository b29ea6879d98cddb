"""What every test may ask for: an empty database of the kind under test, and an engine on it.

``VO_TEST_DATABASE=postgresql`` runs the whole suite on a private PostgreSQL server, started with
``initdb`` as an unprivileged user; otherwise it runs on SQLite.
"""

import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

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
