"""How do tests come by an observatory: an archive with a tiny survey ingested, of which each has a copy?"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.frames import RawScienceFrame
from datamodel.session import Session
from processing.ingest import ingest
from processing.opening import open_archive, operator, session_of
from processing.simulator import SurveyPlan, write_survey
from processing.workers import Workers
from tests.databases import ON_POSTGRESQL, Databases
from tests.recipes import Remembering
from vo_server.app import create_app


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``raw`` and ``truth`` of a tiny simulated survey; nobody writes there."""

    def write(folder: Path) -> None:
        write_survey(SurveyPlan.tiny(), folder / "raw", folder / "truth", workers=2)

    return _made_once(tmp_path_factory, "survey", write)


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Two processes that run recipes, for all tests together."""
    pool = Workers(2)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def lent(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Remembering]:
    """Gives the workers to an archive that does not end them: ``archive.resource("workers", lent)``.

    What they made for one test they do not make again for the next.
    """
    remembering = Remembering(workers, tmp_path_factory.mktemp("recipes"))
    return lambda: remembering


@pytest.fixture(scope="session")
def ingested(
    survey: Path, new_database: Databases, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """An archive folder and database URL with the tiny survey ingested; to be copied, never opened."""

    def fill(folder: Path, url: str = "") -> None:
        with session_of(Config(archive=folder, database_url=url)) as session:
            ingest(session, [survey / "raw"])

    if ON_POSTGRESQL:
        folder, url = tmp_path_factory.mktemp("ingested") / "archive", new_database()
        fill(folder, url)
        return folder, url
    return _made_once(tmp_path_factory, "ingested", fill), ""


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first of the processes which run the tests makes for all of them."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            aside = folder.with_suffix(".part")
            shutil.rmtree(aside, ignore_errors=True)
            make(aside)
            aside.rename(folder)
    return folder


@pytest.fixture(scope="session")
def copy_of_observatory(
    ingested: tuple[Path, str], new_database: Databases, lent: Callable[[], Remembering]
) -> Callable[[Path], Archive]:
    """Opens a copy of the archive with the tiny survey in a folder; nothing has been made there."""
    return lambda folder: _copied(ingested, folder, new_database, lent)


def _copied(
    original: tuple[Path, str], folder: Path, databases: Databases, lent: Callable[[], Remembering]
) -> Archive:
    source, url = original
    shutil.copytree(source, folder, copy_function=_linked)
    opened = open_archive(Config(archive=folder, database_url=databases(like=url) if url else ""))
    opened.resource("workers", lent)
    return opened


def _linked(source: str, target: str) -> None:
    """Raw frames are never written to, so that one copy of their bytes does; all else is copied."""
    if f"{os.sep}files{os.sep}" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def observatory(
    copy_of_observatory: Callable[[Path], Archive], tmp_path: Path, new_database: Databases
) -> Iterator[Archive]:
    """An archive of its own for one test, with the tiny survey ingested and nothing made."""
    opened = copy_of_observatory(tmp_path / "observatory")
    url = opened.config.database_url  # a test may configure something else
    yield opened
    opened.close()
    if url:
        new_database.drop(url)


@pytest.fixture
def session(observatory: Archive) -> Iterator[Session]:
    """The operator at work on `observatory`."""
    with Session(observatory, operator(observatory)) as opened:
        yield opened


@pytest.fixture
def recipes_run(observatory: Archive, workers: Workers) -> Iterator[None]:
    """Recipes run in this test, whatever they have made for others."""
    own = Remembering(workers, None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(observatory._resources, "workers", own)
        yield


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
