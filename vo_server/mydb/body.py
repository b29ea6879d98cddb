"""Where is the table that a request has as its body, and in which format? On disk, never in memory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import flask

from datamodel import temporary
from datamodel.archive import Archive
from datamodel.catalogue_workshop import workshop
from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server.formats.reading import Limits, Reading, open_table
from vo_server.mydb import definition
from vo_server.tap.uploads import TYPES

_READ_BYTES = 1 << 18
_HEAD = 4096
_FORMS = ("multipart/form-data",)


@dataclass(frozen=True)
class Body:
    """The body of a request.

    Attributes
    ----------
    path
        Where its bytes are.
    format
        In which it is said to be; None where the bytes have to tell.
    limits
        What the table may be.
    """

    path: Path
    format: str | None
    limits: Limits

    @property
    def is_definition(self) -> bool:
        """Whether it describes a table and has no rows."""
        with self.path.open("rb") as stream:
            return self.format is None and definition.is_one(stream.read(_HEAD))

    def opened(self) -> Reading:
        """The table, with its rows where it has some; who wants them again opens it again."""
        return open_table(self.path, self.format, self.limits)


def allow(request: flask.Request, config: Config) -> None:
    """Let a request have as long a body as an upload; to be called before anything of it was read."""
    request.max_content_length = config.upload_bytes


@contextmanager
def received(request: flask.Request, archive: Archive) -> Iterator[Body]:
    """The body of a request, for a block; it lies in the folder of the archive, which is looked at for room.

    Raises
    ------
    UsageError
        It is empty, or a form.
    """
    if request.mimetype in _FORMS:
        raise UsageError(f"the body is {request.mimetype}, expected the table itself, such as text/csv")
    config = archive.config
    with workshop(archive) as (_, folder):
        path = folder / "body"
        with path.open("wb") as out:
            shutil.copyfileobj(request.stream, out, _READ_BYTES)
        if not path.stat().st_size:
            raise UsageError("the body is empty, expected a table")
        limits = Limits(
            rows=config.upload_rows, file_bytes=config.upload_bytes, columns=temporary.MAX_COLUMNS
        )
        yield Body(path, TYPES.get(request.mimetype.lower()), limits)
