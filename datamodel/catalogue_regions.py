"""How are the regions of a catalogue indexed, so that queries find them as they find footprints?

While rows go by, each that has a region is given a key, and the text of the region is put aside; when all are in
their table, the cells and edges of `datamodel.regions` are computed and stored beside it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from datamodel.catalogues import Entry
from datamodel.database import Database
from datamodel.errors import UsageError
from datamodel.regions import region_rows
from datamodel.shape_texts import numbers
from datamodel.shapes import Circle, Point, Polygon, Shape
from datamodel.table_rows import fill

AT_ONCE = 2000
"""Regions in memory: a thousand cells each are many."""

_SCHEMA = pa.schema([("row", pa.string()), ("region", pa.string())])


class Regions:
    """The regions of the rows that have gone by.

    Parameters
    ----------
    folder
        For their texts.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "regions.arrow"
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._file, _SCHEMA)
        self._rows = 0
        self.indexed = 0

    def keys(self, texts: pa.StringArray) -> pa.StringArray:
        """Put the regions of some rows aside; gives the keys of the rows, NULL for one without a region."""
        first, self._rows = self._rows, self._rows + len(texts)
        numbered = pa.array(range(first, self._rows), pa.int64()).cast(pa.string())
        keys = pc.if_else(texts.is_valid(), numbered, pa.scalar(None, pa.string()))
        batch = pa.RecordBatch.from_arrays([keys, texts], schema=_SCHEMA)
        self._writer.write_batch(batch.filter(texts.is_valid()))
        return keys

    def store(self, database: Database, entry: Entry, progress: Callable[[int, int], object]) -> None:
        """Make the tables of cells and edges; counts in `indexed` the regions that there are on the sky.

        Parameters
        ----------
        database
            Where the rows are.
        entry
            The catalogue.
        progress
            Is told how many rows' regions are done, of how many rows.
        """
        self._writer.close()
        self._file.close()
        cover, edges = entry.region_tables
        _create(database, (cover, edges), indices=False)
        done = 0
        for rows, regions in self._parts():
            found = [
                region_rows(shape, row)
                for row, shape in zip(rows, map(_shape, regions), strict=True)
                if shape
            ]
            self.indexed += len(found)
            for table, which in ((cover, 0), (edges, 1)):
                every = [row for outline in found for row in outline[which]]
                fill(database, table, [_batch(table, every)])
            done += len(rows)
            progress(done, self._rows)
        _create(database, (cover, edges), indices=True)

    def _parts(self) -> Iterator[tuple[list[str], list[str]]]:
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                for start in range(0, batch.num_rows, AT_ONCE):
                    rows, regions = (column.to_pylist() for column in batch.slice(start, AT_ONCE).columns)
                    yield rows, regions


def _shape(text: str) -> Shape | None:
    """The region that a text is, or None."""
    try:
        found = numbers(text)
        if len(found) <= 3:
            return Circle(*found) if len(found) == 3 else Point(*found)
        return Polygon(tuple(zip(found[::2], found[1::2], strict=True)))
    except (ValueError, UsageError):
        return None


_ARROW = {sa.BigInteger: pa.int64(), sa.Double: pa.float64(), sa.String: pa.string()}


def _batch(table: sa.Table, rows: list[dict[str, object]]) -> pa.RecordBatch:
    arrays = [pa.array([row[c.name] for row in rows], _ARROW[type(c.type)]) for c in table.columns]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in table.columns])


def _create(database: Database, tables: tuple[sa.Table, ...], indices: bool) -> None:
    with database.write() as connection:
        for table in tables:
            for made in map(CreateIndex, table.indexes) if indices else [CreateTable(table)]:
                connection.execute(made)
