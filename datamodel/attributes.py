"""What is declared of a persistent attribute, and which persistent classes there are.

Facts only: the descriptor is in `datamodel.persistent`, the tables are in `datamodel.schema`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datamodel.columns import Column
from datamodel.datatypes import DATATYPES, PYTHON_TYPES
from datamodel.errors import UsageError, nearest

OID_LENGTH = 36


class oidtype(str):  # noqa: N801 - the name in the published interface
    """The type of an object identifier: a time-ordered UUID, as text."""

    __slots__ = ()


@dataclass(frozen=True)
class Attribute:
    """One persistent attribute of one class.

    Attributes
    ----------
    name
        As on the Python object.
    doc
        One sentence; the description everywhere.
    scalar
        Datatype name for a value, None for a link.
    target
        The linked class or its name; None for a value.
    many
        True for a list of values or links; its order is kept.
    default
        A value, or a callable without arguments that gives one.
    mutable
        May be changed after the object was committed.
    kind
        ``value``, ``parameter`` (a process parameter), ``role`` (a dependency) or ``system``.
    among
        The only values there are, and what each means; empty for no such bound.
    """

    name: str
    doc: str
    scalar: str | None
    target: Any
    many: bool
    default: Any
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    indexed: bool = False
    mutable: bool = False
    kind: str = "value"
    owner: str = ""
    among: Mapping[Any, str] = field(default_factory=dict)

    @property
    def is_link(self) -> bool:
        """Whether the value is another persistent object (or a list of them)."""
        return self.scalar is None

    @property
    def column_name(self) -> str:
        """The SQL name: lower case, without a leading underscore."""
        return self.name.lower().lstrip("_")

    def target_class(self) -> Any:
        """The class a link points to."""
        return class_named(self.target) if isinstance(self.target, str) else self.target

    def column(self) -> Column:
        """The one description from which SQL, TAP_SCHEMA and FIELD are derived."""
        arraysize = str(OID_LENGTH) if self.is_link or self.name == "object_id" else None
        return Column(
            self.column_name,
            self.scalar or "CHAR",
            unit=self.unit,
            ucd=self.ucd,
            utype=self.utype,
            description=self.doc,
            arraysize=arraysize,
            indexed=self.indexed or self.is_link,
        )


def scalar_type(declared: Any) -> str | None:
    """The datatype name of a declared Python type, or None for a link.

    Raises
    ------
    UsageError
        The type is neither a plain one, nor a datatype's name, nor a persistent class.
    """
    if declared is oidtype:
        return "CHAR"
    if isinstance(declared, str):
        return declared if declared in DATATYPES else None
    if declared in PYTHON_TYPES:
        return PYTHON_TYPES[declared]
    if isinstance(declared, type):
        if hasattr(declared, "__persistent__"):
            return None
        raise UsageError(f"a persistent attribute cannot be of type {declared.__name__}")
    raise UsageError(f"a persistent attribute cannot be of type {declared!r}")


_classes: dict[str, Any] = {}


def register(cls: Any) -> None:
    """Make a persistent class findable by its name."""
    _classes[cls.__name__] = cls


def class_named(name: str) -> Any:
    """The persistent class of that name.

    Raises
    ------
    UsageError
        There is none; the message names the nearest.
    """
    try:
        return _classes[name]
    except KeyError:
        raise UsageError(f"no persistent class is called '{name}'{nearest(name, _classes)}") from None


def is_known(name: str) -> bool:
    """Whether this process knows a persistent class of that name."""
    return name in _classes


def is_current(cls: Any) -> bool:
    """Whether the class is the latest declaration of its name."""
    return _classes.get(cls.__name__) is cls


def all_classes() -> tuple[Any, ...]:
    """Every persistent class known to this process, parents before children."""
    return tuple(sorted(_classes.values(), key=lambda c: (len(c.__mro__), c.__name__)))


def snake_case(name: str) -> str:
    """``HotPixelMap`` to ``hot_pixel_map``, ``DBObject`` to ``dbobject``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return {"d_b_object": "dbobject", "db_object": "dbobject"}.get(spaced.lower(), spaced.lower())
