"""Of which revision are the tables of an archive, and is it the one that this program works with?

A revision is named after the migration that leads to it (`datamodel.migrations`), and counts. An archive that is begun
now is of the newest one.
"""

import re
import shlex
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from datamodel.errors import UsageError
from datamodel.schema import metadata

VERSIONS = Path(__file__).parent / "migrations" / "versions"
"""The folder of the migrations: ``r0001_what_it_does.py`` and so on."""

BEFORE = "0"
"""The revision of an archive that was begun before revisions were counted."""

_MIGRATION = re.compile(r"r([0-9]{4})_[a-z0-9_]+\.py")
_SIGN = "event"
"""The table that every archive has had from the beginning."""

alembic_version = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The revision of the archive, in one row, where Alembic looks for it."""


def known(folder: Path = VERSIONS) -> tuple[str, ...]:
    """Every revision that there is a migration to, oldest first."""
    return tuple(sorted(found[1] for path in folder.iterdir() if (found := _MIGRATION.fullmatch(path.name))))


@cache
def newest() -> str:
    """The revision that this program works with."""
    return known()[-1]


def revision_of(connection: sa.Connection) -> str | None:
    """The revision of an archive's tables; None where no archive was begun in the database."""
    inspector = sa.inspect(connection)
    if inspector.has_table(alembic_version.name):
        return connection.scalar(sa.select(alembic_version.c.version_num)) or BEFORE
    return BEFORE if inspector.has_table(_SIGN) else None


def begin(connection: sa.Connection) -> None:
    """Say that the tables made in a transaction are of the newest revision."""
    connection.execute(sa.insert(alembic_version).values(version_num=newest()))


def require_newest(found: str, archive: Path) -> None:
    """See that this program can work with an archive.

    Parameters
    ----------
    found
        The revision of its tables.
    archive
        Its folder, for the message.

    Raises
    ------
    UsageError
        They are older: the message has the command that upgrades them; or newer than this program.
    """
    if found == newest():
        return
    require_known(found, archive, known())
    raise UsageError(
        f"{in_words(found, archive)}, and this program works with {newest()}: back the archive up, end what uses "
        f"it, and run 'vo-server upgrade --archive {shlex.quote(str(archive))}' (with --dry-run it only shows "
        "what would be done)"
    )


def require_known(found: str, archive: Path, revisions: tuple[str, ...]) -> None:
    """See that an archive is not newer than this program.

    Raises
    ------
    UsageError
        There is no such revision among those that are known.
    """
    if found not in (BEFORE, *revisions):
        raise UsageError(
            f"{in_words(found, archive)}, which this program does not know, only those up to {revisions[-1]}: it "
            "is too old for this archive; use the version of vo-server that upgraded it, or a later one"
        )


def in_words(found: str, archive: Path) -> str:
    """A sentence without its end, such as ``the archive at 'x' has revision 0001``."""
    more = " (it was begun before revisions were counted)" if found == BEFORE else ""
    return f"the archive at '{archive}' has revision {found}{more}"
