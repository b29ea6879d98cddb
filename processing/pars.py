"""`Pars`: the process parameters of a target and of all that it is made from, to look at and to change."""

from typing import Any

from datamodel.attributes import class_named
from datamodel.errors import UsageError, nearest
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.session import current
from processing import defaults
from processing.declarations import parameters, roles
from processing.defaults import Default, Place


class Pars:
    """``pars = Pars(BiasFrame, chip='A5382'); pars.BiasFrame.process_params.SIGMA_CLIP = 5.0; pars.get()``.

    Parameters
    ----------
    target
        A target class or its name.
    instrument, chip, filter
        Names, for which the defaults are those of the parameters.

    Raises
    ------
    UsageError
        There is no such class, instrument, chip or filter.
    """

    def __init__(
        self,
        target: Any,
        instrument: str | None = None,
        chip: str | None = None,
        filter: str | None = None,
    ) -> None:
        cls = class_named(target) if isinstance(target, str) else target
        if not hasattr(cls, "of_exposure"):
            raise UsageError(f"{getattr(cls, '__name__', cls)} is not made: it has no process parameters")
        self._root = cls
        self._place = Place(
            *(_known(c, n) for c, n in ((Instrument, instrument), (Chip, chip), (Filter, filter)))
        )
        self._classes = {c.__name__: _OfClass(c, self._defaults(c)) for c in _reached(cls)}

    def _defaults(self, cls: Any) -> dict[str, Default]:
        """By name, the strongest default of each parameter."""
        fit = (
            d for d in defaults.in_force(current()) if d.class_name == cls.__name__ and self._is_in(d.place)
        )
        return {default.name: default for default in fit}

    def _is_in(self, place: Place) -> bool:
        pairs = ((getattr(place, n), getattr(self._place, n)) for n in ("instrument", "chip", "filter"))
        return all(wanted in (None, there) for wanted, there in pairs)

    def __getattr__(self, name: str) -> "_OfClass":
        classes = self.__dict__.get("_classes", {})
        if name.startswith("__") or name not in classes:
            raise AttributeError(f"no class '{name}' is part of it{nearest(name, classes)}")
        found: _OfClass = classes[name]
        return found

    def __dir__(self) -> list[str]:
        return [*self._classes, "get", "save", "show"]

    def get(self) -> dict[str, Any]:
        """Those that were changed here, as ``Class.process_params.NAME``: what `get` of a class takes."""
        return {
            f"{name}.process_params.{parameter}": value
            for name, own in self._classes.items()
            for parameter, value in own.process_params.changed.items()
        }

    def save(self, scope: str = defaults.USER) -> None:
        """Make those that were changed here defaults, for these instrument, chip and filter.

        Raises
        ------
        UsageError, ForbiddenError
            See `processing.defaults.set_default`.
        """
        with current().transaction():
            for own in self._classes.values():
                for name, value in own.process_params.changed.items():
                    defaults.set_default(current(), own.cls, name, value, scope, self._place)

    def show(self) -> None:
        """Print the tree: each class once, its parameters, what they are and who says so."""
        print(self)

    def __str__(self) -> str:
        return "\n".join(_tree(self._root, self._classes, set(), 0, ""))

    __repr__ = __str__


class _OfClass:
    """The parameters of one class: ``process_params``, and each by its name."""

    def __init__(self, cls: Any, known: dict[str, Default]) -> None:
        self.cls = cls
        self.process_params = _Values(cls, known)


class _Values:
    """Parameters as attributes that can be set."""

    def __init__(self, cls: Any, known: dict[str, Default]) -> None:
        self.__dict__.update(_cls=cls, _defaults=known, changed={})

    def __getattr__(self, name: str) -> Any:
        declared = parameters(self._cls)
        if name not in declared:
            raise AttributeError(f"{self._cls.__name__} has no parameter '{name}'{nearest(name, declared)}")
        if name in self.changed:
            return self.changed[name]
        return self._defaults[name].value if name in self._defaults else declared[name].attribute.default

    def __setattr__(self, name: str, value: Any) -> None:
        declared = parameters(self._cls)
        if name not in declared:
            raise UsageError(f"{self._cls.__name__} has no parameter '{name}'{nearest(name, declared)}")
        self.changed[name] = declared[name].value(value)

    def __dir__(self) -> list[str]:
        return list(parameters(self._cls))

    def lines(self) -> list[str]:
        """What each is, and who says so."""
        return [
            f"{name} = {getattr(self, name)!r}{_unit(each)}  ({self._source(name)})  {each.attribute.doc}"
            for name, each in parameters(self._cls).items()
        ]

    def _source(self, name: str) -> str:
        if name in self.changed:
            return "set here"
        found = self._defaults.get(name)
        return "default" if found is None else f"{found.scope}, {found.place}, by {found.set_by}"


def _unit(declared: Any) -> str:
    return f" [{declared.attribute.unit}]" if declared.attribute.unit else ""


def _known(cls: Any, name: str | None) -> str | None:
    if name is None:
        return None
    names = sorted({each.name for each in cls.select_all()})
    if name not in names:
        kind = cls.__name__.lower()
        raise UsageError(
            f"there is no {kind} '{name}'{nearest(name, names)}; there are {', '.join(names[:40])}"
        )
    return name


def _reached(cls: Any) -> list[Any]:
    """The class and all that it is made from that can be made, each once."""
    found = [cls]
    for each in found:
        targets = (role.attribute.target_class() for role in roles(each).values())
        found += [t for t in dict.fromkeys(targets) if hasattr(t, "of_exposure") and t not in found]
    return found


def _tree(cls: Any, classes: dict[str, _OfClass], seen: set[Any], depth: int, role: str) -> list[str]:
    label = f"{'  ' * depth}{role}{cls.__name__}"
    if cls in seen:
        return [f"{label}  (as above)"]
    seen.add(cls)
    lines = [label, *(f"{'  ' * depth}  . {line}" for line in classes[cls.__name__].process_params.lines())]
    for name, declared in roles(cls).items():
        target = declared.attribute.target_class()
        if hasattr(target, "of_exposure"):
            lines += _tree(target, classes, seen, depth + 1, f"{name}: ")
    return lines
