"""How a persistent attribute is declared, and what reading and setting it does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datamodel.attributes import Attribute, oidtype, scalar_type
from datamodel.errors import ForbiddenError, UsageError
from datamodel.query import Path
from datamodel.session import current
from datamodel.state import FixedList, State
from datamodel.values import checked

__all__ = ["oidtype", "persistent"]


class persistent:  # noqa: N801 - the name in the published interface
    """A persistent attribute: ``exptime = persistent('Exposure time', float, 0.0, unit='s')``.

    On an object it is the value; on the class it is a path for queries.

    Parameters
    ----------
    doc
        One sentence that says what it is.
    type
        A plain Python type, the name of a datatype (``'INTEGER'``), a persistent class or its name (a
        link), or a list of one of these (``[RawBiasFrame]``).
    default
        The value of a new object, or a callable without arguments that gives it.
    unit, ucd, utype
        VOUnit, UCD1+ and utype.
    indexed
        Whether the database indexes it.
    mutable
        Whether it may be changed after the object was committed.
    kind
        ``value``, ``parameter``, ``role`` or ``system``.
    among
        The only values it may have, and what each means; None for no such bound.
    """

    def __init__(
        self,
        doc: str,
        type: Any,
        default: Any = None,
        *,
        unit: str | None = None,
        ucd: str | None = None,
        utype: str | None = None,
        indexed: bool = False,
        mutable: bool = False,
        kind: str = "value",
        among: Mapping[Any, str] | None = None,
    ) -> None:
        many = isinstance(type, list)
        declared = type[0] if many else type
        scalar = scalar_type(declared)
        if many and mutable:
            raise UsageError(f"a list cannot be mutable: '{doc}'")
        if many and default is None:
            default = list
        target = declared if scalar is None else None
        facts = (unit, ucd, utype, indexed, mutable, kind)
        self.attribute = Attribute("", doc, scalar, target, many, default, *facts, among=among or {})

    def notes(self) -> dict[str, str]:
        """What this kind of declaration says beside what every attribute has, by the name of the fact."""
        return {}

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = replace(self.attribute, name=name, owner=owner.__name__)

    def __get__(self, instance: Any, owner: Any) -> Any:
        attribute = self.attribute
        if instance is None:
            return Path(owner, (attribute,))
        state: State = instance.__state__
        if attribute.name not in state.values:
            if not state.saved:
                state.values[attribute.name] = default_of(attribute)
            else:
                state.session.complete(instance, attribute)
        if attribute.is_link and _unfollowed(state.values[attribute.name]):
            (state.session or current()).follow(instance, attribute)
        value = state.values[attribute.name]
        return FixedList(value) if state.saved and attribute.many else value

    def __set__(self, instance: Any, value: Any) -> None:
        attribute, state = self.attribute, instance.__state__
        if attribute.name == "object_id":
            raise ForbiddenError("an object_id is given once and never set")
        if state.saved and not attribute.mutable:
            name = type(instance).__name__
            raise ForbiddenError(
                f"{name}.{attribute.name} is fixed: the object {instance.object_id} is committed"
            )
        state.values[attribute.name] = checked(attribute, value)
        if state.saved:
            state.changed.add(attribute.name)


def default_of(attribute: Attribute) -> Any:
    """The value of the attribute on a new object."""
    return attribute.default() if callable(attribute.default) else attribute.default


def _unfollowed(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(v, str) for v in value)
    return isinstance(value, str)
