"""How a target class declares its dependencies, its process parameters and its quality flags."""

from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

import numpy as np

from datamodel.errors import UsageError
from datamodel.persistent import persistent

ALWAYS = "always"
IF_INPUTS_EXIST = "if inputs exist"
IF_ASKED = "if asked"

_PLANNED = {
    ALWAYS: "without it the target cannot be made",
    IF_INPUTS_EXIST: "null where what it is made from does not exist",
    IF_ASKED: "used when there is one, never made for this",
}

_TRUTHS = {"true": True, "false": False}


class role(persistent):  # noqa: N801 - reads as a declaration, like persistent
    """A dependency: the link under which a target keeps what it was made from.

    Parameters
    ----------
    doc
        One sentence.
    type
        The class of the dependency, or a list of it.
    planned
        When a plan makes it: `ALWAYS` (without it the target cannot be made), `IF_INPUTS_EXIST`
        (null where its raw frames do not exist) or `IF_ASKED` (used when there is a usable one).
    forgives_new
        True where new members of a list do not outdate the target.
    shares
        Names of process parameters that the dependency must have in common with the target, such as the
        way of the overscan correction.
    """

    def __init__(
        self,
        doc: str,
        type: Any,
        *,
        planned: str = ALWAYS,
        forgives_new: bool = False,
        shares: tuple[str, ...] = (),
    ) -> None:
        super().__init__(doc, type, kind="role")
        self.shares = shares
        self.planned = planned
        self.forgives_new = forgives_new

    def notes(self) -> dict[str, str]:
        """When it is planned, and whether new members count."""
        new = {"New members": "do not outdate the target"} if self.forgives_new else {}
        return {"Planned": f"{self.planned}; {_PLANNED[self.planned]}"} | new


class parameter(persistent):  # noqa: N801
    """A process parameter: part of what identifies a product, and fixed when it is made."""

    affects = "output"

    def __init__(self, doc: str, type: Any, default: Any, *, unit: str | None = None) -> None:
        super().__init__(doc, type, default, unit=unit, kind="parameter")

    def notes(self) -> dict[str, str]:
        """What another value changes."""
        changed = (
            "the product" if self.affects == "output" else "the judgement of the product, not its content"
        )
        return {"Parameter": f"another value changes {changed}"}

    def value(self, given: Any) -> Any:
        """What was given, text of a command line included, as the parameter's type.

        Raises
        ------
        UsageError
            It is not of that type; the message quotes it.
        """
        kind = type(self.attribute.default)
        name = f"{self.attribute.owner}.{self.attribute.name}"
        given = _TRUTHS.get(str(given).lower(), given) if kind is bool else given
        try:
            value = kind(given)
            if isinstance(given, bool | np.bool_) != (kind is bool):
                raise ValueError("a truth is no number")
            if isinstance(given, float | int) and value != given:
                raise ValueError("something would be lost")
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"parameter {name} is '{given}', expected {kind.__name__}") from None
        if kind is float and not isfinite(value):
            raise UsageError(f"parameter {name} is '{given}', expected a finite number")
        return value


class limit(parameter):  # noqa: N801
    """A quality limit: `verify` compares with it; another value gives the same product."""

    affects = "qc"


@dataclass(frozen=True)
class QCFlag:
    """One bit of ``quality_flags``, with what it says about the product."""

    bit: int
    doc: str


@cache
def declared(cls: Any, kind: Any) -> dict[str, Any]:
    """The declarations of one kind on a class and what it inherits from, by name; not to be changed."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return found


def roles(cls: Any) -> dict[str, role]:
    """The dependencies of a class, by name, in the order of their declaration."""
    return declared(cls, role)


def parameters(cls: Any, affects: str | None = None) -> dict[str, parameter]:
    """The process parameters of a class, by name; ``affects`` narrows to ``output`` or ``qc``."""
    found: dict[str, parameter] = declared(cls, parameter)
    return {n: p for n, p in found.items() if affects in (None, p.affects)}


def default_values(cls: Any) -> dict[str, Any]:
    """What a class says of its process parameters, by name."""
    return {name: p.attribute.default for name, p in parameters(cls).items()}


def flags(cls: Any) -> dict[str, QCFlag]:
    """The quality flags of a class, by name."""
    return declared(cls, QCFlag)


def flag_names(cls: Any, value: int) -> list[str]:
    """The names of the flags that are set in a ``quality_flags`` value."""
    return [name for name, flag in flags(cls).items() if value & (1 << flag.bit)]
