"""Which bytes does a file hold once it is uncompressed, without ever believing what it says of its size?"""

import hashlib
import os
import stat
import tempfile
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from datamodel.errors import UsageError

_CHUNK = 1 << 16
_IN_MEMORY = 1 << 25
_MOST_MEMBERS = 1 << 16
_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSIONS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x1f\x9d": "compress"}


class NotUnderstoodError(UsageError):
    """A raw file cannot be taken in; the message is the reason, for the person who brought the file."""


@dataclass(frozen=True)
class FitsLimits:
    """What one file may cost us.

    Attributes
    ----------
    max_bytes
        Of the file, and of what it holds once uncompressed.
    max_pixels
        Of one image.
    max_header_bytes
        Of all headers of the file together.
    max_hdus
        Header and data units in the file.
    max_tail_bytes
        After the last unit, where some programs leave padding.
    """

    max_bytes: int = 2 << 30
    max_pixels: int = 1 << 27
    max_header_bytes: int = 2 << 20
    max_hdus: int = 512
    max_tail_bytes: int = 1 << 20


class Content(Protocol):
    """Uncompressed bytes that can be read anywhere."""

    def available(self, wanted: int) -> int:
        """How many bytes there are, or at least `wanted`: nobody looks further than asked."""

    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on, fewer where the content ends."""

    def close(self) -> None:
        """Release what is held, but not the file itself."""


def open_regular(path: Path, limits: FitsLimits) -> BufferedReader:
    """Open a file for reading, and nothing but a file.

    Raises
    ------
    NotUnderstoodError
        For a symbolic link, a device, a folder, an empty file, or one above the limit.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        kind = "a symbolic link" if path.is_symlink() else f"not readable ({error.strerror})"
        raise NotUnderstoodError(f"'{path.name}' is {kind}: expected a regular file") from None
    try:
        _check(os.fstat(number), path, limits)
    except NotUnderstoodError:
        os.close(number)
        raise
    return open(number, "rb")


def _check(status: os.stat_result, path: Path, limits: FitsLimits) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotUnderstoodError(f"'{path.name}' is a folder or a device: expected a regular file")
    if status.st_size == 0:
        raise NotUnderstoodError(f"'{path.name}' is empty: expected a FITS file")
    if status.st_size > limits.max_bytes:
        raise NotUnderstoodError(
            f"'{path.name}' has {status.st_size} bytes: expected at most {limits.max_bytes}"
        )


def sha256_of(file: BufferedReader) -> str:
    """The SHA-256 of the file as it lies on disk, in hexadecimal."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def content_of(file: BufferedReader, limits: FitsLimits) -> Content:
    """The uncompressed bytes of an open file, which is plain or compressed with gzip.

    Raises
    ------
    NotUnderstoodError
        When another compression is recognised.
    """
    file.seek(0)
    start = file.read(8)
    if start.startswith(_GZIP):
        return Inflating(file, limits)
    for magic, name in _OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            raise NotUnderstoodError(f"compressed with {name}: expected plain FITS, gzip or tile compression")
    return Plain(file)


class Plain:
    """The bytes of an uncompressed file."""

    def __init__(self, file: BufferedReader) -> None:
        self._number = file.fileno()
        self._size = os.fstat(self._number).st_size

    def available(self, wanted: int) -> int:
        """The size of the file."""
        return self._size

    def read_at(self, offset: int, count: int) -> bytes:
        """Read at a place; the kernel may give less at a time than asked."""
        parts = []
        while count > 0 and (part := os.pread(self._number, count, offset)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Hold nothing."""


class Inflating:
    """The bytes of a gzip file, inflated only as far as somebody asked, and counted on the way.

    Small contents stay in memory, larger ones go to a temporary file without a name.
    """

    def __init__(self, file: BufferedReader, limits: FitsLimits) -> None:
        self._file = file
        self._file.seek(0)
        self._limit = limits.max_bytes
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._decoder = zlib.decompressobj(31)
        self._pending = b""
        self._members = 1
        self._size = 0
        self._ended = False

    def available(self, wanted: int) -> int:
        """Inflate until there are `wanted` bytes or no more come.

        Raises
        ------
        NotUnderstoodError
            When the stream is damaged or cut off, or holds more than the limit.
        """
        self._spool.seek(self._size)
        while self._size < wanted and not self._ended:
            self._inflate()
        return self._size

    def read_at(self, offset: int, count: int) -> bytes:
        """Read at a place that is inflated first."""
        self.available(offset + count)
        self._spool.seek(offset)
        return self._spool.read(count)

    def close(self) -> None:
        """Drop the inflated bytes."""
        self._spool.close()

    def _inflate(self) -> None:
        source = self._pending or self._file.read(_CHUNK)
        if not source:
            raise NotUnderstoodError(f"the gzip stream is cut off after {self._size} bytes: it is truncated")
        try:
            grown = self._decoder.decompress(source, _CHUNK * 16)
        except zlib.error as error:
            raise NotUnderstoodError(
                f"the gzip stream is damaged after {self._size} bytes ({error})"
            ) from None
        self._pending = self._decoder.unconsumed_tail
        self._spool.write(grown)
        self._size += len(grown)
        if self._size > self._limit:
            raise NotUnderstoodError(f"inflates to more than {self._limit} bytes: it is refused")
        if self._decoder.eof:
            self._next_member()

    def _next_member(self) -> None:
        rest = self._decoder.unused_data
        rest += self._file.read(_CHUNK) if len(rest) < len(_GZIP) else b""
        if not rest.startswith(_GZIP):
            self._ended = True
            return
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise NotUnderstoodError(f"has more than {_MOST_MEMBERS} gzip members: it is refused")
        self._decoder, self._pending = zlib.decompressobj(31), rest
