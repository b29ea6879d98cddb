"""Why a stored product must be made again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from datamodel.session import current
from datamodel.state import Restricted
from processing.declarations import flag_names, parameters
from processing.selection import usable

NOMINAL_RECIPE = "nominal"
"""In place of the digest of a recipe: the product is what one would expect, and nothing was measured."""


def is_nominal(product: Any) -> bool:
    """Whether nothing was measured for a product."""
    return bool(product.recipe_digest == NOMINAL_RECIPE)


@dataclass(frozen=True)
class Reason:
    """One reason, such as ``new:raw_bias_frames``.

    Attributes
    ----------
    kind
        ``invalid``, ``flag``, ``data missing``, ``missing``, ``new``, ``newer``, ``obsolete``, ``param``,
        ``limit``, ``recipe`` or ``dep``.
    name
        The role, flag or parameter; empty where the kind says it all.
    count
        How many members of a list it is about; 0 where that has no meaning.
    detail
        What a person may want to know besides.
    """

    kind: str
    name: str = ""
    count: int = 0
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    def sentence(self) -> str:
        """The reason for people."""
        words = {
            "invalid": "a person judged it bad",
            "flag": f"the system flagged {self.name}",
            "data missing": "its bytes are gone",
            "missing": f"there is no {self.name} and none can be made",
            "new": f"{self.count or 'a'} {self.name} that it was made without",
            "newer": f"a newer {self.name} than the one it was made with",
            "obsolete": f"its {self.name} can no longer be used",
            "param": f"parameter {self.name} {self.detail}",
            "limit": f"limit {self.name} {self.detail}: it is to be judged again, not made",
            "recipe": "the recipe has changed",
            "dep": f"its {self.name} is {self.detail}",
        }
        return words[self.kind]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules must know of something that a product is made from.

    Attributes
    ----------
    content
        What tells it apart from others; something hidden is like no other.
    usable
        Whether it may be used.
    """

    content: str
    usable: bool


def facts_of(dependency: Any) -> Facts:
    """The facts of an object, or of the stub of a hidden one."""
    if isinstance(dependency, Restricted):
        return hidden_facts(dependency.object_id)
    return Facts(str(dependency.content_digest), usable(dependency))


def hidden_facts(object_id: str) -> Facts:
    """The facts of an object that may not be seen."""
    return Facts(f"restricted {object_id}", False)


def of_judgements(cls: Any, is_valid: int, quality_flags: int) -> list[Reason]:
    """The faults that a person and the system have found with a product of a class."""
    found = [Reason("invalid")] if is_valid <= 0 else []
    return found + [Reason("flag", name) for name in flag_names(cls, quality_flags)]


def of_bytes(product: Any) -> list[Reason]:
    """The reason that the bytes of a product are gone, where they are."""
    gone = product.filename and not current().archive.store.has(product.filename)
    return [Reason("data missing")] if gone else []


def of_parameters(cls: Any, stored: Mapping[str, Any], effective: Mapping[str, Any]) -> list[Reason]:
    """A parameter that would be another now; another limit judges anew and does not make anew."""
    found = []
    for name, declared in parameters(cls).items():
        if stored[name] != effective[name]:
            kind = "limit" if declared.affects == "qc" else "param"
            found.append(Reason(kind, name, detail=f"is {effective[name]}, was {stored[name]}"))
    return found


def of_role(name: str, used: Facts | None, best: Facts | None) -> list[Reason]:
    """How what is used in a role differs from what is best now; equal content is no difference."""
    if used is None:
        return [] if best is None else [Reason("new", name)]
    if best is None:
        return [Reason("obsolete", name)]
    if used.content == best.content:
        return []
    return [Reason("newer" if used.usable else "obsolete", name)]


def of_lack(name: str, is_used: bool, status: str) -> list[Reason]:
    """What it means for a role that the best there could be has not been made yet."""
    return [Reason("obsolete", name)] if is_used else [Reason("dep", name, detail=status)]


def of_list(name: str, used: Iterable[Facts], ideal: Iterable[Facts], forgives_new: bool) -> list[Reason]:
    """How the members used in a list differ from those that would be used now; by content."""
    members, now = list(used), {i.content for i in ideal}
    before = {u.content for u in members}
    found = []
    if now - before and not forgives_new:
        found.append(Reason("new", name, len(now - before)))
    if gone := before - now:
        faulty = any(not u.usable for u in members if u.content in gone)
        if faulty or not forgives_new:
            found.append(Reason("obsolete", name, len(gone)))
    return found
