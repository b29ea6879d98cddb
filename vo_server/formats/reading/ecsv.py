"""What does the header of an ECSV file say of its columns?

The header is YAML in comment lines. It is loaded without any tag that makes objects, and without aliases,
which can make a little text mean very much.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from datamodel.columns import Column
from datamodel.datatypes import extent
from datamodel.errors import UsageError
from vo_server.formats.reading import texts as written
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.fits_columns import vounit
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.source import Readable
from vo_server.formats.reading.table import refuse

_MOST = 1 << 18
_DEPTH = 32
_DATATYPES = {
    "bool": "BOOLEAN",
    "int8": "SMALLINT",
    "uint8": "UNSIGNEDBYTE",
    "int16": "SMALLINT",
    "uint16": "INTEGER",
    "int32": "INTEGER",
    "uint32": "BIGINT",
    "int64": "BIGINT",
    "uint64": "BIGINT",
    "float16": "REAL",
    "float32": "REAL",
    "float64": "DOUBLE",
    "float128": "DOUBLE",
    "complex64": "COMPLEX",
    "complex128": "DOUBLECOMPLEX",
    "complex256": "DOUBLECOMPLEX",
    "string": "UNICODE",
}
_NO_COMMENT = re.compile(rb"^[^#\n]", re.MULTILINE)
_SUBTYPE = re.compile(r"([a-z]+\d*)\s*\[([\d\s,]*(?:null)?)\s*\]")


@dataclass
class EcsvHeader:
    """What the header says.

    Attributes
    ----------
    lines
        How many it has.
    separator
        A comma or a space.
    fields
        The columns.
    infos
        What of the table's ``meta`` is a plain value.
    """

    lines: int
    separator: str
    fields: list[Field]
    name: str = ""
    description: str = ""
    infos: tuple[tuple[str, str], ...] = field(default_factory=tuple)


def read(stream: Readable, limits: Limits) -> EcsvHeader:
    """The header.

    Raises
    ------
    UsageError
        It is too long, is no YAML, or has a datatype that is not known here.
    """
    lines = _comments(stream, min(limits.header_bytes, _MOST))
    loaded = _loaded("\n".join(lines[1:]))
    if not isinstance(loaded, dict) or not isinstance(loaded.get("datatype"), list):
        raise UsageError("the ECSV header has no list 'datatype' of columns")
    separator = loaded.get("delimiter", " ")
    if separator not in (",", " "):
        raise UsageError(
            f"expected a comma or a space as the delimiter of ECSV, found {str(separator)[:20]!r}"
        )
    meta = dict(_pairs(loaded.get("meta")))
    return EcsvHeader(
        len(lines),
        separator,
        [_field(one) for one in loaded["datatype"]],
        str(meta.get("name", "")),
        str(meta.get("description", "")),
        tuple((str(k), str(v)) for k, v in meta.items() if isinstance(v, str | int | float)),
    )


def parsed(texts: pa.StringArray, field: Field) -> pa.Array:
    """Values as ECSV writes them: arrays are JSON, complex numbers as Python writes them.

    Raises
    ------
    UsageError
        A text is none of the column.
    """
    column = field.column
    if column.datatype.kind != "array":
        return written.parsed(texts, field)
    make = _complex if column.datatype.parts == 2 and column.votable_arraysize is None else _array
    values = [v if v is None else make(v, column) for v in texts.to_pylist()]
    lengths = [len(v) // column.datatype.parts for v in values if v is not None]
    written.check_lengths(np.array(lengths, np.int64), column)
    try:
        return pa.array(values, column.datatype.arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        refuse(column, pc.drop_null(texts)[0].as_py())


def _comments(stream: Readable, most: int) -> list[str]:
    """The comment lines at the beginning, without their marks."""
    text = b""
    while piece := stream.read(1 << 14):
        text += piece
        if len(text) > most + (1 << 14):
            raise UsageError(f"the ECSV header is longer than the {most} bytes that are allowed")
        end = _NO_COMMENT.search(text)
        if end is not None:
            break
    else:
        raise UsageError("the ECSV has no line with the names of the columns")
    if end.start() > most:
        raise UsageError(f"the ECSV header is longer than the {most} bytes that are allowed")
    lines = text[: end.start()].split(b"\n")[:-1]
    return [line.decode("utf-8", "replace").rstrip("\r")[1:].removeprefix(" ") for line in lines]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
    """YAML without aliases; what has an unknown tag is read as if it had none."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise UsageError("the ECSV header has aliases, which are not taken")
        return super().compose_node(parent, index)


def _untagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _untagged)
_Loader.add_multi_constructor("tag:", _untagged)


def _loaded(text: str) -> Any:
    _check_depth(text)
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a kind of SafeLoader
    except (yaml.YAMLError, ValueError, TypeError):
        raise UsageError("the ECSV header is no YAML that can be read") from None
    except RecursionError:
        raise UsageError("the ECSV header nests too deep") from None


def _check_depth(text: str) -> None:
    """Refuse brackets within brackets within brackets, on which a YAML parser spends very long."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > _DEPTH:
            raise UsageError("the ECSV header nests too deep")


def _pairs(meta: Any) -> list[tuple[Any, Any]]:
    """The items of a mapping, or of an ordered one, which YAML gives as a list."""
    if isinstance(meta, dict):
        return list(meta.items())
    if isinstance(meta, list):
        return [item for item in meta if isinstance(item, tuple) and len(item) == 2]
    return []


def _field(told: Any) -> Field:
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise UsageError("expected a name for each column in the ECSV header")
    name, datatype, subtype = told["name"], str(told.get("datatype")), told.get("subtype")
    kind, arraysize = _type(name, datatype, str(subtype) if subtype is not None else None)
    meta = dict(_pairs(told.get("meta")))
    return Field(
        Column(
            name,
            kind,
            unit=vounit(str(told.get("unit") or "")),
            ucd=_said(meta, "ucd"),
            utype=_said(meta, "utype"),
            description=" ".join(str(told.get("description") or "").split()),
            arraysize=arraysize,
        )
    )


def _said(meta: dict[Any, Any], name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None


def _type(name: str, datatype: str, subtype: str | None) -> tuple[str, str | None]:
    if datatype not in _DATATYPES:
        expected = ", ".join(_DATATYPES)
        raise UsageError(f"column '{name[:60]}': expected a datatype of {expected}, found '{datatype[:60]}'")
    array = _SUBTYPE.fullmatch(subtype or "")
    if not array or array[1] not in _DATATYPES or array[1] == "string":
        return _DATATYPES[datatype], None
    sizes = ["*" if s.strip() == "null" else s.strip() for s in array[2].split(",")][::-1]
    arraysize = "x".join(sizes)
    extent(arraysize)
    return _DATATYPES[array[1]] + "[]", None if arraysize == "*" else arraysize


def _array(text: str, column: Column) -> list[Any]:
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        refuse(column, text, "an array in JSON")
    return list(_flat(loaded, text, column))


def _flat(loaded: Any, text: str, column: Column) -> list[Any]:
    if not isinstance(loaded, list):
        refuse(column, text, "an array in JSON")
    flat: list[Any] = []
    rest = loaded[::-1]
    while rest:
        one = rest.pop()
        if isinstance(one, list):
            rest.extend(one[::-1])
        elif one is None or isinstance(one, int | float):
            flat.append(one)
        else:
            refuse(column, text, "an array of numbers in JSON")
    return flat


def _complex(text: str, column: Column) -> list[float]:
    try:
        value = complex(text.strip())
    except ValueError:
        refuse(column, text, "a complex number such as (1+2j)")
    return [value.real, value.imag]
