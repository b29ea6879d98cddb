"""How is an answer made smaller on its way? gzip, piece by piece, with nothing held back."""

from collections.abc import Callable, Iterator

from isal import isal_zlib

LEVEL = 1
"""Of ISA-L's four: a quarter of a gigabyte a second, and hardly larger than zlib makes it in ten times the time."""

_GZIP_WINDOW = 31


class Gzip(Iterator[bytes]):
    """The chunks compressed; each can be read as soon as it came, the first one above all.

    Parameters
    ----------
    chunks
        Closed with this, if they have a ``close``.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
        self._ended = False

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        for chunk in self._chunks:
            if chunk:
                made: bytes = self._compressor.compress(chunk)
                return made + self._compressor.flush(isal_zlib.Z_SYNC_FLUSH)
        self._ended = True
        return self._compressor.flush()

    def close(self) -> None:
        """Close the chunks; what was compressed so far has no end, and is known to be a part."""
        close: Callable[[], None] | None = getattr(self._chunks, "close", None)
        self._ended = True
        if close is not None:
            close()


def whole(data: bytes) -> bytes:
    """All of a document at once."""
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(data) + compressor.flush()
