"""What there is to do for a target: the target with its ideal inputs, depth first, each node once."""

from collections.abc import Iterator, Mapping
from typing import Any

from datamodel.errors import UsageError, nearest
from datamodel.frames import RawFrame
from datamodel.session import current
from processing import defaults, waivers
from processing import reasons as why
from processing.declarations import ALWAYS, IF_ASKED, parameters, role, roles
from processing.instrument import Instruments
from processing.instrument_file import InstrumentFile
from processing.keys import Keys
from processing.node import Node
from processing.reasons import Reason
from processing.recipe import recipe_digest
from processing.selection import Choice, Demands, choose, raw_frames

PIPELINE = "pipeline"
Depth = int | str | None


def depth_of(given: Any) -> Depth:
    """What somebody gave for a depth: a number of levels, ``pipeline``, or None and ``full`` for all of them.

    Raises
    ------
    UsageError
        It is none of these.
    """
    if given in (None, "full"):
        return None
    if given == PIPELINE:
        return PIPELINE
    if str(given).isascii() and str(given).isdigit():
        return int(given)
    raise UsageError(f"depth is '{given}', expected 0, 1, 2, ..., '{PIPELINE}' or 'full'")


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
    depth
        How many levels of what a target is made from are looked at: 0 takes all of it as it is. None for all of them;
        `PIPELINE` looks at what belongs to exposures, and takes calibrations as they are.
    looks_at_bytes
        Whether bytes that are gone are a reason.
    """

    def __init__(
        self,
        instruments: Instruments,
        overrides: Mapping[str, Any] | None = None,
        demands: Demands = Demands(),  # noqa: B008 - frozen
        depth: Depth = None,
        *,
        looks_at_bytes: bool = True,
    ) -> None:
        self.instruments = instruments
        self.demands = demands
        self.depth = depth
        self.looks_at_bytes = looks_at_bytes
        self.overrides = dict(overrides or {})
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self._best: dict[tuple[Any, ...], Choice | None] = {}
        self._defaults: list[defaults.Default] | None = None
        self._equivalent: dict[Any, frozenset[str]] = {}
        self._raws: dict[tuple[Any, ...], list[Any]] = {}

    def node(self, cls: Any, keys: Keys) -> Node:
        """The plan for one target."""
        return self._node(cls, keys, self.depth)

    def _node(self, cls: Any, keys: Keys, depth: Depth) -> Node:
        keys = keys.for_class(cls)
        file = self.instruments.named(keys.instrument.name)
        choice = self._choose(cls, keys)
        existing = None if choice is None else choice.winner
        if not cls.of_exposure:
            night = file.night_of(keys.instant)
            measured = existing is not None and not why.is_nominal(existing)
            keys = keys.at(existing.date_obs if existing and measured else file.midnight(night))
        identity = (cls, *_ids(keys), keys.instant, getattr(existing, "object_id", None), depth)
        if identity not in self._nodes:
            self._nodes[identity] = (
                _unchecked(Node(cls, keys, existing, choice=choice))
                if _is_beyond(cls, depth)
                else self._plan(Node(cls, keys, existing, choice=choice), file, depth)
            )
        return self._nodes[identity]

    def node_of(self, product: Any, keys: Keys) -> Node:
        """The plan for one stored object, whether or not it is the best for its keys."""
        file = self.instruments.named(keys.instrument.name)
        return self._plan(Node(type(product), keys.for_class(type(product)), product), file, self.depth)

    def raw_frames_of(self, cls: Any, name: str, keys: Keys) -> list[Any]:
        """The raw frames that a product with these keys would be made from in a role that is a list of them."""
        keys = keys.for_class(cls)
        found, _ = self._raw_input(cls, roles(cls)[name], keys, self.instruments.named(keys.instrument.name))
        return list(found)

    def _plan(self, node: Node, file: InstrumentFile, depth: Depth) -> Node:
        cls, keys, existing = node.cls, node.keys, node.existing
        if not file.makes(cls.__name__):
            node.missing = (f"{keys.instrument.name} takes no flats that a {cls.__name__} is made from",)
            return node
        if not cls.of_exposure:
            node.validity = file.validity(cls.__name__, file.night_of(keys.instant))
        node.parameters, node.given = self._effective(cls, existing, keys)
        missing: list[str] = []
        for name, declared in roles(cls).items():
            node.inputs[name], lacks = self._input(node, name, declared, file, depth)
            missing += [f"{name}: {lacks}"] if lacks else []
        lacks = cls.check_preconditions(node.inputs)
        node.missing = (*missing, lacks) if lacks else tuple(missing)
        if existing is not None:
            node.reasons = tuple(r for r in self._reasons(node) if not cls.forgives(r, existing))
        return node

    def _choose(self, cls: Any, keys: Keys) -> Choice | None:
        identity = (cls, *_ids(keys), keys.instant)
        if identity not in self._best:
            self._best[identity] = choose(cls, keys, self.demands)
        return self._best[identity]

    def _input(
        self, node: Node, name: str, declared: role, file: InstrumentFile, depth: Depth
    ) -> tuple[Any, str]:
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
        child = self._node(target, keys, depth - 1 if isinstance(depth, int) else depth)
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

        These are the caller's, else the project's, else those of the instrument, chip and filter, else the class's.

        Those that it must have in common with what it is made for are as they are there.
        """
        if self._defaults is None:
            self._defaults = defaults.in_force(current())
        values = defaults.values_of(self._defaults, cls, keys)
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
            if name in values and values[name] != value:
                values[name] = given[name] = value
        return values, frozenset(given)

    def _reasons(self, node: Node) -> Iterator[Reason]:
        product = node.existing
        yield from why.of_judgements(node.cls, product.is_valid, product.quality_flags)
        if self.looks_at_bytes:
            yield from why.of_bytes(product)
        nominal = why.is_nominal(product)
        if nominal and node.missing:
            return  # there is nothing to make a better one from
        for name, declared in roles(node.cls).items():
            forgives = declared.forgives_new and not nominal
            yield from _role_reasons(name, declared, getattr(product, name), node.inputs[name], forgives)
        stored = {name: getattr(product, name) for name in parameters(node.cls)}
        yield from why.of_parameters(node.cls, stored, node.parameters)
        if not nominal and not self._is_same_recipe(node.cls, product.recipe_digest):
            yield Reason("recipe")

    def _is_same_recipe(self, cls: Any, digest: str | None) -> bool:
        """Whether a product was made by what the recipe is today, or by what counts as that."""
        today = recipe_digest(cls)
        if digest == today:
            return True
        if cls not in self._equivalent:
            self._equivalent[cls] = waivers.equivalent(current(), cls.__name__, today)
        return digest in self._equivalent[cls]


