"""How does an older archive come to the newest revision? By its migrations, all of them in one transaction.

Alembic runs them on the archive's own connection. Whatever is killed on the way, the archive is as it was, or upgraded.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from datamodel import crash, custody
from datamodel.archive import Archive
from datamodel.errors import NotFoundError
from datamodel.revisions import BEFORE, VERSIONS, alembic_version, known, require_known, revision_of
from datamodel.schema_changes import MIGRATED, Change, record, schema_change

STEP = crash.declare("upgrade.step", "a migration is done and written down, the transaction is not committed")
UPGRADED = crash.declare("upgrade.done", "all migrations are committed, nobody knows yet")


@dataclass(frozen=True)
class Step:
    """One migration: the revision it leads to, and what it does, in a sentence without its end."""

    revision: str
    what: str


@dataclass(frozen=True)
class Plan:
    """The revision that an archive has, that which it gets, and the way between them; no steps if they are one."""

    found: str
    newest: str
    steps: tuple[Step, ...]


def plan(archive: Archive, folder: Path = VERSIONS) -> Plan:
    """What `upgrade` would do, with the same parameters and errors; changes nothing."""
    with archive.database.read() as connection:
        return _planned(connection, archive, folder)


def upgrade(archive: Archive, folder: Path = VERSIONS) -> Plan:
    """Run the migrations that an archive has not gone through, all or none; gives what was done.

    Another process that does the same waits, and finds nothing left to do.

    Parameters
    ----------
    archive
        Not prepared; nobody else should be using it.
    folder
        Has the migrations.

    Raises
    ------
    UsageError
        The archive is newer than this program, or the database belongs to another one.
    NotFoundError
        No archive was begun in the database.
    """
    with archive.database.alter() as connection:
        done = _planned(connection, archive, folder)
        if done.steps:
            archive.database.create_missing(connection, [alembic_version, schema_change])
            _run(connection, archive, folder)
    if done.steps:
        crash.reach(UPGRADED)
    return done


def _planned(connection: sa.Connection, archive: Archive, folder: Path) -> Plan:
    custody.require(connection, archive.config.archive)
    found, revisions = revision_of(connection), known(folder)
    if found is None:
        raise NotFoundError(f"there is no archive in the database '{archive.database.engine.url!r}'")
    require_known(found, archive.config.archive, revisions)
    before = "base" if found == BEFORE else found
    ahead = ScriptDirectory(str(folder), version_locations=[str(folder)]).iterate_revisions("head", before)
    steps = tuple(Step(script.revision, script.doc.rstrip(".")) for script in ahead)
    return Plan(found, revisions[-1], steps[::-1])


def _run(connection: sa.Connection, archive: Archive, folder: Path) -> None:
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda heads, _context: scripts._upgrade_revs("head", heads),
            "script": scripts,
            "transactional_ddl": True,
            "on_version_apply": (partial(_applied, connection, archive),),
        },
    )
    with Operations.context(context):
        context.run_migrations()


def _applied(connection: sa.Connection, archive: Archive, *, step: Any, **_rest: Any) -> None:
    told = f"{step.up_revision_id} {step.up_revision.doc.rstrip('.')}"
    record(connection, archive.clock(), [Change(MIGRATED, told=told)])
    crash.reach(STEP)
