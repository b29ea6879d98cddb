"""How do the tests of reading read a table to its end?

Every batch is valid, and of the types that the columns have.
"""

import io

import pyarrow as pa

from vo_server.formats.reading import open_table


def read_rows(content, **options):
    """The reading, and its rows as Python has them."""
    reading = open_table(io.BytesIO(content), **options)
    return reading, [tuple(row.values()) for batch in _valid(reading) for row in batch.to_pylist()]


def read_columns(content, format=None, **options):
    """The reading, and its columns as Python has them."""
    reading = open_table(io.BytesIO(content), format, **options)
    batches = list(_valid(reading))
    if not batches:
        return reading, {c.name: [] for c in reading.columns}
    return reading, pa.Table.from_batches(batches).to_pydict()


def _valid(reading):
    for batch in reading:
        batch.validate(full=True)
        assert batch.schema.types == [c.datatype.arrow for c in reading.columns]
        yield batch
