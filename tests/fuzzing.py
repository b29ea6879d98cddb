"""What a guided fuzzer asks of the project: a program of its own, for the fuzzer instruments what it imports.

    python -m tests.fuzzing TARGET SEEDS [options of libFuzzer]

A target fails on any exception but a refusal, on a refusal that is long or speaks of the inside, and by the fuzzer's
own bounds of time and memory.
"""

import io
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np
import pyarrow as pa
from astropy.table import Table as Astropys
from pyarrow import parquet

with atheris.instrument_imports(include=["datamodel", "vo_server"]):
    from datamodel.config import Config
    from datamodel.context import ANONYMOUS
    from datamodel.errors import UsageError
    from datamodel.speech import SPEECHES
    from tests.test_adql_hostile import CATALOGUE
    from vo_server.formats.reading import Limits, fits, open_table, separated, votable
    from vo_server.formats.reading import parquet as _parquet
    from vo_server.tap.adql.translate import translate

READERS = (votable, separated, fits, _parquet)
"""Imported late otherwise, where no fuzzer looks."""

SMALL = Limits(rows=10_000, file_bytes=1 << 20, header_bytes=1 << 18, cell_bytes=1 << 16)
FORMATS = (None, "votable", "csv", "tsv", "fits", "parquet", "ecsv")
INSIDE = re.compile(r"psycopg|sqlite3?\.|Traceback|vo_[a-z]+\(|NULLIF\(|/site-packages/")
LONGEST_MESSAGE = 5_000

QUERIES = (
    "SELECT TOP 5 i, x AS y FROM one WHERE t LIKE 'a%' AND k IN (1, 2) ORDER BY 1 DESC OFFSET 2",
    "WITH a AS (SELECT k, COUNT(*) AS n FROM two GROUP BY k HAVING COUNT(*) > 1) SELECT * FROM a NATURAL JOIN one",
    "SELECT i FROM one JOIN two USING (k) WHERE 1 = CONTAINS(POINT('ICRS', x, y), POLYGON(0, 0, 10, 0, 10, 10))",
    "SELECT CAST(x AS VARCHAR(3)) || 'é''' FROM one WHERE DISTANCE(x, x, 1, -2) < 0.1 UNION ALL SELECT u FROM two",
    "SELECT IN_UNIT(x, 'rad'), COALESCE(t, 'none'), CASE WHEN i > 0x1F THEN 1 ELSE NULL END FROM one -- so",
    'SELECT q."i" FROM (SELECT i FROM one EXCEPT SELECT k FROM two) AS q WHERE EXISTS (SELECT u FROM two)',
)


def parser(data: bytes) -> None:
    """A text is translated or refused."""
    text = data.decode("utf-8", "replace")
    try:
        translate(text, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"], most=100)
    except UsageError as error:
        _seemly(str(error), text)


def tables(data: bytes) -> None:
    """An uploaded table is read or refused; the first byte says what it claims to be."""
    if not data:
        return
    try:
        with open_table(io.BytesIO(data[1:]), FORMATS[data[0] % len(FORMATS)], SMALL) as reading:
            for batch in reading:
                batch.validate()
    except UsageError as error:
        _seemly(str(error), data[1:].decode("latin-1"))


def parameters() -> Callable[[bytes], None]:
    """A query string is answered or refused by each service of an empty archive."""
    with atheris.instrument_imports(include=["vo_server"]):
        from datamodel.archive import Archive
        from processing.classes import TABLES
        from vo_server.app import create_app
        from vo_server.tap import tap_schema

    folder = tempfile.mkdtemp(prefix="vo-fuzzing-")
    archive = Archive(Config(archive=Path(folder), query_seconds=5.0))
    archive.prepare(TABLES)
    tap_schema.update_tap_schema(archive, tap_schema.tables(archive.config))
    client = create_app(archive).test_client()
    services = ("/tap/sync", "/sia2/query", "/datalink/links", "/tap/tables", "/tap/async")

    def ask(data: bytes) -> None:
        if not data:
            return
        asked = data[1:].decode("latin-1")
        response = client.get(services[data[0] % len(services)] + "?" + asked.replace("#", ""))
        if response.status_code >= 500:
            raise AssertionError(f"{response.status_code} for {asked!r}")
        if response.status_code >= 400:
            _seemly(response.get_data(as_text=True), asked)

    return ask


def _seemly(message: str, asked: str) -> None:
    said = INSIDE.search(message)
    if len(message) > LONGEST_MESSAGE or (said and said[0] not in asked):
        raise AssertionError(f"a refusal in words that are not for callers: {message[:500]}")


def seeds(target: str, folder: Path) -> None:
    """Write down what the fuzzer begins with."""
    made: list[bytes] = []
    if target == "parser":
        made = [query.encode() for query in QUERIES]
    elif target == "tables":
        table = Astropys({"a": np.arange(3), "b": [1.5, np.nan, 2.0], "c": ["x", "", "é"]})
        for number, form in enumerate(FORMATS[1:], 1):
            text = io.BytesIO()
            if form == "parquet":
                parquet.write_table(pa.table({n: np.asarray(table[n]) for n in table.colnames}), text)
            elif form == "fits":
                table["a", "b"].write(text, format="fits")
            else:
                words = io.StringIO()
                known = {"csv": "ascii.csv", "tsv": "ascii.tab", "ecsv": "ascii.ecsv"}
                if form == "votable":
                    table.write(text, format="votable", tabledata_format="binary2")
                else:
                    table.write(words, format=known[form])
                    text = io.BytesIO(words.getvalue().encode())
            made.append(bytes([number]) + text.getvalue())
    else:
        made = [
            b"\x00LANG=ADQL&FORMAT=csv&MAXREC=2&QUERY=SELECT+*+FROM+tap_schema.tables",
            b"\x01POS=CIRCLE+34.7+57.1+1&BAND=4e-7+6e-7&TIME=52684+%2BInf&CALIB=2&MAXREC=3",
            b"\x01POS=POLYGON+1+2+3+4+5+3&POS=RANGE+0+10+-5+5&RESPONSEFORMAT=votable",
            b"\x02ID=ivo://example.org/archive%3Ftarget/x&RESPONSEFORMAT=application/x-votable%2Bxml",
            b"\x03detail=min",
            b"\x04PHASE=PENDING&AFTER=2003-01-01T00:00:00Z&LAST=4",
        ]
    for number, data in enumerate(made):
        (folder / f"seed{number}").write_bytes(data)


def main() -> None:
    """Run one target."""
    target, folder = sys.argv[1], Path(sys.argv[2])
    seeds(target, folder)
    run = {"parser": lambda: parser, "tables": lambda: tables, "parameters": parameters}[target]()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
