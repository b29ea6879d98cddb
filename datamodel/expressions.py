"""The query language as a tree: what a condition on persistent attributes says, without doing it."""

from dataclasses import dataclass
from typing import Any

from datamodel.attributes import Attribute


@dataclass(frozen=True)
class Steps:
    """A path of attributes that starts at a class: ``ReducedScienceFrame.flat.imstat.stdev``."""

    root: Any
    attributes: tuple[Attribute, ...]

    def __str__(self) -> str:
        return ".".join((self.root.__name__, *(a.name for a in self.attributes)))


@dataclass(frozen=True)
class Compare:
    """``path operator value``; operators are those of `OPERATORS`."""

    path: Steps
    operator: str
    value: Any


@dataclass(frozen=True)
class ListMember:
    """True where a list attribute holds a plain value (an object_id), or one of `members` fulfilling a condition."""

    path: Steps
    value: Any
    condition: "Condition | None" = None
    members: Any = None


@dataclass(frozen=True)
class InCircle:
    """True where the position given by two attributes lies within a circle; all in degrees, ICRS."""

    root: Any
    ra: float
    dec: float
    radius: float


@dataclass(frozen=True)
class Both:
    """Both conditions are true."""

    left: "Condition"
    right: "Condition"


@dataclass(frozen=True)
class Either:
    """At least one of the conditions is true."""

    left: "Condition"
    right: "Condition"


@dataclass(frozen=True)
class Not:
    """The condition is false."""

    condition: "Condition"


@dataclass(frozen=True)
class Owned:
    """Narrow to the caller's own objects (``creator``) or the current project's (``project``)."""

    by: str
    value: str | None


Condition = Compare | ListMember | InCircle | Both | Either | Not | Owned

OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "like", "in", "between", "bits")
