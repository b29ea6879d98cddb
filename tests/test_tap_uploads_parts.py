"""Are the parts of a request kept whole, within bounds, whoever sends them and however broken they are?"""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, Request, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import EnvironBuilder

from datamodel.config import Config
from datamodel.errors import UsageError
from vo_server import dali
from vo_server.tap import upload_parts
from vo_server.tap.upload_parts import FIELD_BYTES, Part, allow, receive, stored

BOUNDARY = "7d7c1c5c"
CONFIG = Config(upload_bytes=10 << 20)


def body(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body of headers after ``form-data; `` and bytes."""
    made = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {headers}\r\n\r\n".encode() + data + b"\r\n"
        for headers, data in parts
    )
    return b"".join(made) + f"--{BOUNDARY}--\r\n".encode()


def read(
    data: bytes, then: Callable[[Request], object], config: Config = CONFIG, **environ: object
) -> object:
    """What `then` makes of a request with a body, after it was allowed to bring tables."""
    builder = EnvironBuilder(
        method="POST",
        input_stream=io.BytesIO(data),
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        content_length=len(data),
    )
    made = builder.get_environ() | environ
    with Flask("test").request_context({k: v for k, v in made.items() if v is not None}):
        allow(request, config)
        return then(request)


def received(data: bytes, folder: Path, config: Config = CONFIG, **environ: object) -> dict[str, Part]:
    read(data, lambda request: receive(request, folder), config, **environ)
    return stored(folder)


def test_parts_are_kept_with_what_their_sender_says_of_them(tmp_path: Path) -> None:
    binary = bytes(range(256)) * 1000
    parts = received(
        body(
            ('name="UPLOAD"', b"a,param:t1;b,param:t2;c,param:t3"),
            ('name="t1"; filename="x.vot"\r\nContent-Type: application/x-votable+xml; a=b', b"<VOTABLE/>"),
            ('name="t2"; filename=""\r\nContent-Type: text/plain', binary),
            ('name="t3"', b"\xff\0ra,dec\r\n"),
            ('name="QUERY"', b"SELECT 1"),
        ),
        tmp_path,
    )
    told = {p.name: (p.content_type, p.filename, p.path.read_bytes()) for p in parts.values()}
    assert told == {
        "t1": ("application/x-votable+xml", "x.vot", b"<VOTABLE/>"),
        "t2": ("text/plain", "", binary),
        "t3": ("", "", b"\xff\0ra,dec\r\n"),
    }


def test_the_parameters_beside_tables_are_read_without_them() -> None:
    data = body(
        ('name="UPLOAD"', b"a,param:t1"), ('name="QUERY"', "SELECT 'ü'".encode()), ('name="t1"', b"\xff\0")
    )
    given = read(data, lambda request: dali.read(request).values)
    assert given == (("UPLOAD", "a,param:t1"), ("QUERY", "SELECT 'ü'"))


def test_parts_of_several_requests_add_up_and_the_later_wins(tmp_path: Path) -> None:
    received(body(('name="a"; filename="1"', b"first"), ('name="b"; filename="2"', b"b")), tmp_path)
    parts = received(body(('name="a"; filename="3"', b"second")), tmp_path)
    assert {p.name: p.path.read_bytes() for p in parts.values()} == {"a": b"second", "b": b"b"}


def test_two_requests_at_once_do_not_mix_their_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins and ends while the first is being written."""
    others = [body(('name="b"; filename="b"', b"of the second"))]
    copy = upload_parts.shutil.copyfileobj

    def copy_late(*given: object) -> None:
        if others:
            received(others.pop(), tmp_path)
        copy(*given)

    monkeypatch.setattr(upload_parts.shutil, "copyfileobj", copy_late)
    parts = received(body(('name="a"; filename="a"', b"of the first")), tmp_path)
    assert {name: part.path.read_bytes() for name, part in parts.items()} == {
        "a": b"of the first",
        "b": b"of the second",
    }


def test_a_part_whose_storing_was_cut_short_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "part-0000.data").write_bytes(b"half")
    assert stored(tmp_path) == {}


def test_a_name_is_no_path(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    parts = received(body(('name="../../x"; filename="../../etc/passwd"', b"data")), inside)
    assert parts["../../x"].path.parent == inside
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_long_part_is_no_burden_on_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the decoder holds at a time is what is read at a time."""
    held = []
    take = upload_parts._Body._take
    monkeypatch.setattr(
        upload_parts._Body,
        "_take",
        lambda self, e: (held.append(len(self._decoder.buffer)), take(self, e))[1],
    )
    data = b"\r\n--7d7c1c5-" * 600_000
    parts = received(body(('name="t"; filename="x"', data)), tmp_path)
    assert parts["t"].path.read_bytes() == data
    assert len(held) > 10
    assert max(held) < 2 * upload_parts._READ_BYTES


CUT = body(('name="QUERY"', b"SELECT 1"), ('name="t"; filename="x"', b"0123456789" * 100))


@pytest.mark.parametrize("length", [0, 5, 40, 90, 300, len(CUT) - 6])
def test_a_body_that_ends_too_early_is_told(length: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no multipart/form-data, or ends before its last part does"):
        received(CUT[:length], tmp_path)
    assert stored(tmp_path) == {}


def test_a_body_shorter_than_its_content_length_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="400 Bad Request"):
        received(CUT[:-200], tmp_path, CONTENT_LENGTH=str(len(CUT) + 1000))


def test_a_body_longer_than_its_content_length_is_read_as_far_as_that(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ends before its last part does"):
        received(CUT, tmp_path, CONTENT_LENGTH=str(len(CUT) - 100))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\r\n" * 100_000, "no multipart"),
        (f"--{BOUNDARY}\r\nX: y\r\n\r\nz\r\n--{BOUNDARY}--\r\n".encode(), "no multipart"),
        (b"--" * (FIELD_BYTES // 2 + 1), "413"),
        (f"--{BOUNDARY}\r\nA: ".encode() + b"x" * (FIELD_BYTES + 1), "413"),
        (body(*((f'name="p{i}"', b"x") for i in range(1000))), "413"),
        (body(('name="QUERY"', b"x" * (FIELD_BYTES + 1))), "413"),
        (body(*((f'name="q{i}"', b"x" * (FIELD_BYTES // 3)) for i in range(4))), "413"),
        (body(('name="t"; filename="x"', b"x" * (15 << 20))), "413"),
    ],
    ids=["blank", "nameless", "preamble", "header", "parts", "parameter", "parameters", "file"],
)
def test_what_is_hostile_is_refused(data: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises((UsageError, RequestEntityTooLarge), match=told):
        received(data, tmp_path)


def test_a_chunked_body_is_bounded_too(tmp_path: Path) -> None:
    """Nobody says how long it is; the server marks its end."""
    chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    parts = received(body(('name="t"; filename="x"', b"x" * (9 << 20))), tmp_path, **chunked)
    assert parts["t"].path.stat().st_size == 9 << 20
    with pytest.raises(RequestEntityTooLarge):
        received(body(('name="t"; filename="x"', b"x" * (15 << 20))), tmp_path, **chunked)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=ü"])
def test_a_body_without_a_boundary_is_told(content_type: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no boundary"):
        received(CUT, tmp_path, CONTENT_TYPE=content_type)


def test_other_bodies_bring_no_tables(tmp_path: Path) -> None:
    received(b"UPLOAD=a", tmp_path, CONTENT_TYPE="application/x-www-form-urlencoded")
    assert stored(tmp_path) == {}
