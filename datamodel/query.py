"""Queries in Python: ``(RawScienceFrame.chip.name == 'ccd53') & (RawScienceFrame.EXPTIME > 10)``.

Nothing is looked up before one asks for an element, the length, or iterates.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import index as as_index
from typing import Any, NoReturn

from datamodel.attributes import Attribute
from datamodel.datatypes import DATATYPES
from datamodel.errors import UsageError, nearest
from datamodel.expressions import (
    Both,
    Compare,
    Condition,
    Either,
    InCircle,
    ListMember,
    Not,
    Owned,
    Steps,
)
from datamodel.meaning import explanation
from datamodel.session import PAGE_ROWS, current
from datamodel.state import Restricted
from datamodel.values import comparable

_USE_OPERATORS = (
    "a condition is neither true nor false by itself: use & | ~ instead of and, or, not, or the awe prompt"
)


class Path:
    """An attribute of a class, or of what it links to: ``ReducedScienceFrame.flat.imstat.stdev``."""

    __hash__ = object.__hash__

    def __init__(self, root: Any, attributes: tuple[Attribute, ...]) -> None:
        self._steps = Steps(root, attributes)

    @property
    def _last(self) -> Attribute:
        return self._steps.attributes[-1]

    def __getattr__(self, name: str) -> "Path":
        if name.startswith("__"):
            raise AttributeError(name)
        if not self._last.is_link:
            raise AttributeError(f"{self._steps} is a value; it has no attribute '{name}'")
        attributes = self._last.target_class().__attributes__
        if name not in attributes:
            cls = self._last.target_class().__name__
            raise AttributeError(f"{self._steps}: {cls} has no attribute '{name}'{nearest(name, attributes)}")
        return Path(self._steps.root, (*self._steps.attributes, attributes[name]))

    def _compare(self, operator: str, value: Any) -> "Query":
        if self._last.many:
            raise UsageError(f"{self._steps} is a list: use .contains(member) or .any(condition)")
        return self._query(lambda path: _comparison(path, operator, value))

    def _query(self, condition: Callable[["Path"], Condition]) -> "Query":
        """The query for a condition on this path; a list on the way there means any of its members."""
        root, attributes = self._steps.root, self._steps.attributes
        for length, attribute in enumerate(attributes[:-1], 1):
            if attribute.many:
                inner = Path(attribute.target_class(), attributes[length:])._query(condition)
                steps = Steps(root, attributes[:length])
                return Query(root, ListMember(steps, None, inner.condition, inner.root))
        return Query(root, condition(self))

    def __eq__(self, value: object) -> "Query":  # type: ignore[override]
        return self._compare("==", value)

    def __ne__(self, value: object) -> "Query":  # type: ignore[override]
        return self._compare("!=", value)

    def __lt__(self, value: Any) -> "Query":
        return self._compare("<", value)

    def __le__(self, value: Any) -> "Query":
        return self._compare("<=", value)

    def __gt__(self, value: Any) -> "Query":
        return self._compare(">", value)

    def __ge__(self, value: Any) -> "Query":
        return self._compare(">=", value)

    def like(self, pattern: str) -> "Query":
        """Match text against a pattern with ``*`` (any text) and ``?`` (one character).

        Raises
        ------
        UsageError
            The pattern or the attribute is not text.
        """
        if not isinstance(pattern, str):
            raise UsageError(f"{self._steps}: a pattern is text such as 'example*', not {pattern!r}")
        escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self._compare("like", escaped.replace("*", "%").replace("?", "_"))

    def in_(self, values: Any) -> "Query":
        """Equal to one of the values; None among them is 'has no value'."""
        return self._compare("in", list(values))

    def between(self, low: Any, high: Any) -> "Query":
        """At least `low` and at most `high`."""
        return self._compare("between", (low, high))

    def has_bits(self, bits: int) -> "Query":
        """All of these bits are set, whatever others are: ``BiasFrame.process_status.has_bits(1)``.

        Raises
        ------
        UsageError
            The attribute is no integer, or the bits are none that one could have.
        """
        return self._compare("bits", bits)

    def contains(self, member: Any) -> "Query":
        """The list has this member: an object, its natural key, or a plain value."""
        self._must_be_list("contains")
        return self._query(lambda path: _membership(path, member))

    def any(self, condition: "Query") -> "Query":
        """The list has an object in it for which the condition is true."""
        self._must_be_list("any")
        if not self._last.is_link or not isinstance(condition, Query):
            raise UsageError(f"{self._steps}.any() takes a condition on the members of a list of objects")
        target = self._last.target_class()
        if not (issubclass(target, condition.root) or issubclass(condition.root, target)):
            raise UsageError(f"{self._steps} holds {target.__name__}, not {condition.root.__name__}")
        members = condition.root if issubclass(condition.root, target) else target
        return self._query(lambda path: ListMember(path._steps, None, condition.condition, members))

    def _must_be_list(self, what: str) -> None:
        if not self._last.many:
            raise UsageError(f"{self._steps} is not a list: .{what}() has no meaning")

    def __bool__(self) -> NoReturn:
        raise TypeError(_USE_OPERATORS)

    def __dir__(self) -> list[str]:
        further = self._last.target_class().__attributes__ if self._last.is_link else {}
        return [*super().__dir__(), *further]

    def __repr__(self) -> str:
        unit = f" [{self._last.unit}]" if self._last.unit else ""
        return f"<{self._steps}{unit}: {self._last.doc}>"


class _Described:
    """The docstring of `Path`; on a path, what its attribute means."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, path: Path | None, _owner: type[Path]) -> str:
        if path is None:
            return self.text
        *before, last = path._steps.attributes
        owner = before[-1].target_class() if before else path._steps.root
        return explanation(str(path._steps), owner, last)


