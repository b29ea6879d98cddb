"""What is there to say about an object: values, status, ancestors, users? Facts only; the template shows them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from datamodel.attributes import Attribute, all_classes, is_current
from datamodel.comments import Remark
from datamodel.frames import RawScienceFrame
from datamodel.retraction import Retraction, retractions
from datamodel.session import current
from datamodel.state import Restricted
from processing.classes import TARGET_CLASSES
from processing.declarations import flag_names, flags
from processing.keys import is_displaced, keys_of_raw
from processing.node import status_of
from processing.plan import Planner
from processing.reasons import Reason
from processing.selection import select
from processing.site import instruments_of
from processing.suspicion import faulty_ancestors
from processing.target import ProcessTarget
from vo_server.web.values import LONG, group, said

SHOWN_MEMBERS = 50
"""Members of a list, and users of an object, that a page shows at the most."""

STATUSES = {
    "ok": "It is up to date: making it again would change nothing.",
    "outdated": "Made again it would be another:",
    "blocked": "It cannot be made.",
    "invalid": "A person judged it bad:",
    "flagged": "The system found fault with it:",
    "data missing": "It is made again when it is asked for:",
    "to be built": "It is made when it is asked for.",
}


@dataclass(frozen=True)
class Value:
    """One attribute for people."""

    name: str
    text: str
    unit: str
    doc: str

    @property
    def is_long(self) -> bool:
        """Whether it would push all others from the page."""
        return len(self.text) > LONG


@dataclass(frozen=True)
class Linked:
    """Another object: how it is related, its class, and its identifier where it may be seen."""

    relation: str
    doc: str
    class_name: str
    object_id: str
    label: str
    visible: bool = True


@dataclass(frozen=True)
class Relation:
    """How objects are related that no attribute links."""

    name: str
    doc: str


SUSPECT = Relation("faulty", "judged bad, or flagged by the system")


@dataclass(frozen=True)
class Related:
    """A product of the same exposure that there is or can be made."""

    class_name: str
    status: str
    url: str
    object_id: str | None


@dataclass(frozen=True)
class Facts:
    """Everything a page says of one object.

    Attributes
    ----------
    groups
        Values by the title of the group.
    status, told
        ``ok``, ``outdated``, ... and the same in a sentence; empty for what cannot be made.
    flags
        What the system found fault with, in sentences.
    used_by
        None for what is no input of anything.
    comments
        What people have said of it, the oldest first.
    suspect
        What it was made from that is faulty now.
    retracted
        Its tombstone; None where it was not retracted.
    """

    product: Any
    class_name: str
    doc: str
    title: str
    groups: dict[str, list[Value]]
    status: str
    told: str
    reasons: tuple[Reason, ...]
    flags: list[str]
    made_from: list[Linked]
    used_by: list[Linked] | None
    related: list[Related]
    comments: list[Remark]
    suspect: list[Linked]
    retracted: Retraction | None


def facts_of(product: Any) -> Facts:
    """The facts, looked up in the current session; nothing is made."""
    cls = type(product)
    reasons = product.why() if isinstance(product, ProcessTarget) else ()
    status = product.status_for(reasons) if isinstance(product, ProcessTarget) else ""
    made_from = list(_made_from(product))
    gone = _retractions([product.object_id, *(each.object_id for each in made_from)])
    return Facts(
        product,
        cls.__name__,
        (cls.__doc__ or "").strip().splitlines()[0],
        title(product),
        _groups(product),
        status,
        STATUSES.get(status, ""),
        reasons,
        [flags(cls)[name].doc for name in flag_names(cls, product.quality_flags or 0)],
        [_marked(each, gone) for each in made_from],
        list(_used_by(product)) if _uses(cls) else None,
        list(_related(product)),
        product.comments,
        [_linked(SUSPECT, each) for each in faulty_ancestors(current(), product)[:SHOWN_MEMBERS]],
        gone.get(product.object_id),
    )


def _retractions(object_ids: list[str]) -> dict[str, Retraction]:
    with current().connection() as connection:
        return retractions(connection, object_ids, current().caller)


def _marked(linked: Linked, gone: dict[str, Retraction]) -> Linked:
    """The same, which says that it was retracted where it was."""
    found = gone.get(linked.object_id)
    return linked if found is None else replace(linked, label=f"{linked.label}, {found}")


def title(product: Any) -> str:
    """What people call the object: its name, or its exposure with chip and filter."""
    raw, chip, filter = (_shown(product, link) for link in ("raw", "chip", "filter"))
    names = [getattr(product, "name", None), getattr(product, "obs_id", None) or getattr(raw, "obs_id", None)]
    names += [getattr(link, "name", None) for link in (chip, filter)]
    return " · ".join(str(name) for name in names if name) or product.object_id


def _shown(product: Any, link: str) -> Any:
    """What it is linked to; None where that is hidden, or there is no such link."""
    found = getattr(product, link, None)
    return None if isinstance(found, Restricted) else found


def _groups(product: Any) -> dict[str, list[Value]]:
    groups: dict[str, list[Value]] = {"Values": [], "Process parameters": [], "System": []}
    for attribute in type(product).__attributes__.values():
        heading = group(attribute)
        if not heading or attribute.many:
            continue
        value = getattr(product, attribute.name)
        shown = _of_link(attribute, value) if attribute.is_link else [_value(product, attribute)]
        groups[heading] += shown
    return {name: values for name, values in groups.items() if values}


def _of_link(attribute: Attribute, value: Any) -> list[Value]:
    """A named thing by its name, statistics by their values; other links are not values."""
    if value is None or isinstance(value, Restricted):
        return []
    if type(value).natural_key:
        return [Value(attribute.name, str(getattr(value, type(value).natural_key)), "", attribute.doc)]
    own = type(value).__own__.values()
    return [_value(value, each, f"{attribute.name}.") for each in own if not each.is_link and not each.many]


def _value(holder: Any, attribute: Attribute, prefix: str = "") -> Value:
    shown = said(holder, attribute.name, getattr(holder, attribute.name))
    return Value(prefix + attribute.name.lstrip("_"), shown, attribute.unit or "", attribute.doc)


def _made_from(product: Any) -> Iterator[Linked]:
    for attribute in type(product).__attributes__.values():
        if attribute.kind != "role":
            continue
        value = getattr(product, attribute.name)
        members = value if attribute.many else [value]
        for each in members[:SHOWN_MEMBERS]:
            if each is not None:
                yield _linked(attribute, each)


def _linked(attribute: Attribute | Relation, other: Any) -> Linked:
    if isinstance(other, Restricted):
        return Linked(attribute.name, attribute.doc, other.class_name, "", "not public", visible=False)
    return Linked(attribute.name, attribute.doc, type(other).__name__, other.object_id, title(other))


def _uses(cls: Any) -> list[tuple[Any, Attribute]]:
    """The roles that an object of a class can have, each with the class that gives it."""
    return [
        (user, attribute)
        for user in all_classes()
        if is_current(user)
        for attribute in user.__own__.values()
        if attribute.kind == "role" and issubclass(cls, attribute.target_class())
    ]


def _used_by(product: Any) -> Iterator[Linked]:
    """The visible objects that have this one in a role."""
    for cls, attribute in _uses(type(product)):
        path = getattr(cls, attribute.name)
        query = path.contains(product) if attribute.many else path == product
        for user in query.order_by("-creation_date").limit(SHOWN_MEMBERS):
            yield Linked(attribute.name, attribute.doc, type(user).__name__, user.object_id, title(user))


def _related(product: Any) -> Iterator[Related]:
    """The products of an exposure, made or not, for the page of the exposure and of its products."""
    raw = product if isinstance(product, RawScienceFrame) else getattr(product, "raw", None)
    if not isinstance(raw, RawScienceFrame) or is_displaced(raw):
        return
    keys = keys_of_raw(raw)
    planner = Planner(instruments_of(current().archive))
    for cls in TARGET_CLASSES:
        if not cls.of_exposure:
            continue
        url = f"/target/{cls.__name__}/{raw.object_id}"
        existing = select(cls, keys)
        if existing is not None:
            yield Related(cls.__name__, status_of(existing.why()), url, existing.object_id)
        else:
            node = planner.node(cls, keys)
            yield Related(cls.__name__, node.status, url if node.can_be_had else "", None)
