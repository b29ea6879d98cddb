"""Queries in Python: ``(RawScienceFrame.chip.name == 'ccd53') & (RawScienceFrame.EXPTIME > 10)``.

Nothing is looked up before one asks for an element, the length, or iterates.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

from datamodel.attributes import Attribute
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
from datamodel.session import PAGE_ROWS, current

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
            raise UsageError(f"{self._steps} is a list: use .contains(object) or .any(condition)")
        path = self
        if self._last.is_link:
            path, value = _link_and_value(self, value)
        return Query(self._steps.root, Compare(path._steps, operator, value))

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
        """Match text against a pattern with ``*`` (any text) and ``?`` (one character)."""
        escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self._compare("like", escaped.replace("*", "%").replace("?", "_"))

    def in_(self, values: Any) -> "Query":
        """Equal to one of the values."""
        if self._last.is_link:
            path, _ = _link_and_value(self, next(iter(values), None))
            plain = [_link_and_value(self, v)[1] for v in values]
            return Query(self._steps.root, Compare(path._steps, "in", plain))
        return self._compare("in", list(values))

    def between(self, low: Any, high: Any) -> "Query":
        """At least `low` and at most `high`."""
        return self._compare("between", (low, high))

    def contains(self, member: Any) -> "Query":
        """The list has this object in it."""
        self._must_be_list("contains")
        return Query(self._steps.root, ListMember(self._steps, member.object_id, None))

    def any(self, condition: "Query") -> "Query":
        """The list has an object in it for which the condition is true."""
        self._must_be_list("any")
        return Query(self._steps.root, ListMember(self._steps, None, condition.condition))

    def _must_be_list(self, what: str) -> None:
        if not (self._last.many and self._last.is_link):
            raise UsageError(f"{self._steps} is not a list of objects: .{what}() has no meaning")

    def __bool__(self) -> NoReturn:
        raise TypeError(_USE_OPERATORS)

    def __repr__(self) -> str:
        unit = f" [{self._last.unit}]" if self._last.unit else ""
        return f"<{self._steps}{unit}: {self._last.doc}>"


def _link_and_value(path: Path, value: Any) -> tuple[Path, Any]:
    """A link is compared with an object or None by identity, with anything else by its natural key."""
    target = path._last.target_class()
    if value is None:
        return path, None
    if isinstance(value, target):
        return path, value.object_id
    if target.natural_key is None:
        raise UsageError(
            f"{path._steps} links to {target.__name__}: compare it with an object, not {value!r}"
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
        if not (issubclass(other.root, self.root) or issubclass(self.root, other.root)):
            raise UsageError(
                f"conditions on {self.root.__name__} and {other.root.__name__} cannot be combined"
            )
        root = other.root if issubclass(other.root, self.root) else self.root
        if self.condition is None or other.condition is None:
            kept = None if how is Either else (self.condition or other.condition)
            return Query(root, kept)
        return Query(root, how(self.condition, other.condition))

    def __and__(self, other: Any) -> "Query":
        return self._combined(other, Both)

    def __or__(self, other: Any) -> "Query":
        return self._combined(other, Either)

    def __invert__(self) -> "Query":
        if self.condition is None:
            raise UsageError("the opposite of everything is nothing")
        return Query(self.root, Not(self.condition))

    def __bool__(self) -> NoReturn:
        raise TypeError(_USE_OPERATORS)

    def order_by(self, *names: str) -> "Query":
        """The same objects in another order; ``-name`` is descending, a dotted name follows links."""
        order = tuple((self._steps(n.lstrip("-")), n.startswith("-")) for n in names)
        return Query(self.root, self.condition, order, self._limit)

    def limit(self, count: int) -> "Query":
        """At most `count` of the objects."""
        return Query(self.root, self.condition, self._order, count)

    def _steps(self, dotted: str) -> Steps:
        path: Any = self.root
        for name in dotted.split("."):
            path = getattr(path, name, None)
            if not isinstance(path, Path):
                known = self.root.__attributes__
                raise UsageError(f"{self.root.__name__} has no attribute '{dotted}'{nearest(dotted, known)}")
        steps: Steps = path._steps
        return steps

    def max(self, name: str) -> Any:
        """The object with the largest value of an attribute, or None."""
        return self._extreme(name, "-")

    def min(self, name: str) -> Any:
        """The object with the smallest value of an attribute, or None."""
        return self._extreme(name, "")

    def _extreme(self, name: str, sign: str) -> Any:
        known = Compare(self._steps(name), "!=", None)
        some = known if self.condition is None else Both(self.condition, known)
        return next(iter(Query(self.root, some).order_by(sign + name).limit(1)), None)

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
        return bool(current().page(self.root, self.condition, (), 0, 1))

    def __len__(self) -> int:
        count = current().count(self.root, self.condition)
        return count if self._limit is None else min(count, self._limit)

    def __iter__(self) -> Iterator[Any]:
        session, start = current(), 0
        while self._limit is None or start < self._limit:
            rows = PAGE_ROWS if self._limit is None else min(PAGE_ROWS, self._limit - start)
            page = session.page(self.root, self.condition, self._order, start, rows)
            yield from page
            if len(page) < rows:
                return
            start += rows

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            rows = max(0, stop - start) if step > 0 else max(0, start - stop)
            low = start if step > 0 else stop + 1
            page = current().page(self.root, self.condition, self._order, low, rows)
            return page[::step]
        position = index if index >= 0 else len(self) + index
        page = current().page(self.root, self.condition, self._order, position, 1) if position >= 0 else []
        if not page or (self._limit is not None and position >= self._limit):
            raise IndexError(f"the query finds {len(self)} objects; there is no number {index}")
        return page[0]

    def __repr__(self) -> str:
        return f"<query for {self.root.__name__}>"
