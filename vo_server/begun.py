"""Has an archive begun where a command looks for it? Looking makes nothing."""

from datamodel.config import Config
from datamodel.errors import UsageError


def require_archive(config: Config) -> None:
    """See that there is an archive.

    Raises
    ------
    UsageError
        Opening it would begin an empty one.
    """
    own_database = () if config.database_url else (config.archive / "archive.sqlite",)
    if not all(path.exists() for path in (config.archive / "files", *own_database)):
        raise UsageError(
            f"there is no archive at '{config.archive}'; expected the folder of one that was begun with "
            f"'vo-server ingest --archive {config.archive} PATH', 'vo-server catalogue add' or 'vo-server demo'"
        )
