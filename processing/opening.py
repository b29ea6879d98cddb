"""How a program opens an archive: with every class and table in it, as the account that runs it."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from datamodel import catalogue_workshop, projects
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import SERVICE_ACCOUNT, Caller
from datamodel.row_security import reader
from datamodel.session import Session
from processing.classes import TABLES
from processing.upkeep import catch_up

A_DAY_S = 86400.0


def open_archive(config: Config) -> Archive:
    """An archive with all its tables, made where there is none yet; what it lists follows what is judged.

    Raises
    ------
    UsageError
        The archive must be upgraded first, or is too new for this program.
    """
    archive = Archive(config)
    try:
        archive.listeners.append(catch_up)
        archive.prepare(TABLES)
        if archive.database.only_reads:
            return archive
        archive.store.sweep(A_DAY_S)
        catalogue_workshop.sweep(archive)
        archive.add_account(SERVICE_ACCOUNT)
    except BaseException:
        archive.close()
        raise
    return archive


def operator(archive: Archive) -> Caller:
    """The account that runs this program, in the configured project and at the configured level.

    In an archive without a project the configured one is made.

    It manages all its projects: who can write the files and the database may do what can be done. Who may only read
    the database is whom their role there stands for.

    Raises
    ------
    NotFoundError
        There are projects, but not the configured one.
    """
    config = archive.config
    if archive.database.only_reads:
        with archive.database.read() as connection:
            return reader(connection, config.project, config.level)
    name = getpass.getuser()
    archive.add_account(name)
    projects.require_or_begin(archive, config.project)
    archive.add_account(name, config.project)
    found = archive.caller(name, config.project, config.level)
    return replace(found, managed=found.projects)


@contextmanager
def session_of(config: Config) -> Iterator[Session]:
    """An open archive in the hands of its operator; closed at the end of the block."""
    archive = open_archive(config)
    try:
        with Session(archive, operator(archive)) as session:
            yield session
    finally:
        archive.close()
