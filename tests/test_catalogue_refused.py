"""Does an import that fails leave everything as it was, and is a name taken once?"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from datamodel import catalogues
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.errors import NotFoundError, UsageError
from tests.catalogues import COLUMNS, ask, brought, made_up, positions, reading, tables_of_rows
from vo_server.catalogue.importing import listed
from vo_server.formats.reading import Reading


def _with_nul() -> Reading:
    return reading(made_up(300, 3) | {"name": ["x"] * 299 + ["a\0b"]})


def _with_no_time() -> Reading:
    return reading(made_up(300, 3) | {"date": ["2003-02-14"] * 299 + ["yesterday"]})


def _with_a_broken_end() -> Reading:
    return Reading(COLUMNS, _broken(), rows=300)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (_with_nul, "column 'name' holds the character NUL"),
        (_with_no_time, "column 'date' holds 'yesterday'"),
        (_with_a_broken_end, "line 3 is broken"),
    ],
)
@pytest.mark.parametrize("replaces", [False, True])
def test_what_fails_leaves_nothing(
    archive: Archive, read: Callable[[], Reading], message: str, replaces: bool
) -> None:
    brought(archive, positions([1.0], [2.0]))
    before = tables_of_rows(archive)
    with pytest.raises(UsageError, match=message):
        brought(archive, read(), "test.stars" if replaces else "test.other", replaces=replaces)
    assert tables_of_rows(archive) == before
    assert [e.name for e in listed(archive)] == ["test.stars"]
    assert ask(archive, "SELECT ra FROM test.stars") == [{"ra": 1.0}]
    folder = archive.config.archive / catalogues.FOLDER
    assert {p.name for p in folder.iterdir()} == {"lock", "version"}


def _broken() -> Any:
    yield next(iter(reading(made_up(20, 1)).batches))
    raise UsageError("line 3 is broken")


def test_a_name_is_taken_once(archive: Archive) -> None:
    brought(archive, positions([1.0], [2.0]))
    with pytest.raises(UsageError, match=r"a catalogue 'test\.stars' already"):
        brought(archive, positions([1.0], [2.0]), "Test.STARS")
    with pytest.raises(
        NotFoundError, match=r"no catalogue 'test\.star' to replace; did you mean 'test\.stars'"
    ):
        brought(archive, positions([1.0], [2.0]), "test.star", replaces=True)


def test_of_two_who_bring_the_same_name_one_is_told(archive: Archive) -> None:
    rows = iter([pa.RecordBatch.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["ra", "dec"])])

    def while_another_is_first() -> Any:
        brought(archive, positions([5.0], [5.0]))
        yield from rows

    columns = (Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg"))
    with pytest.raises(UsageError, match="already"):
        brought(archive, Reading(columns, while_another_is_first()))
    assert ask(archive, "SELECT ra FROM test.stars") == [{"ra": 5.0}]
    assert len(tables_of_rows(archive)) == 1
