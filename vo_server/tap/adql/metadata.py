"""What is still true of a result of what its columns are told to be?

The UCD and the description stay where the value does; the unit, where it is known.
"""

from collections.abc import Sequence
from dataclasses import replace

from datamodel.columns import Column


def computed(kind: str, unit: str | None = None) -> Column:
    """A value that has been made of others: nothing is known but its type and unit."""
    return Column("", kind, unit=unit)


def unchanged(column: Column, kind: str) -> Column:
    """The value of a column, as a type that has room for it."""
    return replace(column, name="", type=kind, principal=False, indexed=False, std=False)


def shared(parts: Sequence[tuple[Column, bool]], kind: str) -> Column:
    """A value that comes from one of several: what all agree on. A constant, marked as one, has no say.

    Parameters
    ----------
    parts
        Each column, and whether it is a constant.
    kind
        The type of them all.
    """
    telling = [column for column, constant in parts if not constant]
    if not telling:
        return computed(kind)
    return Column(
        "",
        kind,
        unit=_agreed([c.unit for c in telling]),
        ucd=_agreed([c.ucd for c in telling]),
        description=_agreed([c.description for c in telling]) or "",
        utype=_agreed([c.utype for c in telling]),
        arraysize=_agreed([column.arraysize for column, _ in parts]),
        xtype=_agreed([c.xtype for c in telling]),
        null=telling[0].null if len({c.null for c in telling}) == 1 else None,
    )


def _agreed(told: list[str | None]) -> str | None:
    """What all say, or None."""
    return told[0] if len(set(told)) == 1 else None
