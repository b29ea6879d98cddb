"""What does a document say of itself, besides its rows?"""

from collections.abc import Iterable
from dataclasses import dataclass

Info = tuple[str, str] | tuple[str, str, str]
"""Name, value and, where there is one, explanation, of an INFO element."""


@dataclass(frozen=True)
class Document:
    """What stands around the rows; a format without a place for something leaves it out.

    Attributes
    ----------
    infos
        Where the rows come from, and the like.
    results_extras
        COOSYS, TIMESYS, GROUP and PARAM elements of VOTable, or a RESOURCE after them, written before the table.
    resource_extras
        RESOURCE elements, such as service descriptors, written after the results.
    table_name, description
        Of the table.
    """

    infos: Iterable[Info] = ()
    results_extras: bytes = b""
    resource_extras: bytes = b""
    table_name: str = "result"
    description: str = ""
