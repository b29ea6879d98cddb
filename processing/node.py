"""One target of a plan: what it is, what it is made from, and how it stands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from datamodel.standings import NOT_CHECKED, OK, OUTDATED, TO_BUILD
from processing.declarations import ALWAYS, roles
from processing.keys import Keys
from processing.reasons import Reason
from processing.selection import ECLIPSING, EXACT, Choice, weakest

INVALID = "invalid"
FLAGGED = "flagged"
DATA_MISSING = "data missing"
BLOCKED = "blocked"
FAILED = "failed"
RUNNING = "running"
STATUSES = {
    OK: "there is one, and making it again would change nothing",
    TO_BUILD: "there is none that can be used, and it can be made",
    OUTDATED: "there is one, and it would be made again",
    NOT_CHECKED: "beyond the depth that was asked for, or of something that is not public",
    INVALID: "a person judged it bad",
    FLAGGED: "the system found fault with it",
    DATA_MISSING: "its bytes are gone; they can be made again",
    BLOCKED: "there is none, and what it is made from is lacking",
    FAILED: "its recipe failed when it was tried last",
    RUNNING: "it is being made now",
}
"""How a target can stand; a role that is empty, legitimately, is ``null``."""

_WORST_FIRST = {"invalid": INVALID, "flag": FLAGGED, "data missing": DATA_MISSING}


def status_of(reasons: Iterable[Reason]) -> str:
    """How a product stands that there are some reasons to make again."""
    kinds = {reason.kind for reason in reasons}
    worst = next((status for kind, status in _WORST_FIRST.items() if kind in kinds), OUTDATED)
    return worst if kinds else OK


@dataclass
class Node:
    """One target of a plan.

    Attributes
    ----------
    cls, keys
        What it is; the instant is the one it is made for.
    existing
        The best stored object, or None.
    inputs
        By role: a `Node`, a raw frame, a list of raw frames, or None where the role stays empty.
    parameters
        Effective values of all process parameters.
    given
        The names of those that were set in this call.
    reasons
        Why `existing` must be made again; empty when it is up to date.
    missing
        What it cannot be made without; empty when it can be made.
    validity
        Half-open interval of a new calibration; None for a target of one exposure.
    choice
        How `existing` was chosen; None where nothing was chosen.
    choices
        By role: how the input was chosen, for those that exist and are not nodes of the plan.
    checked
        False beyond the depth that was asked for.
    activity
        `RUNNING` or `FAILED` with a word on it, where `processing.activity` was asked.
    cost_s
        Seconds that making it took the last times, where `processing.costs` was asked; None where it stays, cannot
        be made, or never was.
    """

    cls: Any
    keys: Keys
    existing: Any = None
    inputs: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()
    validity: tuple[datetime, datetime] | None = None
    choice: Choice | None = None
    choices: dict[str, Choice] = field(default_factory=dict)
    checked: bool = True
    activity: tuple[str, str] | None = None
    cost_s: float | None = None

    @property
    def stays(self) -> bool:
        """Whether `existing` is used as it is."""
        return self.existing is not None and not self.reasons

    @property
    def grade(self) -> str:
        """How what will stand here is chosen: a grade, with what it eclipses."""
        if self.stays:
            return EXACT if self.choice is None else self.choice.grade
        return EXACT if self.existing is None else ECLIPSING

    def grades(self) -> dict[str, str]:
        """By role, how what will stand there is chosen."""
        nodes = {n: i for n, i in self.inputs.items() if isinstance(i, Node)}
        named = {name: node.grade for name, node in nodes.items() if not node.is_out_of_reach}
        named |= {name: choice.grade for name, choice in self.choices.items()}
        return {name: named[name] for name in self.inputs if name in named}

    @property
    def weakest(self) -> str:
        """The least trusted grade of all that it is made from, at any depth."""
        if self.stays and self.existing.selection_grade:
            return weakest([self.existing.selection_grade, *self.grades().values()])
        deeper = [child.weakest for child in self.children()]
        stored = [c.winner.selection_grade for c in self.choices.values() if c.winner.selection_grade]
        return weakest([*self.grades().values(), *deeper, *stored])

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        if self.activity is not None:
            return self.activity[0]
        if not self.checked:
            return NOT_CHECKED
        if self.existing is None:
            return BLOCKED if self.missing else TO_BUILD
        return status_of(self.reasons)

    @property
    def is_out_of_reach(self) -> bool:
        """Whether there is none, and it is beyond the depth whether one could be made."""
        return self.existing is None and not self.checked

    def needed(self) -> list["Node"]:
        """The nodes without which this one is not made: all, but for those out of reach that it can do without."""
        declared = roles(self.cls)
        named = ((name, given) for name, given in self.inputs.items() if isinstance(given, Node))
        return [i for name, i in named if not i.is_out_of_reach or declared[name].planned == ALWAYS]

    @property
    def can_be_had(self) -> bool:
        """Whether there is one or it can be made, as far as is known."""
        return self.existing is not None or not self.missing or not self.checked

    @property
    def total_cost_s(self) -> float | None:
        """Seconds that all makings of the plan take, one after another; None where nothing is known of any."""
        known = [node.cost_s for node in self.walk() if node.cost_s is not None]
        return sum(known) if known else None

    def children(self) -> list["Node"]:
        """The nodes this one is made from."""
        return [i for i in self.inputs.values() if isinstance(i, Node)]

    def walk(self, seen: set[int] | None = None) -> Iterator["Node"]:
        """Every node once, inputs before what is made from them."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        for child in self.children():
            yield from child.walk(seen)
        yield self

    def tree(self, depth: int = 0, name: str = "", seen: set[int] | None = None) -> str:
        """The plan as indented text, for people; what stands there already is not told again."""
        seen = set() if seen is None else seen
        label = f"{name}: {self.cls.__name__}" if name else self.cls.__name__
        note = f"  [{', '.join(map(str, self.reasons))}]" if self.reasons else ""
        note += f"  [{'; '.join(self.missing)}]" if self.missing and self.existing is None else ""
        note += f"  [{self.activity[1]}]" if self.activity and self.activity[1] else ""
        note += f"  [about {self.cost_s:.1f} s]" if self.cost_s is not None else ""
        note += f"  [{self.choice}]" if self.choice is not None and self.choice.grade != EXACT else ""
        lines = [f"{'  ' * depth}{label} ({self.status}){note}  {self.keys}"]
        if id(self) in seen:
            return f"{lines[0]}  (as above)"
        seen.add(id(self))
        for role_name, given in self.inputs.items():
            if isinstance(given, Node):
                lines.append(given.tree(depth + 1, role_name, seen))
            else:
                count = "null" if given is None else len(given) if isinstance(given, list) else given.filename
                lines.append(f"{'  ' * (depth + 1)}{role_name}: {count}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The plan for scripts."""
        return {
            "class": self.cls.__name__,
            "keys": str(self.keys),
            "status": self.status,
            "object_id": self.existing.object_id if self.existing is not None else None,
            "reasons": [str(r) for r in self.reasons],
            "missing": list(self.missing),
            "cost_s": self.cost_s,
            "total_cost_s": self.total_cost_s,
            "grade": self.grade,
            "weakest_grade": self.weakest,
            "inputs": {name: _json(given) for name, given in self.inputs.items()},
        }


def _json(given: Any) -> Any:
    if isinstance(given, Node):
        return given.as_json()
    if isinstance(given, list):
        return [g.object_id for g in given]
    return getattr(given, "object_id", None)
