"""How is a value said to people?"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from datamodel.attributes import Attribute
from datamodel.context import LEVELS
from datamodel.objects import JUDGEMENTS
from processing.declarations import flag_names

LONG = 120
"""Characters beyond which a text is shown only to those who open it."""

SYSTEM = frozenset(
    {"derivation_key", "recipe_digest", "file_sha256", "source_sha256", "hpx29", "process_status"}
)
"""Attributes that say nothing of the sky or the detector, whatever class declared them."""

_STEPS = ("made", "verified", "compared", "inspected")

_WORDS: dict[str, Callable[[Any, int], str]] = {
    "_privileges": lambda _product, value: LEVELS.get(value, ""),
    "is_valid": lambda _product, value: JUDGEMENTS.get(value, ""),
    "process_status": lambda _product, value: ", ".join(_bits(value)),
    "quality_flags": lambda product, value: ", ".join(flag_names(type(product), value)) or "none",
}


def group(attribute: Attribute) -> str:
    """The heading an attribute is shown under; empty for those that are shown elsewhere."""
    groups = {"value": "Values", "parameter": "Process parameters", "system": "System"}
    return "System" if attribute.name in SYSTEM else groups.get(attribute.kind, "")


def said(product: Any, name: str, value: Any) -> str:
    """The value of an attribute of an object, a code with its meaning: ``4 World``."""
    words = _WORDS[name](product, value) if name in _WORDS and value is not None else ""
    return f"{text(value)} {words}".rstrip()


def text(value: Any) -> str:
    """A value for people: enough digits, instants in UTC, a dash where there is none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime):
        return f"{value.isoformat(sep=' ', timespec='seconds')} UTC"
    return str(value)


def _bits(value: int) -> list[str]:
    return [name for bit, name in enumerate(_STEPS) if value & (1 << bit)]
