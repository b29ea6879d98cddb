"""What is there to know of an object, and of everything it was made from?"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from datamodel.context import LEVELS
from datamodel.provenance import Activity, Recipe, activities_of, recipes_of
from datamodel.retraction import retractions
from datamodel.session import current
from datamodel.state import Restricted
from processing.declarations import flag_names, parameters
from processing.process_status import COMPARED, INSPECTED, MADE, VERIFIED
from processing.reasons import is_nominal
from processing.recipe import recipe_digest
from processing.target import ProcessTarget
from processing.waivers import waivers_of

_DONE = {MADE: "made", VERIFIED: "verified", COMPARED: "compared", INSPECTED: "inspected"}
_VALID = {0: "judged bad", 1: "good", 2: "ready for delivery"}
_ELSEWHERE = {
    "object_id",
    "is_valid",
    "quality_flags",
    "creation_date",
    "_creator",
    "_project",
    "_privileges",
}
_ELSEWHERE |= {"process_status", "timestamp_start", "timestamp_end", "filename", "file_size", "file_sha256"}
_ELSEWHERE |= {"recipe_digest", "parameters_given"}
"""What has a line of its own."""


@dataclass(frozen=True)
class _Told:
    """One object of a lineage: under which name it was reached, how deep, and whether it was told before."""

    instance: Any
    name: str
    depth: int
    again: bool


def tell_me_everything(instance: Any, file: TextIO | None = None) -> None:
    """Print an object and all objects it links to, depth first, each once; then the code that made them.

    Of each: who made it and when, who may see it, its validity and quality, its values and parameters (with those
    that were set on purpose), its file, and how it was made: host, account, processor and other seconds, versions.

    Parameters
    ----------
    instance
        A persistent object.
    file
        Where to print; the standard output where None.
    """
    out = file or sys.stdout
    lineage = _lineage(instance)
    seen = [each.instance for each in lineage if not each.again and not isinstance(each.instance, Restricted)]
    makings = activities_of(current(), (each.object_id for each in seen if hasattr(each, "recipe_digest")))
    with current().connection() as connection:
        gone = retractions(connection, (each.object_id for each in seen), current().caller)
    for each in lineage:
        indent = "  " * each.depth
        print(f"{indent}{each.name}{each.instance!r}{' (see above)' if each.again else ''}", file=out)
        if each.again or isinstance(each.instance, Restricted):
            continue
        if each.instance.object_id in gone:
            print(f"{indent}  {gone[each.instance.object_id]}", file=out)
        for line in _lines(each.instance, makings.get(each.instance.object_id)):
            print(f"{indent}  {line}", file=out)
    for line in _code(seen):
        print(line, file=out)
    for faulty in instance.suspect() if isinstance(instance, ProcessTarget) else ():
        print(f"suspect, for this is faulty: {faulty!r}", file=out)


def _lineage(instance: Any) -> list[_Told]:
    found: list[_Told] = []
    seen: set[str] = set()
    pending: list[tuple[Any, str, int]] = [(instance, "", 0)]
    while pending:
        each, name, depth = pending.pop()
        again = each.object_id in seen
        seen.add(each.object_id)
        found.append(_Told(each, name, depth, again))
        if not again and not isinstance(each, Restricted):
            pending += [(linked, f"{link}: ", depth + 1) for link, linked in reversed(_links(each))]
    return found


def _links(instance: Any) -> list[tuple[str, Any]]:
    """The names and objects of all links that lead somewhere."""
    found: list[tuple[str, Any]] = []
    for name, attribute in type(instance).__attributes__.items():
        if attribute.is_link:
            value = getattr(instance, name)
            members = enumerate(value) if attribute.many else ()
            found += [(f"{name}[{i}]", member) for i, member in members]
            if value is not None and not attribute.many:
                found.append((name, value))
    return found


def _lines(instance: Any, making: Activity | None) -> Iterator[str]:
    """What is known of one object, without what it links to."""
    level = f"level {instance._privileges} ({LEVELS.get(instance._privileges, 'unknown')})"
    yield f"created {_instant(instance.creation_date)} by {instance._creator} in project {instance._project}, {level}"
    raised = flag_names(type(instance), instance.quality_flags or 0)
    flags = ", ".join(raised) or str(instance.quality_flags or "none")
    yield f"quality: {_VALID.get(instance.is_valid, '')} (is_valid {instance.is_valid}), flags {flags}"
    if getattr(instance, "timestamp_start", None) is not None:
        yield f"valid from {_instant(instance.timestamp_start)} to {_instant(instance.timestamp_end)}"
    if getattr(instance, "filename", ""):
        yield f"file: {instance.filename}, {instance.file_size} byte, SHA-256 {instance.file_sha256}"
    set_on_purpose = (getattr(instance, "parameters_given", "") or "").split()
    known = parameters(type(instance))
    for name, attribute in sorted(type(instance).__attributes__.items()):
        value = None if attribute.is_link or name in _ELSEWHERE else getattr(instance, name)
        if value is None or value in ("", []):
            continue
        what = "parameter " if name in known else ""
        unit = f" {attribute.unit}" if attribute.unit else ""
        yield f"{what}{name} = {value}{unit}{' (set on purpose)' if name in set_on_purpose else ''}"
    if hasattr(instance, "process_status"):
        yield from _making(instance, making)


def _making(product: Any, making: Activity | None) -> Iterator[str]:
    """How a product was made."""
    done = [word for bit, word in _DONE.items() if (product.process_status or 0) & bit]
    yield f"status: {', '.join(done) or 'nothing done'}"
    if is_nominal(product):
        yield "recipe: none; it is what one would expect, and nothing was measured"
        return
    cls: Any = type(product)
    digest = product.recipe_digest
    changed = digest is not None and digest != recipe_digest(cls)
    yield f"recipe: {digest}{' (the code has changed since)' if changed else ''}"
    if making is None:
        yield "made: how was not recorded"
        return
    seconds = f"{making.cpu_s:.2f} s of processor time in {making.wall_s:.2f} s"
    yield f"made: on {making.host} by {making.account} in process {making.pid}, {seconds}"
    yield f"made: from {_instant(making.started)} to {_instant(making.ended)}"
    yield f"made: with {', '.join(f'{name} {version}' for name, version in making.versions.items())}"


def _code(seen: list[Any]) -> Iterator[str]:
    """The code of all recipes that products of a lineage were made by, each once."""
    users: dict[str, str] = {}
    for each in seen:
        if getattr(each, "recipe_digest", None) and not is_nominal(each):
            users.setdefault(each.recipe_digest, type(each).__name__)
    kept: dict[str, Recipe] = recipes_of(current(), users)
    for digest, user in users.items():
        known = kept.get(digest)
        yield ""
        yield f"recipe of {user}: {digest}" + (
            "" if known is not None else ", of which the code was not kept"
        )
        yield from map(_waived, waivers_of(current(), user, [digest]))
        if known is not None:
            yield f"first used {_instant(known.first_seen)}"
            yield from (f"    {line}".rstrip() for line in known.code.splitlines())


def _waived(waiver: dict[str, Any]) -> str:
    ended = f"; revoked by {waiver['revoked_by']} on {_instant(waiver['revoked_at'])}"
    return (
        f"waived: {waiver['old_digest'][:16]} and {waiver['new_digest'][:16]} give the same, says {waiver['who']} on "
        f"{_instant(waiver['at'])}: {waiver['reason']}{ended if waiver['revoked_at'] else ''}"
    )


def _instant(value: datetime | None) -> str:
    return "unknown" if value is None else f"{value.isoformat(sep=' ', timespec='seconds')} UTC"
