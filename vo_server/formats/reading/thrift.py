"""What does a structure in Thrift's compact protocol say? Enough of it for the headers of Parquet.

A structure is numbered fields; whole numbers are zigzag varints. Everything is bounded by the bytes that
there are and by a number of values, whatever counts the bytes claim.
"""

from typing import Any

from datamodel.errors import UsageError

_DEPTH = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
_VALUES = 4_000_000


class Thrift:
    """Reads one structure.

    Parameters
    ----------
    data
        Begins with it.

    Attributes
    ----------
    at
        Where what was read ends.
    """

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data
        self._values = 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Its fields by their numbers: whole numbers, truths, bytes, lists and structures; others are None.

        Raises
        ------
        UsageError
            The bytes are no such structure.
        """
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = (
                head & 15 == _TRUE if head & 15 in (_TRUE, _FALSE) else self._value(head & 15, depth)
            )
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if depth > _DEPTH or self._values > _VALUES:
            raise _broken()
        if kind in _WHOLE:
            return self._zigzag()
        if kind == _STRUCT:
            return self.structure(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind not in (_DOUBLE, _BINARY):
            raise _broken()
        return self._bytes(8 if kind == _DOUBLE else self._varint())

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        if count > len(self._data) - self.at:
            raise _broken()
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _bytes(self, length: int) -> bytes:
        if length > len(self._data) - self.at:
            raise _broken()
        self.at += length
        return self._data[self.at - length : self.at]

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise _broken()
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise _broken()

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _broken() -> UsageError:
    return UsageError("the Parquet file has a header that cannot be read")
