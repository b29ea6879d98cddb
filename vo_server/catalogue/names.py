"""What may a catalogue and its columns be called?"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from datamodel import mydb
from datamodel.columns import Column
from datamodel.errors import UsageError

OUR_SCHEMAS = ("archive", "ivoa", "tap_schema", "tap_upload")
LONGEST = 60
"""Both databases take a name of so many characters."""

_PART = re.compile(r"[a-z][a-z0-9_]*")
_SYSTEM = frozenset(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"])
"""Columns that PostgreSQL has in every table."""


def checked(name: str) -> tuple[str, str]:
    """Schema and table of a name such as ``gaia.bright``, in lower case.

    Raises
    ------
    UsageError
        It is no such name, or its schema is one of the archive's or of a user.
    """
    schema, _, table = name.lower().partition(".")
    if not all(is_regular(part) for part in (schema, table)):
        raise UsageError(
            f"the name is '{name[:200]}', expected schema.table, such as gaia.bright: letters, digits and _, "
            f"a letter first, at most {LONGEST} characters each"
        )
    if schema in OUR_SCHEMAS:
        raise UsageError(f"the schema '{schema}' belongs to the archive, expected another one")
    if mydb.is_mydb(schema):
        raise UsageError(f"the schema '{schema}' is for tables of users, expected another one")
    return schema, table


def is_regular(part: str) -> bool:
    """Whether a schema, table or column can be called so, in lower case."""
    return _PART.fullmatch(part) is not None and len(part) <= LONGEST


def legal(columns: Iterable[Column], taken: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns under names that queries can write without quotes, lower case, each once.

    A description tells the name in the file, where more than its case has changed.

    Parameters
    ----------
    columns
        As the file calls them.
    taken
        Names that none of them may have.
    """
    used = set(taken)
    made: list[Column] = []
    for place, column in enumerate(columns, 1):
        name = _free(_regular(column.name) or f"column_{place}", used)
        used.add(name)
        described = column.description.strip()
        if name != column.name.lower():
            told = f"'{column.name[:100]}' in the file"
            described = f"{described} ({told})" if described else told
        made.append(replace(column, name=name, description=described))
    return tuple(made)


def _regular(name: str) -> str:
    """The nearest that is an identifier; empty where nothing of the name is left."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if not made:
        return ""
    made = made if made[0].isalpha() else f"c_{made}"
    return (f"{made}_" if made in _SYSTEM else made)[:LONGEST]


def _free(name: str, used: set[str]) -> str:
    made, number = name, 1
    while made in used:
        number += 1
        made = f"{name[: LONGEST - 6]}_{number}"
    return made
