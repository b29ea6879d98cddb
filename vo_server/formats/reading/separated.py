"""How is text with commas, tabs or spaces between its values read? (CSV, TSV, ECSV)

pyarrow takes the text apart and gives every value as text; what a column is, is told by the header of ECSV, where
a value that does not fit is an error that names its line, or is guessed: the narrowest datatype that all its
values are, for which a text longer than a block is read twice.
"""

import csv as lines_of
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from itertools import islice
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from datamodel.columns import Column
from datamodel.errors import UsageError
from vo_server.formats.reading import ecsv as ecsv_header
from vo_server.formats.reading.fields import Field
from vo_server.formats.reading.limits import Limits
from vo_server.formats.reading.pieces import SIZE, pieces
from vo_server.formats.reading.source import Readable, Source
from vo_server.formats.reading.table import Reading, check_rows, counted, described
from vo_server.formats.reading.texts import parsed

_HEAD = 1 << 16
_ESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}


@dataclass(frozen=True)
class _Dialect:
    """What separates values, and which quotes and escapes there are."""

    called: str
    separator: str
    is_quoted: bool = True
    empty_is_null: bool = False


_CSV = _Dialect("CSV", ",")
_TSV = _Dialect("TSV", "\t", is_quoted=False)


def csv(source: Source, limits: Limits) -> Reading:
    """Comma-separated values with a header line (RFC 4180); nothing is NULL, and ``""`` an empty text.

    Raises
    ------
    UsageError
        It is no such text, or a value does not fit into its column.
    """
    return _read(source, limits, _CSV, [])


def tsv(source: Source, limits: Limits) -> Reading:
    r"""Tab-separated values with a header line; nothing is NULL, and ``\\t`` a tab, as `text.tsv` writes it."""
    return _read(source, limits, _TSV, [])


def ecsv(source: Source, limits: Limits) -> Reading:
    """ECSV 1.0, whose header tells the datatypes, units and descriptions (astropy's APE 6)."""
    told = ecsv_header.read(source.stream(), limits)
    dialect = _Dialect("ECSV", told.separator, empty_is_null=True)
    reading = _read(source, limits, dialect, told.fields, told.lines)
    reading.name, reading.description, reading.infos = told.name, told.description, told.infos
    return reading


def _read(
    source: Source, limits: Limits, dialect: _Dialect, fields: list[Field], comments: int = 0
) -> Reading:
    head = source.head(_HEAD)
    names, skipped = _names(head, dialect, comments)
    if fields and [f.column.name for f in fields] != names:
        raise UsageError("the columns of the ECSV header are not those of the line of names")
    checked = [c.name for c in described([Column(n, "UNICODE") for n in names], limits)]
    blocks = _blocks(source, dialect, checked, skipped)
    undecided: frozenset[str] = frozenset()
    if not fields:
        kinds, held = _kinds(blocks, len(checked), limits)
        undecided = frozenset(name for name, kind in zip(checked, kinds, strict=True) if not kind)
        types = (_GUESSES[kind or "TEXT"][0] for kind in kinds)
        fields = [Field(Column(name, type)) for name, type in zip(checked, types, strict=True)]
        blocks = iter(held) if held is not None else _blocks(source, dialect, checked, skipped)
    columns = described([f.column for f in fields], limits)
    rows = _Rows(source, dialect, fields, skipped, limits)
    return Reading(columns, counted(rows.batches(blocks), limits), undecided=undecided)


def _names(head: bytes, dialect: _Dialect, comments: int) -> tuple[list[str], int]:
    """The names of the columns, and how many lines there are up to the first row."""
    text = head.decode("utf-8-sig", "replace")
    lines = list(_split(text))[comments:]
    blank = next((i for i, line in enumerate(lines) if line.strip()), None)
    if blank is None:
        raise UsageError(f"the {dialect.called} is empty; expected a line with the names of the columns")
    reader = lines_of.reader(iter(lines[blank:]), **_options(dialect))
    names = [_plain(name, dialect).strip() for name in next(reader)]
    last = blank + reader.line_num
    if len(head) == _HEAD and not lines[last - 1].endswith(("\n", "\r")):
        raise UsageError(f"the line with the names of the columns ends beyond the first {_HEAD} bytes")
    if any("\0" in name for name in names):
        raise UsageError(f"the file is no {dialect.called}: the names of its columns have bytes of zero")
    return names, comments + last