def _role_reasons(name: str, declared: role, used: Any, ideal: Any, forgives_new: bool) -> Iterator[Reason]:
    if isinstance(ideal, list):
        yield from why.of_list(name, map(why.facts_of, used), map(why.facts_of, ideal), forgives_new)
    elif isinstance(ideal, Node):
        if ideal.existing is None and not ideal.checked:
            return
        if ideal.existing is None:
            yield from why.of_lack(name, used is not None, ideal.status)
        else:
            yield from why.of_role(name, _facts(used), _facts(ideal.existing))
            if ideal.reasons:
                yield Reason("dep", name, detail=ideal.status)
    elif ideal is None and declared.planned == ALWAYS:
        yield Reason("missing", name)
    else:
        yield from why.of_role(name, _facts(used), _facts(ideal))


def _facts(dependency: Any) -> why.Facts | None:
    return None if dependency is None else why.facts_of(dependency)


def _ids(keys: Keys) -> tuple[Any, ...]:
    links = (keys.instrument, keys.chip, keys.filter, keys.raw)
    return (*(getattr(link, "object_id", None) for link in links), keys.compatibility, keys.shared)


def _is_beyond(cls: Any, depth: Depth) -> bool:
    """Whether a target is not to be looked at."""
    return not cls.of_exposure if depth == PIPELINE else isinstance(depth, int) and depth < 0


def _unchecked(node: Node) -> Node:
    node.checked = False
    if node.existing is None:
        node.missing = (
            f"there is no {node.cls.__name__} of {node.keys}, and making one is beyond the depth",
        )
    return node
