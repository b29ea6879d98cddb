"""To what did something happen that the index of standings follows, and from when to when does it matter?"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from datamodel.attributes import all_classes
from datamodel.frames import RawFrame


class Happened:
    """An object to which something happened: where it is, was, and from when to when it matters or did."""

    def __init__(self, object_id: str, cls: Any) -> None:
        self.object_id = object_id
        self.cls = cls
        self.chip: str | None = None
        self.filter: str | None = None
        self.compatibility = ""
        self.raw: str | None = None
        self.instants: list[datetime] = []

    def know(self, row: Any) -> None:
        """Take in what the object is."""
        if getattr(self.cls, "of_exposure", False):
            self.raw = row.raw.object_id if row.raw is not None else None
            return
        self.chip = row.chip.object_id if row.chip is not None else None
        self.filter = row.filter.object_id if row.filter is not None else None
        self.compatibility = row.compatibility or ""
        is_raw = issubclass(self.cls, RawFrame)
        instants = (row.DATE_OBS,) if is_raw else (row.timestamp_start, row.timestamp_end, row.date_obs)
        self.instants += [each for each in instants if each is not None]

    def know_again(self, row: Any) -> None:
        """Take in what the index has of it, for an object that may be hidden now."""
        self.raw = self.raw or row.raw_id
        self.chip = self.chip or row.chip_id
        self.filter = self.filter or row.filter_id
        self.compatibility = self.compatibility or row.compatibility
        self.instants += [row.instant] if row.instant is not None and not self.cls.of_exposure else []


def followed_class(name: str) -> Any:
    """The class of that name, where it is one of products or raw frames; else None."""
    known = (c for c in all_classes() if hasattr(c, "of_exposure") or issubclass(c, RawFrame))
    return next((cls for cls in known if cls.__name__ == name), None)


def reach_of(files: Iterable[Any]) -> timedelta:
    """How far in time plans may look by the rules of some instrument files."""
    rules = [rule for file in files for rule in (file.defaults, *file.classes.values())]
    return timedelta(days=max((r.window.days or 1.0) + (r.validity.days or 1.0) for r in rules) + 1)
