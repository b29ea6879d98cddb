"""How does a catalogue get its SQL table: rows in the order of the sky, indices, statistics, coverage?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from datamodel import crash
from datamodel.archive import Archive
from datamodel.arrays import KINDS
from datamodel.catalogue_order import Sorter
from datamodel.catalogue_regions import Regions
from datamodel.catalogue_statistics import ColumnStatistics, Coverage
from datamodel.catalogues import ROW, Entry
from datamodel.healpix import NO_PIXEL
from datamodel.table_rows import analyse, fill, pixels_of, storable

Progress = Callable[[str, int, int | None], object]
"""Called with what is being done, how many rows are done, and of how many, if that is known."""

LOADED = crash.declare("catalogue.loaded", "the rows of a catalogue are in their table, nobody knows of it")

_LAST = np.iinfo(np.int64).max
"""Stands for no pixel while rows are sorted, so that those without a place in the sky come last."""


Weigh = Callable[[int], object]
"""Called with the bytes of the rows so far; raises where they are too many."""


def make(
    archive: Archive,
    draft: Entry,
    batches: Iterable[pa.RecordBatch],
    folder: Path,
    progress: Progress,
    weigh: Weigh = lambda size: None,
) -> Entry:
    """Make the table of a catalogue and fill it; nobody knows of it yet.

    Parameters
    ----------
    archive
        Has the database.
    draft
        The catalogue as far as it is known before its rows are.
    batches
        The rows, in the columns of the draft without that of the index of the sky; where there is no such index, they
        are stored as they come.
    folder
        For what does not fit into memory.
    progress
        Is told now and then.
    weigh
        See `Weigh`.

    Returns
    -------
    Entry
        The draft, with the number of rows, their bytes, their statistics and their coverage.

    Raises
    ------
    UsageError
        A value is none that the database can hold.
    """
    seen = _Seen(draft, folder, weigh)
    rows = seen.noted(batches)
    if draft.point:
        rows = _told(_ordered(rows, draft, folder), seen, progress)
    with archive.database.write() as connection:
        draft.sql.create(connection, checkfirst=False)
    total = fill(archive.database, draft.sql, rows, whole=True)
    progress("indexing", 0, None)
    with archive.database.write() as connection:
        for place, column in enumerate(draft.columns):
            if column.indexed:
                sa.Index(f"ix_{draft.sql.name}_{place}", draft.sql.c[column.name]).create(connection)
    if seen.regions is not None:
        with archive.database.write() as connection:
            sa.Index(f"ix_{draft.sql.name}_row", draft.sql.c[ROW]).create(connection)
        seen.regions.store(archive.database, draft, partial(progress, "outlining"))
    with archive.database.write() as connection:
        for table in (draft.sql, *(draft.region_tables if draft.region else ())):
            analyse(connection, table)
    crash.reach(LOADED)
    return replace(draft, rows=total, **seen.found())


class _Seen:
    """What is noted of the rows while they go by."""

    def __init__(self, draft: Entry, folder: Path, weigh: Weigh) -> None:
        self.regions = Regions(folder) if draft.region else None
        self._region = draft.region
        self._columns = draft.columns
        self._point = draft.point
        self._names = [column.name for column in draft.columns]
        self._statistics = {column.name: ColumnStatistics() for column in draft.columns}
        self._coverage = Coverage()
        self._placed = 0
        self._weigh = weigh
        self._bytes = 0
        self.rows = 0

    def noted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows as they are stored, with the index of the sky where there are positions."""
        for batch in batches:
            stored = [storable(a, c) for a, c in zip(batch.columns, self._columns, strict=False)]
            if self._point is not None:
                stored.append(self._pixels(stored))
            for array, column in zip(stored, self._columns, strict=True):
                self._statistics[column.name].add(array, ordered=column.datatype.kind not in KINDS)
            self.rows += batch.num_rows
            made = pa.RecordBatch.from_arrays(stored, names=self._names)
            self._bytes += made.nbytes
            self._weigh(self._bytes)
            if self.regions is not None:
                made = made.append_column(ROW, self.regions.keys(made.column(self._region)))
            yield made

    def found(self) -> dict[str, Any]:
        """The fields of `Entry` that the rows decide."""
        return {
            "bytes": self._bytes,
            "placed": self._placed,
            "outlined": self.regions.indexed if self.regions else 0,
            "statistics": {name: asdict(each) for name, each in self._statistics.items()},
            "coverage": self._coverage.moc(),
        }

    def _pixels(self, stored: list[pa.Array]) -> pa.Array:
        assert self._point is not None
        ra, dec = (stored[self._names.index(name)] for name in (self._point.ra, self._point.dec))
        pixels = pixels_of(ra, dec)
        self._coverage.add(pixels)
        nowhere = pixels == NO_PIXEL
        self._placed += len(pixels) - int(np.count_nonzero(nowhere))
        return pa.array(pixels, mask=nowhere)


def _ordered(batches: Iterable[pa.RecordBatch], draft: Entry, folder: Path) -> Iterator[pa.RecordBatch]:
    """The same rows in the order of the sky."""
    key = draft.columns[-1].name
    sorter = Sorter(folder, key)
    for batch in batches:
        sorter.add(_with(batch, key, batch.column(key).fill_null(_LAST)))
    for batch in sorter.batches():
        pixels = batch.column(key).to_numpy()
        yield _with(batch, key, pa.array(pixels, mask=pixels == _LAST))


def _with(batch: pa.RecordBatch, name: str, array: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, array)


def _told(rows: Iterator[pa.RecordBatch], seen: _Seen, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The same rows; tells how many of them have been stored."""
    stored = 0
    for batch in rows:
        yield batch
        stored += batch.num_rows
        progress("storing", stored, seen.rows)
