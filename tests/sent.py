"""Which statements is the database of an archive sent?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from datamodel.archive import Archive


@contextmanager
def sent_to(archive: Archive) -> Iterator[list[str]]:
    """The statements that were sent since the block began, as they come."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    sa.event.listen(archive.database.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(archive.database.engine, "before_cursor_execute", note)


@contextmanager
def counted(archive: Archive) -> Iterator[Callable[[], int]]:
    """How many they were since the last time one asked."""
    with sent_to(archive) as sent:

        def count() -> int:
            number = len(sent)
            sent.clear()
            return number

        yield count
