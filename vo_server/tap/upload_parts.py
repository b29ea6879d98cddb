"""How are the tables that a request brings along kept, on disk and never in memory? (DALI 1.1 section 3.4.5)

A multipart body is read part by part: parts with a file name go to nameless files as they come, the others are
parameters, of which there may be few bytes; those of them that UPLOAD calls tables count as files. `receive` puts
the files into a folder, where an asynchronous job finds them long after its request.
"""

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import flask
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from datamodel.clock import new_object_id
from datamodel.config import Config
from datamodel.errors import UsageError

FIELD_BYTES = 4 << 20
"""All parameters together, and the header of one part, at the most."""

MAX_PARTS = 200

_READ_BYTES = 1 << 18
_MULTIPART = "multipart/form-data"
_BARE_BOUNDARY = re.compile(r';\s*boundary=([^\s;,"]{1,70})', re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A part of a request that was stored.

    Attributes
    ----------
    name
        What ``param:`` calls it.
    content_type, filename
        As the client said; empty where it did not.
    path
        Where its bytes are.
    """

    name: str
    content_type: str
    filename: str
    path: Path


def allow(request: flask.Request, config: Config) -> None:
    """Let a request bring tables along: its body may be longer than others', and is read as `PartsParser` does.

    To be called before anything of the body was read.
    """
    if request.mimetype == _MULTIPART:
        request.max_content_length = config.upload_bytes + FIELD_BYTES
        request.form_data_parser_class = partial(PartsParser, boundary=_boundary(request))  # type: ignore[assignment]


def receive(request: flask.Request, folder: Path) -> None:
    """Put the tables that a request brings along into a folder; `stored` finds them there.

    Parameters
    ----------
    request
        Which `allow` has been called for.
    folder
        Is there; what it holds stays, so that parts can come with several requests.

    Raises
    ------
    UsageError
        The body is no multipart body, or ends too early.
    """
    if request.mimetype == _MULTIPART:
        for name, file in request.files.items(multi=True):
            _store(folder, name, file)


def stored(folder: Path) -> dict[str, Part]:
    """The parts in a folder by their names; of two with the same name, the later."""
    found = {}
    for sidecar in sorted(folder.glob("part-*.json")):
        told = json.loads(sidecar.read_text(encoding="utf-8"))
        found[told["name"]] = Part(**told, path=sidecar.with_suffix(".data"))
    return found


def _boundary(request: flask.Request) -> str:
    """What stands between the parts, also where it should be in quotes and is not: astroquery's has equals signs."""
    bare = _BARE_BOUNDARY.search(request.content_type or "")
    return request.mimetype_params.get("boundary") or (bare[1] if bare else "")


class PartsParser(FormDataParser):
    """Reads a multipart body; unlike Werkzeug's own it bounds all parameters together and passes no fault over.

    Parameters
    ----------
    boundary
        As the header says.
    """

    def __init__(self, *options: Any, boundary: str = "", **named: Any) -> None:
        super().__init__(*options, **named)
        self._boundary = boundary

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Any:
        """See `werkzeug.formparser.FormDataParser`."""
        if mimetype != _MULTIPART:
            return super().parse(stream, mimetype, content_length, options)
        if not self._boundary or not self._boundary.isascii():
            raise UsageError(
                "the header Content-Type names no boundary, expected that of multipart/form-data"
            )
        try:
            return stream, *_Body(self._boundary.encode(), self.stream_factory).read(stream)
        except ValueError:
            raise UsageError(
                "the body is no multipart/form-data, or ends before its last part does"
            ) from None


class _Body:
    """A multipart body under way: what has been read of it."""

    def __init__(self, boundary: bytes, new_file: Callable[..., IO[bytes]]) -> None:
        self._decoder = MultipartDecoder(boundary, FIELD_BYTES, max_parts=MAX_PARTS)
        self._new_file = new_file
        self._fields: list[tuple[str, bytes]] = []
        self._files: list[tuple[str, FileStorage]] = []
        self._opened: list[IO[bytes]] = []
        self._left = FIELD_BYTES
        self._part: Field | File | None = None
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def read(self, stream: IO[bytes]) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
        """All of it: the parameters, and the files.

        Raises
        ------
        ValueError
            It is no multipart body, or ends too early.
        RequestEntityTooLarge
            It has too many parts, or the parameters are too long.
        """
        try:
            self._read(stream)
        except BaseException:
            for file in self._opened:
                file.close()
            raise
        tables = _tables_among(self._fields)
        files = [(name, FileStorage(io.BytesIO(data))) for name, data in self._fields if name in tables]
        texts = [(name, data.decode("utf-8", "replace")) for name, data in self._fields if name not in tables]
        return MultiDict(texts), MultiDict([*files, *self._files])

    def _read(self, stream: IO[bytes]) -> None:
        data = b"-"
        while data:
            data = stream.read(_READ_BYTES)
            self._decoder.receive_data(data or None)
            for event in self._events():
                self._take(event)

    def _events(self) -> Iterator[Any]:
        while not isinstance(event := self._decoder.next_event(), Epilogue | NeedData):
            yield event

    def _take(self, event: Any) -> None:
        if isinstance(event, Data):
            self._add(event.data)
            if not event.more_data:
                self._finish()
        elif isinstance(event, Field | File):
            self._part, self._held = event, bytearray()
            self._file = self._new_file(None, None, None) if isinstance(event, File) else None
            self._opened += [self._file] if self._file is not None else []

    def _add(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)
            return
        self._left -= len(data)
        if self._left < 0:
            raise RequestEntityTooLarge
        self._held += data

    def _finish(self) -> None:
        part = self._part
        name = (part.name if part is not None else None) or ""
        if self._file is not None and isinstance(part, File):
            self._file.seek(0)
            kept = FileStorage(self._file, part.filename, name, headers=part.headers)
            self._files.append((name, kept))
        else:
            self._fields.append((name, bytes(self._held)))


def _tables_among(fields: list[tuple[str, bytes]]) -> frozenset[str]:
    """The parameters that an UPLOAD calls tables: what it has after ``param:``."""
    given = [value.decode("utf-8", "replace") for name, value in fields if name.upper() == "UPLOAD"]
    uris = chain.from_iterable(value.split("param:")[1:] for value in given)
    return frozenset(uri.partition(";")[0].strip() for uri in uris) - {"UPLOAD"}


def _store(folder: Path, name: str, file: FileStorage) -> None:
    """Write the bytes, and then, at once, what tells of them; other requests may be writing here, too."""
    path = folder / f"part-{new_object_id()}.data"
    with path.open("wb") as out:
        shutil.copyfileobj(file.stream, out, _READ_BYTES)
    told = {"name": name, "content_type": file.mimetype or "", "filename": file.filename or ""}
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(told), encoding="utf-8")
    os.replace(aside, path.with_suffix(".json"))
