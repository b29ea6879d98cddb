"""How is a file opened so that it is bounded, unpacked where it is packed, and can be read anywhere?"""

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from datamodel.errors import NotFoundError, UsageError
from vo_server.formats.reading.limits import Limits

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 18


class Readable(Protocol):
    """What bytes can be read from, from the beginning to the end."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Bounded:
    """Reads from a file, and refuses it as soon as it gave more bytes than may be.

    Parameters
    ----------
    file
        Any binary file.
    limits
        Whose ``file_bytes`` may not be exceeded.
    """

    def __init__(self, file: Readable, limits: Limits) -> None:
        self._file = file
        self._most = limits.file_bytes
        self._given = 0

    def read(self, size: int, /) -> bytes:
        """At most so many bytes.

        Raises
        ------
        UsageError
            There are too many, or they cannot be unpacked.
        """
        try:
            data = self._file.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as failure:
            raise UsageError(f"the file cannot be unpacked: {failure}") from None
        self._given += len(data)
        if self._most is not None and self._given > self._most:
            raise UsageError(f"the file is larger than the {self._most} bytes that are allowed")
        return data


class Source:
    """A file that somebody gives us; it is looked at from its beginning as often as need be.

    Parameters
    ----------
    path_or_file
        Where it is, or a binary file open for reading, which stays open; one that cannot be rewound is copied.
    limits
        What it may be.
    """

    def __init__(self, path_or_file: str | Path | BinaryIO, limits: Limits) -> None:
        self._limits = limits
        self._own: list[BinaryIO] = []
        if isinstance(path_or_file, str | Path):
            self._file = self._opened(Path(path_or_file))
        else:
            self._file = path_or_file if path_or_file.seekable() else self._copied(path_or_file)
        self._begin = self._file.tell()
        self.is_packed = False
        self.is_packed = self.head(2) == _GZIP

    def head(self, size: int) -> bytes:
        """The first bytes, unpacked."""
        return self.stream().read(size)

    def stream(self) -> Readable:
        """The bytes from the beginning, unpacked."""
        self._file.seek(self._begin)
        if self.is_packed:
            return Bounded(gzip.GzipFile(fileobj=self._file, mode="rb"), self._limits)
        return Bounded(self._file, self._limits)

    def anywhere(self) -> BinaryIO:
        """The bytes in a file that can be read anywhere and begins with them; unpacked once where they are packed."""
        if self.is_packed or self._begin:
            self._file, self._begin, self.is_packed = self._copied(self.stream()), 0, False
        self._file.seek(0, 2)
        if self._limits.file_bytes is not None and self._file.tell() > self._limits.file_bytes:
            raise UsageError(f"the file is larger than the {self._limits.file_bytes} bytes that are allowed")
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Close what was opened here."""
        for file in self._own:
            file.close()

    def _opened(self, path: Path) -> BinaryIO:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise NotFoundError(f"there is no file {path}") from None
        except OSError as failure:
            raise UsageError(f"the file {path} cannot be read: {failure.strerror}") from None
        self._own.append(file)
        return file

    def _copied(self, stream: Readable) -> BinaryIO:
        return self._kept(Bounded(stream, self._limits))

    def _kept(self, stream: Readable) -> BinaryIO:
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the source
        self._own.append(file)
        while piece := stream.read(_PIECE):
            file.write(piece)
        file.seek(0)
        return file
