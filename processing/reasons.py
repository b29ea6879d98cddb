"""Why a stored product must be made again."""

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


def content(dependency: Any) -> str:
    """What tells the content of two dependencies apart; a hidden one is like no other."""
    if isinstance(dependency, Restricted):
        return f"restricted {dependency.object_id}"
    return str(dependency.content_digest)


def of_itself(product: Any) -> list[Reason]:
    """The reasons that lie in the product alone."""
    found = []
    if product.is_valid <= 0:
        found.append(Reason("invalid"))
    found += [Reason("flag", name) for name in flag_names(type(product), product.quality_flags)]
    return found + of_bytes(product)


def of_bytes(product: Any) -> list[Reason]:
    """The reason that the bytes of a product are gone, where they are."""
    gone = product.filename and not current().archive.store.has(product.filename)
    return [Reason("data missing")] if gone else []


def of_parameters(product: Any, effective: dict[str, Any]) -> list[Reason]:
    """A parameter that would be another now; another limit judges anew and does not make anew."""
    found = []
    for name, declared in parameters(type(product)).items():
        stored = getattr(product, name)
        if stored != effective[name]:
            kind = "limit" if declared.affects == "qc" else "param"
            found.append(Reason(kind, name, detail=f"is {effective[name]}, was {stored}"))
    return found


def of_role(name: str, used: Any, best: Any) -> list[Reason]:
    """How the object used in a role differs from the one that is best now; equal content is no difference."""
    if used is best or getattr(used, "object_id", None) == getattr(best, "object_id", None):
        return []
    if used is None:
        return [Reason("new", name)]
    if best is None:
        return [Reason("obsolete", name)]
    if content(used) == content(best):
        return []
    return [Reason("newer" if usable(used) else "obsolete", name)]


def of_list(name: str, used: list[Any], ideal: list[Any], forgives_new: bool) -> list[Reason]:
    """How the members used in a list differ from those that would be used now; by content."""
    before, now = {content(u) for u in used}, {content(i) for i in ideal}
    found = []
    if now - before and not forgives_new:
        found.append(Reason("new", name, len(now - before)))
    if gone := before - now:
        invalid = [u for u in used if content(u) in gone and not usable(u)]
        if not forgives_new or invalid:
            found.append(Reason("obsolete", name, len(gone)))
    return found
