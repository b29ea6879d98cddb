"""Which instruments does the archive know, and which of them took this file?

An instrument is described by one TOML file. Those that come with the archive lie in ``instruments/``; a site
adds its own, and one of the same name replaces ours.
"""

import math
import re
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from datamodel.errors import NotFoundError, UsageError, nearest
from processing.header_rules import (
    FRAME_CLASSES,
    CardValue,
    Condition,
    FrameTypeRule,
    card_value,
)
from processing.instrument_file import CALIBRATION_CLASSES, InstrumentFile, Period, Section

__all__ = ["InstrumentFile", "Instruments", "load_instruments", "read_instrument"]

SHIPPED = Path(__file__).parent / "instruments"
_LONGEST_DAYS = 36525.0


@dataclass(frozen=True)
class Instruments:
    """The instruments that are known, in the order of their names."""

    files: tuple[InstrumentFile, ...]

    def __iter__(self) -> Iterator[InstrumentFile]:
        return iter(self.files)

    def named(self, name: str) -> InstrumentFile:
        """The instrument of that name.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        found = self._by_name.get(name.casefold())
        if found is None:
            names = [file.name for file in self.files]
            raise NotFoundError(f"no instrument is called '{name}'{nearest(name, names)}")
        return found

    @cached_property
    def _by_name(self) -> dict[str, InstrumentFile]:
        return {file.name.casefold(): file for file in self.files}

    def recognise(self, header: Mapping[str, Any]) -> InstrumentFile:
        """The one instrument whose ``[match]`` conditions a header meets.

        Parameters
        ----------
        header
            Of the file as a whole: `processing.fits_reading.RawFile.header`.

        Raises
        ------
        NotFoundError
            When it meets none; says what each one missed.
        UsageError
            When it meets several.
        """
        missed = {file.name: _missed(file, header) for file in self.files}
        found = [file for file in self.files if missed[file.name] is None]
        if not found:
            reasons = "; ".join(f"{name} {reason}" for name, reason in missed.items()) or "none is known"
            raise NotFoundError(f"the header is of no known instrument: {reasons}")
        if len(found) > 1:
            names = " and ".join(file.name for file in found)
            raise UsageError(f"the header meets the conditions of {names}: expected those of one instrument")
        return found[0]


def _missed(file: InstrumentFile, header: Mapping[str, Any]) -> str | None:
    """The first condition that a header does not meet, in words."""
    for condition in file.match:
        value = card_value(header, condition.card)
        if not condition.holds(value):
            return f"expects {condition}, got {value!r:.80}"
    return None


def load_instruments(folders: Sequence[Path] = ()) -> Instruments:
    """Read all instrument files: those that come with the archive, then those of a site.

    Parameters
    ----------
    folders
        With ``*.toml`` files; where two files give the same name, the one read later counts.

    Raises
    ------
    UsageError
        When a folder is not there or a file is not as it should be; says where and what was expected.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"'{folder}' is not a folder: expected one with instrument files")
    paths = [path for folder in (SHIPPED, *folders) for path in sorted(folder.glob("*.toml"))]
    by_name = {file.name: file for file in map(read_instrument, paths)}
    return Instruments(tuple(by_name[name] for name in sorted(by_name)))


def read_instrument(path: Path) -> InstrumentFile:
    """Read one instrument file.

    Raises
    ------
    UsageError
        Names the file, the place in it, what stands there and what was expected.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        file: InstrumentFile = _build(InstrumentFile, table, "the file")
    except (OSError, ValueError, re.error) as error:  # TOML and UTF-8 errors are ValueErrors
        raise UsageError(f"'{path.name}': {error}") from None
    except UsageError as error:
        raise UsageError(f"'{path.name}': {error}") from None
    return file


def _build(kind: type[Any], table: object, where: str) -> Any:
    """Make a frozen dataclass from a TOML table: the keys are its fields."""
    table = _table(table, where)
    if kind is InstrumentFile:
        table = _with_defaults(table)
    hints = get_type_hints(kind)
    wanted = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(kind)}
    for key in table:
        if key not in wanted:
            raise UsageError(f"unknown key '{key}' in {where}{nearest(key, wanted)}")
    for key, required in wanted.items():
        if required and key not in table:
            raise UsageError(f"key '{key}' is missing in {where}")
    values = {key: _convert(hints[key], value, f"'{key}' of {where}") for key, value in table.items()}
    try:
        return kind(**values)
    except UsageError as error:
        raise UsageError(f"in {where}: {error}") from None


def _with_defaults(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Complete the rule of each class from ``[defaults]``."""
    classes = _table(table.get("classes", {}), "'classes' of the file")
    defaults = _table(table.get("defaults", {}), "'defaults' of the file")
    for name in classes:
        if name not in CALIBRATION_CLASSES:
            raise UsageError(f"unknown class '{name}' in 'classes'{nearest(name, CALIBRATION_CLASSES)}")
    complete = {name: {**defaults, **_table(rule, f"class {name}")} for name, rule in classes.items()}
    return {**table, "classes": complete}


