"""How do tests come by archives that are begun? By copies of templates, each of which is begun once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.attributes import all_classes
from datamodel.config import Config
from processing.classes import TABLES
from tests.databases import Databases
from vo_server.tap.tap_schema import tables, update_tap_schema

BARE, COMPLETE = "bare", "complete"
"""With the tables of all classes; with all tables that there are, told of in TAP_SCHEMA."""


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


@dataclass(frozen=True)
class Template:
    """An archive that nobody opens: its database, and the tables of classes in it.

    Attributes
    ----------
    classes
        All that were declared when it was begun.
    """

    url: str
    classes: tuple[Any, ...]
    prepared: frozenset[sa.Table]


class Templates:
    """Archives without objects, of which each test may have a copy.

    A template serves until a class is declared that it does not know; then another one is begun.
    """

    def __init__(self, folder: Callable[[], Path], databases: Databases) -> None:
        self._folder = folder
        self._databases = databases
        self._begun: dict[str, Template] = {}

    def opened(self, kind: str, folder: Path, clock: Any, **settings: Any) -> Archive:
        """A copy of a template as `Archive.prepare` leaves it; who asks for it closes it.

        Parameters
        ----------
        kind
            `BARE` or `COMPLETE`.
        folder
            Where the archive is to be; a database of SQLite lies beside it.
        settings
            Of the configuration.
        """
        template = self._of(kind)
        folder.parent.mkdir(parents=True, exist_ok=True)
        url = self._databases(like=template.url, at=folder.parent / f"{folder.name}.sqlite")
        archive = Archive(Config(archive=folder, database_url=url, **settings), clock)
        archive._prepared |= template.prepared  # so that it is not looked at again
        return archive

    def _of(self, kind: str) -> Template:
        found = self._begun.get(kind)
        if found is None or found.classes != all_classes():
            found = self._begun[kind] = self._begin(kind)
        return found

    def _begin(self, kind: str) -> Template:
        url = self._databases()
        archive = Archive(Config(archive=self._folder(), database_url=url), FrozenClock())
        archive.prepare(TABLES if kind == COMPLETE else None)
        if kind == COMPLETE:
            update_tap_schema(archive, tables(archive.config))
        prepared = frozenset(archive._prepared)
        archive.close()
        return Template(url, all_classes(), prepared)


@pytest.fixture(scope="session")
def templates(new_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Gives copies of archives that are begun."""
    return Templates(lambda: tmp_path_factory.mktemp("template"), new_database)


@pytest.fixture
def clock() -> FrozenClock:
    """The clock of `archive`; ``clock.advance(days=1)`` moves it on."""
    return FrozenClock()


@pytest.fixture
def archive(
    templates: Templates, new_database: Databases, tmp_path: Path, clock: FrozenClock
) -> Iterator[Archive]:
    """A prepared archive: accounts A and B are members of project P, C of project Q."""
    yield from _peopled(templates, BARE, new_database, tmp_path, clock)


@pytest.fixture
def complete_archive(
    templates: Templates, new_database: Databases, tmp_path: Path, clock: FrozenClock
) -> Iterator[Archive]:
    """The same with all tables that there are, told of in TAP_SCHEMA."""
    yield from _peopled(templates, COMPLETE, new_database, tmp_path, clock)


def _peopled(
    templates: Templates, kind: str, databases: Databases, folder: Path, clock: FrozenClock
) -> Iterator[Archive]:
    opened = templates.opened(kind, folder / "archive", clock, project="P")
    for account, project in (("A", "P"), ("B", "P"), ("C", "Q")):
        opened.add_account(account, project)
    url = opened.config.database_url  # a test may configure something else
    yield opened
    opened.close()
    databases.drop(url)