def _options(dialect: _Dialect) -> dict[str, Any]:
    quoting = lines_of.QUOTE_MINIMAL if dialect.is_quoted else lines_of.QUOTE_NONE
    return {"delimiter": dialect.separator, "quoting": quoting, "strict": False}


def _blocks(source: Source, dialect: _Dialect, names: list[str], skipped: int) -> Iterator[pa.RecordBatch]:
    """Batches of text.

    pyarrow reads ahead in a thread that nobody waits for when a row is refused. So it is given pieces of the
    text, in memory of its own: a thread that called Python could end the process.
    """
    separator = dialect.separator if dialect.is_quoted else None
    for number, piece in enumerate(pieces(source.stream(), skipped, separator)):
        copy = pa.BufferOutputStream()
        copy.write(piece)
        try:
            with arrow_csv.open_csv(
                pa.BufferReader(copy.getvalue()), *_told_to_arrow(dialect, names)
            ) as opened:
                yield from opened
        except pa.ArrowInvalid as failure:
            earlier = islice(pieces(source.stream(), skipped, separator), number)
            line = skipped + sum(max(p.count(b"\n"), p.count(b"\r")) for p in earlier)
            raise UsageError(_told(failure, dialect, piece, line)) from None


def _told_to_arrow(dialect: _Dialect, names: list[str]) -> tuple[Any, Any, Any]:
    """How pyarrow reads a piece: whole, and all as text."""
    reading = arrow_csv.ReadOptions(use_threads=False, block_size=4 * SIZE, column_names=names)
    parsing = arrow_csv.ParseOptions(
        delimiter=dialect.separator,
        quote_char='"' if dialect.is_quoted else False,
        newlines_in_values=dialect.is_quoted,
    )
    converting = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=dialect.empty_is_null,
    )
    return reading, parsing, converting


def _told(failure: Exception, dialect: _Dialect, piece: bytes, before: int) -> str:
    """What pyarrow says, with the line of the file for the row of the piece."""
    text = " ".join(str(failure).split())
    row = re.search(r"Row #([0-9]+): ", text)
    if row is None:
        return f"the {dialect.called} cannot be read: {text[:200]}"
    line = before + _line_of(_lines(BytesIO(piece)), int(row[1]) - 1, dialect, len(piece))
    told = "it is not in UTF-8" if "invalid UTF8" in text else text[row.end() :][:200]
    return f"the {dialect.called} cannot be read: line {line}: {told}"


_GUESSES = {
    "BOOLEAN": ("BOOLEAN", r"(?i)true|false"),
    "SMALL": ("BIGINT", r"[+-]?(?:0|[1-9][0-9]{0,14})"),
    "BIGINT": ("BIGINT", r"[+-]?(?:0|[1-9][0-9]{0,18})"),
    "DOUBLE": (
        "DOUBLE",
        r"(?i)[+-]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)",
    ),
    "TIMESTAMP": (
        "TIMESTAMP",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?Z?",
    ),
    "TEXT": ("UNICODE", r"(?s).*"),
}
"""Datatypes and what their values look like, the first that fits all; a zero in front is of a code."""

_WIDER = {"SMALL": ("SMALL", "BIGINT", "DOUBLE")}
"""What also holds the values of a datatype, exactly."""

_LONG, _LONGEST = "^[+-]?[0-9]{16,}$", 300
"""Whole numbers that a double may not be able to tell apart."""


def _kinds(
    blocks: Iterator[pa.RecordBatch], columns: int, limits: Limits
) -> tuple[list[str], list[pa.RecordBatch] | None]:
    """What all columns are, empty where there are no values; and all the blocks, if there is only one."""
    kinds = [""] * columns
    held: list[pa.RecordBatch] | None = []
    rows = 0
    for block in blocks:
        rows += block.num_rows
        check_rows(rows, limits)
        held = [block] if held == [] else None
        kinds = [_kind(texts, kind) for texts, kind in zip(block.columns, kinds, strict=True)]
    return kinds, held


def _kind(texts: pa.StringArray, before: str) -> str:
    """What a column is with some more values; empty as long as there are none."""
    given = pc.utf8_trim_whitespace(texts.drop_null()) if before != "TEXT" else ()
    if not len(given):
        return before
    candidates = _WIDER.get(before, (before,)) if before else _GUESSES
    return next((kind for kind in candidates if _fits(given, kind)), "TEXT")