def _convert(hint: Any, value: object, where: str) -> Any:
    """A TOML value as what a field wants."""
    if isinstance(hint, types.UnionType):
        hint = next(arm for arm in get_args(hint) if arm is not types.NoneType)
    if hint in _CONVERTERS:
        return _CONVERTERS[hint](value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where)
    if get_origin(hint) is tuple:
        return _sequence(get_args(hint), value, where)
    each = get_args(hint)[1]
    return {k: _convert(each, v, f"'{k}' in {where}") for k, v in _table(value, where).items()}


def _sequence(kinds: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    fixed = None if kinds[-1] is Ellipsis else len(kinds)
    if not isinstance(value, list) or (fixed is not None and len(value) != fixed):
        raise UsageError(f"{where} is {value!r:.80}: expected a list{f' of {fixed}' if fixed else ''}")
    return tuple(_convert(kinds[0], item, f"{where}, number {n}") for n, item in enumerate(value, 1))


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r:.80}: expected a table")
    return value


def _typed(kind: type, name: str) -> Callable[[object, str], Any]:
    def convert(value: object, where: str) -> Any:
        if type(value) is not kind:
            raise UsageError(f"{where} is {value!r:.80}: expected {name}")
        return value

    return convert


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise UsageError(f"{where} is {value!r:.80}: expected a number")
    return float(value)


def _period(value: object, where: str) -> Period:
    """``night``, or a duration such as ``7d``."""
    if value == "night":
        return Period()
    duration = re.fullmatch(r"(\d+(?:\.\d+)?)d", str(value))
    if duration is None or not 0 < float(duration[1]) <= _LONGEST_DAYS:
        raise UsageError(f"{where} is {value!r:.80}: expected 'night' or days such as '7d'")
    return Period(float(duration[1]))


def _section(value: object, where: str) -> Section:
    bounds = re.fullmatch(r"\[(\d{1,6}):(\d{1,6}),(\d{1,6}):(\d{1,6})\]", str(value).replace(" ", ""))
    if bounds is None:
        raise UsageError(f"{where} is {value!r:.80}: expected a section such as '[1:2048,1:4096]'")
    return Section(*map(int, bounds.groups()))


def _conditions(value: object, where: str) -> tuple[Condition, ...]:
    return tuple(_condition(card, wanted, where) for card, wanted in _table(value, where).items())


def _condition(card: str, wanted: object, where: str) -> Condition:
    """A value, a list of them, or a table with ``at_least`` and ``below``."""
    if isinstance(wanted, dict):
        for key in wanted:
            if key not in ("at_least", "below"):
                raise UsageError(
                    f"unknown key '{key}' for {card} in {where}{nearest(key, ('at_least', 'below'))}"
                )
        bounds = {key: _number(bound, f"{key} of {card}") for key, bound in wanted.items()}
        return Condition(card, (), bounds.get("at_least", -math.inf), bounds.get("below", math.inf))
    values: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    if not values or not all(isinstance(v, CardValue) for v in values):
        raise UsageError(
            f"{card} of {where} is {wanted!r:.80}: expected a value, a list of values or a range"
        )
    return Condition(card, tuple(values))


def _frame_type(value: object, where: str) -> FrameTypeRule:
    table = _table(value, where)
    known = ("class", "cards", "filename")
    for key in table:
        if key not in known:
            raise UsageError(f"unknown key '{key}' in {where}{nearest(key, known)}")
    name, pattern = table.get("class"), table.get("filename")
    if name not in FRAME_CLASSES:
        hint = nearest(str(name), FRAME_CLASSES)
        raise UsageError(
            f"class in {where} is {name!r:.80}: expected one of {', '.join(FRAME_CLASSES)}{hint}"
        )
    if pattern is not None and not isinstance(pattern, str):
        raise UsageError(f"filename in {where} is {pattern!r:.80}: expected text with wildcards")
    return FrameTypeRule(name, _conditions(table.get("cards", {}), where), pattern)


_CONVERTERS: dict[Any, Callable[[object, str], Any]] = {
    str: _typed(str, "text"),
    int: _typed(int, "a whole number"),
    bool: _typed(bool, "true or false"),
    float: _number,
    Period: _period,
    Section: _section,
    FrameTypeRule: _frame_type,
    tuple[Condition, ...]: _conditions,
}
