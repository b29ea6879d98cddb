"""Has an archive begun where a command looks for it? Looking makes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from datamodel import custody
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import UsageError
from processing.opening import open_archive


def require_archive(config: Config) -> None:
    """See that there is an archive.

    Raises
    ------
    UsageError
        Opening it would begin an empty one, or it was moved to another database than the configured one.
    """
    own_database = () if config.database_url else (config.archive / "archive.sqlite",)
    if not all(path.exists() for path in (config.archive / "files", *own_database)):
        told = custody.of_folder(config.archive)
        if told is not None:
            raise UsageError(
                f"the archive at '{config.archive}' has its database at '{told.database}' since {told.since};"
                " set database_url to that"
            )
        raise UsageError(
            f"there is no archive at '{config.archive}'; expected the folder of one that was begun with "
            f"'vo-server ingest --archive {config.archive} PATH', 'vo-server catalogue add' or 'vo-server demo'"
        )


@contextmanager
def opened(config: Config) -> Iterator[Archive]:
    """The archive that there is, for a block.

    Raises
    ------
    UsageError
        There is none.
    """
    require_archive(config)
    archive = open_archive(config)
    try:
        yield archive
    finally:
        archive.close()
