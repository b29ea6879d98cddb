"""Does pyvo, which we did not write, get on with the service over real sockets? And what do others send?"""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import pyvo
from werkzeug.serving import make_server

from datamodel.archive import Archive
from tests import templates
from tests.made_sources import put_sources
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema

archive = templates.complete_archive

RA = np.array([34.70, 34.75, 34.80, 35.50, 0.01])
DEC = np.array([57.13, 57.10, 57.15, 57.13, 0.0])


@pytest.fixture
def service(archive: Archive) -> Iterator[pyvo.dal.TAPService]:
    """The service of an archive with five sources, as pyvo sees it."""
    put_sources(archive, RA, DEC)
    server = make_server("127.0.0.1", 0, create_app(archive), threaded=True)
    archive.config = replace(archive.config, port=server.port)
    update_tap_schema(archive, tables(archive.config))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield pyvo.dal.TAPService(f"http://127.0.0.1:{server.port}/tap")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_client_finds_its_way_from_the_capabilities_to_an_answer(
    archive: Archive, service: pyvo.dal.TAPService
) -> None:
    assert service.hardlimit == 20_000_000
    names = list(service.tables.keys())
    assert {"archive.sources", "ivoa.obscore", "tap_schema.columns"} <= set(names)
    ra = next(c for c in service.tables["archive.sources"].columns if c.name == "ra")
    assert (ra.unit, ra.ucd, ra.datatype.content) == ("deg", "pos.eq.ra;meta.main", "double")

    cone = "1 = CONTAINS(POINT(ra, dec), CIRCLE(34.75, 57.13, 0.1))"
    found = service.run_sync(f"SELECT sid, ra FROM archive.sources WHERE {cone} ORDER BY sid")
    assert found["sid"].tolist() == [0, 1, 2]
    assert found["ra"].tolist() == RA[:3].tolist()
    assert found.getdesc("ra").ucd == "pos.eq.ra;meta.main"

    archive.config = replace(archive.config, maxrec=4)
    with pytest.warns(pyvo.dal.exceptions.DALOverflowWarning):
        assert len(service.run_sync("SELECT sid FROM archive.sources")) == 4
    with pytest.raises(pyvo.dal.DALQueryError, match="did you mean 'archive"):
        service.run_sync("SELECT sid FROM archive.source")


def test_a_boundary_without_the_quotes_it_needs_is_taken(archive: Archive) -> None:
    fields = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": "SELECT * FROM TAP_UPLOAD.t", "UPLOAD": "t,param:t"}
    parts = [f'Content-Disposition: form-data; name="{k}"\r\n\r\n{v}' for k, v in fields.items()]
    parts.append('Content-Disposition: form-data; name="t"; filename="t.csv"\r\n\r\nn\n7')
    body = "".join(f"--===1===\r\n{part}\r\n" for part in parts) + "--===1===--\r\n"
    answer = (
        create_app(archive)
        .test_client()
        .post("/tap/sync", data=body, content_type="multipart/form-data; boundary====1===")
    )
    assert answer.text.split() == ["n", "7"]


@pytest.mark.parametrize("headers", [{"User-Agent": "x"}, {"Accept": "*/*"}, {}])
def test_only_who_says_nothing_of_itself_is_told_what_astroquery_cannot_do_without(
    archive: Archive, headers: dict[str, str]
) -> None:
    client = create_app(archive).test_client()
    del client.environ_base["HTTP_USER_AGENT"]
    answer = client.get("/tap/tables", headers=headers)
    assert answer.status_code == 200
    assert (b"esatapplus:flags" in answer.data) == (headers == {})
    assert "User-Agent" in answer.vary
