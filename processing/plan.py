"""What there is to do for a target: the target with its ideal inputs, depth first, each node once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from datamodel.errors import UsageError, nearest
from datamodel.frames import RawFrame
from processing import reasons as why
from processing.declarations import ALWAYS, IF_ASKED, parameters, role, roles
from processing.instrument import Instruments
from processing.instrument_file import InstrumentFile
from processing.keys import Keys
from processing.reasons import Reason
from processing.recipe import recipe_digest
from processing.selection import ECLIPSING, EXACT, Choice, Demands, choose, raw_frames, weakest


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
        named = {n: i.grade for n, i in self.inputs.items() if isinstance(i, Node)}
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
        """``ok``, ``outdated``, ``to be built`` or ``missing`` (cannot be made)."""
        if self.existing is not None:
            return "outdated" if self.reasons else "ok"
        return "missing" if self.missing else "to be built"

    @property
    def can_be_had(self) -> bool:
        """Whether there is one or it can be made."""
        return self.existing is not None or not self.missing

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


class Planner:
    """Plans for one caller; what two targets share is looked up and planned once.

    Parameters
    ----------
    instruments
        The instrument files.
    overrides
        Process parameters set for this call, as ``Class.NAME``.
    demands
        What may be chosen.
    """

    def __init__(
        self,
        instruments: Instruments,
        overrides: Mapping[str, Any] | None = None,
        demands: Demands = Demands(),  # noqa: B008 - frozen
    ) -> None:
        self.instruments = instruments
        self.demands = demands
        self.overrides = dict(overrides or {})
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self._best: dict[tuple[Any, ...], Choice | None] = {}
        self._raws: dict[tuple[Any, ...], list[Any]] = {}

    def node(self, cls: Any, keys: Keys) -> Node:
        """The plan for one target."""
        keys = keys.for_class(cls)
        file = self.instruments.named(keys.instrument.name)
        choice = self._choose(cls, keys)
        existing = None if choice is None else choice.winner
        if not cls.of_exposure:
            night = file.night_of(keys.instant)
            measured = existing is not None and not why.is_nominal(existing)
            keys = keys.at(existing.date_obs if existing and measured else file.midnight(night))
        identity = (cls, *_ids(keys), keys.instant, getattr(existing, "object_id", None))
        if identity not in self._nodes:
            self._nodes[identity] = self._plan(cls, keys, existing, file, choice)
        return self._nodes[identity]

    def node_of(self, product: Any, keys: Keys) -> Node:
        """The plan for one stored object, whether or not it is the best for its keys."""
        file = self.instruments.named(keys.instrument.name)
        return self._plan(type(product), keys.for_class(type(product)), product, file)

    def _plan(
        self, cls: Any, keys: Keys, existing: Any, file: InstrumentFile, choice: Choice | None = None
    ) -> Node:
        node = Node(cls, keys, existing, choice=choice)
        if not file.makes(cls.__name__):
            node.missing = (f"{keys.instrument.name} takes no flats that a {cls.__name__} is made from",)
            return node
        if not cls.of_exposure:
            node.validity = file.validity(cls.__name__, file.night_of(keys.instant))
        node.parameters, node.given = self._effective(cls, existing, keys)
        missing: list[str] = []
        for name, declared in roles(cls).items():
            node.inputs[name], lacks = self._input(node, name, declared, file)
            missing += [f"{name}: {lacks}"] if lacks else []
        lacks = cls.check_preconditions(node.inputs)
        node.missing = (*missing, lacks) if lacks else tuple(missing)
        if existing is not None:
            node.reasons = tuple(self._reasons(node))
        return node

    def _choose(self, cls: Any, keys: Keys) -> Choice | None:
        identity = (cls, *_ids(keys), keys.instant)
        if identity not in self._best:
            self._best[identity] = choose(cls, keys, self.demands)
        return self._best[identity]

    def _input(self, node: Node, name: str, declared: role, file: InstrumentFile) -> tuple[Any, str]:
        """The ideal input in a role, and what is lacking."""
        target = declared.attribute.target_class()
        if issubclass(target, RawFrame):
            return self._raw_input(node.cls, declared, node.keys, file)
        keys = node.keys.sharing(declared.shares, node.parameters)
        if declared.planned == IF_ASKED:
            choice = self._choose(target, keys.for_class(target))
            if choice is None:
                return None, ""
            node.choices[name] = choice
            return choice.winner, ""
        child = self.node(target, keys)
        if child.can_be_had:
            return child, ""
        return None, "; ".join(child.missing) if declared.planned == ALWAYS else ""

    def _raw_input(self, cls: Any, declared: role, keys: Keys, file: InstrumentFile) -> tuple[Any, str]:
        target = declared.attribute.target_class()
        if not declared.attribute.many:
            return (
                keys.raw,
                "" if keys.raw is not None and keys.raw.is_valid > 0 else "the exposure is invalid",
            )
        night = file.night_of(keys.instant)
        start, end = file.window(cls.__name__, night)
        identity = (target, *_ids(keys), start, end)
        if identity not in self._raws:
            self._raws[identity] = raw_frames(target, keys, start, end)
        found = self._raws[identity]
        rule = file.rule(cls.__name__)
        if rule.maximum_raws is not None:
            midnight = file.midnight(night)
            nearest_first = sorted(found, key=lambda r: (abs(r.DATE_OBS - midnight), r.object_id))
            found = sorted(nearest_first[: rule.maximum_raws], key=lambda r: (r.DATE_OBS, r.object_id))
        if len(found) < rule.minimum_raws:
            span = f"between {start.isoformat(timespec='minutes')} and {end.isoformat(timespec='minutes')}"
            return found, f"{len(found)} {target.__name__} of {keys} {span}, {rule.minimum_raws} needed"
        return found, ""

    def _effective(self, cls: Any, existing: Any, keys: Keys) -> tuple[dict[str, Any], frozenset[str]]:
        """The parameters of a product made now: set in this call, else set on purpose before, else the defaults.

        Those that it must have in common with what it is made for are as they are there.
        """
        values = {name: p.attribute.default for name, p in parameters(cls).items()}
        prefix = f"{cls.__name__}."
        stands = (existing.parameters_given or "").split() if existing is not None else []
        given = {name: getattr(existing, name) for name in stands if name in values}
        given |= {k.removeprefix(prefix): v for k, v in self.overrides.items() if k.startswith(prefix)}
        for name, value in given.items():
            if name not in values:
                raise UsageError(f"{cls.__name__} has no parameter '{name}'{nearest(name, values)}")
            values[name] = parameters(cls)[name].value(value)
        for name, value in keys.shared:
            if name in values and name in given and values[name] != value:
                raise UsageError(
                    f"{prefix}{name} is {values[name]}, but what is made from it has {name} {value}"
                )
            values |= {name: value} if name in values else {}
        return values, frozenset(given)

    def _reasons(self, node: Node) -> Iterator[Reason]:
        product = node.existing
        yield from why.of_itself(product)
        nominal = why.is_nominal(product)
        if nominal and node.missing:
            return  # there is nothing to make a better one from
        for name, declared in roles(node.cls).items():
            forgives = declared.forgives_new and not nominal
            yield from _role_reasons(name, declared, getattr(product, name), node.inputs[name], forgives)
        yield from why.of_parameters(product, node.parameters, node.given)
        if not nominal and product.recipe_digest != recipe_digest(node.cls):
            yield Reason("recipe")


def _role_reasons(name: str, declared: role, used: Any, ideal: Any, forgives_new: bool) -> Iterator[Reason]:
    if isinstance(ideal, list):
        yield from why.of_list(name, used, ideal, forgives_new)
    elif isinstance(ideal, Node):
        if ideal.existing is None:
            yield Reason("dep", name, detail=ideal.status) if used is None else Reason("obsolete", name)
        else:
            yield from why.of_role(name, used, ideal.existing)
            if ideal.reasons:
                yield Reason("dep", name, detail=ideal.status)
    elif ideal is None and declared.planned == ALWAYS:
        yield Reason("missing", name)
    else:
        yield from why.of_role(name, used, ideal)


def _ids(keys: Keys) -> tuple[Any, ...]:
    links = (keys.instrument, keys.chip, keys.filter, keys.raw)
    return (*(getattr(link, "object_id", None) for link in links), keys.compatibility, keys.shared)
