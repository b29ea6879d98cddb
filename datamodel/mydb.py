"""What are the tables of a user's own called, and under which of their names is who told of them?

A table of one's own is a catalogue in a schema of its creator. Others who may see it write that schema; the creator
writes ``mydb`` and means the same, so that a query need not say whose it is.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from datamodel.catalogues import Entry
from datamodel.context import MYDB, Caller

SCHEMA = "mydb"
"""What everybody calls the schema of his or her own tables."""

SCHEMA_DESCRIPTION = "Your own tables"

_LONGEST, _KEPT = 100, 60
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def schema_of(user: str) -> str:
    """The schema with the tables of an account, as others call it: a regular identifier, unlike all others.

    Letters in lower case and digits stay as they are; of what else a user name may have, ``_`` and the two
    hexadecimal digits of its code stand for it. Where a name grows too long by that, its digest follows its beginning.
    """
    made = "".join(c if c in _PLAIN else "".join(f"_{byte:02x}" for byte in c.encode()) for c in user)
    if len(made) > _LONGEST:
        made = f"{made[:_KEPT]}__{hashlib.sha256(user.encode()).hexdigest()[:32]}"  # no other has __
    return f"{SCHEMA}_{made}"


def is_mydb(schema: str) -> bool:
    """Whether a schema, in lower case, has tables of users, or would have."""
    return schema == SCHEMA or schema.startswith(f"{SCHEMA}_")


def schema_of_caller(caller: Caller) -> str | None:
    """The schema of the caller's own tables; strangers have none."""
    return None if caller.user is None else schema_of(caller.user)


def own_name(name: str, caller: Caller) -> str:
    """The name of a table with ``mydb`` in place of the schema that others call the caller's."""
    schema, dot, table = name.partition(".")
    own = schema_of_caller(caller)
    return f"{SCHEMA}.{table}" if dot and own is not None and schema.lower() == own else name


def full_name(name: str, caller: Caller) -> str:
    """The name of a table with the schema that others call the caller's in place of ``mydb``."""
    schema, dot, table = name.partition(".")
    own = schema_of_caller(caller)
    return f"{own}.{table}" if dot and own is not None and schema.lower() == SCHEMA else name


def as_told(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The catalogues under each name that TAP_SCHEMA tells, with who is told of it as level and creator.

    Its creator is told of a table in ``mydb``; from level 2 on, all who may see it are told of it in the
    creator's schema.
    """
    for each in entries:
        if not is_mydb(each.schema) or each.privileges > MYDB:
            yield each
        if is_mydb(each.schema):
            yield replace(each, schema=SCHEMA, privileges=MYDB, schema_description=SCHEMA_DESCRIPTION)
