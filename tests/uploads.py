"""How do the tests of uploads send a table to an archive of their own, and read what it answers?

A file of tests names the fixtures it takes, and those which they take: ``ask = uploads.ask``.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from astropy.io import votable
from astropy.table import MaskedColumn, Table
from flask import Flask
from urllib3.filepost import encode_multipart_formdata

from datamodel.archive import Archive
from datamodel.clock import utc_now
from tests.templates import COMPLETE, Templates
from vo_server.app import create_app

Send = Callable[..., tuple[int, bytes]]

TABLE = Table(
    {
        "ra": [1.5, 359.0, 0.0],
        "dec": MaskedColumn([-90.0, 12.25, 0.0], mask=[False, False, True]),
        "name": ["a", "b c", "d,e"],
        "n": MaskedColumn([1, 2, 3], mask=[False, True, False]),
    }
)


@pytest.fixture(scope="module")
def shared(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive without objects, for all tests of a file."""
    archive = templates.opened(COMPLETE, tmp_path_factory.mktemp("uploads") / "archive", utc_now)
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def application(shared: Archive) -> Flask:
    return create_app(shared)


@pytest.fixture
def served(shared: Archive, application: Flask) -> Iterator[Archive]:
    """The same, whose configuration a test may change."""
    config = shared.config
    yield shared
    shared.config = config


@pytest.fixture
def post(
    served: Archive, application: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Send]:
    """Posts to ``/tap/sync``; gives the status and the answer. Nothing is left in the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    client = application.test_client()

    def send(data: dict, query: str = "") -> tuple[int, bytes]:
        body, mime = encode_multipart_formdata({"LANG": "ADQL"} | data)
        response = client.post(f"/tap/sync?{query}", data=body, content_type=mime, buffered=True)
        return response.status_code, response.data

    yield send
    assert [*folder.iterdir()] == []


@pytest.fixture
def ask(post: Send) -> Send:
    """Sends a query with tables; gives the status and the answer."""

    def send(
        query: str, upload: str = "t,param:t", format: str = "votable", **tables: bytes | tuple
    ) -> tuple[int, bytes]:
        parts = {name: part(name, given) for name, given in tables.items()}
        return post({"QUERY": query, "UPLOAD": upload, "FORMAT": format} | parts)

    return send


def part(name: str, given: bytes | tuple) -> tuple:
    """File name, bytes and what is said of them, as urllib3 takes them."""
    data, *said = given if isinstance(given, tuple) else (given,)
    filename, *mime = said or [name]
    return (filename, data, *mime)


def answer(given: tuple[int, bytes]) -> Table:
    status, body = given
    assert status == 200, body
    return votable.parse_single_table(io.BytesIO(body)).to_table(use_names_over_ids=True)


def error(given: tuple[int, bytes]) -> str:
    status, body = given
    assert status in (400, 413), body
    (info,) = votable.parse(io.BytesIO(body)).resources[0].infos
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    return info.content


def as_votable(table: Table, serialization: str = "tabledata") -> bytes:
    out = io.BytesIO()
    votable.from_table(table).to_xml(out, tabledata_format=serialization)
    return out.getvalue()


def xml(rows: str, fields: str = '<FIELD name="x" datatype="char" arraysize="*"/>', head: str = "") -> bytes:
    body = f"<RESOURCE><TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE>"
    return f'<?xml version="1.0"?>{head}<VOTABLE version="1.4">{body}</VOTABLE>'.encode()
