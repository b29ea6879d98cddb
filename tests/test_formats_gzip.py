"""Are answers and documents compressed for those who take it, and for nobody else, and as they come?"""

import gzip
import io
import zlib
from dataclasses import replace

import pytest
from astropy.io.votable import parse_single_table

from datamodel.config import Config
from datamodel.errors import UsageError
from tests import answers
from vo_server import compression
from vo_server.formats.gzip import Gzip, whole
from vo_server.formats.negotiate import OFFERS, choose

QUERY = "SELECT TOP 20 table_name, column_name FROM tap_schema.columns ORDER BY table_name, column_name"

archive, client = answers.archive, answers.client


def asked(client, format, taken="gzip, deflate", method="GET", query=QUERY):
    parameters = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": format}
    headers = {"Accept-Encoding": taken} if taken else {}
    return client.open("/tap/sync", method=method, query_string=parameters, headers=headers)


class Source:
    """Chunks that tell how many were taken, and that they were closed."""

    def __init__(self, *chunks):
        self.chunks, self.taken, self.closed = iter(chunks), 0, False

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self.chunks)
        self.taken += 1
        return chunk

    def close(self):
        self.closed = True


def test_each_chunk_can_be_read_as_soon_as_it_came():
    chunks = [b"first ", b"", b"second " * 1000, b"third"]
    source = Source(*chunks)
    compressed, reader = Gzip(source), zlib.decompressobj(31)
    assert reader.decompress(next(compressed)) == b"first "
    assert source.taken == 1
    assert reader.decompress(next(compressed)) == b"second " * 1000
    assert reader.decompress(b"".join(compressed)) == b"third"
    assert reader.eof


def test_nothing_at_all_is_still_gzip():
    assert gzip.decompress(b"".join(Gzip(iter([])))) == b""
    assert gzip.decompress(whole(b"abc")) == b"abc"


def test_closing_closes_what_is_compressed_and_a_failure_leaves_no_end():
    source = Source(b"a", b"b")
    compressed = Gzip(source)
    begun = next(compressed)
    compressed.close()
    assert source.closed
    assert list(compressed) == []
    with pytest.raises(EOFError):
        gzip.decompress(begun)


@pytest.mark.parametrize("format", ["csv", "tsv", "json", "votable/td"])
def test_text_is_compressed_for_those_who_take_it(client, format):
    plain, compressed = asked(client, format, None), asked(client, format)
    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain.vary
    assert "Accept-Encoding" in compressed.vary
    assert compressed.content_type == plain.content_type
    read = gzip.decompress(compressed.data)
    if format in ("csv", "tsv"):  # the others tell the time and the request
        assert read == plain.data
        assert len(compressed.data) < len(plain.data) * 0.6


@pytest.mark.parametrize("format", ["votable", "votable/b", "fits", "parquet", "arrow"])
def test_what_gzip_hardly_makes_smaller_is_left_alone(client, format):
    response = asked(client, format)
    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" not in response.vary


def test_everything_but_what_is_packed_is_compressed_on_request(client, archive, monkeypatch):
    monkeypatch.setattr(archive, "config", replace(archive.config, gzip="all"))
    binary = asked(client, "votable")
    assert len(parse_single_table(io.BytesIO(gzip.decompress(binary.data))).array) == 20
    assert "Content-Encoding" not in asked(client, "parquet").headers


def test_nothing_is_compressed_where_the_site_wants_none(client, archive, monkeypatch):
    monkeypatch.setattr(archive, "config", replace(archive.config, gzip="none"))
    assert "Content-Encoding" not in asked(client, "csv").headers
    assert (
        "Content-Encoding" not in client.get("/tap/capabilities", headers={"Accept-Encoding": "gzip"}).headers
    )


def test_a_policy_that_nobody_knows_is_refused():
    with pytest.raises(UsageError, match="'gzip' is 'some', expected one of none, text, all"):
        compression.policy(Config(gzip="some"))


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("*", True),
        ("deflate, gzip;q=0.5", True),
        ("identity, gzip", True),
        ("gzip;q=0", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("br, zstd", False),
        ("", False),
        (None, False),
    ],
)
def test_a_client_says_what_it_takes(client, header, taken):
    assert ("Content-Encoding" in asked(client, "csv", header).headers) == taken


@pytest.mark.parametrize("format", ["csv", "votable", "fits"])
def test_head_has_the_headers_of_get_and_no_body(client, format):
    get, head = asked(client, format), asked(client, format, method="HEAD")
    assert head.data == b""
    for name in ("Content-Type", "Content-Encoding", "Content-Disposition", "Vary"):
        assert head.headers.get(name) == get.headers.get(name)


def test_documents_are_compressed_and_their_tags_still_hold(client):
    plain = client.get("/tap/tables")
    compressed = client.get("/tap/tables", headers={"Accept-Encoding": "gzip"})
    head = client.head("/tap/tables", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(compressed.data) == plain.data
    assert head.headers["Content-Length"] == compressed.headers["Content-Length"] == str(len(compressed.data))
    assert len(compressed.data) < len(plain.data) / 5
    assert "Accept-Encoding" in plain.vary
    again = client.get(
        "/tap/tables", headers={"Accept-Encoding": "gzip", "If-None-Match": compressed.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("taken", ["gzip", None])
@pytest.mark.parametrize("format", ["csv", "votable", "votable/td", "fits", "parquet", "arrow", "json"])
def test_an_answer_that_is_whole_at_once_says_how_long_it_is(client, format, taken):
    response = asked(client, format, taken, query="SELECT TOP 2 table_name FROM tap_schema.tables")
    assert response.headers["Content-Length"] == str(len(response.data))


def test_pages_of_xhtml_are_compressed(client):
    response = client.get("/tap/examples", headers={"Accept-Encoding": "gzip"})
    assert response.mimetype == "application/xhtml+xml"
    assert gzip.decompress(response.data).endswith(b"</html>")


def test_the_temporary_file_of_an_answer_is_as_large_as_configured(client, archive, monkeypatch):
    monkeypatch.setattr(archive, "config", replace(archive.config, spool_bytes=100))
    response = asked(client, "fits")
    assert response.status_code == 400
    assert b"more than 100 bytes" in response.data
    assert asked(client, "votable").status_code == 200


def test_what_is_small_stays_as_it_is(client):
    response = client.get("/tap/availability", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers


def test_errors_are_errors_whatever_the_encoding(client):
    response = asked(client, "csv", query="SELECT nothing")
    assert response.status_code == 400
    assert b'value="ERROR"' in response.data


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.mime)
def test_the_file_has_the_extension_of_its_format(client, offer):
    response = asked(client, offer.mime, None)
    assert response.headers["Content-Disposition"] == f'attachment; filename="result.{offer.extension}"'
    assert response.content_type == offer.mime
    assert choose(offer.mime).is_text == compression.is_worth_it(Config(), choose(offer.mime))