def _fits(given: pa.StringArray, kind: str) -> bool:
    """Whether what looks right also is: in range, a day that exists, a double that is the number written."""
    datatype, pattern = _GUESSES[kind]
    if not pc.all(pc.match_substring_regex(given, f"^(?:{pattern})$")).as_py():
        return False
    if kind == "DOUBLE":
        long = given.filter(pc.match_substring_regex(given, _LONG)).to_pylist()
        return all(len(text) < _LONGEST and int(float(text)) == int(text) for text in long)
    try:
        parsed(given, Field(Column("", datatype)))
    except UsageError:
        return False
    return True


class _Rows:
    """Makes of batches of text those of the columns' types."""

    def __init__(
        self, source: Source, dialect: _Dialect, fields: list[Field], skipped: int, limits: Limits
    ) -> None:
        self._source = source
        self._dialect = dialect
        self._fields = fields
        self._skipped = skipped
        self._most = limits.cell_bytes

    def batches(self, blocks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        row = 0
        for block in blocks:
            arrays = [self._values(t, f, row) for t, f in zip(block.columns, self._fields, strict=True)]
            row += block.num_rows
            yield pa.RecordBatch.from_arrays(arrays, names=[f.column.name for f in self._fields])

    def _values(self, texts: pa.StringArray, field: Field, row: int) -> pa.Array:
        try:
            return self._parsed(texts, field)
        except UsageError as failure:
            self._refuse(texts, field, row, failure)

    def _parsed(self, texts: pa.StringArray, field: Field) -> pa.Array:
        if (pc.max(pc.binary_length(texts)).as_py() or 0) > self._most:
            raise UsageError(f"column '{field.column.name}': a value is longer than {self._most} bytes")
        if pc.any(pc.match_substring(texts, "\0")).as_py():
            raise UsageError(f"column '{field.column.name}': a value has a byte of zero")
        if field.column.datatype.kind != "text":
            return (
                ecsv_header.parsed(texts, field) if self._dialect.called == "ECSV" else parsed(texts, field)
            )
        return texts if self._dialect.is_quoted else _unescaped(texts)

    def _refuse(self, texts: pa.StringArray, field: Field, row: int, failure: UsageError) -> NoReturn:
        """The same error, with the line of the first value that is none: found by halving what has it."""
        while len(texts) > 1:
            middle = len(texts) // 2
            earlier = self._failure(texts.slice(0, middle), field)
            texts = texts.slice(0, middle) if earlier else texts.slice(middle)
            row += 0 if earlier else middle
            failure = earlier or self._failure(texts, field) or failure
        raise UsageError(f"{failure} in line {self._line(row)}") from None

    def _failure(self, texts: pa.StringArray, field: Field) -> UsageError | None:
        try:
            self._parsed(texts, field)
        except UsageError as failure:
            return failure
        return None

    def _line(self, row: int) -> int:
        """The line on which a row ends, the first being 1; found by reading once more."""
        lines = _lines(self._source.stream())
        for _ in range(self._skipped):
            next(lines, "")
        return self._skipped + _line_of(lines, row, self._dialect, self._most)


def _line_of(lines: Iterator[str], row: int, dialect: _Dialect, most: int) -> int:
    """The line on which a row ends, the first being 1, that has no value longer than so many bytes."""
    lines_of.field_size_limit(max(most, lines_of.field_size_limit()))
    reader = lines_of.reader(lines, **_options(dialect))
    ends = (reader.line_num for cells in reader if cells)
    return next((line for i, line in enumerate(ends) if i == row), reader.line_num)


def _lines(stream: Readable) -> Iterator[str]:
    held = b""
    while piece := stream.read(SIZE):
        *whole, held = (held + piece).split(b"\n")
        for line in whole:
            yield from _split(line.decode("utf-8", "replace") + "\n")
    yield from _split(held.decode("utf-8", "replace"))


def _split(text: str) -> Iterator[str]:
    """Lines with their ends, of which there are three kinds."""
    return StringIO(text, newline="")


def _plain(text: str, dialect: _Dialect) -> str:
    if dialect.is_quoted or "\\" not in text:
        return text
    return re.sub(r"\\[\\tnr]", lambda found: _ESCAPES[found[0]], text)


def _unescaped(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring(texts, "\\")).as_py():
        return texts
    return pa.array([v if v is None else _plain(v, _TSV) for v in texts.to_pylist()], pa.string())
