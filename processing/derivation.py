"""What a product is derived from: its key, the order to make it, and the object that keeps it."""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from astropy.time import Time

from datamodel.attributes import snake_case
from datamodel.context import MYDB, PROJECT, SERVICE_ACCOUNT
from datamodel.observatory import Imstat
from datamodel.session import Session
from processing.declarations import flags, parameters
from processing.node import Node
from processing.process_status import COMPARED, MADE, VERIFIED
from processing.recipe import recipe_digest
from processing.selection import candidates, only_usable, select, weakest
from processing.work import Given, Inputs, Made, Parameters, WorkOrder

CHIP_FACTS = ("gain", "read_noise", "saturation", "trim_section", "overscan_section")
"""What recipes use of a chip: another value must give another product."""


def derivation_key(node: Node, inputs: dict[str, Any]) -> str:
    """64 hexadecimal digits: equal for two makings that must give the same product.

    Covers the class, the keys, the facts of the chip that recipes use, the contents of all inputs by
    role, the parameters that affect the output, and the recipe.
    """
    keys = node.keys
    named = [getattr(k, "name", None) for k in (keys.instrument, keys.chip, keys.filter)]
    facts = [
        node.cls.__name__,
        named,
        str(keys.instant) if keys.raw is None else keys.raw.content_digest,
        keys.compatibility,
        {fact: getattr(keys.chip, fact) for fact in CHIP_FACTS},
        {name: _contents(given) for name, given in inputs.items()},
        {name: node.parameters[name] for name in parameters(node.cls, "output")},
        recipe_digest(node.cls),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _contents(given: Any) -> Any:
    if isinstance(given, list):
        return sorted(str(g.content_digest) for g in given)
    return getattr(given, "content_digest", None)


def work_order(session: Session, node: Node, inputs: dict[str, Any], target: Path) -> WorkOrder:
    """Everything a worker needs to make a node, without a database.

    Raises
    ------
    DataLostError
        The bytes of an input are gone.
    """
    given: dict[str, Any] = {name: as_given(session, value) for name, value in inputs.items()}
    for name in ("instrument", "chip", "filter"):
        given[name] = as_given(session, getattr(node.keys, name))
    previous = select(node.cls, node.keys)
    before = None if previous is None else _plain_values(previous)
    return WorkOrder(
        node.cls.__module__, node.cls.__name__, Inputs(given), dict(node.parameters), before, target
    )


def as_given(session: Session, value: Any) -> Any:
    """An input, or a list of them, as recipes see it; None for None."""
    if value is None:
        return None
    if isinstance(value, list):
        return [as_given(session, v) for v in value]
    filename = getattr(value, "filename", "")
    return Given(_plain_values(value), session.archive.store.path(filename) if filename else None)


def _plain_values(value: Any) -> dict[str, Any]:
    attributes = type(value).__attributes__.values()
    plain = {a.name: getattr(value, a.name) for a in attributes if not a.is_link and not a.many}
    statistics = getattr(value, "imstat", None)
    return plain if statistics is None else plain | _plain_values(statistics)


def new_object(session: Session, node: Node, inputs: dict[str, Any], key: str, made: Made) -> Any:
    """The object for what a worker made; its bytes are in the store afterwards, its row not yet."""
    keys = node.keys
    raised = flags(node.cls)
    product = node.cls(
        instrument=keys.instrument,
        chip=keys.chip,
        derivation_key=key,
        recipe_digest=recipe_digest(node.cls),
        process_status=MADE | VERIFIED | COMPARED,
        quality_flags=sum(1 << raised[name].bit for name in made.flags),
        content_digest=made.content_digest,
        **inputs,
        **node.parameters,
        **made.values,
    )
    _tell_choices(session, node, inputs, product)
    product.filter = keys.filter if node.cls.needs_filter or node.cls.of_exposure else None
    if made.statistics is not None:
        product.imstat = Imstat(**made.statistics)
    if node.validity is not None:
        product.date_obs, product.compatibility = keys.instant, keys.compatibility
        product.timestamp_start, product.timestamp_end = node.validity
    _belong(session, product, inputs)
    if made.path is not None:
        stored = session.archive.store.put(made.path, file_name(product, session.archive.clock()))
        product.filename, product.file_size, product.file_sha256 = stored.filename, stored.size, stored.sha256
    return product


def recalled(session: Session, node: Node, inputs: dict[str, Any], before: Any) -> Any:
    """A new object with the content of a product that was derived alike, judged by the limits of a node."""
    cls = node.cls
    limits = parameters(cls, "qc")
    seen = _plain_values(before)
    previous = _version_before(cls, node, before)
    given = Parameters({name: node.parameters[name] for name in parameters(cls)})
    raised = cls.verify(seen, given) | cls.compare(seen, _plain_values(previous) if previous else None, given)
    product = cls()
    for attribute in cls.__attributes__.values():
        if attribute.kind != "system" and attribute.name not in limits:
            setattr(product, attribute.name, getattr(before, attribute.name))
    for name, value in inputs.items():
        setattr(product, name, value)
    for name in limits:
        setattr(product, name, node.parameters[name])
    if getattr(before, "imstat", None) is not None:
        product.imstat = Imstat(**{name: seen[name] for name in Imstat.__own__})
    product.content_digest = before.content_digest
    product.process_status = MADE | VERIFIED | COMPARED  # nobody has looked at this one
    product.quality_flags = sum(1 << flags(cls)[name].bit for name in raised)
    _tell_choices(session, node, inputs, product)
    if node.validity is not None:
        product.timestamp_start, product.timestamp_end = node.validity
    _belong(session, product, inputs)
    return product


def _version_before(cls: Any, node: Node, product: Any) -> Any:
    """What would have been used in place of a product before it was made, with another content; or None."""
    older = only_usable(cls, candidates(cls, node.keys)) & (cls.creation_date < product.creation_date)
    other = older & (cls.content_digest != product.content_digest)
    return next(iter(other.order_by("-creation_date", "-object_id").limit(1)), None)


def _tell_choices(session: Session, node: Node, inputs: dict[str, Any], product: Any) -> None:
    product.parameters_given = " ".join(sorted(node.given))
    product.selection_grades = json.dumps(node.grades())
    product.selection_grade = weakest([*node.grades().values(), *_grades_of(inputs)])
    product.selection_policy = session.caller.policy


def _grades_of(inputs: dict[str, Any]) -> list[str]:
    """The grades that the inputs have brought along."""
    found = (getattr(given, "selection_grade", None) for given in inputs.values())
    return [grade for grade in found if grade]


def _belong(session: Session, product: Any, inputs: dict[str, Any]) -> None:
    """The product is seen by nobody who may not see its inputs, and belongs to their project."""
    used = [v for given in inputs.values() for v in (given if isinstance(given, list) else [given]) if v]
    if not used:
        product._privileges = session.caller.level
        return
    hidden_most = min(used, key=lambda u: u._privileges)
    product._privileges = min(session.caller.level, hidden_most._privileges)
    if len({u._project for u in used if u._privileges <= PROJECT}) > 1:
        product._privileges = MYDB  # no one project may see all of it
    caller = session.caller
    if hidden_most._project in caller.projects or caller.user == SERVICE_ACCOUNT:
        product._project = hidden_most._project
    if getattr(product, "imstat", None) is not None:
        product.imstat._privileges = product._privileges
        if product._project is not None:
            product.imstat._project = product._project


def file_name(product: Any, made: datetime) -> str:
    """``<class>-<instrument>-<chip>-<filter>-<MJD when it was made>-<16 digits of the SHA-256>.fits``."""
    mjd = f"{Time(made, scale='utc').mjd:.7f}"
    named = [getattr(link, "name", "") for link in (product.instrument, product.chip, product.filter)]
    parts = [snake_case(type(product).__name__), *(n for n in named if n), mjd, "{digest}"]
    return "-".join(re.sub(r"[^A-Za-z0-9._+{}]", "", part) for part in parts) + ".fits"
