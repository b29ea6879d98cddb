"""What does a persistent attribute mean? Its declaration in words, for ``help()`` and the ``?`` of a prompt."""

from typing import Any

from datamodel.attributes import Attribute


def facts(cls: Any, attribute: Attribute) -> dict[str, str]:
    """What is declared of an attribute, by the name of the fact; what is not declared is left out.

    Parameters
    ----------
    cls
        The class that has the attribute.
    attribute
        The attribute.
    """
    said = {
        "Meaning": attribute.doc,
        "Type": kind_of(attribute),
        "Unit": attribute.unit or "",
        "UCD": attribute.ucd or "",
        "Utype": attribute.utype or "",
        "Default": default_of(attribute),
        "Changes": "may be changed later" if attribute.mutable else "fixed once the object is committed",
    }
    notes: dict[str, str] = _declaration(cls, attribute.name).notes()
    return {name: text for name, text in said.items() if text} | notes


def explanation(title: str, cls: Any, attribute: Attribute) -> str:
    """The same as text: a line for each fact below a title."""
    found = facts(cls, attribute)
    meaning = found.pop("Meaning")
    width = max(map(len, found))
    return "\n".join(
        [f"{title}: {meaning}", "", *(f"{name:{width}}  {text}" for name, text in found.items())]
    )


def kind_of(attribute: Attribute) -> str:
    """``DOUBLE``, ``link to Chip`` or ``list of RawBiasFrame``."""
    kind = attribute.target_class().__name__ if attribute.is_link else str(attribute.scalar)
    if attribute.many:
        return f"list of {kind}"
    return f"link to {kind}" if attribute.is_link else kind


def default_of(attribute: Attribute) -> str:
    """The value of a new object as text; empty where it has none."""
    if attribute.default is None or attribute.default is list:
        return ""
    return "given when the object is made" if callable(attribute.default) else repr(attribute.default)


def _declaration(cls: Any, name: str) -> Any:
    """The descriptor that declares an attribute of a class."""
    return next(vars(base)[name] for base in cls.__mro__ if name in vars(base))
