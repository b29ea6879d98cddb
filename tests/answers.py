"""What answers do the tests of formats look at: rows that they make up, and those of an application?

A file of tests names the fixtures it takes, and those which they take: ``client = answers.client``.
"""

import pyarrow as pa
import pytest

from datamodel.columns import Column, Rows
from datamodel.config import Config
from processing.opening import open_archive
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

NUMBER = Column("x", "BIGINT")


def answer(columns, *parts, overflow=False, close=lambda: None):
    """Rows of the given batches, each a list of tuples."""
    return Rows(tuple(columns), _batches(columns, parts), overflow, close)


def failing(error, *parts, close=lambda: None):
    """Rows of one `NUMBER` each, and then the error instead of their end."""

    def until_failure():
        yield from _batches((NUMBER,), parts)
        raise error

    return Rows((NUMBER,), until_failure(), close=close)


def watched(asked):
    """Three rows of a `NUMBER`, each a batch that is noted in the list when it is asked for."""

    def noted():
        for i, batch in enumerate(_batches((NUMBER,), [[(0,)], [(1,)], [(2,)]])):
            asked.append(i)
            yield batch

    return Rows((NUMBER,), noted())


def _batches(columns, parts):
    for part in parts:
        arrays = [pa.array([row[i] for row in part], c.datatype.arrow) for i, c in enumerate(columns)]
        yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive without objects; TAP_SCHEMA has rows enough. Which database it is does not matter here."""
    opened = open_archive(Config(archive=tmp_path_factory.mktemp("formats") / "archive"))
    update_tap_schema(opened, tables(opened.config))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(archive):
    """Asks the application over it."""
    return create_app(archive).test_client()
