"""In which encoding is an XML document, and how is it read as UTF-8?"""

import codecs
import re

from datamodel.errors import UsageError
from vo_server.formats.reading.source import Readable

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_WIDE = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_KNOWN = re.compile(
    r"utf-?8|utf-?16(-?[lb]e)?|us-ascii|ascii|iso-?8859-?\d+|latin-?\d+|windows-?125\d|cp125\d"
)
_PLAIN = ("utf-8", "ascii")


class Utf8:
    """The bytes of a document as UTF-8, whatever it is encoded in.

    Parameters
    ----------
    stream
        The document.

    Raises
    ------
    UsageError
        It declares an encoding that is not known here.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._begun = stream.read(4096)
        encoding = _encoding(self._begun)
        plain = codecs.lookup(encoding).name in _PLAIN
        self._decoder = None if plain else codecs.getincrementaldecoder(encoding)()

    def read(self, size: int, /) -> bytes:
        """About so many bytes at the most; none at the end."""
        while data := self._next(size):
            if self._decoder is None:
                return data
            if text := self._decoded(data):
                return text
        return b""

    def _next(self, size: int) -> bytes:
        if self._begun:
            data, self._begun = self._begun, b""
            return data
        return self._stream.read(size)

    def _decoded(self, data: bytes) -> bytes:
        try:
            return self._decoder.decode(data).encode() if self._decoder else data
        except UnicodeError as failure:
            raise UsageError(
                f"the document is not in the encoding that it declares: {failure.args[-1]}"
            ) from None


def _encoding(head: bytes) -> str:
    for beginning, encoding in (*_BOMS, *_WIDE):
        if head.startswith(beginning):
            return encoding
    declared = _DECLARED.match(head)
    name = declared[1].decode().lower() if declared else "utf-8"
    try:
        if not _KNOWN.fullmatch(name):
            raise LookupError
        return codecs.lookup(name).name
    except LookupError:
        raise UsageError(
            f"expected a document in UTF-8, UTF-16 or ISO-8859, found the encoding '{name}'"
        ) from None
