"""What every test may ask for: databases, archives, an observatory, a live server.

``VO_TEST_DATABASE=postgresql`` runs the tests to which the database matters on a private PostgreSQL server; otherwise
all run on SQLite.
"""

import gc
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datamodel import dialect
from datamodel.archive import Archive
from datamodel.database import Database
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from tests import databases, observatories, serving
from tests import templates as of_archives
from tests.databases import ON_POSTGRESQL, Databases
from tests.sent import counted

postgresql_server = databases.postgresql_server
new_database, database_url = databases.new_database, databases.database_url
templates, clock = of_archives.templates, of_archives.clock
archive, complete_archive = of_archives.archive, of_archives.complete_archive
survey, workers, lent = observatories.survey, observatories.workers, observatories.lent
ingested, copy_of_observatory = observatories.ingested, observatories.copy_of_observatory
observatory, session = observatories.observatory, observatories.session
recipes_run = observatories.recipes_run
client, raw = observatories.client, observatories.raw
served = serving.served


def pytest_configure() -> None:
    """No test switches the machine off: SQLite need not wait for its disk."""
    facts = dialect.FACTS["sqlite"]

    def prepare(connection: Any, info: dict[Any, Any]) -> None:
        facts.prepare(connection, info)
        connection.execute("PRAGMA synchronous=OFF")

    dialect.FACTS["sqlite"] = replace(facts, prepare=prepare)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays: nobody looks for garbage in it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is the same on every database is run on one of them."""
    if ON_POSTGRESQL:
        items[:], repeats = databases.without_repeats(items)
        config.hook.pytest_deselected(items=repeats)


@pytest.fixture(scope="module")
def functions_database(new_database: Databases) -> Iterator[Database]:
    """A database with our own functions, and no tables yet, for all tests of a module."""
    database = Database(new_database())
    with database.write() as connection:
        install(connection, FUNCTIONS)
    yield database
    database.close()


@pytest.fixture
def statements(archive: Archive) -> Iterator[Callable[[], int]]:
    """How many statements the archive's database was sent since the last time one asked."""
    with counted(archive) as count:
        yield count


@pytest.fixture
def stilts(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a task of STILTS with its arguments, in the folder of the test."""
    program = shutil.which("stilts")
    assert program, "stilts is not installed; the second tier needs it"
    return lambda *arguments, seconds=180: subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=seconds, cwd=tmp_path, check=False
    )
