"""How can exposures of an instrument be reduced at once, badly? With nominal calibrations that are valid for ever.

They say what one would expect of a chip: no bias, no hot pixel, an even flat. Whoever rests on one is told so
(`processing.selection.FALLBACK`), and it is replaced as soon as there is what it takes to make a better one.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from datamodel import crash
from datamodel.errors import UsageError
from datamodel.frames import RawFrame
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.series import distinct
from datamodel.session import Session
from processing.classes import TARGET_CLASSES
from processing.declarations import default_values, roles
from processing.derivation import as_given, derivation_key, new_object, work_order
from processing.keys import Keys
from processing.node import Node
from processing.raw_pixels import raw_pixels
from processing.reasons import NOMINAL_RECIPE
from processing.selection import FOREVER, of_keys, only_usable
from processing.work import finished

FROM, UNTIL = datetime(1990, 1, 1), datetime(2050, 1, 1)

MADE = crash.declare("bootstrap.made", "one nominal calibration is committed, others are not")


def bootstrap(
    session: Session, instrument: str, start: datetime = FROM, end: datetime = UNTIL
) -> Iterator[Any]:
    """Make what nominal calibrations are lacking for the raw frames of an instrument; gives each when it is kept.

    A group of keys that has any calibration that can be used is passed over: a newer one would eclipse it. It may be
    killed at any moment, and begun again.

    Parameters
    ----------
    session
        The caller, who becomes their creator.
    instrument
        Its name.
    start, end
        Their validity (naive, UTC), ten years at least.

    Raises
    ------
    UsageError
        There is no such instrument, or the validity is too short to count as one for ever.
    """
    if end - start < FOREVER:
        raise UsageError(
            f"from {start.date()} until {end.date()} is no validity for ever: expected {FOREVER.days} days or more"
        )
    found = next(iter(Instrument.name == instrument), None)
    if found is None:
        known = ", ".join(sorted(i.name for i in Instrument.select_all())) or "none"
        raise UsageError(f"there is no instrument '{instrument}' with raw frames; there are {known}")
    for chip in (Chip.instrument == found).order_by("name"):
        for raw in _one_of_each_kind(chip):
            yield from _of_chip(session, chip, raw, (start, end))


def _one_of_each_kind(chip: Any) -> list[Any]:
    """For each way in which raw frames of a chip were read out, one of them."""
    frames = RawFrame.chip == chip
    kinds = [kind for (kind,) in distinct(frames, "compatibility")]
    return [next(iter((frames & (RawFrame.compatibility == kind)).limit(1))) for kind in kinds]


def _of_chip(session: Session, chip: Any, raw: Any, validity: tuple[datetime, datetime]) -> Iterator[Any]:
    shape = None
    made: dict[tuple[str, str | None], Any] = {}
    for cls in TARGET_CLASSES:
        filters = list(Filter.instrument == chip.instrument) if cls.needs_filter else [None]
        for filter in [] if cls.of_exposure or not hasattr(cls, "nominal") else filters:
            keys = Keys(chip.instrument, chip, filter, validity[0], compatibility=raw.compatibility or "")
            if only_usable(cls, of_keys(cls, keys)).exists():
                continue
            shape = shape or _shape(session, chip, raw)
            inputs = {name: _input(made, declared, filter) for name, declared in roles(cls).items()}
            product = _make(session, cls, keys, inputs, validity, shape)
            made[cls.__name__, getattr(filter, "object_id", None)] = product
            crash.reach(MADE)
            yield product


def _input(made: dict[tuple[str, str | None], Any], declared: Any, filter: Any) -> Any:
    if declared.attribute.many:
        return []
    name = declared.attribute.target_class().__name__
    return made.get((name, getattr(filter, "object_id", None)), made.get((name, None)))


def _shape(session: Session, chip: Any, raw: Any) -> tuple[int, int]:
    """``(ny, nx)`` of what recipes make of such a raw frame."""
    ny, nx = raw_pixels(as_given(session, raw), as_given(session, chip)).shape
    return int(ny), int(nx)


def _make(
    session: Session,
    cls: Any,
    keys: Keys,
    inputs: dict[str, Any],
    validity: tuple[datetime, datetime],
    shape: tuple[int, int],
) -> Any:
    node = Node(cls, keys, parameters=default_values(cls), validity=validity)
    order = work_order(session, node, inputs, session.archive.store.aside(".fits"))
    made = finished(order, cls, cls.nominal(order.inputs.chip, shape))
    product = new_object(session, node, inputs, derivation_key(node, inputs), made)
    product.recipe_digest = NOMINAL_RECIPE
    product.commit()
    return product
