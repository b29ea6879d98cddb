"""Where are the objects of the New General Catalogue and its kin? From OpenNGC, which pyongc brings along.

OpenNGC is by Mattia Verga, under CC-BY-SA 4.0: https://github.com/mattiaverga/OpenNGC.
"""

import importlib.util
import math
import re
import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

_DESIGNATION = re.compile(r"([A-Z]{1,7})0*([0-9]{1,6})(.{0,12})")
_WIDEST = 6


@lru_cache(maxsize=2000)
def find(name: str) -> tuple[float, float] | None:
    """The position, in degrees ICRS, of an object by a designation or a common name; None for one unknown.

    Parameters
    ----------
    name
        Such as ``M 31``, ``NGC 224``, ``UGC00454`` or ``Andromeda Galaxy``; case and blanks do not count.
    """
    path = _database()
    joined = re.sub(r"\s+", "", name).upper()
    if path is None or not joined:
        return None
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        row = _designated(connection, joined) or _called(connection, name)
    return None if row is None else (math.degrees(row[0]), math.degrees(row[1]))


@lru_cache(maxsize=1)
def _database() -> Path | None:
    spec = importlib.util.find_spec("pyongc")
    folders = spec.submodule_search_locations if spec is not None else None
    path = Path(folders[0]) / "ongc.db" if folders else None
    return path if path is not None and path.is_file() else None


def _designated(connection: sqlite3.Connection, joined: str) -> tuple[float, float] | None:
    """OpenNGC fills numbers with zeros, more or fewer of them by catalogue."""
    found = _DESIGNATION.fullmatch(joined)
    if found is None:
        written = [joined]
    else:
        letters, number, rest = found.groups()
        written = [joined, *(f"{letters}{number:0>{width}}{rest}" for width in range(1, _WIDEST + 1))]
        if letters in ("M", "MESSIER") and not rest:
            query = "SELECT ra, dec FROM objects WHERE messier = ? AND ra IS NOT NULL AND type <> 'Dup'"
            row = connection.execute(query, (f"{number:0>3}",)).fetchone()
            if row is not None:
                return (row[0], row[1])
    marks = ", ".join("?" * len(written))
    query = (
        "SELECT ra, dec FROM objIdentifiers JOIN objects USING (name) "  # noqa: S608  question marks
        f"WHERE identifier IN ({marks}) AND ra IS NOT NULL LIMIT 1"
    )
    row = connection.execute(query, written).fetchone()
    return None if row is None else (row[0], row[1])


def _called(connection: sqlite3.Connection, name: str) -> tuple[float, float] | None:
    """By one of the common names, which stand beside each other with commas between them."""
    query = (
        "SELECT ra, dec FROM objects WHERE ra IS NOT NULL AND type <> 'Dup' "
        "AND instr(',' || lower(commonnames) || ',', ',' || lower(?) || ',') > 0 LIMIT 1"
    )
    row = connection.execute(query, (name,)).fetchone() if "," not in name else None
    return None if row is None else (row[0], row[1])
