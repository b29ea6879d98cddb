"""What is there to say about an object: values, status, ancestors, users? Facts only; the template shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datamodel.attributes import Attribute, all_classes, is_current
from datamodel.frames import RawScienceFrame
from datamodel.session import current
from datamodel.state import Restricted
from processing.classes import TARGET_CLASSES
from processing.declarations import flag_names
from processing.keys import keys_of_raw
from processing.plan import Planner
from processing.reasons import Reason
from processing.site import instruments_of
from processing.target import ProcessTarget

SHOWN_MEMBERS = 50
"""Members of a list, and users of an object, that a page shows at the most."""

_GROUPS = {"value": "Values", "parameter": "Process parameters", "system": "System"}


@dataclass(frozen=True)
class Value:
    """One attribute for people."""

    name: str
    text: str
    unit: str
    doc: str


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
    status
        ``ok``, ``outdated``, ...; empty for what cannot be made.
    """

    product: Any
    class_name: str
    doc: str
    title: str
    groups: dict[str, list[Value]]
    status: str
    reasons: tuple[Reason, ...]
    flags: list[str]
    made_from: list[Linked]
    used_by: list[Linked]
    related: list[Related]


def facts_of(product: Any) -> Facts:
    """The facts, looked up in the current session; nothing is made."""
    cls = type(product)
    planner = Planner(instruments_of(current().archive))
    status = ""
    reasons: tuple[Reason, ...] = ()
    if isinstance(product, ProcessTarget):
        node = planner.node_of(product, product.own_keys())
        status, reasons = node.status, node.reasons
    return Facts(
        product,
        cls.__name__,
        (cls.__doc__ or "").strip().splitlines()[0],
        title(product),
        _groups(product),
        status,
        reasons,
        flag_names(cls, product.quality_flags or 0),
        list(_made_from(product)),
        list(_used_by(product)),
        list(_related(product, planner)),
    )


def title(product: Any) -> str:
    """What people call the object."""
    names = [getattr(product, "name", None), getattr(product, "obs_id", None)]
    links = (getattr(product, role, None) for role in ("chip", "filter"))
    names += [getattr(link, "name", None) for link in links]
    return " · ".join(str(name) for name in names if name) or product.object_id


def _groups(product: Any) -> dict[str, list[Value]]:
    groups: dict[str, list[Value]] = {name: [] for name in _GROUPS.values()}
    for attribute in type(product).__attributes__.values():
        group = _GROUPS.get(attribute.kind)
        if group is None or attribute.many:
            continue
        value = getattr(product, attribute.name)
        if attribute.is_link:
            groups[group] += _of_link(attribute, value)
        else:
            groups[group].append(_value(attribute, value))
    return {name: values for name, values in groups.items() if values}


def _of_link(attribute: Attribute, value: Any) -> list[Value]:
    """A named thing by its name, statistics by their values; other links are not values."""
    if value is None or isinstance(value, Restricted):
        return []
    if type(value).natural_key:
        return [Value(attribute.name, str(getattr(value, type(value).natural_key)), "", attribute.doc)]
    own = type(value).__own__
    return [
        _value(each, getattr(value, name), f"{attribute.name}.")
        for name, each in own.items()
        if not each.is_link and not each.many
    ]


def _value(attribute: Attribute, value: Any, prefix: str = "") -> Value:
    return Value(prefix + attribute.name, text(value), attribute.unit or "", attribute.doc)


def text(value: Any) -> str:
    """A value for people: enough digits, instants in UTC, nothing for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        return f"{value.isoformat(sep=' ', timespec='seconds')} UTC"
    return str(value)


def _made_from(product: Any) -> Iterator[Linked]:
    for attribute in type(product).__attributes__.values():
        if attribute.kind != "role":
            continue
        value = getattr(product, attribute.name)
        members = value if attribute.many else [value]
        for each in members[:SHOWN_MEMBERS]:
            if each is not None:
                yield _linked(attribute, each)


def _linked(attribute: Attribute, other: Any) -> Linked:
    if isinstance(other, Restricted):
        return Linked(attribute.name, attribute.doc, other.class_name, "", "not public", visible=False)
    return Linked(attribute.name, attribute.doc, type(other).__name__, other.object_id, title(other))


def _used_by(product: Any) -> Iterator[Linked]:
    """The visible objects that have this one in a role."""
    for cls in all_classes():
        for attribute in cls.__own__.values():
            fits = attribute.kind == "role" and isinstance(product, attribute.target_class())
            if not fits or not is_current(cls):
                continue
            path = getattr(cls, attribute.name)
            query = path.contains(product) if attribute.many else path == product
            for user in query.order_by("-creation_date").limit(SHOWN_MEMBERS):
                yield Linked(attribute.name, attribute.doc, type(user).__name__, user.object_id, title(user))


def _related(product: Any, planner: Planner) -> Iterator[Related]:
    """The products of an exposure, made or not, for the page of the exposure and of its products."""
    raw = product if isinstance(product, RawScienceFrame) else getattr(product, "raw", None)
    if not isinstance(raw, RawScienceFrame):
        return
    for cls in TARGET_CLASSES:
        if cls.of_exposure:
            node = planner.node(cls, keys_of_raw(raw))
            url = f"/target/{cls.__name__}/{raw.object_id}" if node.can_be_had else ""
            existing = node.existing.object_id if node.existing is not None else None
            yield Related(cls.__name__, node.status, url, existing)