Path.__doc__ = _Described(Path.__doc__ or "")  # type: ignore[assignment]


def _comparison(path: Path, operator: str, value: Any) -> Condition:
    """What comparing a path that is not a list means, with every value in its plain form."""
    if operator == "in":
        return _one_of(path, value)
    if operator == "between":
        low, high = value
        return Both(_comparison(path, ">=", low), _comparison(path, "<=", high))
    path, value = _link_and_value(path, value)
    if value is None and operator not in ("==", "!="):
        raise UsageError(f"{path._steps} {operator} None has no meaning: None can only be equal or not")
    if operator == "like" and (path._last.is_link or DATATYPES[path._last.scalar or ""].kind != "text"):
        raise UsageError(f"{path._steps} is not text: .like() has no meaning")
    if operator == "bits":
        _must_be_bits(path, value)
    return Compare(path._steps, operator, comparable(path._last, value))


def _must_be_bits(path: Path, value: Any) -> None:
    if path._last.is_link or DATATYPES[path._last.scalar or ""].numpy.kind != "i":
        raise UsageError(f"{path._steps} is no integer: .has_bits() has no meaning")
    if not hasattr(value, "__index__") or not 0 <= as_index(value) < 2**31:
        raise UsageError(f"{path._steps}: bits are an integer from 0 to 2147483647, not {value!r}")


def _one_of(path: Path, values: list[Any]) -> Condition:
    """Membership in a set; objects are found by identity, other values of a link by its natural key."""
    same, by_key = [], []
    key = path
    for each in values:
        where, value = _link_and_value(path, each)
        if where is path:
            same.append(comparable(path._last, value))
        else:
            key = where
            by_key.append(comparable(where._last, value))
    identical = Compare(path._steps, "in", same)
    return Either(identical, Compare(key._steps, "in", by_key)) if by_key else identical


def _membership(path: Path, member: Any) -> Condition:
    attribute = path._last
    if not attribute.is_link:
        return ListMember(path._steps, comparable(attribute, member))
    alone = Path(path._steps.root, (replace(attribute, many=False),))
    key, value = _link_and_value(alone, member)
    if value is None:
        raise UsageError(f"{path._steps} is a list of objects: None is never in it")
    if key is alone:
        return ListMember(path._steps, value)
    target = attribute.target_class()
    by_key = Path(target, (key._last,))
    return ListMember(path._steps, None, _comparison(by_key, "==", value), target)


def _link_and_value(path: Path, value: Any) -> tuple[Path, Any]:
    """A link is compared with an object or None by identity, with anything else by its natural key."""
    if isinstance(value, Path | Query):
        raise UsageError(f"{path._steps} can be compared with a value, not with {value!r}")
    if not path._last.is_link or value is None:
        return path, value
    target = path._last.target_class()
    if isinstance(value, target | Restricted):
        return path, value.object_id
    if target.natural_key is None or hasattr(value, "__state__"):
        raise UsageError(
            f"{path._steps} links to {target.__name__}: compare it with such an object, not {value!r}"
        )
    return getattr(path, target.natural_key), value


