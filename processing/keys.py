"""What identifies a target: the chip, perhaps the filter, and an instant; or one raw exposure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from datamodel.errors import NotFoundError
from datamodel.state import Restricted

ANY_TIME = datetime(1, 1, 1)
"""The instant of keys that are asked about all times."""


@dataclass(frozen=True)
class Keys:
    """The keys of a target, as stored objects and an instant.

    Attributes
    ----------
    instrument, chip, filter
        Persistent objects; the filter is None for a class that has none.
    instant
        Where in time the target must be valid (UTC).
    raw
        The raw exposure, for a target that belongs to one; else None.
    compatibility
        What all raw frames that go into it have in common, such as binning and read-out: the text of a
        JSON object with sorted keys, as the raw frames have it; empty where nothing is asked for.
    shared
        Process parameters that must be as in what it is made for, by name: see `role.shares`.
    """

    instrument: Any
    chip: Any
    filter: Any
    instant: datetime
    raw: Any = None
    compatibility: str = ""
    shared: tuple[tuple[str, Any], ...] = ()

    def for_class(self, cls: Any) -> "Keys":
        """The keys as far as `cls` has them."""
        return replace(
            self,
            filter=self.filter if cls.needs_filter or cls.of_exposure else None,
            raw=self.raw if cls.of_exposure else None,
        )

    def sharing(self, names: Iterable[str], values: Mapping[str, Any]) -> "Keys":
        """The same keys for a dependency that must have some process parameters in common."""
        return replace(self, shared=tuple((name, values[name]) for name in sorted(names)))

    def at(self, instant: datetime) -> "Keys":
        """The same keys at another instant."""
        return replace(self, instant=instant)

    def __str__(self) -> str:
        named = [self.instrument.name, self.chip.name, self.filter.name if self.filter else ""]
        if self.raw is not None:
            named.append(self.raw.obs_id or self.raw.object_id)
        parts = [*(n for n in named if n), self.instant.isoformat(timespec="seconds")]
        if self.compatibility:
            shared = json.loads(self.compatibility).items()
            parts.append(f"({', '.join(f'{name} {value}' for name, value in shared)})")
        return " ".join(parts)


def is_displaced(placed: Any) -> bool:
    """Whether the instrument, the chip or the filter of a frame is hidden from the caller."""
    return any(isinstance(getattr(placed, role), Restricted) for role in ("instrument", "chip", "filter"))


def keys_of_raw(raw: Any) -> Keys:
    """The keys of everything that belongs to one raw exposure.

    Raises
    ------
    NotFoundError
        Its instrument, chip or filter is hidden from the caller.
    """
    if is_displaced(raw):
        raise NotFoundError(f"what the exposure {raw.obs_id or raw.object_id} belongs to is not public")
    return Keys(raw.instrument, raw.chip, raw.filter, raw.DATE_OBS, raw, raw.compatibility or "")