class Query:
    """Persistent objects of a class for which a condition holds; lazy, ordered by creation date."""

    __hash__ = object.__hash__

    def __init__(
        self,
        root: Any,
        condition: Condition | None = None,
        order: tuple[tuple[Steps, bool], ...] = (),
        limit: int | None = None,
    ) -> None:
        self.root = root
        self.condition = condition
        self._order = order
        self._limit = limit

    def _combined(self, other: Any, how: type[Both] | type[Either]) -> "Query":
        if not isinstance(other, Query):
            raise TypeError(f"a condition can be combined with another, not with {other!r}")
        if self._limit is not None or other._limit is not None:
            raise UsageError("limit() comes last: a limited query cannot be narrowed or combined")
        root, order = self._common_root(other, how), self._order or other._order
        if self.condition is None or other.condition is None:
            kept = None if how is Either else (self.condition or other.condition)
            return Query(root, kept, order)
        return Query(root, how(self.condition, other.condition), order)

    def _common_root(self, other: "Query", how: type[Both] | type[Either]) -> Any:
        """The class of the objects of both; of either only where it is the same one."""
        narrower = other.root if issubclass(other.root, self.root) else self.root
        same = other.root is self.root
        if not (
            same or (how is Both and issubclass(narrower, self.root) and issubclass(narrower, other.root))
        ):
            raise UsageError(
                f"conditions on {self.root.__name__} and {other.root.__name__} cannot be combined"
            )
        return narrower

    def __and__(self, other: Any) -> "Query":
        return self._combined(other, Both)

    def __or__(self, other: Any) -> "Query":
        return self._combined(other, Either)

    def __invert__(self) -> "Query":
        if self.condition is None:
            raise UsageError("the opposite of everything is nothing")
        if self._limit is not None:
            raise UsageError("limit() comes last: a limited query has no opposite")
        return Query(self.root, Not(self.condition), self._order)

    def __bool__(self) -> NoReturn:
        raise TypeError(_USE_OPERATORS)

    def order_by(self, *names: str) -> "Query":
        """The same objects in another order; ``-name`` is descending, a dotted name follows links."""
        order = tuple((self.steps(n.lstrip("-")), n.startswith("-")) for n in names)
        return Query(self.root, self.condition, order, self._limit)

    def limit(self, count: int) -> "Query":
        """At most `count` of the objects."""
        if count < 0:
            raise UsageError(f"a query cannot be limited to {count} objects")
        least = count if self._limit is None else min(count, self._limit)
        return Query(self.root, self.condition, self._order, least)

    def steps(self, dotted: str) -> Steps:
        """The way to an attribute; to the natural key of what a link leads to, where it has one.

        Raises
        ------
        UsageError
            There is no such attribute, or it is a list.
        """
        path: Any = self.root
        known = self.root.__attributes__
        for name in dotted.split("."):
            path = getattr(path, name, None)
            if not isinstance(path, Path):
                near = nearest(name, known)
                raise UsageError(f"{self.root.__name__} has no attribute '{dotted}': no '{name}'{near}")
            known = path._last.target_class().__attributes__ if path._last.is_link else {}
        if any(a.many for a in path._steps.attributes):
            raise UsageError(f"{path._steps} is a list: it has no order and no extreme")
        if path._last.is_link and path._last.target_class().natural_key:
            path = getattr(path, path._last.target_class().natural_key)
        steps: Steps = path._steps
        return steps

    def max(self, name: str) -> Any:
        """The object with the largest value of an attribute, or None."""
        return self._extreme(name, "-")

    def min(self, name: str) -> Any:
        """The object with the smallest value of an attribute, or None."""
        return self._extreme(name, "")

    def _extreme(self, name: str, sign: str) -> Any:
        known = Compare(self.steps(name), "!=", None)
        some = self & Query(self.root, known)
        return next(iter(some.order_by(sign + name).limit(1)), None)

    def project_only(self) -> "Query":
        """Narrow to the objects of the current project."""
        return self & Query(self.root, Owned("project", current().caller.project))

    def user_only(self) -> "Query":
        """Narrow to the caller's own objects."""
        return self & Query(self.root, Owned("creator", current().caller.user))

    def cone(self, ra: float, dec: float, radius: float) -> "Query":
        """Narrow to the objects with a position within `radius` of (`ra`, `dec`), in degrees, ICRS."""
        if not {"ra", "dec", "hpx29"} <= set(self.root.__attributes__):
            raise UsageError(f"{self.root.__name__} has no position")
        return self & Query(self.root, InCircle(self.root, ra, dec, radius))

    def exists(self) -> bool:
        """Whether there is any such object."""
        return self._limit != 0 and bool(current().page(self.root, self.condition, (), 0, 1))

    def __len__(self) -> int:
        count = current().count(self.root, self.condition)
        return count if self._limit is None else min(count, self._limit)

    def __iter__(self) -> Iterator[Any]:
        """The objects that the query finds now, in pages; later changes neither add nor hide any."""
        session = current()
        rows = PAGE_ROWS if self._limit is None else min(PAGE_ROWS, self._limit)
        page = session.page(self.root, self.condition, self._order, 0, rows)
        if len(page) < PAGE_ROWS:
            yield from page
            return
        seen = {instance.object_id for instance in page}
        rest = session.ids(self.root, self.condition, self._order, self._limit)
        rest = [object_id for object_id in rest if object_id not in seen]
        yield from page
        for start in range(0, len(rest), PAGE_ROWS):
            yield from session.load_many(self.root, rest[start : start + PAGE_ROWS]).values()

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            rows = max(0, stop - start) if step > 0 else max(0, start - stop)
            low = start if step > 0 else stop + 1
            page = current().page(self.root, self.condition, self._order, low, rows)
            return page[::step]
        position = as_index(index) if index >= 0 else len(self) + as_index(index)
        possible = 0 <= position < (2**63 if self._limit is None else self._limit)
        page = current().page(self.root, self.condition, self._order, position, 1) if possible else []
        if not page:
            raise IndexError(f"the query finds {len(self)} objects; there is no number {index}")
        return page[0]

    def __repr__(self) -> str:
        return f"<query for {self.root.__name__}>"
